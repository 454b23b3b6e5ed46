"""The table in memory: the reference of the port, and what tests run on."""

from collections.abc import AsyncIterator, Mapping, Sequence

import anyio.lowlevel

from workers.tables.errors import ConditionRefused, TransactionRefused
from workers.tables.port import (
    OPERATIONS_MAX,
    Change,
    Check,
    Found,
    Index,
    IndexedTable,
    Item,
    Key,
    Operation,
    PutNew,
    RangedTable,
)


class MemoryTable(IndexedTable, RangedTable):
    """Items in a dict. Each call lets other tasks run first, then does its work in one go."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, ...], dict[str, object]] = {}

    async def get(self, key: Key) -> Item | None:
        """See `Table.get`."""
        await anyio.lowlevel.checkpoint()
        return self._find(key)

    async def get_many(self, keys: Sequence[Key]) -> tuple[Item | None, ...]:
        """See `Table.get_many`."""
        await anyio.lowlevel.checkpoint()
        return tuple(self._find(key) for key in keys)

    async def put_new(self, put: PutNew) -> Item | None:
        """See `Table.put_new`."""
        await anyio.lowlevel.checkpoint()
        existing = self._find(put.key)
        if existing is None:
            self._apply(put)
        return existing

    async def change(self, change: Change) -> None:
        """See `Table.change`."""
        await anyio.lowlevel.checkpoint()
        if not self._holds(change):
            raise ConditionRefused(self._find(change.key))
        self._apply(change)

    async def transact(self, operations: Sequence[Operation]) -> None:
        """See `Table.transact`."""
        await anyio.lowlevel.checkpoint()
        places = {_place(operation.key) for operation in operations}
        if not 0 < len(operations) <= OPERATIONS_MAX or len(places) != len(operations):
            raise ValueError(f"a transaction has 1 to {OPERATIONS_MAX} operations, each on another item")
        refused = {
            position: self._find(operation.key)
            for position, operation in enumerate(operations)
            if not self._holds(operation)
        }
        if refused:
            raise TransactionRefused(refused)
        for operation in operations:
            self._apply(operation)

    async def scan(self) -> AsyncIterator[Item]:
        """See `Table.scan`."""
        for item in tuple(self._items.values()):
            await anyio.lowlevel.checkpoint()
            yield dict(item)

    async def beginning(self, first: Key, second: str, prefix: str) -> tuple[Item, ...]:
        """See `RangedTable.beginning`."""
        await anyio.lowlevel.checkpoint()
        found = [item for item in self._items.values() if _has(item, first) and str(item[second]).startswith(prefix)]
        return tuple(dict(item) for item in sorted(found, key=lambda item: str(item[second])))

    async def query(
        self,
        index: Index,
        partition: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int,
        after: Item | None = None,
        descending: bool = False,
    ) -> Found:
        """See `IndexedTable.query`."""
        await anyio.lowlevel.checkpoint()
        rows = [
            (_number(item[index.sort]), place)
            for place, item in self._items.items()
            if item.get(index.partition) == partition and index.sort in item
        ]
        rows = sorted(
            (row for row in rows if (first is None or row[0] >= first) and (last is None or row[0] <= last)),
            reverse=descending,
        )
        if after is not None:
            key = (value for name, value in after.items() if name not in (index.partition, index.sort))
            begun = (_number(after[index.sort]), tuple(map(str, key)))
            rows = [row for row in rows if (row < begun if descending else row > begun)]
        page = rows[:limit]
        more = len(rows) > limit
        return Found(
            items=tuple(dict(self._items[place]) for _, place in page),
            after=self._cursor(index, page[-1][1]) if more else None,
        )

    def _cursor(self, index: Index, place: tuple[str, ...]) -> Item:
        """As DynamoDB has it: the item's key, and that of the index."""
        item = self._items[place]
        key = dict(zip(item, place, strict=False))  # an item begins with its key
        return {**key, index.partition: item[index.partition], index.sort: item[index.sort]}

    def _find(self, key: Key) -> Item | None:
        item = self._items.get(_place(key))
        return None if item is None else dict(item)

    def _holds(self, operation: Operation) -> bool:
        item = self._items.get(_place(operation.key))
        match operation:
            case PutNew():
                return item is None
            case Check(equals=equals):
                return item is not None and _has(item, equals)
            case Change(equals=equals, at_least=at_least):
                if not equals and not at_least:
                    return True
                enough = item is not None and all(
                    name in item and _number(item[name]) >= least for name, least in at_least.items()
                )
                return item is not None and enough and _has(item, equals)

    def _apply(self, operation: Operation) -> None:
        match operation:
            case PutNew(key=key, attributes=attributes):
                self._items[_place(key)] = {**key, **attributes}
            case Check():
                pass
            case Change(key=key, assign=assign, add=add, remove=remove):
                item = self._items.setdefault(_place(key), dict(key))
                item.update(assign)
                for name, number in add.items():
                    item[name] = _number(item.get(name)) + number
                for name in remove:
                    item.pop(name, None)


def _place(key: Key) -> tuple[str, ...]:
    return tuple(key.values())


def _has(item: Mapping[str, object], equals: Item) -> bool:
    return all(name in item and item[name] == value for name, value in equals.items())


def _number(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int):
        raise TypeError(f"not a number: {value!r}")
    return value
