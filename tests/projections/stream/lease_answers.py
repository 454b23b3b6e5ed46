"""The product's own functions, asked in the model's terms; each answer is remembered, since a search asks the same over and over."""

from functools import lru_cache

from projections.stream import Gap, GapCause, Lease, Listing, Shard
from projections.stream.balance import Sighting
from projections.stream.leases import AT_TRIM_HORIZON, SHARD_END
from tests.projections.stream.lease_state import DURATION, NOBODY, Held, Row, Rules, Seen, Shape


class Answers:
    """What the rules say of rows, sightings and listings of one shape."""

    def __init__(self, shape: Shape, rules: Rules | None = None) -> None:
        self.shape = shape
        self.rules = rules or Rules()
        self.shards = range(len(shape.parents))
        self.names = tuple(f"shard-{shard}" for shard in self.shards)
        self.unmoved = lru_cache(maxsize=None)(self._ask_unmoved)
        self.is_free = lru_cache(maxsize=None)(self._ask_free)
        self.sighted = lru_cache(maxsize=None)(self._ask_sighted)
        self.lineage = lru_cache(maxsize=None)(self._ask_lineage)
        self.noted = lru_cache(maxsize=None)(self._ask_noted)
        self.healed = lru_cache(maxsize=None)(self._ask_healed)
        self.written = lru_cache(maxsize=None)(self._ask_written)

    def lease(self, shard: int, row: Row) -> Lease:
        """The row as the product knows it."""
        names = {0: AT_TRIM_HORIZON, self.shape.end(shard): SHARD_END}
        return Lease(
            subscription="views",
            shard=self.names[shard],
            stream="arn",
            owner=None if row.owner == NOBODY else str(row.owner),
            counter=row.counter,
            checkpoint=names.get(row.checkpoint, str(row.checkpoint)),
            parents=tuple(self.names[parent] for parent in self.shape.parents[shard]),
            starting_sequence=str(row.start),
            gap=Gap(GapCause.TRIMMED, 0) if row.gap else None,
            caught_up_to_ms=1,
        )

    def row(self, shard: int, lease: Lease) -> Row:
        places = {AT_TRIM_HORIZON: 0, SHARD_END: self.shape.end(shard)}
        owner = NOBODY if lease.owner is None else int(lease.owner)
        checkpoint = places[lease.checkpoint] if lease.checkpoint in places else int(lease.checkpoint)
        return Row(owner, lease.counter, checkpoint, lease.gap is not None, int(lease.starting_sequence or 0))

    def now(self, held: Held) -> Row:
        """The row as its owner would store it next; the counter aside."""
        return held.stored._replace(checkpoint=held.now, gap=held.gap, start=held.start)

    def _ask_noted(self, shard: int, held: Held, trimmed: int) -> Held:
        row = self.rules.with_gap(
            self.lease(shard, self.now(held)), Gap(GapCause.TRIMMED, 0), starting_sequence=str(trimmed)
        )
        return self._holding(held, self.row(shard, row))

    def _ask_healed(self, shard: int, held: Held) -> Held:
        return self._holding(held, self.row(shard, self.rules.without_gap(self.lease(shard, self.now(held)))))

    def _holding(self, held: Held, row: Row) -> Held:
        return held._replace(now=row.checkpoint, gap=row.gap, start=row.start)

    def _ask_unmoved(self, shard: int, row: Row | None, seen: Row) -> bool:
        return self.rules.unmoved(None if row is None else self.lease(shard, row), self.lease(shard, seen))

    def _ask_sighted(self, shard: int, before: Seen | None, row: Row) -> Seen:
        earlier = None
        if before is not None:
            owner = None if before.owner == NOBODY else str(before.owner)
            earlier = Sighting(owner, before.counter, -before.age, 0)
        found = self.rules.sighted(earlier, self.lease(shard, row), asked_at_s=0, answered_at_s=0)
        return Seen(row.owner, row.counter, min(DURATION, round(-found.since_s)))

    def _ask_free(self, shard: int, row: Row, seen: Seen, me: int) -> bool:
        owner = None if seen.owner == NOBODY else str(seen.owner)
        sighting = Sighting(owner, seen.counter, -seen.age, 0)
        return self.rules.is_free(self.lease(shard, row), sighting, me=str(me), duration_s=DURATION)

    def _ask_written(self, shard: int, held: Held, release: bool) -> Row:
        stored = self.lease(shard, held.stored)
        now = self.lease(shard, self.now(held))
        tried = [self.lease(shard, row) for row in held.uncertain]
        return self.row(shard, self.rules.written(stored, now, tried=tried, release=release))

    def _ask_lineage(
        self, rows: tuple[Row | None, ...], listed: tuple[bool, ...]
    ) -> tuple[tuple[int, ...], frozenset[int], tuple[int, ...]]:
        """Shards to lease, shards that may be read, rows to tidy away."""
        shown = tuple(
            Shard(id=self.names[shard], parents=tuple(self.names[parent] for parent in self.shape.parents[shard]))
            for shard in self.shards
            if listed[shard]
        )
        listing = Listing("arn", shown)
        leases = tuple(self.lease(shard, row) for shard, row in enumerate(rows) if row is not None)
        missing = self.rules.missing(subscription="views", listing=listing, rows=leases, margin_s=1)
        may_read = self.rules.readable(listing=listing, rows=leases)
        over = self.rules.removable(listing=listing, rows=leases)
        place = self.names.index
        return (
            tuple(place(new.lease.shard) for new in missing),
            frozenset(place(name) for name in may_read),
            tuple(place(row.shard) for row in over),
        )

    def valid(self, held: Held) -> bool:
        return self.rules.is_valid(written_at_s=-held.age, now_s=0, duration_s=DURATION)
