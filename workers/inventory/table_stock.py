"""Stock in a service table (`workers/tables`) whose key is `key`. Why it holds: see `reservation.py`.

Nobody ever waits for a lock: who meets an unfinished reservation finishes it. A call that was cut off at any point leaves
nothing that the next call, `reserve` or `release`, does not bring to its end.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final, TypeVar

import anyio

from orderstore.domain.events import MissingStock
from workers.inventory import reservation as r
from workers.inventory.stock import (
    Answer,
    Level,
    ReceiptMismatch,
    Reserved,
    Short,
    Stock,
    StockContended,
    Untracked,
    Withdrawn,
)
from workers.inventory.turns import Turns
from workers.tables.errors import ConditionRefused, TableContended, TransactionRefused
from workers.tables.port import Change, Item, Operation, Table

# Another look after somebody else's move: each is progress for somebody, so many in a row are a fault.
LOOKS_MAX: Final = 24
TRIES_MAX: Final = 40
PAUSE_S: Final = 0.02
PAUSE_S_MAX: Final = 0.25

_T = TypeVar("_T")


class TableStock(Stock):
    """`untracked` says what a SKU means that was never received; `random` spreads the retries of contended writes."""

    def __init__(self, table: Table, *, random: Random, untracked: Untracked = "refuse") -> None:
        self._table = table
        self._random = random
        self._accept_untracked = untracked == "accept"
        self._turns = Turns()

    async def reserve(self, reservation_id: str, quantities: Mapping[str, int]) -> Answer:
        """See `Stock.reserve`."""
        chunks = r.chunks_of(r.head_key(reservation_id)["key"], quantities)
        for _ in range(LOOKS_MAX):
            head, levels = await self._look(reservation_id, quantities)
            answer = await self._advance(reservation_id, head, levels, chunks)
            if answer is not None:
                return answer
        raise StockContended(f"reservation {reservation_id} was overtaken {LOOKS_MAX} times")

    async def release(self, reservation_id: str) -> bool:
        """See `Stock.release`."""
        for _ in range(LOOKS_MAX):
            head = r.head_of(await self._table.get(r.head_key(reservation_id)))
            if head is None:
                tombstone = r.put_head(reservation_id, "released", chunks=0)
                if await self._patiently(partial(self._table.put_new, tombstone)) is None:
                    return False
                continue
            match head["state"]:
                case "reserved" | "releasing" if r.is_whole(head):
                    if await self._give_back_whole(reservation_id, head):
                        return r.held_anything(head)
                case "reserving" | "reserved" as before:
                    await self._move(r.move_head(reservation_id, before, "releasing"))
                case "releasing":
                    await self._give_back(reservation_id, head)
                    await self._move(r.move_head(reservation_id, "releasing", "released"))
                case "failing":
                    await self._finish_failing(reservation_id, head)
                case "failed":
                    return False
                case _ if r.is_whole(head):
                    return r.held_anything(head)
                case _:
                    return any(await self._held_chunks(reservation_id, head))
        raise StockContended(f"the release of {reservation_id} was overtaken {LOOKS_MAX} times")

    async def receive(self, receipt_id: str, quantities: Mapping[str, int]) -> None:
        """See `Stock.receive`."""
        if any(pieces < 1 for pieces in quantities.values()):
            raise ValueError("goods-in takes one piece or more of each SKU")
        for chunk in r.chunks_of(f"receipt/{receipt_id}", quantities):
            try:
                await self._transact(r.book_in(chunk))
            except TransactionRefused as refusal:
                booked = refusal.refused.get(0)
                if booked is None:
                    raise
                if booked["quantities"] != chunk.quantities:
                    raise ReceiptMismatch(f"receipt {receipt_id} was booked with other goods") from refusal

    async def levels(self, skus: Sequence[str]) -> tuple[Level | None, ...]:
        """See `Stock.levels`."""
        return tuple(map(r.level_of, await self._table.get_many([r.sku_key(sku) for sku in skus])))

    async def _look(
        self, reservation_id: str, quantities: Mapping[str, int]
    ) -> tuple[Item | None, dict[str, Level | None]]:
        """The head and every level, in one call for an ordinary order."""
        skus = list(quantities)
        head, *items = await self._table.get_many([r.head_key(reservation_id), *map(r.sku_key, skus)])
        return r.head_of(head), dict(zip(skus, map(r.level_of, items), strict=True))

    async def _advance(
        self,
        reservation_id: str,
        head: Item | None,
        levels: Mapping[str, Level | None],
        chunks: Sequence[r.Chunk],
    ) -> Answer | None:
        """Take the reservation as far as it goes; None asks for another look."""
        if head is None:
            return await self._begin(reservation_id, levels, chunks)
        match head["state"]:
            case "reserving":
                await self._hold_all(reservation_id, head, levels, chunks)
                return None
            case "failing":
                await self._finish_failing(reservation_id, head)
                return None
            case "failed":
                return Short(r.missing_of(head))
            case "reserved" if r.is_whole(head):
                return Reserved(tuple(head["untracked"]))
            case "reserved":
                records = await self._held_chunks(reservation_id, head)
                return Reserved(tuple(sku for record in records if record for sku in record["untracked"]))
            case _:
                await self.release(reservation_id)
                return Withdrawn()

    async def _begin(
        self, reservation_id: str, levels: Mapping[str, Level | None], chunks: Sequence[r.Chunk]
    ) -> Answer | None:
        """The obviously short costs no transaction; what fits into one is done in one."""
        wanted = {
            sku: pieces for chunk in chunks for sku, pieces in chunk.quantities.items() if self._counts(sku, levels)
        }
        missing = r.short_of(wanted, levels)
        if missing:
            failed = r.put_head(reservation_id, "failed", chunks=0, missing=missing)
            return Short(missing) if await self._patiently(partial(self._table.put_new, failed)) is None else None
        if len(chunks) > 1:
            begun = r.put_head(reservation_id, "reserving", chunks=len(chunks))
            await self._patiently(partial(self._table.put_new, begun))
            return None
        try:
            await self._transact(r.hold_whole(reservation_id, chunks[0] if chunks else None, list(wanted)))
        except TransactionRefused:
            return None  # somebody was faster with the reservation or with the goods: the next look tells which
        return Reserved(tuple(sku for chunk in chunks for sku in chunk.quantities if sku not in wanted))

    async def _hold_all(
        self, reservation_id: str, head: Item, levels: Mapping[str, Level | None], chunks: Sequence[r.Chunk]
    ) -> None:
        """Hold the chunks that are not held yet, then say so; or turn back at the first that is short."""
        if len(chunks) != head["chunks"]:
            raise ValueError(f"reservation {reservation_id} was begun with other quantities")
        records = await self._held_chunks(reservation_id, head)
        for chunk, record in zip(chunks, records, strict=True):
            if record is not None:
                continue
            tracked = [sku for sku in chunk.quantities if self._counts(sku, levels)]
            try:
                await self._transact(r.hold(r.still_reserving(reservation_id), chunk, tracked))
            except TransactionRefused as refusal:
                if 0 in refusal.refused:
                    return  # released, or found short, meanwhile
                if 1 in refusal.refused:
                    continue  # a concurrent call holds this chunk
                missing = _refused(chunk, tracked, refusal)
                await self._move(r.move_head(reservation_id, "reserving", "failing", missing=missing))
                return
        await self._move(r.move_head(reservation_id, "reserving", "reserved"))

    async def _finish_failing(self, reservation_id: str, head: Item) -> None:
        await self._give_back(reservation_id, head)
        await self._move(r.move_head(reservation_id, "failing", "failed"))

    async def _give_back_whole(self, reservation_id: str, head: Item) -> bool:
        """Whether it was this call that put it back; else somebody has moved the head."""
        try:
            await self._transact(r.give_back_whole(reservation_id, head))
        except TransactionRefused as refusal:
            if 0 not in refusal.refused:
                raise  # a SKU says that less is reserved than we hold: for a person
            return False
        return True

    async def _give_back(self, reservation_id: str, head: Item) -> None:
        """Put back every chunk that is still held; a concurrent call may take some of them from us."""
        for number, record in enumerate(await self._held_chunks(reservation_id, head)):
            if record is None or record["state"] != "held":
                continue
            key = r.chunk_key(r.head_key(reservation_id)["key"], number)
            try:
                await self._transact(r.give_back(key, record["quantities"]))
            except TransactionRefused as refusal:
                if 0 not in refusal.refused:
                    raise  # a SKU says that less is reserved than we hold: for a person

    async def _held_chunks(self, reservation_id: str, head: Item) -> tuple[Item | None, ...]:
        """The record of each chunk that was ever held; None for one that never was."""
        prefix = r.head_key(reservation_id)["key"]
        keys = [r.chunk_key(prefix, number) for number in range(head["chunks"])]
        return r.records_of(await self._table.get_many(keys))

    def _counts(self, sku: str, levels: Mapping[str, Level | None]) -> bool:
        return not self._accept_untracked or levels[sku] is not None

    async def _move(self, change: Change) -> None:
        """Move the head; when somebody else has moved it, the next look tells where to."""
        try:
            await self._patiently(partial(self._table.change, change))
        except ConditionRefused:
            return

    async def _transact(self, operations: Sequence[Operation]) -> None:
        """The first try waits for nobody: most goods are wanted by one order at a time. Who finds them at work elsewhere gets in line."""
        try:
            await self._table.transact(operations)
        except TableContended:
            async with self._turns.at("/".join(operation.key.values()) for operation in operations):
                await self._patiently(partial(self._table.transact, operations))

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Try again, with full jitter, while another transaction is at work on the same items."""
        for attempt in range(TRIES_MAX):
            try:
                return await call()
            except TableContended:
                await anyio.sleep(self._random.uniform(0, min(PAUSE_S_MAX, PAUSE_S * 2**attempt)))
        raise StockContended(f"the same goods were at work elsewhere in each of {TRIES_MAX} tries")


def _refused(chunk: r.Chunk, tracked: Sequence[str], refusal: TransactionRefused) -> tuple[MissingStock, ...]:
    """The SKUs that did not suffice: their operations follow those of the head and the chunk's record."""
    levels = {tracked[position - 2]: r.level_of(item) for position, item in refusal.refused.items()}
    return r.short_of({sku: chunk.quantities[sku] for sku in levels}, levels)
