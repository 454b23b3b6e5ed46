"""Calls of DynamoDB as the view store makes them: tried again within a bound, and their failures in the port's words.

The client should not retry by itself: the two bounds would multiply.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import Backoff, Trouble, classify, code_of
from projections.batches import run_all
from projections.view_store import Consumed, ViewStoreRefused, ViewStoreThrottled, ViewStoreUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

CALLS_AT_ONCE: Final = 4
KEYS_PER_GET: Final = 100  # AWS, "BatchGetItem": at most 100 items
DELETES_PER_CALL: Final = 25  # AWS, "BatchWriteItem": at most 25 items
SCAN_PAGE: Final = 1_000
_INTERNAL: Final = frozenset({"InternalServerError", "InternalError"})

Item = Mapping[str, Any]


class Tries:
    """The failures of one operation: sleeps between them, and says when it is enough."""

    def __init__(self, operation: str, backoff: Backoff, random: Random) -> None:
        self._operation = operation
        self._backoff = backoff
        self._random = random
        self._failures = 0

    async def failed(self, error: ClientError | BotoCoreError) -> None:
        """A whole call failed.

        Raises ViewStoreRefused at once, ViewStoreThrottled or ViewStoreUnavailable when the tries are used up.
        """
        trouble = classify(error)
        if trouble is Trouble.REFUSED:
            raise ViewStoreRefused(f"{self._operation}: {code_of(error)}: {error}") from error
        await self._again(code_of(error), throttled=trouble is Trouble.THROTTLED, cause=error)

    async def left_over(self, code: str) -> None:
        """Parts of a call were not carried out. Raises ViewStoreThrottled, ViewStoreUnavailable."""
        await self._again(code, throttled=code not in _INTERNAL, cause=None)

    async def _again(self, code: str, *, throttled: bool, cause: Exception | None) -> None:
        self._failures += 1
        if self._failures >= self._backoff.tries_max:
            kind = ViewStoreThrottled if throttled else ViewStoreUnavailable
            raise kind(f"{self._operation} failed {self._failures} times in a row, at last with {code}") from cause
        await anyio.sleep(self._backoff.sleep_s(self._failures, self._random))


class Calls:
    """A table and the way to it. Every method raises `ViewStoreError` for what is left after the bounded tries."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        """`random` spreads the sleeps between tries."""
        self.client: Any = client  # our own low-level encoding: the stubs' item types add nothing
        self.table = table
        self.random = random
        self._backoff = backoff or Backoff()

    def tries(self, operation: str) -> Tries:
        """Begin to count the failures of an operation."""
        return Tries(operation, self._backoff, self.random)

    async def call(self, operation: str, method: Any, request: Mapping[str, Any]) -> Any:  # noqa: ANN401 - botocore's
        """One request, until there is an answer: for those no failure of which is an answer in itself."""
        tries = self.tries(operation)
        while True:
            try:
                return await method(**request)
            except (ClientError, BotoCoreError) as error:
                await tries.failed(error)

    async def items(self, keys: Iterable[str]) -> list[Item]:
        """The items of these keys that there are, read consistently, in no order."""
        found: list[Item] = []
        chunks = _chunks(keys, KEYS_PER_GET)
        await run_all([partial(self._get, chunk, found) for chunk in chunks], at_once=CALLS_AT_ONCE)
        return found

    async def delete(self, keys: Iterable[str]) -> None:
        """Take items away, there or not."""
        chunks = _chunks(keys, DELETES_PER_CALL)
        await run_all([partial(self._delete, chunk) for chunk in chunks], at_once=CALLS_AT_ONCE)

    async def names(
        self, attribute: str, prefix: str, *, consumed: Consumed | None = None
    ) -> AsyncGenerator[str, None]:
        """The values of a text attribute that begin with `prefix`: a consistent scan of the whole table, at the units that AWS says."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
            "Limit": SCAN_PAGE,
            "ProjectionExpression": "#name",
            "FilterExpression": "begins_with(#name, :prefix)",
            "ExpressionAttributeNames": {"#name": attribute},
            "ExpressionAttributeValues": {":prefix": {"S": prefix}},
        }
        while True:
            answer = await self.call("Scan", self.client.scan, request)
            if consumed is not None:
                await consumed(float(answer["ConsumedCapacity"]["CapacityUnits"]))
            for item in answer.get("Items", []):
                yield item[attribute]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _get(self, keys: list[str], found: list[Item]) -> None:
        tries = self.tries("BatchGetItem")
        wanted = [{"key": {"S": key}} for key in keys]
        while wanted:
            request = {"RequestItems": {self.table: {"Keys": wanted, "ConsistentRead": True}}}
            answer = await self.call("BatchGetItem", self.client.batch_get_item, request)
            found += answer.get("Responses", {}).get(self.table, [])
            left = answer.get("UnprocessedKeys", {}).get(self.table, {}).get("Keys", [])
            if len(left) == len(wanted):  # an answer that is full at 16 MB leaves some over too: that is no throttling
                await tries.left_over("UnprocessedKeys")
            wanted = left

    async def _delete(self, keys: list[str]) -> None:
        tries = self.tries("BatchWriteItem")
        wanted = [{"DeleteRequest": {"Key": {"key": {"S": key}}}} for key in keys]
        while wanted:
            request = {"RequestItems": {self.table: wanted}}
            answer = await self.call("BatchWriteItem", self.client.batch_write_item, request)
            wanted = answer.get("UnprocessedItems", {}).get(self.table, [])
            if wanted:
                await tries.left_over("UnprocessedItems")


def old_item(error: ClientError | BotoCoreError) -> Item | None:
    """The item that stood in a condition's way; the answer carries it beside the error."""
    answer: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
    return answer.get("Item") or None


def _chunks(keys: Iterable[str], size: int) -> list[list[str]]:
    distinct = list(dict.fromkeys(keys))
    return [distinct[start : start + size] for start in range(0, len(distinct), size)]
