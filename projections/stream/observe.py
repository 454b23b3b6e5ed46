"""What the reader reports. One observer serves one subscription; the default says nothing."""

from typing import Protocol

from projections.stream.gaps import GapCause


class StreamObserver(Protocol):
    """Facts, told as they happen, from inside the reader's tasks: an implementation counts and returns at once."""

    def records_read(self, *, shard: str, count: int) -> None:
        """A page with `count` records was read."""

    def applied(self, *, shard: str, count: int, lag_ms: int) -> None:
        """`count` records are durable; the last of them was `lag_ms` old (the service's clock has a grain of 1 s)."""

    def waiting(self, *, shard: str, lag_ms: int) -> None:
        """The oldest record that was read and is not durable is `lag_ms` old; told again and again while it waits."""

    def behind(self, *, lag_ms: int, left_ms: int) -> None:
        """The whole subscription, unowned shards included, has applied everything older than `lag_ms`.

        `left_ms` is the time until the first record that may not be applied leaves the stream; negative: it has left. Told at every
        look at the leases, also while that look fails.
        """

    def apply_failed(self, *, shard: str, count: int, error: Exception) -> None:
        """The subscriber raised; the same records will be tried again."""

    def caught_up(self, *, shard: str) -> None:
        """The shard was read to its tip: it has no lag."""

    def gap(self, *, shard: str, cause: GapCause, since_ms: int) -> None:
        """Records may have been lost; everything since `since_ms` is about to be back-filled. To be alarmed."""

    def bootstrap(self, *, shard: str) -> None:
        """The subscription has never run on this table: its history is about to be back-filled. Not an alarm."""

    def backfilled(self, *, since_ms: int, seconds: float) -> None:
        """A back-fill ended well."""

    def backfill_failed(self, *, since_ms: int, error: Exception) -> None:
        """A back-fill raised; it will be tried again."""

    def lease_taken(self, *, shard: str) -> None:
        """This worker owns the shard now."""

    def lease_lost(self, *, shard: str) -> None:
        """Another worker owns the shard, or this one could not renew in time; its reading was cancelled."""

    def lease_released(self, *, shard: str) -> None:
        """This worker gave the shard back in good order."""

    def shards_owned(self, *, count: int) -> None:
        """How many shards this worker reads now."""

    def shard_finished(self, *, shard: str) -> None:
        """The shard was read to its end and that was stored."""

    def throttled(self, *, shard: str) -> None:
        """The stream asked for fewer calls."""

    def iterator_expired(self, *, shard: str) -> None:
        """An iterator grew too old and is renewed from the last applied position."""

    def unavailable(self, *, operation: str, error: Exception) -> None:
        """The stream or the lease table failed; the operation will be tried again."""


class SilentObserver:
    """Takes every fact and does nothing with it."""

    def records_read(self, *, shard: str, count: int) -> None:
        """See `StreamObserver`."""

    def applied(self, *, shard: str, count: int, lag_ms: int) -> None:
        """See `StreamObserver`."""

    def waiting(self, *, shard: str, lag_ms: int) -> None:
        """See `StreamObserver`."""

    def behind(self, *, lag_ms: int, left_ms: int) -> None:
        """See `StreamObserver`."""

    def apply_failed(self, *, shard: str, count: int, error: Exception) -> None:
        """See `StreamObserver`."""

    def caught_up(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def gap(self, *, shard: str, cause: GapCause, since_ms: int) -> None:
        """See `StreamObserver`."""

    def bootstrap(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def backfilled(self, *, since_ms: int, seconds: float) -> None:
        """See `StreamObserver`."""

    def backfill_failed(self, *, since_ms: int, error: Exception) -> None:
        """See `StreamObserver`."""

    def lease_taken(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def lease_lost(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def lease_released(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def shards_owned(self, *, count: int) -> None:
        """See `StreamObserver`."""

    def shard_finished(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def throttled(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def iterator_expired(self, *, shard: str) -> None:
        """See `StreamObserver`."""

    def unavailable(self, *, operation: str, error: Exception) -> None:
        """See `StreamObserver`."""
