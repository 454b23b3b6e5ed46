"""The stock's table, with the patience that goods need which many want at once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Final, TypeVar

import anyio

from workers.inventory.levels import level_key, level_of
from workers.inventory.stock import Level, Place, StockContended
from workers.inventory.turns import Turns
from workers.tables.errors import ConditionRefused, TableContended, TransactionRefused
from workers.tables.port import Change, Item, Key, Operation, PutNew, Table

TRIES_MAX: Final = 40
# Another look after somebody else's move: each is progress for somebody, so many in a row are a fault.
LOOKS_MAX: Final = 24
PAUSE_S: Final = 0.02
PAUSE_S_MAX: Final = 0.25

_T = TypeVar("_T")


class PatientTable:
    """`random` spreads the retries of contended writes."""

    def __init__(self, table: Table, *, random: Random) -> None:
        self._table = table
        self._random = random
        self._turns = Turns()

    async def get(self, key: Key) -> Item | None:
        """See `Table.get`."""
        return await self._table.get(key)

    async def get_many(self, keys: Sequence[Key]) -> tuple[Item | None, ...]:
        """See `Table.get_many`."""
        return await self._table.get_many(keys)

    async def levels(self, places: Sequence[Place]) -> dict[Place, Level | None]:
        """The level of each."""
        wanted = list(dict.fromkeys(places))
        items = await self._table.get_many([level_key(place) for place in wanted])
        return dict(zip(wanted, map(level_of, items), strict=True))

    async def put_new(self, put: PutNew) -> Item | None:
        """See `Table.put_new`."""
        return await self._patiently(partial(self._table.put_new, put))

    async def moved(self, change: Change) -> None:
        """Change one item; when somebody else has changed it, the next look tells how."""
        try:
            await self._patiently(partial(self._table.change, change))
        except ConditionRefused:
            return

    async def transact(self, operations: Sequence[Operation], *, in_line: bool = False) -> None:
        """The first try waits for nobody: most goods are wanted by one order at a time. Who finds them at work elsewhere gets in line.

        `in_line`: the caller has its turn at all of them already. Raises TransactionRefused, StockContended.
        """
        try:
            await self._write(operations)
        except TableContended:
            if in_line:
                await self._patiently(partial(self._write, operations))
                return
            async with self.turn_at(operation.key for operation in operations):
                await self._patiently(partial(self._write, operations))

    @asynccontextmanager
    async def turn_at(self, keys: Iterable[Key]) -> AsyncIterator[None]:
        """Wait for one's turn at these items, within this process."""
        async with self._turns.at("/".join(key.values()) for key in keys):
            yield

    async def _write(self, operations: Sequence[Operation]) -> None:
        """One item alone needs no transaction, which costs twice as much."""
        match operations:
            case [PutNew() as put]:
                existing = await self._table.put_new(put)
                if existing is not None:
                    raise TransactionRefused({0: existing})
            case [Change() as change]:
                try:
                    await self._table.change(change)
                except ConditionRefused as refusal:
                    raise TransactionRefused({0: refusal.existing}) from refusal
            case _:
                await self._table.transact(operations)

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Try again, with full jitter, while another transaction is at work on the same items."""
        for attempt in range(TRIES_MAX):
            try:
                return await call()
            except TableContended:
                await anyio.sleep(self._random.uniform(0, min(PAUSE_S_MAX, PAUSE_S * 2**attempt)))
        raise StockContended(f"the same goods were at work elsewhere in each of {TRIES_MAX} tries")
