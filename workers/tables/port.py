"""A table of items with a string key, conditional writes and small transactions: what DynamoDB can do, and no more."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
OPERATIONS_MAX: Final = 100
GET_KEYS_MAX: Final = 100

Key = Mapping[str, str]
Item = Mapping[str, Any]
"""Attribute values are str, int, bool, lists and string-keyed mappings of these."""


@dataclass(frozen=True, slots=True)
class PutNew:
    """Store an item whose key is free."""

    key: Key
    attributes: Item


@dataclass(frozen=True, slots=True)
class Check:
    """Demand that an item has these values; writes nothing."""

    key: Key
    equals: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Change one item if it is as expected. Without `equals` and `at_least` the item is made when it is absent.

    `assign` sets attributes, `add` adds to numbers (an absent one counts as 0), `remove` takes attributes away.
    """

    key: Key
    assign: Item = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    equals: Item = field(default_factory=dict)
    at_least: Mapping[str, int] = field(default_factory=dict)


Operation = PutNew | Check | Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A global secondary index: items that have both attributes, by `partition` (a text), in the order of `sort` (a number)."""

    name: str
    partition: str
    sort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of an index. `after` is where the next one begins; None: there is none."""

    items: "tuple[Item, ...]"
    after: "Item | None"


class Table(Protocol):
    """Reads are consistent: they see every write that was acknowledged before. Every method may raise `TableError`."""

    async def get(self, key: Key) -> Item | None:
        """The item, or None."""
        ...

    async def get_many(self, keys: Sequence[Key]) -> tuple[Item | None, ...]:
        """The items of any number of different keys, in their order. Not a snapshot: each is read at its own moment."""
        ...

    async def put_new(self, put: PutNew) -> Item | None:
        """Store the item and return None; or, when its key is taken, store nothing and return the item that stands.

        A caller whose answer got lost meets its own item when it repeats the call.
        """
        ...

    async def change(self, change: Change) -> None:
        """Raises ConditionRefused."""
        ...

    async def transact(self, operations: Sequence[Operation]) -> None:
        """All of up to 100 operations on different items, or none. Raises TransactionRefused, TableContended."""
        ...

    def scan(self) -> AsyncIterator[Item]:
        """Every item, in no order; memory is bounded. For demonstrations and audits, never for a message."""
        ...


class RangedTable(Table, Protocol):
    """A table whose items have a second key, by which those of one first key are sorted."""

    async def beginning(self, first: Key, second: str, prefix: str) -> "tuple[Item, ...]":
        """The items of the first key whose `second` begins with `prefix`, in its order. For a few: all of them are in the answer."""
        ...


class IndexedTable(Table, Protocol):
    """A table with indexes. What an index shows may be some moments old, and holds only the attributes that it projects."""

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
        """Up to `limit` items whose sort number is between `first` and `last`, both included, beginning after the page before."""
        ...
