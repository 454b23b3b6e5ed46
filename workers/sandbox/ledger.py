"""The sandbox's ledger: one row for each thing that a sandbox provider did, kept for ever.

A provider's idempotency key is the row's key: the first put wins and every later one is handed what stands. So an effect
that was asked for twice with one key is one row, and an effect that really happened twice would be seen as two.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from workers.tables.port import Item, PutNew, Table
from workers.tables.rows import typed

Details = Mapping[str, str | int]

_OWN: Final = ("key", "order", "kind", "at_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One effect: what kind, for which order, when (wall clock, milliseconds), and its details."""

    key: str
    order: str
    kind: str
    at_ms: int
    details: Details


class SandboxLedger(Protocol):
    """Put-if-absent rows. Methods raise `workers.tables.errors.TableError`."""

    async def put(self, key: str, *, order: str, kind: str, details: Details) -> Entry:
        """Write the row down if its key is free; return the row that stands."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The row, read consistently."""
        ...

    def entries(self, *, order: str | None = None) -> AsyncIterator[Entry]:
        """Every row (of one order), in no order: reads the whole ledger."""
        ...

    def now_ms(self) -> int:
        """The clock that its rows are dated by: milliseconds since 1970."""
        ...


class TableLedger(SandboxLedger):
    """The ledger in a service table whose key is `key`. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def put(self, key: str, *, order: str, kind: str, details: Details) -> Entry:
        """See `SandboxLedger.put`."""
        row = {**details, "order": order, "kind": kind, "at_ms": self._now_ms()}
        existing = await self._table.put_new(PutNew({"key": key}, row))
        return _entry(existing if existing is not None else {"key": key, **row})

    async def get(self, key: str) -> Entry | None:
        """See `SandboxLedger.get`."""
        row = await self._table.get({"key": key})
        return None if row is None else _entry(row)

    async def entries(self, *, order: str | None = None) -> AsyncIterator[Entry]:
        """See `SandboxLedger.entries`."""
        async for row in self._table.scan():
            entry = _entry(row)
            if order is None or entry.order == order:
                yield entry

    def now_ms(self) -> int:
        """See `SandboxLedger.now_ms`."""
        return self._now_ms()


def _entry(row: Item) -> Entry:
    """Raises RowUnreadable."""
    details = {name: value for name, value in row.items() if name not in _OWN}
    return typed(Entry, {**row, "details": details}, "an entry of the sandbox's ledger")
