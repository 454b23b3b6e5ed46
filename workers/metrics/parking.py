"""The quarantine's facts as metrics, and parkings as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("projections.stream")


class ParkingMetrics:
    """Implements `projections.stream.quarantine.observe.ParkingObserver` for one subscription."""

    def __init__(self, metrics: Metrics, subscription: str) -> None:
        self._metrics = metrics
        self._subscription = subscription
        self._labels = {"subscription": subscription}

    def standing(self, *, parked: int, skipped: int, oldest_age_ms: int) -> None:
        """Show."""
        self._metrics.set("orderstore_parked", {**self._labels, "state": "parked"}, parked)
        self._metrics.set("orderstore_parked", {**self._labels, "state": "skipped"}, skipped)
        self._metrics.set("orderstore_parked_oldest_age_seconds", self._labels, oldest_age_ms / 1000)

    def parked(self, *, key: str, error: str, message: str) -> None:
        """Count and log: somebody has to decide."""
        self._metrics.count("orderstore_parkings", {**self._labels, "cause": error})
        _log.error("order parked", subscription=self._subscription, stream=key, cause=error, message=message)

    def parking_refused(self, *, key: str, error: str, message: str) -> None:
        """Count and log: the shard waits."""
        self._metrics.count("orderstore_parkings_refused", self._labels)
        _log.error(
            "order not parked: too many are, and the shard waits",
            subscription=self._subscription,
            stream=key,
            cause=error,
            message=message,
        )

    def suspected(self, *, key: str, error: str, failures: int) -> None:
        """Count and log."""
        self._metrics.count("orderstore_parking_suspicions", {**self._labels, "cause": error})
        _log.warning("order failed alone", subscription=self._subscription, stream=key, cause=error, failures=failures)

    def lot_unavailable(self, *, error: Exception) -> None:
        """Log."""
        _log.warning("parking lot out of reach", subscription=self._subscription, error=repr(error))
