"""The capacity that a call of DynamoDB takes, reckoned from its request, its answer and the items before and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.cost import rules
from tests.cost.looking import SecondLook
from tests.cost.partiql import written
from tests.cost.rules import Item

_ONE_ITEM: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_PAGES: Final = frozenset({"Query", "Scan"})


@dataclass(frozen=True, slots=True)
class Target:
    """An item that a call writes: where, which, and what the request says of it as far as it says it whole."""

    table: str
    key: Item
    item: Item | None
    transactional: bool = False


@dataclass(frozen=True, slots=True)
class Units:
    """What a call took of one table. `index`: of its indexes, on top. `stored`: by how many bytes the table has grown, indexes included."""

    table: str
    write: float = 0
    index: float = 0
    read: float = 0
    items: int = 0
    stored: int = 0
    lists: tuple[tuple[str, int], ...] = ()
    """Of an index: under which of its partitions so many of these units fall."""


def targets(operation: str, request: Mapping[str, Any], look: SecondLook) -> list[Target]:
    """What a request writes; empty for one that reads. Raises ValueError for an operation that the meter does not know."""
    if operation in _ONE_ITEM:
        return [_target(request, look)]
    match operation:
        case "TransactWriteItems":
            return [
                _target(action, look, transactional=True)
                for entry in request["TransactItems"]
                for action in entry.values()
            ]
        case "BatchExecuteStatement":
            found = []
            for statement in request["Statements"]:
                parts = written(statement["Statement"], statement["Parameters"], _KeyNames(look))
                found.append(Target(parts.table, parts.key, parts.item))
            return found
        case "BatchWriteItem":
            return [
                _target({"TableName": table, **next(iter(entry.values()))}, look)
                for table, entries in request["RequestItems"].items()
                for entry in entries
            ]
        case "GetItem" | "BatchGetItem" | "Query" | "Scan":
            return []
    raise ValueError(f"an operation of DynamoDB that the meter does not know: {operation}")


def written_by(
    found: Sequence[Target], before: Sequence[Item | None], after: Sequence[Item | None], look: SecondLook
) -> list[Units]:
    """The units of the writes, given what stood there before and stands there after. What failed changed nothing, and costs what it was
    to write: in a transaction too ("Amazon DynamoDB Transactions: How it works", capacity for both underlying writes)."""
    units = []
    for target, old, new in zip(found, before, after, strict=True):
        there = max((new, target.item), key=lambda item: rules.item_bytes(item) if item else 0)
        indexes = look.indexes_of(target.table)
        entries = [(held.entry(old), held.entry(new), held) for held in indexes]
        costs = [
            rules.index_units(was, now, held.keys, transactional=target.transactional) for was, now, held in entries
        ]
        lists = tuple(
            (str(next(iter((now or was or {})[held.keys[0]].values()))), cost)
            for (was, now, held), cost in zip(entries, costs, strict=True)
            if cost
        )
        grown = rules.stored_bytes(new) - rules.stored_bytes(old)
        grown += sum(rules.stored_bytes(now) - rules.stored_bytes(was) for was, now, _ in entries)
        units.append(
            Units(
                target.table,
                write=rules.written_units(old, there, transactional=target.transactional),
                index=sum(costs),
                items=1,
                stored=grown,
                lists=lists,
            )
        )
    return units


def read_by(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any], look: SecondLook) -> list[Units]:
    """The units of a read."""
    if operation == "GetItem":
        item = answer.get("Item")
        if item is not None and "ProjectionExpression" in request:
            item = look.item(request["TableName"], request["Key"])
        consistent = request.get("ConsistentRead", False)
        return [Units(request["TableName"], read=_read(item, consistent=consistent), items=1)]
    if operation == "BatchGetItem":
        units = []
        for table, asked in request["RequestItems"].items():
            unread = len(answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ()))
            items = answer.get("Responses", {}).get(table, [])
            if "ProjectionExpression" in asked:
                items = [found for key in asked["Keys"] if (found := look.item(table, key)) is not None]
            consistent = asked.get("ConsistentRead", False)
            missing = len(asked["Keys"]) - unread - len(items)
            read = sum(_read(item, consistent=consistent) for item in items)
            read += missing * _read(None, consistent=consistent)
            units.append(Units(table, read=read, items=len(asked["Keys"]) - unread))
        return units
    if operation in _PAGES:
        items = answer.get("Items", [])
        if {"ProjectionExpression", "FilterExpression", "Select"} & request.keys():
            items = look.evaluated(operation, request)
        size = sum(rules.item_bytes(item) for item in items)
        read = rules.read_units(size, consistent=request.get("ConsistentRead", False))
        return [Units(request["TableName"], read=read, items=len(items))]
    return []


def _read(item: Item | None, *, consistent: bool) -> float:
    return rules.read_units(rules.item_bytes(item) if item is not None else 0, consistent=consistent)


def _target(action: Mapping[str, Any], look: SecondLook, *, transactional: bool = False) -> Target:
    item = action.get("Item")
    table = action["TableName"]
    key = action["Key"] if item is None else {name: item[name] for name in look.keys_of(table)}
    return Target(table, key, item, transactional)


class _KeyNames(Mapping[str, Sequence[str]]):
    """The key names of tables, looked up when they are asked for."""

    def __init__(self, look: SecondLook) -> None:
        self._look = look

    def __getitem__(self, table: str) -> Sequence[str]:
        return self._look.keys_of(table)

    def __iter__(self) -> Any:
        raise TypeError("not listed")

    def __len__(self) -> int:
        raise TypeError("not counted")
