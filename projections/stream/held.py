"""One lease that this worker holds: its row, the progress that is not stored yet, and the right to go on reading."""

from dataclasses import replace

import anyio

from projections.stream.gaps import Gap
from projections.stream.leases import (
    SHARD_END,
    Lease,
    LeaseLost,
    LeaseStore,
    LeaseStoreUnavailable,
    is_ahead,
    is_valid,
    with_gap,
    without_gap,
    written,
)


class HeldLease:
    """All writes of one row by its owner, one at a time, each moving the counter on and storing all that is known.

    `scope` is the shard's task: it is cancelled when the lease is lost. A write whose answer was lost is remembered, so that
    finding it in the store later is not mistaken for a theft.
    """

    def __init__(
        self, store: LeaseStore, lease: Lease, *, duration_s: float, write_timeout_s: float, taken_at_s: float
    ) -> None:
        self.scope = anyio.CancelScope()
        self.stopping = False  # the worker has too many shards: the task gives this one back after its page
        self.lost = False
        self.stored = lease  # as the store has it
        self.now = lease  # as it should be stored next; owner and counter aside
        self._store = store
        self._duration_s = duration_s
        self._write_timeout_s = write_timeout_s
        self._written_at_s = taken_at_s
        self._lock = anyio.Lock()
        self._uncertain: list[Lease] = []

    @property
    def shard(self) -> str:
        """The shard's id."""
        return self.stored.shard

    @property
    def dirty(self) -> bool:
        """Applied records are not stored as such yet (a younger mark alone can wait for the renewal)."""
        return self.now.checkpoint != self.stored.checkpoint

    @property
    def written_at_s(self) -> float:
        """When the last good write began, on the monotonic clock."""
        return self._written_at_s

    def valid(self) -> bool:
        """Whether no other worker can think this lease expired: its last write began less than its duration ago."""
        return not self.lost and is_valid(
            written_at_s=self._written_at_s, now_s=anyio.current_time(), duration_s=self._duration_s
        )

    def advance(self, *, sequence: str | None = None, caught_up_to_ms: int = 0) -> None:
        """Note what is durably applied; nothing is written yet. Neither checkpoint nor mark ever moves backwards.

        A new iterator may bring records again that lie before the checkpoint: they are applied again, and move nothing.
        """
        ahead = sequence is not None and is_ahead(sequence, self.now.checkpoint)
        self.now = replace(
            self.now,
            checkpoint=sequence if ahead and sequence is not None else self.now.checkpoint,
            caught_up_to_ms=max(self.now.caught_up_to_ms, caught_up_to_ms),
        )

    def note_start(self, starting_sequence: str) -> None:
        """Note where the shard starts, which was not known when the lease was made."""
        self.now = replace(self.now, starting_sequence=starting_sequence)

    def note_gap(self, gap: Gap, *, starting_sequence: str | None) -> None:
        """Note that a back-fill is owed, and that reading goes on from the oldest record; both are stored by one write."""
        self.now = with_gap(self.now, gap, starting_sequence=starting_sequence)

    def note_healed(self, *, caught_up_to_ms: int) -> None:
        """Note that the back-fill is done, and how far it reaches."""
        self.now = without_gap(self.now)
        self.advance(caught_up_to_ms=caught_up_to_ms)

    def note_end(self) -> None:
        """Note that the shard is over."""
        self.advance(sequence=SHARD_END)

    def lose(self) -> None:
        """Stop the shard's task: somebody else owns the shard, or may."""
        self.lost = True
        self.scope.cancel()

    async def store(self, *, release: bool = False) -> None:
        """Store everything noted, which renews the lease as well, or gives it back in the same write.

        Raises `LeaseLost` when the row is somebody else's, `LeaseStoreUnavailable` when the outcome is not known.
        """
        async with self._lock:
            if self.lost:
                raise LeaseLost(self.shard, None)
            began_at_s = anyio.current_time()
            try:
                updated = await self._write(release=release)
            except LeaseLost as lost:
                if lost.winner is None or lost.winner not in self._uncertain:
                    raise
                self.stored = lost.winner  # our own earlier write had happened after all; this one goes on from there
                updated = await self._write(release=release)
            self._uncertain.clear()
            self.stored = updated
            self._written_at_s = began_at_s

    async def _write(self, *, release: bool) -> Lease:
        updated = written(self.stored, self.now, tried=self._uncertain, release=release)
        # Shielded, because a write that is cancelled half-way leaves the counter unknown; bounded, because stores hang.
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + self._write_timeout_s) as scope:
            try:
                await self._store.replace(self.stored, updated)
            except LeaseStoreUnavailable:
                self._uncertain.append(updated)
                raise
        if scope.cancelled_caught:
            self._uncertain.append(updated)
            raise LeaseStoreUnavailable(f"no answer about the lease of {self.shard} in {self._write_timeout_s} s")
        return updated
