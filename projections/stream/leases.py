"""Leases: which worker reads which shard, and how far that shard has been applied.

Every change of a row is conditional on the (owner, counter) that the writer last saw and moves the counter on. So of two
workers that believe to own a shard only one can store anything; the checkpoint is fenced by the same condition. No wall clock
takes part: a lease has expired for an observer once its counter stood still for a lease's duration on the observer's own monotonic
clock (`balance.LeaseWatch`). An owner id must be new at every start (task id and a random boot id), never a process id.

    LeaseError
    ├── LeaseLost              the row is not as the writer last saw it: somebody else changed it
    └── LeaseStoreUnavailable  the store failed; whether the write happened is not known
        └── LeaseUnreadable    a row is none of ours: nobody can tell who reads that shard, so nobody does until it is put right
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from projections.stream.gaps import Gap
from projections.stream.source import TRIM_HORIZON, After, Position

AT_TRIM_HORIZON: Final = "TRIM_HORIZON"
SHARD_END: Final = "SHARD_END"
PRESENT: Final = "PRESENT"
WORKER_PREFIX: Final = "worker/"  # no shard id begins so: AWS's begin with "shardId-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One row: a shard of a subscription (or, with a shard name that begins with `worker/`, the presence of a worker)."""

    subscription: str
    shard: str
    stream: str  # ARN of the stream that the shard belongs to
    owner: str | None = None
    counter: int = 0  # moves with every write
    checkpoint: str = AT_TRIM_HORIZON  # or the last applied sequence number, or SHARD_END
    parents: tuple[str, ...] = ()
    starting_sequence: str | None = None  # of the shard, when the lease was made
    caught_up_to_ms: int = 0  # low-water mark: everything recorded before it was applied
    gap: Gap | None = None  # a back-fill that is owed

    @property
    def finished(self) -> bool:
        """The shard was read to its end (or its loss was healed) and nothing of it is owed."""
        return self.checkpoint == SHARD_END and self.gap is None

    @property
    def progressed(self) -> bool:
        """Something of the shard was applied, or all of it."""
        return self.checkpoint != AT_TRIM_HORIZON

    @property
    def position(self) -> Position:
        """Where reading goes on."""
        return TRIM_HORIZON if self.checkpoint == AT_TRIM_HORIZON else After(self.checkpoint)


def unmoved(row: Lease | None, seen: Lease) -> bool:
    """The condition of every write: the row has the owner and the counter that the writer saw last. A row that is gone has moved."""
    return row is not None and (row.owner, row.counter) == (seen.owner, seen.counter)


def is_ahead(checkpoint: str, of: str) -> bool:
    """Whether `checkpoint` lies behind `of` in reading order, so that storing it instead is progress.

    Sequence numbers are numbers of up to 40 digits that grow within a shard
    (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html).
    """
    if of == SHARD_END or checkpoint == AT_TRIM_HORIZON:
        return False
    if of == AT_TRIM_HORIZON or checkpoint == SHARD_END:
        return True
    return (len(checkpoint), checkpoint) > (len(of), of)


class LeaseError(Exception):
    """A lease could not be read or written."""


class LeaseLost(LeaseError):
    """The row changed since it was read; `winner` is how it stands now (None: it is gone)."""

    def __init__(self, shard: str, winner: Lease | None) -> None:
        super().__init__(f"the lease of {shard} is not as it was last seen")
        self.winner = winner


class LeaseStoreUnavailable(LeaseError):
    """The store did not answer, or failed."""


class LeaseUnreadable(LeaseStoreUnavailable):
    """A row is not one that a worker wrote."""


class LeaseStore(Protocol):
    """Rows by (subscription, shard). Each write is one atomic conditional write; reads are consistent with finished writes."""

    async def rows(self, subscription: str) -> tuple[Lease, ...]:
        """Every row of the subscription."""
        ...

    async def create(self, lease: Lease) -> bool:
        """Store a new row; False when there is one already, which stays as it is."""
        ...

    async def replace(self, current: Lease, updated: Lease) -> None:
        """Store `updated` if the row's owner and counter are still `current`'s, else raise `LeaseLost`.

        Returns as well when the row already equals `updated`: the write happened and its answer was lost.
        """
        ...

    async def remove(self, current: Lease) -> None:
        """Remove the row if its owner and counter are still `current`'s, else raise `LeaseLost`; gone already is fine."""
        ...


def taken(lease: Lease, *, owner: str, caught_up_to_ms: int) -> Lease:
    """The row under a new owner; the mark may have grown through parents that finished meanwhile, and never shrinks."""
    mark = max(lease.caught_up_to_ms, caught_up_to_ms)
    return replace(lease, owner=owner, counter=lease.counter + 1, caught_up_to_ms=mark)


def written(stored: Lease, now: Lease, *, tried: Iterable[Lease] = (), release: bool = False) -> Lease:
    """The owner's next row: what it knows `now`, on top of what it last `stored`; without an owner when it gives the lease back.

    Its counter is none that the owner has `tried` without an answer. A row that had been written long ago would else be taken for
    written now, and its owner would believe in the lease for longer than others do.
    """
    counter = max((row.counter for row in tried), default=0)
    return replace(now, owner=None if release else now.owner, counter=max(counter, stored.counter) + 1)


def with_gap(now: Lease, gap: Gap, *, starting_sequence: str | None) -> Lease:
    """The row once a back-fill is owed: reading goes on from the oldest record, which is the one that the shard starts with now."""
    return replace(now, gap=gap, checkpoint=AT_TRIM_HORIZON, starting_sequence=starting_sequence)


def without_gap(now: Lease) -> Lease:
    """The row once the back-fill that was owed is done. Nothing else of it changes: what is read live comes behind it."""
    return replace(now, gap=None)


def is_valid(*, written_at_s: float, now_s: float, duration_s: float) -> bool:
    """Whether no observer can think a lease expired whose owner began its last good write at `written_at_s` of the same clock."""
    return now_s < written_at_s + duration_s


def presence(subscription: str, owner: str) -> Lease:
    """The row by which a worker shows that it lives, so that shares are counted before it owns anything."""
    return Lease(subscription=subscription, shard=f"{WORKER_PREFIX}{owner}", stream="", owner=owner, checkpoint=PRESENT)


def split_rows(rows: tuple[Lease, ...]) -> tuple[tuple[Lease, ...], tuple[Lease, ...]]:
    """Rows of shards, and rows of workers."""
    shards = tuple(row for row in rows if not row.shard.startswith(WORKER_PREFIX))
    workers = tuple(row for row in rows if row.shard.startswith(WORKER_PREFIX))
    return shards, workers
