"""The archive's facts as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("archive")


class ArchiveMetrics:
    """Implements `orderstore.archive.observe.ArchiveObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def archived(self, *, commits: int, raw_bytes: int, segment_bytes: int) -> None:
        """Count."""
        self._metrics.count("orderstore_archive_segments")
        self._metrics.count("orderstore_archive_commits", by=commits)
        self._metrics.count("orderstore_archive_raw_bytes", by=raw_bytes)
        self._metrics.count("orderstore_archive_segment_bytes", by=segment_bytes)

    def conflicted(self) -> None:
        """Count."""
        self._metrics.count("orderstore_archive_conflicts")

    def order_refused(self, *, cause: str) -> None:
        """Count and log: the log is not what it was."""
        self._metrics.count("orderstore_archive_orders_refused", {"cause": cause})
        _log.error("an order cannot be archived", cause=cause)

    def lag(self, *, lag_ms: int) -> None:
        """Show it."""
        self._metrics.set("orderstore_archive_lag_seconds", None, lag_ms / 1000)
