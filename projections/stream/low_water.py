"""How far a whole subscription has come: everything recorded before its low-water mark has been applied.

The mark of a shard is wall-clock time in milliseconds: the moment before a read that found the shard's tip, or the creation
time of the last applied record less the second to which the service floors it. It never moves backwards. The subscription's
mark is the least of those that still count.
"""

from collections.abc import Iterable

from projections.stream.leases import Lease, LeaseStore, split_rows


def low_water_ms(rows: Iterable[Lease]) -> int | None:
    """The least mark over the rows that count; None without rows.

    A shard that waits for its parents does not count: all of its records are younger than theirs. A finished shard counts
    until a child of its is leased: nobody reads what comes after it.
    """
    leases = {row.shard: row for row in rows}
    named = {parent for row in leases.values() for parent in row.parents}
    counted: list[int] = []
    for row in leases.values():
        if row.finished:
            if row.shard not in named:
                counted.append(row.caught_up_to_ms)
        elif all(leases[parent].finished for parent in row.parents if parent in leases):
            counted.append(effective_mark_ms(row, leases))
    if not counted:
        return None
    return min(counted)


def effective_mark_ms(row: Lease, leases: dict[str, Lease]) -> int:
    """The row's own mark, or its finished parents' where that is younger: behind their end only its own records follow."""
    parents = [leases[parent] for parent in row.parents if parent in leases]
    if not parents or not all(parent.finished for parent in parents):
        return row.caught_up_to_ms
    return max(row.caught_up_to_ms, min(parent.caught_up_to_ms for parent in parents))


async def caught_up_to_ms(leases: LeaseStore, subscription: str) -> int | None:
    """The subscription's low-water mark, from the store: an event recorded before it has been applied (published, projected).

    None when the subscription has never run. The mark lags by the renewal interval, and trusts the clocks of writers and readers
    to agree: a caller that must be sure allows for their difference. Raises `LeaseStoreUnavailable`.
    """
    shards, _ = split_rows(await leases.rows(subscription))
    return low_water_ms(shards)
