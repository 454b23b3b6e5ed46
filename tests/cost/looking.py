"""A second look at the tables, beside the calls that are metered: what an item was before a write and is after it, whole, and what a
projected or filtered read went through. Synchronous, so that no other task of the process comes between."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cost.rules import Item

READS = ("TableName", "IndexName", "KeyConditionExpression", "ExclusiveStartKey", "ScanIndexForward", "Limit")


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index, global or local: its key attributes, and what of an item is projected into it (None: everything)."""

    keys: tuple[str, ...]
    attributes: frozenset[str] | None

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item; None where it lacks a key."""
        if item is None or any(key not in item for key in self.keys):
            return None
        if self.attributes is None:
            return item
        return {name: value for name, value in item.items() if name in self.attributes}


class SecondLook:
    """Reads that nobody counts. `client`: a plain, synchronous DynamoDB client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._keys: dict[str, tuple[str, ...]] = {}
        self._indexes: dict[str, tuple[Index, ...]] = {}

    def keys_of(self, table: str) -> tuple[str, ...]:
        """The names of a table's key attributes."""
        self._describe(table)
        return self._keys[table]

    def indexes_of(self, table: str) -> Sequence[Index]:
        """A table's indexes."""
        self._describe(table)
        return self._indexes[table]

    def item(self, table: str, key: Item) -> Item | None:
        """An item as it is now."""
        item: Item | None = self._client.get_item(TableName=table, Key=dict(key), ConsistentRead=True).get("Item")
        return item

    def evaluated(self, operation: str, request: Mapping[str, Any]) -> list[Item]:
        """The whole items that one page of a Query or Scan went through, whatever of them it gave back."""
        again = {name: value for name, value in request.items() if name in READS}
        if "KeyConditionExpression" in request:
            names, values = _used(request, request["KeyConditionExpression"])
            again |= {"ExpressionAttributeNames": names} if names else {}
            again |= {"ExpressionAttributeValues": values} if values else {}
        method = self._client.query if operation == "Query" else self._client.scan
        items: list[Item] = method(**again)["Items"]
        return items

    def _describe(self, table: str) -> None:
        if table in self._keys:
            return
        described = self._client.describe_table(TableName=table)["Table"]
        self._keys[table] = _names(described["KeySchema"])
        both = [*described.get("GlobalSecondaryIndexes", ()), *described.get("LocalSecondaryIndexes", ())]
        self._indexes[table] = tuple(_index(index, self._keys[table]) for index in both)


def _index(described: Mapping[str, Any], table_keys: Sequence[str]) -> Index:
    keys = _names(described["KeySchema"])
    projection = described["Projection"]
    if projection["ProjectionType"] == "ALL":
        return Index(keys, None)
    return Index(keys, frozenset((*keys, *table_keys, *projection.get("NonKeyAttributes", ()))))


def _names(schema: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(element["AttributeName"] for element in schema)


def _used(request: Mapping[str, Any], expression: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The placeholders that an expression uses: DynamoDB refuses those that nothing uses."""
    words = set(expression.replace("(", " ").replace(")", " ").replace(",", " ").replace("=", " ").split())
    names = {name: value for name, value in request.get("ExpressionAttributeNames", {}).items() if name in words}
    values = {name: value for name, value in request.get("ExpressionAttributeValues", {}).items() if name in words}
    return names, values
