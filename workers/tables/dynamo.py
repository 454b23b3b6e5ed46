"""The table on DynamoDB, with the low-level client (aiobotocore, so asyncio only).

Every condition asks for the item that stands on failure (`ALL_OLD`), so that losing a race costs no read. botocore adds a
ClientRequestToken to each transaction, which settles its own retries; it lasts ten minutes, so nothing else relies on it.
"""

import random as randomness
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import Backoff
from workers.tables.attributes import decode_item, encode, encode_item
from workers.tables.errors import (
    ConditionRefused,
    TableContended,
    TableError,
    TableRefused,
    TableThrottled,
    TableUnavailable,
    TransactionRefused,
)
from workers.tables.port import GET_KEYS_MAX, Change, Check, Item, Key, Operation, PutNew, RangedTable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

GET_ROUNDS_MAX: Final = 8
GET_PAUSE_S: Final = 0.05
_THROTTLED: Final = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "ThrottlingError",
     "ProvisionedThroughputExceeded"}
)  # fmt: skip
_CONTENDED: Final = frozenset({"TransactionConflictException", "TransactionInProgressException", "TransactionConflict"})
_READS: Final = frozenset({"GetItem", "BatchGetItem", "Scan", "Query"})
_HTTP_FAULT: Final = 500


class DynamoTable(RangedTable):
    """One table. The client does not retry by itself; here is tried again, a bounded number of times, what surely was not carried
    out (it was throttled) and what only reads. A write whose answer was lost is told as such: the caller looks what became of it."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        random: randomness.Random | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._random = random or randomness.Random()  # noqa: S311 - spreads retries, guards nothing
        self._backoff = backoff or Backoff()

    async def get(self, key: Key) -> Item | None:
        """See `Table.get`."""
        request = {"TableName": self._name, "Key": encode_item(key), "ConsistentRead": True}
        answer = await self._call("GetItem", self._client.get_item, request)
        return decode_item(answer["Item"]) if "Item" in answer else None

    async def get_many(self, keys: Sequence[Key]) -> tuple[Item | None, ...]:
        """See `Table.get_many`."""
        found: dict[tuple[str, ...], Item] = {}
        for start in range(0, len(keys), GET_KEYS_MAX):
            wanted = [encode_item(key) for key in keys[start : start + GET_KEYS_MAX]]
            for item in await self._get_batch(wanted):
                found[tuple(item[name] for name in keys[0])] = item
        return tuple(found.get(tuple(key.values())) for key in keys)

    async def put_new(self, put: PutNew) -> Item | None:
        """See `Table.put_new`."""
        try:
            await self._call("PutItem", self._client.put_item, self._put(put))
        except ConditionRefused as refusal:
            if refusal.existing is None:
                raise TableUnavailable("PutItem was refused without the item that stands") from refusal
            return refusal.existing
        return None

    async def change(self, change: Change) -> None:
        """See `Table.change`."""
        await self._call("UpdateItem", self._client.update_item, self._update(change))

    async def transact(self, operations: Sequence[Operation]) -> None:
        """See `Table.transact`."""
        items: list[Any] = []
        for operation in operations:
            match operation:
                case PutNew():
                    items.append({"Put": self._put(operation)})
                case Check():
                    items.append({"ConditionCheck": self._check(operation)})
                case Change():
                    items.append({"Update": self._update(operation)})
        await self._call("TransactWriteItems", self._client.transact_write_items, {"TransactItems": items})

    async def scan(self) -> AsyncIterator[Item]:
        """See `Table.scan`."""
        request: dict[str, Any] = {"TableName": self._name, "ConsistentRead": True}
        while True:
            page = await self._call("Scan", self._client.scan, request)
            for item in page["Items"]:
                yield decode_item(item)
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def beginning(self, first: Key, second: str, prefix: str) -> tuple[Item, ...]:
        """See `RangedTable.beginning`."""
        [(name, value)] = first.items()
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "#first = :first AND begins_with(#second, :prefix)",
            "ExpressionAttributeNames": {"#first": name, "#second": second},
            "ExpressionAttributeValues": {":first": encode(value), ":prefix": encode(prefix)},
            "ConsistentRead": True,
        }
        items: list[Item] = []
        while True:
            page = await self._call("Query", self._client.query, request)
            items += [decode_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return tuple(items)
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def _get_batch(self, wanted: list[dict[str, Any]]) -> list[Item]:
        items: list[Item] = []
        for round_number in range(GET_ROUNDS_MAX):
            request = {"RequestItems": {self._name: {"Keys": wanted, "ConsistentRead": True}}}
            answer = await self._call("BatchGetItem", self._client.batch_get_item, request)
            items += [decode_item(item) for item in answer["Responses"].get(self._name, [])]
            left = answer.get("UnprocessedKeys", {}).get(self._name)
            if left is None:
                return items
            wanted = [dict(key) for key in left["Keys"]]
            await anyio.sleep(self._random.uniform(0, GET_PAUSE_S * 2**round_number))
        raise TableThrottled(f"BatchGetItem left {len(wanted)} keys unread in {GET_ROUNDS_MAX} rounds")

    async def _call(self, operation: str, method: Callable[..., Awaitable[Any]], request: Mapping[str, Any]) -> Any:  # noqa: ANN401 - botocore's answers
        for failures in range(1, self._backoff.tries_max + 1):
            try:
                with translated(operation):
                    return await method(**request)
            except (TableThrottled, TableUnavailable) as trouble:
                may_repeat = isinstance(trouble, TableThrottled) or operation in _READS
                if not may_repeat or failures == self._backoff.tries_max:
                    raise
            await anyio.sleep(self._backoff.sleep_s(failures, self._random))
        raise AssertionError("a back-off has at least one try")

    def _put(self, put: PutNew) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "Item": encode_item({**put.key, **put.attributes}),
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": next(iter(put.key))},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _check(self, check: Check) -> dict[str, Any]:
        expression = _Expression()
        return {
            "TableName": self._name,
            "Key": encode_item(check.key),
            "ConditionExpression": expression.condition(check.equals, {}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **expression.placeholders(),
        }

    def _update(self, change: Change) -> dict[str, Any]:
        expression = _Expression()
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": encode_item(change.key),
            "UpdateExpression": expression.update(change),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if change.equals or change.at_least:
            request["ConditionExpression"] = expression.condition(change.equals, change.at_least)
        return {**request, **expression.placeholders()}


class _Expression:
    """Collects names and values while expressions are written, so that no attribute name is ever a reserved word."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def condition(self, equals: Item, at_least: Mapping[str, int]) -> str:
        terms = [f"{self._name(name)} = {self._value(value)}" for name, value in equals.items()]
        terms += [f"{self._name(name)} >= {self._value(value)}" for name, value in at_least.items()]
        return " AND ".join(terms)

    def update(self, change: Change) -> str:
        clauses = []
        if change.assign:
            pairs = (f"{self._name(name)} = {self._value(value)}" for name, value in change.assign.items())
            clauses.append("SET " + ", ".join(pairs))
        if change.add:
            pairs = (f"{self._name(name)} {self._value(value)}" for name, value in change.add.items())
            clauses.append("ADD " + ", ".join(pairs))
        if change.remove:
            clauses.append("REMOVE " + ", ".join(self._name(name) for name in change.remove))
        return " ".join(clauses)

    def placeholders(self) -> dict[str, Any]:
        """DynamoDB refuses values that are empty."""
        names = {"ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()}}
        return {**names, "ExpressionAttributeValues": self._values} if self._values else names

    def _name(self, name: str) -> str:
        return self._names.setdefault(name, f"#n{len(self._names)}")

    def _value(self, value: object) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = encode(value)
        return placeholder


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """The client's errors, in the tables' words."""
    try:
        yield
    except ClientError as error:
        raise _table_error(operation, error) from error
    except BotoCoreError as error:
        raise TableUnavailable(f"{operation}: {type(error).__name__}") from error


def _table_error(operation: str, error: ClientError) -> TableError:
    response: Mapping[str, Any] = error.response
    code = response.get("Error", {}).get("Code", "unknown")
    if code == "ConditionalCheckFailedException":
        return ConditionRefused(decode_item(response["Item"]) if response.get("Item") else None)
    if code == "TransactionCanceledException":
        return _cancelled(operation, response.get("CancellationReasons", []))
    if code in _CONTENDED:
        return TableContended(f"{operation}: {code}")
    if code in _THROTTLED:
        return TableThrottled(f"{operation}: {code}")
    if response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _HTTP_FAULT:
        return TableUnavailable(f"{operation}: {code}")
    return TableRefused(f"{operation}: {code}: {response.get('Error', {}).get('Message', '')}")


def _cancelled(operation: str, reasons: Sequence[Mapping[str, Any]]) -> TableError:
    """A failed condition was judged on what is stored, so it is told before a conflict, which may pass."""
    refused: dict[int, Item | None] = {
        position: decode_item(reason["Item"]) if reason.get("Item") else None
        for position, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if refused:
        return TransactionRefused(refused)
    codes = {str(reason.get("Code", "None")) for reason in reasons} - {"None"}
    if codes & _CONTENDED:
        return TableContended(f"{operation}: {', '.join(sorted(codes))}")
    if codes & _THROTTLED:
        return TableThrottled(f"{operation}: {', '.join(sorted(codes))}")
    return TableRefused(f"{operation} was cancelled: {', '.join(sorted(codes)) or 'no reason given'}")
