"""Goods come in, come back, are counted, carried, damaged and written off: each once, by an id whose row remembers what it was.

receipt/<id>/<n>   return/<id>/<n>   count/<id>   move/<id>   damage/<id>   write-off/<id>
"""

from collections.abc import Iterable, Mapping, Sequence

from workers.inventory.levels import (
    LevelRow,
    comes_in,
    counted,
    damages,
    goes_out,
    goods_at,
    level_key,
    level_of,
    places_in,
    row_of,
)
from workers.inventory.locations import Locations
from workers.inventory.patience import LOOKS_MAX, PatientTable
from workers.inventory.reservation import CHUNK_SKUS_MAX, chunk_key, chunks_of
from workers.inventory.stock import MAIN, Goods, GoodsAt, Level, NotThere, Place, StockContended, UsedOtherwise
from workers.tables.errors import TransactionRefused
from workers.tables.port import Item, Key, Operation, PutNew


class Storekeeping:
    """What people, and returns, do with goods."""

    def __init__(self, table: PatientTable, *, locations: Locations, accept_untracked: bool) -> None:
        self._table = table
        self._locations = locations
        self._accept_untracked = accept_untracked

    async def receive(self, receipt_id: str, quantities: Goods, *, location: str) -> None:
        """See `Stock.receive`."""
        _check_pieces(quantities.values(), "goods-in takes one piece or more of each SKU")
        named = {} if location == MAIN else {"location": location}
        for chunk in chunks_of(f"receipt/{receipt_id}", quantities):
            told = {"quantities": dict(chunk.quantities), **named}
            adds = [comes_in(Place(location, sku), sellable=count) for sku, count in chunk.quantities.items()]
            await self._once(f"receipt {receipt_id}", chunk.key, told, adds)

    async def restock(self, return_id: str, *, sellable: GoodsAt, damaged: GoodsAt) -> None:
        """See `Stock.restock`."""
        good, bad = places_in(sellable), places_in(damaged)
        _check_pieces([*good.values(), *bad.values()], "one piece or more of each article comes back")
        places = sorted({*good, *bad})
        tracked = await self._tracked({place.sku for place in places})
        for number, start in enumerate(range(0, len(places), CHUNK_SKUS_MAX)):
            some = places[start : start + CHUNK_SKUS_MAX]
            told = {
                "sellable": goods_at((place, good.get(place, 0)) for place in some),
                "damaged": goods_at((place, bad.get(place, 0)) for place in some),
            }
            adds = [
                comes_in(place, sellable=good.get(place, 0), damaged=bad.get(place, 0))
                for place in some
                if place.sku in tracked
            ]
            await self._once(f"return {return_id}", chunk_key(f"return/{return_id}", number), told, adds)

    async def count(self, count_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.count`."""
        if pieces < 0:
            raise ValueError("nobody counts fewer than none")
        key, told = {"key": f"count/{count_id}"}, {**_told(place), "pieces": pieces}
        for _ in range(LOOKS_MAX):
            record, item = await self._table.get_many([key, level_key(place)])
            if _was_done(f"count {count_id}", record, told):
                return
            row = row_of(item)
            _check_count(place, row, pieces)
            try:
                await self._once(f"count {count_id}", key, told, [counted(place, row, pieces)])
            except TransactionRefused:
                continue  # the level has moved meanwhile: weigh it again
            return
        raise StockContended(f"{place.sku} at {place.location} never stood still")

    async def move(self, move_id: str, sku: str, pieces: int, *, source: str, target: str) -> None:
        """See `Storeroom.move`."""
        _check_pieces([pieces], "one piece or more is carried")
        if source == target:
            raise ValueError("goods are carried to another location")
        told = {**_told(Place(source, sku)), "target": target, "pieces": pieces}
        ways = [goes_out(Place(source, sku), pieces, "available"), comes_in(Place(target, sku), sellable=pieces)]
        await self._once(f"move {move_id}", {"key": f"move/{move_id}"}, told, ways, lacking=Place(source, sku))

    async def mark_damaged(self, damage_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.mark_damaged`."""
        _check_pieces([pieces], "one piece or more is damaged")
        told = {**_told(place), "pieces": pieces}
        change = damages(place, pieces)
        await self._once(f"damage {damage_id}", {"key": f"damage/{damage_id}"}, told, [change], lacking=place)

    async def write_off(self, write_off_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.write_off`."""
        _check_pieces([pieces], "one piece or more is written off")
        told = {**_told(place), "pieces": pieces}
        key, change = {"key": f"write-off/{write_off_id}"}, goes_out(place, pieces, "damaged")
        await self._once(f"write-off {write_off_id}", key, told, [change], lacking=place)

    async def close(self, sku: str) -> int:
        """See `Storeroom.close`."""
        (known,) = await self.everywhere([sku])
        closed = 0
        for location in known:
            closed += await self._close(Place(location, sku))
        return closed

    async def everywhere(self, skus: Sequence[str]) -> tuple[Mapping[str, Level], ...]:
        """See `Storeroom.everywhere`."""
        names = self._locations.names
        items = await self._table.get_many([level_key(Place(name, sku)) for sku in skus for name in names])
        levels = iter(map(level_of, items))
        return tuple({name: level for name in names if (level := next(levels)) is not None} for _ in skus)

    async def _close(self, place: Place) -> int:
        """Whatever is taken off had left: two who close at once take off what had left in all, and never more."""
        for _ in range(LOOKS_MAX):
            level = (await self._table.levels([place]))[place]
            if level is None or level.committed == 0:
                return 0
            try:
                await self._table.transact([goes_out(place, level.committed, "committed")])
            except TransactionRefused:
                continue
            return level.committed
        raise StockContended(f"the books of {place.sku} at {place.location} never stood still")

    async def _tracked(self, skus: set[str]) -> set[str]:
        if not self._accept_untracked:
            return skus
        ordered = sorted(skus)
        return {sku for sku, known in zip(ordered, await self.everywhere(ordered), strict=True) if known}

    async def _once(
        self, what: str, key: Key, told: Item, changes: Sequence[Operation], *, lacking: Place | None = None
    ) -> None:
        """The row that remembers it first, then the levels. `lacking`: whose condition may fail."""
        try:
            await self._table.transact([PutNew(key, told), *changes])
        except TransactionRefused as refusal:
            if 0 in refusal.refused and _was_done(what, refusal.refused[0], told):
                return
            if lacking is None:
                raise
            raise NotThere(f"{what}: {lacking.sku} at {lacking.location} has too few pieces") from refusal


def _told(place: Place) -> dict[str, str]:
    return {"sku": place.sku, "location": place.location}


def _was_done(what: str, record: Item | None, told: Item) -> bool:
    """Raises UsedOtherwise."""
    if record is None:
        return False
    if {name: value for name, value in record.items() if name != "key"} != told:
        raise UsedOtherwise(f"{what} was booked with other goods")
    return True


def _check_pieces(counts: Iterable[int], message: str) -> None:
    if any(count < 1 for count in counts):
        raise ValueError(message)


def _check_count(place: Place, row: LevelRow | None, pieces: int) -> None:
    bound = 0 if row is None else row.reserved + row.damaged
    if pieces < bound:
        raise NotThere(f"{pieces} of {place.sku} at {place.location}, where {bound} are set aside or damaged")
