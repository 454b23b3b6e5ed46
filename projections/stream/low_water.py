"""How far a whole subscription has come: everything recorded before its low-water mark has been applied.

The mark of a shard is wall-clock time in milliseconds: the moment before a read that found the shard's tip, or the creation
time of the last applied record less the second to which the service floors it. It never moves backwards. The subscription's
mark is the least of those that still count.
"""

import math
from collections.abc import Iterable
from typing import Final

import anyio

from projections.stream.leases import Lease, LeaseStore, LeaseStoreUnavailable, split_rows
from projections.stream.observe import SilentObserver, StreamObserver


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


# Writers stamp a commit before they store it, by clocks of their own: a mark that is shown to people stays so far behind.
CLOCKS_APART_MS: Final = 1_000


class RecentMark:
    """A subscription's low-water mark, read again only when it is older than `kept_s`: for callers that ask at every request.

    However many ask at once, one read serves them all. When it fails the mark of before stands: it only errs on the safe side.
    """

    def __init__(
        self, leases: LeaseStore, subscription: str, *, kept_s: float, observer: StreamObserver | None = None
    ) -> None:
        self._leases = leases
        self._subscription = subscription
        self._kept_s = kept_s
        self._observer = observer or SilentObserver()
        self._mark_ms: int | None = None
        self._read_at_s = -math.inf
        self._lock = anyio.Lock()

    async def get(self) -> int | None:
        """See `caught_up_to_ms`; None also while no read has worked yet. A failure is reported, not raised."""
        async with self._lock:
            if anyio.current_time() - self._read_at_s > self._kept_s:
                try:
                    self._mark_ms = await caught_up_to_ms(self._leases, self._subscription)
                except LeaseStoreUnavailable as error:
                    self._observer.unavailable(operation="low-water mark", error=error)
                self._read_at_s = anyio.current_time()
        return None if self._mark_ms is None else self._mark_ms - CLOCKS_APART_MS
