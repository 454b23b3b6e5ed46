"""Putting all of a reservation back, wherever it stands, and seeing to it that nothing more is set aside by it."""

from collections.abc import Sequence

from workers.inventory import reservation as r
from workers.inventory.levels import returns
from workers.inventory.parts import PLACES_MAX, Part, whole_of
from workers.inventory.patience import LOOKS_MAX, PatientTable
from workers.inventory.stock import StockContended
from workers.tables.errors import TransactionRefused
from workers.tables.port import Item


class Releasing:
    """The way back of `reservation.py`."""

    def __init__(self, table: PatientTable) -> None:
        self._table = table

    async def release(self, reservation_id: str) -> bool:
        """See `Stock.release`."""
        for _ in range(LOOKS_MAX):
            head = r.head_of(await self._table.get(r.head_key(reservation_id)))
            if head is None:
                tombstone = r.put_head(reservation_id, "released", chunks=0)
                if await self._table.put_new(tombstone) is None:
                    return False
                continue
            match head["state"]:
                case "reserved" | "parted" | "releasing" if r.is_whole(head):
                    whole = whole_of(head)
                    if await self._put_back(whole):
                        return whole.held_anything
                case "reserving" | "reserved" as before:
                    await self._table.moved(r.move_head(reservation_id, before, "releasing"))
                case "releasing":
                    await self._put_back_chunks(reservation_id, head)
                    await self._table.moved(r.move_head(reservation_id, "releasing", "released"))
                case "failing":
                    await self.finish_failing(reservation_id, head)
                case "failed":
                    return False
                case _ if r.is_whole(head):
                    return whole_of(head).held_anything
                case _:
                    return any(part.held_anything for part in await self.records(reservation_id, head))
        raise StockContended(f"the release of {reservation_id} was overtaken {LOOKS_MAX} times")

    async def finish_failing(self, reservation_id: str, head: Item) -> None:
        """What was held before one was short goes back first."""
        await self._put_back_chunks(reservation_id, head)
        await self._table.moved(r.move_head(reservation_id, "failing", "failed"))

    async def chunk_records(self, reservation_id: str, head: Item) -> tuple[Part | None, ...]:
        """The record of each chunk that was ever held; None for one that never was."""
        prefix = r.head_key(reservation_id)["key"]
        keys = [r.chunk_key(prefix, number) for number in range(head["chunks"])]
        return r.records_of(await self._table.get_many(keys))

    async def records(self, reservation_id: str, head: Item) -> Sequence[Part]:
        """Those that are there."""
        return [part for part in await self.chunk_records(reservation_id, head) if part is not None]

    async def _put_back_chunks(self, reservation_id: str, head: Item) -> None:
        """Put back every chunk that is still held; a concurrent call may take some of them from us."""
        for part in await self.records(reservation_id, head):
            await self._put_back_chunk(part)

    async def _put_back_chunk(self, part: Part) -> None:
        for _ in range(LOOKS_MAX):
            if part.is_released or await self._put_back(part):
                return
            (found,) = r.records_of([await self._table.get(part.key)])
            if found is None:
                raise StockContended(f"{part.key['key']} has gone")
            part = found
        raise StockContended(f"{part.key['key']} was overtaken {LOOKS_MAX} times")

    async def _put_back(self, part: Part) -> bool:
        """Whether all of it is back by this call; else somebody has changed the row, or there is more of it."""
        held = part.held
        some = dict(sorted(held.items())[:PLACES_MAX])
        last = len(some) == len(held)
        change = part.released() if last else part.without(some, state="releasing")
        try:
            await self._table.transact([change, *returns(some)])
        except TransactionRefused as refusal:
            if 0 not in refusal.refused:
                raise  # a level says that less is reserved than we hold: for a person
            return False
        return last
