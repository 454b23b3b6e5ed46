"""Snapshots as metrics and log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("snapshots")


class SnapshotMetrics:
    """Implements `orderstore.snapshots.observe.Observer`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def taken(self, *, stored_bytes: int) -> None:
        """Count."""
        self._metrics.count("orderstore_snapshots", {"outcome": "taken"})
        self._metrics.count("orderstore_snapshot_bytes", by=stored_bytes)

    def used(self, *, commits_not_read: int) -> None:
        """Count."""
        self._metrics.count("orderstore_snapshots", {"outcome": "used"})
        self._metrics.count("orderstore_snapshot_commits_not_read", by=commits_not_read)

    def ignored(self, key: str, reason: str) -> None:
        """Count and log: a person may delete the object."""
        self._metrics.count("orderstore_snapshots", {"outcome": "ignored"})
        _log.warning("a snapshot is ignored", key=key, reason=reason)
