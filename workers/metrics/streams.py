"""A stream subscription's facts as metrics, and gaps as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("projections.stream")


class StreamMetrics:
    """Implements `projections.stream.observe.StreamObserver` for one subscription."""

    def __init__(self, metrics: Metrics, subscription: str) -> None:
        self._metrics = metrics
        self._subscription = subscription
        self._labels = {"subscription": subscription}

    def records_read(self, *, shard: str, count: int) -> None:  # noqa: ARG002 - shards come and go: not a label
        """Count."""
        self._metrics.count("orderstore_stream_records_read", self._labels, count)

    def applied(self, *, shard: str, count: int, lag_ms: int) -> None:
        """Count, and show the lag."""
        self._metrics.count("orderstore_stream_records_applied", self._labels, count)
        self._lag(shard, lag_ms / 1000)

    def waiting(self, *, shard: str, lag_ms: int) -> None:
        """Show the lag of what is under way: it grows while nothing is applied."""
        self._lag(shard, lag_ms / 1000)

    def behind(self, *, lag_ms: int, left_ms: int) -> None:
        """Show how far the subscription is behind, and how long its place stays in the stream."""
        self._metrics.set("orderstore_stream_behind_seconds", self._labels, lag_ms / 1000)
        self._metrics.set("orderstore_stream_hours_left", self._labels, left_ms / 3_600_000)

    def apply_failed(self, *, shard: str, count: int, error: Exception) -> None:
        """Count and log: nothing is skipped, but somebody may have to look."""
        self._metrics.count("orderstore_stream_apply_failures", self._labels)
        _log.error("page not applied", subscription=self._subscription, shard=shard, records=count, error=repr(error))

    def caught_up(self, *, shard: str) -> None:
        """No lag."""
        self._lag(shard, 0)

    def gap(self, *, shard: str, cause: str, since_ms: int) -> None:
        """Count and log: records may have been lost, and are about to be back-filled."""
        self._metrics.count("orderstore_stream_gaps", {**self._labels, "cause": cause})
        _log.error("stream gap", subscription=self._subscription, shard=shard, cause=cause, sinceMs=since_ms)

    def bootstrap(self, *, shard: str) -> None:
        """Log the first start."""
        _log.info("subscription starts on this table", subscription=self._subscription, shard=shard)

    def backfilled(self, *, since_ms: int, seconds: float) -> None:
        """Count and log."""
        self._metrics.count("orderstore_stream_backfills", {**self._labels, "result": "done"})
        _log.info("back-filled", subscription=self._subscription, sinceMs=since_ms, seconds=round(seconds, 3))

    def backfill_failed(self, *, since_ms: int, error: Exception) -> None:
        """Count and log."""
        self._metrics.count("orderstore_stream_backfills", {**self._labels, "result": "failed"})
        _log.error("back-fill failed", subscription=self._subscription, sinceMs=since_ms, error=repr(error))

    def lease_taken(self, *, shard: str) -> None:
        """Count."""
        self._lease(shard, "taken")

    def lease_lost(self, *, shard: str) -> None:
        """Count; the lag is another worker's to show."""
        self._forget_lag(shard)
        self._lease(shard, "lost")

    def lease_released(self, *, shard: str) -> None:
        """Count; the lag is another worker's to show."""
        self._forget_lag(shard)
        self._lease(shard, "released")

    def shards_owned(self, *, count: int) -> None:
        """Show."""
        self._metrics.set("orderstore_stream_shards_owned", self._labels, count)

    def shard_finished(self, *, shard: str) -> None:
        """Log."""
        self._forget_lag(shard)
        _log.info("shard finished", subscription=self._subscription, shard=shard)

    def throttled(self, *, shard: str) -> None:  # noqa: ARG002 - as above
        """Count."""
        self._trouble("throttled")

    def iterator_expired(self, *, shard: str) -> None:  # noqa: ARG002 - as above
        """Count."""
        self._trouble("iterator_expired")

    def unavailable(self, *, operation: str, error: Exception) -> None:
        """Count and log."""
        self._trouble("unavailable")
        _log.warning("stream unavailable", subscription=self._subscription, operation=operation, error=repr(error))

    def _lag(self, shard: str, seconds: float) -> None:
        self._metrics.set("orderstore_stream_lag_seconds", {**self._labels, "shard": shard}, seconds)

    def _forget_lag(self, shard: str) -> None:
        self._metrics.forget("orderstore_stream_lag_seconds", {**self._labels, "shard": shard})

    def _lease(self, shard: str, change: str) -> None:
        self._metrics.count("orderstore_stream_leases", {**self._labels, "change": change})
        _log.info("lease", subscription=self._subscription, shard=shard, change=change)

    def _trouble(self, kind: str) -> None:
        self._metrics.count("orderstore_stream_troubles", {**self._labels, "kind": kind})
