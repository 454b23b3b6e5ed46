"""Keeps every view equal to the log: the subscriber that folds the stream's records into documents.

The stream promises neither order nor once-only across items: `catching_up.py` drops, orders and heals. What is here is what is written
(`targets.py`: every generation that there is of a view), and what the reader and the quarantine ask for.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from orderstore.store.port import EventStore
from projections.commits import commits_of
from projections.observe import Observer, SilentObserver
from projections.projecting.catching_up import CACHE_ENTRIES, ORDERS_AT_ONCE, BringingUp, Order, orders_of
from projections.projecting.targets import FixedTargets, Target, Targets
from projections.stream.source import Record
from projections.view_store import ViewStore


class ViewProjector:
    """The `KeyedSubscriber` that writes views. Safe to run many times at once, on the same orders too.

    `targets` are asked for before anything of an apply is looked at: so a commit that is applied to fewer generations than there are was in
    the log when they were asked for, and whoever fills another from the log after that sees it there.
    """

    def __init__(
        self,
        store: EventStore,
        view_store: ViewStore,
        targets: Targets | Sequence[Target],
        *,
        observer: Observer | None = None,
        cache_entries: int = CACHE_ENTRIES,
    ) -> None:
        """Write `targets`: `LiveTargets` in a process that lives on, a fixed row for one that ends by itself."""
        self._store = store
        self._targets = FixedTargets(tuple(targets)) if isinstance(targets, Sequence) else targets
        self._observer = observer or SilentObserver()
        self._documents = BringingUp(store, view_store, observer=self._observer, cache_entries=cache_entries)

    async def apply(self, records: Sequence[Record]) -> None:
        """See `KeyedSubscriber`. Raises StoreError, CodecError, ViewStoreError, ProjectionError; what was written by then stays."""
        targets = await self._targets.now()
        found = commits_of(self._store, records, observer=self._observer, subscription="views")
        async with aclosing(found) as batches_of_commits:
            async for commits in batches_of_commits:
                await self._documents.bring_up(orders_of(commits, targets))

    def keys(self, since_ms: int) -> AsyncIterator[str]:
        """See `KeyedSubscriber`: the streams of orders."""
        return self._store.streams(recorded_since_ms=since_ms)

    async def repair(self, keys: Sequence[str], *, since_ms: int) -> None:
        """See `KeyedSubscriber`. Raises as `apply`."""
        del since_ms  # a document says itself from where on it has to be brought up
        for start in range(0, len(keys), ORDERS_AT_ONCE):
            await self._bring_up([Order(key, [], whole=True) for key in keys[start : start + ORDERS_AT_ONCE]])

    async def resume(self, key: str, *, first: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> None:
        """See `KeyedSubscriber`: up to the log's end, which lies at `first` or behind it. Raises as `apply`."""
        del last  # no commit of an order can be left out of its documents
        await self._bring_up([Order(key, [], whole=True, reaches=int(first["commit"]["N"]))])

    async def _bring_up(self, work: Sequence[Order]) -> None:
        targets = await self._targets.now()
        for order in work:
            order.targets = list(targets)
        await self._documents.bring_up(work)
        commits = sum(len(order.log) for order in work)
        self._observer.backfill_progress(subscription="views", orders=len(work), commits=commits)
