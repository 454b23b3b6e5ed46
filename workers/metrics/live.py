"""The live streams' facts as metrics."""

from collections import Counter
from typing import Final

import structlog

from workers.metrics.table import Metrics

_LOG: Final = structlog.get_logger("workers.metrics.live")


class LiveMetrics:
    """Implements `projections.live.observe.LiveObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open: Counter[str] = Counter()

    def stream_opened(self, *, kind: str) -> None:
        """Gauge."""
        self._change(kind, 1)

    def stream_closed(self, *, kind: str, why: str) -> None:
        """Gauge and count."""
        self._change(kind, -1)
        self._metrics.count("orderstore_live_streams_closed", {"kind": kind, "cause": why})

    def stream_refused(self, *, why: str) -> None:
        """Count."""
        self._metrics.count("orderstore_live_streams_refused", {"cause": why})

    def event_sent(self, *, event: str) -> None:
        """Count."""
        self._metrics.count("orderstore_live_events", {"event_type": event})

    def looked(self, *, what: str, keys: int, moved: int) -> None:
        """Count."""
        labels = {"kind": what}
        self._metrics.count("orderstore_live_looks", labels)
        self._metrics.count("orderstore_live_things_looked_at", labels, keys)
        self._metrics.count("orderstore_live_things_moved", labels, moved)

    def look_failed(self, *, what: str, error: Exception) -> None:
        """Count and log: no client hears of it."""
        self._metrics.count("orderstore_live_looks_failed", {"kind": what})
        _LOG.warning("live_look_failed", what=what, error=type(error).__name__)

    def _change(self, kind: str, by: int) -> None:
        self._open[kind] += by
        self._metrics.set("orderstore_live_streams", {"kind": kind}, self._open[kind])
