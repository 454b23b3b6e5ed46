"""What a worker does about the shards as a whole: lease new ones, take its share, give back what is too much, tidy up.

There is no leader. Every worker looks at the same rows and the same listing, and every write is conditional, so that several may
do this at once and each may die anywhere in it.
"""

from collections.abc import Callable, Mapping
from random import Random

import anyio

from projections.stream.balance import LeaseWatch, shares_to_give_up, shares_to_take
from projections.stream.discovery import Discovery
from projections.stream.gaps import GapCause
from projections.stream.held import HeldLease
from projections.stream.leases import Lease, LeaseLost, LeaseStore, split_rows, taken
from projections.stream.lineage import NewLease, awaiting_children, missing_leases, readable, removable
from projections.stream.low_water import effective_mark_ms, low_water_ms
from projections.stream.observe import StreamObserver
from projections.stream.presence import Presence
from projections.stream.settings import StreamSettings
from projections.stream.source import Listing


class Coordinator:
    """`held` are the shards that this worker reads; `begin` starts the task of one more, just taken at that moment."""

    def __init__(
        self,
        *,
        subscription: str,
        owner: str,
        store: LeaseStore,
        discovery: Discovery,
        settings: StreamSettings,
        observer: StreamObserver,
        random: Random,
        now_ms: Callable[[], int],
        held: Mapping[str, HeldLease],
        begin: Callable[[Lease, float], None],
    ) -> None:
        self.presence = Presence(store, subscription=subscription, owner=owner)
        self._subscription = subscription
        self._owner = owner
        self._store = store
        self._discovery = discovery
        self._settings = settings
        self._observer = observer
        self._random = random
        self._now_ms = now_ms
        self._held = held
        self._begin = begin
        self._watch = LeaseWatch(settings.lease_duration_s)
        self._looked_at_s = 0.0  # when the rows were asked for that are acted on now
        self._over_at: dict[str, int] = {}  # rows that seem to be over, and the listing by which that was first so
        self._mark_ms = 0  # the subscription's, as last seen; 0: it has none yet
        self._orphans_since_s: dict[str, float] = {}  # shards whose parents nobody lists, and since when

    async def coordinate(self) -> None:
        """One round. Raises `StreamError` or `LeaseError`; the next round goes on from whatever was done."""
        await self.presence.show()
        rows, workers = await self._look()
        self._mark_ms = low_water_ms(rows) or 0
        self.report_behind()
        # Rows first, then the listing: if another worker has seen a newer stream, this one looks again before it acts.
        known = self._discovery.listing
        replaced = known is not None and any(row.stream != known.stream for row in rows)
        listing = await self._discovery.current(renew=replaced)
        missing = missing_leases(
            subscription=self._subscription, listing=listing, rows=rows, margin_s=self._settings.gap_margin_s
        )
        missing = self._without_young_orphans(missing)
        if missing:
            for new in missing:
                await self._create(new)
            rows, workers = await self._look()
        self._discovery.search_children(awaiting_children(listing=listing, rows=rows))
        live = await self.presence.sweep(workers, self._watch)
        await self._share(rows, readable(listing=listing, rows=rows), live)
        await self._tidy(listing, rows)

    def report_behind(self) -> None:
        """Tell how far the subscription is behind, by the mark that was seen last: it grows while nothing can be seen."""
        if self._mark_ms > 0:  # before the first back-fill nothing of the stream is owed
            lag_ms = max(0, self._now_ms() - self._mark_ms)
            self._observer.behind(lag_ms=lag_ms, left_ms=round(self._settings.retention_s * 1_000) - lag_ms)

    def _without_young_orphans(self, missing: tuple[NewLease, ...]) -> tuple[NewLease, ...]:
        """All but the shards that only now appeared without parents: a listing may show a child some moments before its parent."""
        now_s, since_s = anyio.current_time(), self._orphans_since_s
        orphans = {
            new.lease.shard
            for new in missing
            if new.lease.gap is not None and new.lease.gap.cause is GapCause.LINEAGE_BROKEN
        }
        self._orphans_since_s = {shard: since_s.get(shard, now_s) for shard in orphans}
        young = {
            shard for shard, at_s in self._orphans_since_s.items() if now_s - at_s < self._settings.orphan_patience_s
        }
        self._discovery.search_parents(awaited=bool(young))
        # What descends from one that waits must wait too, or it would be read first.
        kept: list[NewLease] = []
        for new in missing:
            if new.lease.shard in young or young.intersection(new.lease.parents):
                young.add(new.lease.shard)
            else:
                kept.append(new)
        return tuple(kept)

    async def _look(self) -> tuple[tuple[Lease, ...], tuple[Lease, ...]]:
        self._looked_at_s = asked_at_s = anyio.current_time()
        rows = await self._store.rows(self._subscription)
        self._watch.observe(rows, asked_at_s=asked_at_s, answered_at_s=anyio.current_time())
        return split_rows(rows)

    async def _create(self, new: NewLease) -> None:
        if new.replaces is None:
            if not await self._store.create(new.lease):
                return
        else:
            try:
                await self._store.replace(new.replaces, new.lease)
            except LeaseLost:
                return  # its owner moved it, or another worker replaced it; the next round sees which
        if new.lease.gap is None:
            return
        if new.lease.gap.cause is GapCause.BOOTSTRAP:
            self._observer.bootstrap(shard=new.lease.shard)
        else:
            self._observer.gap(shard=new.lease.shard, cause=new.lease.gap.cause, since_ms=new.lease.gap.since_ms)

    async def _share(self, rows: tuple[Lease, ...], may_read: frozenset[str], live: frozenset[str]) -> None:
        candidates = [row for row in rows if row.shard in may_read]
        owned = [row for row in candidates if row.owner is not None and not self._watch.expired(row)]
        counts = dict.fromkeys(live, 0) | {row.owner: 0 for row in owned if row.owner is not None}
        free: list[Lease] = []
        for row in candidates:
            if row.shard in self._held:
                counts[self._owner] += 1
            elif row.owner is None or self._watch.free(row, me=self._owner):
                free.append(row)
            else:
                counts[row.owner] += 1
        give_up = shares_to_give_up(held=counts, me=self._owner, readable=len(candidates), free=len(free))
        stopping = sum(held.stopping for held in self._held.values())
        for held in self._random.sample(list(self._held.values()), len(self._held))[: max(0, give_up - stopping)]:
            held.stopping = True
        if give_up or stopping:
            return
        take = shares_to_take(held=counts, me=self._owner, readable=len(candidates), maximum=self._settings.shards_max)
        leases = {row.shard: row for row in rows}
        for row in self._random.sample(free, len(free))[:take]:
            await self._take(row, effective_mark_ms(row, leases))

    async def _take(self, row: Lease, mark_ms: int) -> None:
        updated = taken(row, owner=self._owner, caught_up_to_ms=mark_ms)
        try:
            await self._store.replace(row, updated)
        except LeaseLost:
            return  # another worker was quicker
        # The lease may have been written by an earlier try of this worker whose answer was lost, but not before the row was read.
        self._begin(updated, self._looked_at_s)

    async def _tidy(self, listing: Listing, rows: tuple[Lease, ...]) -> None:
        version, over = self._discovery.version, removable(listing=listing, rows=rows)
        self._over_at = {row.shard: self._over_at.get(row.shard, version) for row in over}
        for row in over:
            # A shard that another worker found and finished since this listing is not in it, nor are its children: their
            # only witness is the row. Only a listing that is younger than the shard's end tells that it is not there any more.
            if row.shard in self._held or version <= self._over_at[row.shard]:
                continue
            try:
                await self._store.remove(row)
            except LeaseLost:
                continue  # it is in use after all; the next round decides anew
