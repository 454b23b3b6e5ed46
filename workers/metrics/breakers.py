"""A breaker's facts as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("workers.breaker")


class BreakerMetrics:
    """Implements `workers.runtime.breaker.BreakerObserver` for one queue."""

    def __init__(self, metrics: Metrics, *, queue: str) -> None:
        self._metrics = metrics
        self._queue = queue
        self._labels = {"queue": queue}
        metrics.set("orderstore_breaker_open", self._labels, 0)

    def opened(self, *, error: Exception) -> None:
        """Count and log; the type alone, since a text may hold what a customer wrote."""
        self._metrics.set("orderstore_breaker_open", self._labels, 1)
        self._metrics.count("orderstore_breaker_opened", self._labels)
        _log.error("outage: messages are held", queue=self._queue, error=_name(error))

    def closed(self, *, after_s: float) -> None:
        """Log: what was held is on its way."""
        self._metrics.set("orderstore_breaker_open", self._labels, 0)
        _log.info("the outage is over", queue=self._queue, after_s=round(after_s, 1))

    def held(self) -> None:
        """Count."""
        self._metrics.count("orderstore_breaker_held", self._labels)

    def own_fault(self, *, error: Exception) -> None:
        """Count and log."""
        self._metrics.count("orderstore_breaker_own_fault", self._labels)
        _log.warning("one message fails while others are done", queue=self._queue, error=_name(error))


def _name(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
