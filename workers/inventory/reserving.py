"""Setting goods aside. Why it holds: see `reservation.py` and `parts.py`.

Nobody ever waits for a lock: who meets an unfinished reservation finishes it. A call that was cut off at any point leaves
nothing that the next call, `reserve` or `release`, does not bring to its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.inventory import reservation as r
from workers.inventory.allocation import Plan, Strategy
from workers.inventory.levels import available_at, goods_at, level_key, level_of, places_in
from workers.inventory.locations import Locations
from workers.inventory.parts import PLACES_MAX, Part, whole_of
from workers.inventory.patience import LOOKS_MAX, PatientTable
from workers.inventory.releasing import Releasing
from workers.inventory.stock import (
    Answer,
    Goods,
    Level,
    PartlyReserved,
    Place,
    Reserved,
    Short,
    StockContended,
    Untracked,
    Withdrawn,
)
from workers.tables.errors import TransactionRefused
from workers.tables.port import Item

Levels = Mapping[Place, Level | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one call asks for."""

    reservation_id: str
    quantities: Goods
    partial: bool
    destination: str | None


class Reserving:
    """`untracked` says what an SKU means that was never received."""

    def __init__(self, table: PatientTable, *, locations: Locations, strategy: Strategy, untracked: Untracked) -> None:
        self._table = table
        self._releasing = Releasing(table)
        self._locations = locations
        self._strategy = strategy
        self._accept_untracked = untracked == "accept"

    async def reserve(self, wanted: Wanted) -> Answer:
        """See `Stock.reserve`."""
        for look in range(LOOKS_MAX):
            head, levels = await self._look(wanted)
            answer = await self._advance(wanted, head, levels, hurried=look > 0)
            if answer is not None:
                return answer
        raise StockContended(f"reservation {wanted.reservation_id} was overtaken {LOOKS_MAX} times")

    async def _look(self, wanted: Wanted) -> tuple[Item | None, Levels]:
        """The head and every level, in one call for an ordinary order."""
        places = self._places(wanted.quantities)
        head, *items = await self._table.get_many([r.head_key(wanted.reservation_id), *map(level_key, places)])
        return r.head_of(head), dict(zip(places, map(level_of, items), strict=True))

    async def _advance(self, wanted: Wanted, head: Item | None, levels: Levels, *, hurried: bool) -> Answer | None:
        """Take the reservation as far as it goes; None asks for another look."""
        if head is None and not hurried:
            return await self._begin(wanted, levels, in_line=False)
        if head is None:
            return await self._begin_in_line(wanted)
        match head["state"]:
            case "reserving":
                await self._hold_all(wanted, head, levels)
                return None
            case "failing":
                await self._releasing.finish_failing(wanted.reservation_id, head)
                return None
            case "failed":
                return Short(r.missing_of(head))
            case "reserved" | "parted" if r.is_whole(head):
                return answer_of([whole_of(head)])
            case "reserved":
                parts = await self._releasing.records(wanted.reservation_id, head)
                if any(part.is_released for part in parts):
                    return None  # a release came between the head and them: the next look tells
                return answer_of(parts)
            case _:
                await self._releasing.release(wanted.reservation_id)
                return Withdrawn()

    async def _begin_in_line(self, wanted: Wanted) -> Answer | None:
        """Somebody was faster: look and take in one turn, so that nobody of this process who waits too comes in between."""
        keys = [r.head_key(wanted.reservation_id), *map(level_key, self._places(wanted.quantities))]
        async with self._table.turn_at(keys):
            head, levels = await self._look(wanted)
            return None if head is not None else await self._begin(wanted, levels, in_line=True)

    async def _begin(self, wanted: Wanted, levels: Levels, *, in_line: bool) -> Answer | None:
        """The obviously short costs no transaction; what fits into one is done in one."""
        plan = self._plan(wanted, levels, wanted.quantities)
        if plan.missing and not wanted.partial:
            missing = r.missing_told(wanted.quantities, plan.missing)
            failed = r.put_head(wanted.reservation_id, "failed", chunks=0, missing=missing)
            return Short(missing) if await self._table.put_new(failed) is None else None
        held = places_in(plan.held)
        if len(held) > PLACES_MAX or len(wanted.quantities) > r.CHUNK_SKUS_MAX:
            size = r.chunk_size(len(self._locations.names))
            chunks = len(r.chunks_of("", wanted.quantities, size))
            await self._table.put_new(r.put_head(wanted.reservation_id, "reserving", chunks=chunks, size=size))
            return None
        untracked = self._untracked(wanted.quantities, levels)
        whole = r.hold_whole(wanted.reservation_id, held, untracked=untracked, awaited=plan.missing)
        try:
            await self._table.transact(whole, in_line=in_line)
        except TransactionRefused:
            return None  # somebody was faster with the reservation or with the goods: the next look tells which
        if plan.missing:
            return PartlyReserved(held=plan.held, missing=plan.missing, untracked_skus=untracked)
        return Reserved(untracked, plan.held)

    async def _hold_all(self, wanted: Wanted, head: Item, levels: Levels) -> None:
        """Hold the chunks that are not held yet, then say so; or turn back where there is too little."""
        reservation_id, size = wanted.reservation_id, r.size_of(head)
        chunks = r.chunks_of(r.head_key(reservation_id)["key"], wanted.quantities, size)
        if len(chunks) != head["chunks"]:
            raise ValueError(f"reservation {reservation_id} was begun with other quantities")
        records = await self._releasing.chunk_records(reservation_id, head)
        left = [chunk for chunk, record in zip(chunks, records, strict=True) if record is None]
        rest = {sku: pieces for chunk in left for sku, pieces in chunk.quantities.items()}
        plan = self._plan(wanted, levels, rest, locations=PLACES_MAX // size)
        if plan.missing and not wanted.partial:
            missing = r.missing_told(wanted.quantities, plan.missing)
            await self._table.moved(r.move_head(reservation_id, "reserving", "failing", missing=missing))
            return
        for chunk in left:
            mine = {
                name: {sku: goods[sku] for sku in goods if sku in chunk.quantities} for name, goods in plan.held.items()
            }
            operations = r.hold(
                r.still_reserving(reservation_id),
                chunk.key,
                places_in(mine),
                untracked=self._untracked(chunk.quantities, levels),
                awaited={sku: pieces for sku, pieces in plan.missing.items() if sku in chunk.quantities},
            )
            try:
                await self._table.transact(operations)
            except TransactionRefused as refusal:
                if 1 in refusal.refused and 0 not in refusal.refused:
                    continue  # a concurrent call holds this chunk
                return  # released, or found short, meanwhile; or too little is there by now: the next look tells which
        await self._table.moved(r.move_head(reservation_id, "reserving", "reserved"))

    def _plan(self, wanted: Wanted, levels: Levels, quantities: Goods, *, locations: int | None = None) -> Plan:
        tracked = {sku: pieces for sku, pieces in quantities.items() if self._is_tracked(sku, levels)}
        asked = set(self._locations.names[:locations])
        shown = {place: level for place, level in levels.items() if place.location in asked}
        return self._strategy(tracked, available_at(shown), wanted.destination)

    def _untracked(self, quantities: Goods, levels: Levels) -> tuple[str, ...]:
        return tuple(sku for sku in quantities if not self._is_tracked(sku, levels))

    def _is_tracked(self, sku: str, levels: Levels) -> bool:
        return not self._accept_untracked or any(levels[place] is not None for place in self._places([sku]))

    def _places(self, skus: Mapping[str, int] | Sequence[str]) -> list[Place]:
        return [Place(name, sku) for sku in skus for name in self._locations.names]


def answer_of(parts: Sequence[Part]) -> Reserved | PartlyReserved:
    """What a reservation's rows say together."""
    held = goods_at((place, pieces) for part in parts for place, pieces in part.held.items())
    untracked = tuple(sku for part in parts for sku in part.untracked)
    missing = {sku: pieces for part in parts for sku, pieces in part.missing.items()}
    if missing:
        return PartlyReserved(held=held, missing=missing, untracked_skus=untracked)
    return Reserved(untracked, held)
