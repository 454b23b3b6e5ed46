"""Who reads what: expiry of leases as one observer sees it, and fair shares without a leader.

Every worker counts the same rows and comes to the same shares. A worker with too much gives shards back by itself, in good order;
nobody takes a live lease away, only free and expired ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from projections.stream.leases import Lease


@dataclass(frozen=True, slots=True)
class Sighting:
    """That a row stood at this version from one moment to another, on the observer's own monotonic clock."""

    owner: str | None
    counter: int
    since_s: float
    until_s: float


def sighted(before: Sighting | None, row: Lease, *, asked_at_s: float, answered_at_s: float) -> Sighting:
    """What a read between the two moments shows.

    A change counts from the later moment and its lack up to the earlier one, so that a row is never thought older than it is.
    """
    same = before is not None and (before.owner, before.counter) == (row.owner, row.counter)
    since_s = before.since_s if before is not None and same else answered_at_s
    return Sighting(row.owner, row.counter, since_s, asked_at_s)


def is_expired(row: Lease, seen: Sighting | None, *, duration_s: float) -> bool:
    """Whether nobody owns the row, or its owner has not moved it for the whole duration."""
    if row.owner is None:
        return True
    if seen is None or (seen.owner, seen.counter) != (row.owner, row.counter):
        return False
    return seen.until_s - seen.since_s >= duration_s


def is_free(row: Lease, seen: Sighting | None, *, me: str, duration_s: float) -> bool:
    """Whether `me`, who does not hold it, may try to take it: nobody's, a dead worker's, or its own that it failed to give back."""
    return row.owner == me or is_expired(row, seen, duration_s=duration_s)


class LeaseWatch:
    """Remembers since when each row stands still."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._seen: dict[str, Sighting] = {}

    def observe(self, rows: Iterable[Lease], *, asked_at_s: float, answered_at_s: float) -> None:
        """Take note of rows read between the two moments; rows that are gone are forgotten."""
        self._seen = {
            row.shard: sighted(self._seen.get(row.shard), row, asked_at_s=asked_at_s, answered_at_s=answered_at_s)
            for row in rows
        }

    def expired(self, row: Lease) -> bool:
        """See `is_expired`."""
        return is_expired(row, self._seen.get(row.shard), duration_s=self._duration_s)

    def free(self, row: Lease, *, me: str) -> bool:
        """See `is_free`."""
        return is_free(row, self._seen.get(row.shard), me=me, duration_s=self._duration_s)


def shares_to_take(*, held: Mapping[str, int], me: str, readable: int, maximum: int) -> int:
    """How many free leases `me` may take now. `held` counts the readable leases of every live worker, `me` included.

    Everybody may fill up to the floor of an even share; one more only when no other live worker is below it.
    """
    floor, rest = divmod(readable, len(held))
    mine = held[me]
    others_starve = any(count < floor for owner, count in held.items() if owner != me)
    target = floor if others_starve or rest == 0 else floor + 1
    return max(0, min(target, maximum) - mine)


def shares_to_give_up(*, held: Mapping[str, int], me: str, readable: int, free: int) -> int:
    """How many of its leases `me` should give back, so that others come to an even share."""
    floor, rest = divmod(readable, len(held))
    ceiling = floor + (1 if rest else 0)
    mine = held[me]
    if mine > ceiling:
        return mine - ceiling
    missing = sum(max(0, floor - count) for count in held.values())
    if mine == ceiling and ceiling > floor and missing > free:
        # Exactly so many of those with one too many give it up as are missing: by name, so that all agree on who.
        givers = sorted(owner for owner, count in held.items() if count == ceiling)[: missing - free]
        return 1 if me in givers else 0
    return 0
