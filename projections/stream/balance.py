"""Who reads what: expiry of leases as one observer sees it, and fair shares without a leader.

Every worker counts the same rows and comes to the same shares. A worker with too much gives shards back by itself, in good order;
nobody takes a live lease away, only free and expired ones.
"""

from collections.abc import Iterable, Mapping

from projections.stream.leases import Lease


class LeaseWatch:
    """Remembers since when each row stands still, on this process's monotonic clock."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._seen: dict[str, tuple[tuple[str | None, int], float, float]] = {}

    def observe(self, rows: Iterable[Lease], *, asked_at_s: float, answered_at_s: float) -> None:
        """Take note of rows read between the two moments.

        A change counts from the later moment and its lack up to the earlier one, so that a row is never thought older than it is.
        """
        seen: dict[str, tuple[tuple[str | None, int], float, float]] = {}
        for row in rows:
            version = (row.owner, row.counter)
            before = self._seen.get(row.shard)
            since_s = before[1] if before is not None and before[0] == version else answered_at_s
            seen[row.shard] = (version, since_s, asked_at_s)
        self._seen = seen

    def expired(self, row: Lease) -> bool:
        """Whether nobody owns the row, or its owner has not moved it for the whole duration."""
        if row.owner is None:
            return True
        seen = self._seen.get(row.shard)
        if seen is None or seen[0] != (row.owner, row.counter):
            return False
        return seen[2] - seen[1] >= self._duration_s


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
