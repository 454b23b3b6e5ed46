"""The view store on DynamoDB: up to 25 conditional writes in one `BatchExecuteStatement`, each with a result of its own.

A call costs the client the same whatever it carries, and the write units are those of single writes. What is throttled is tried again
entry by entry; what failed its condition is an answer. Client: low-level aiobotocore, which should not retry by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import THROTTLED_CODES, Backoff, Trouble, classify, code_of
from projections import view_items
from projections.batches import run_all
from projections.view_store import (
    LIST_PAGE_MAX,
    Conflict,
    Page,
    Place,
    Stored,
    ViewStoreRefused,
    ViewStoreThrottled,
    ViewStoreUnavailable,
    Write,
    WriteResult,
    Written,
)
from projections.views.view import FIRST_GENERATION

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

CALLS_AT_ONCE: Final = 4
KEYS_PER_GET: Final = 100  # AWS, "BatchGetItem": at most 100 items
SCAN_PAGE: Final = 1_000

# AWS, "BatchStatementError": codes of one statement in a call that succeeded.
_CONDITION_FAILED: Final = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_TRY_AGAIN: Final = THROTTLED_CODES | {"InternalServerError", "ProvisionedThroughputExceeded"}


class _Tries:
    """The failures of one operation: sleeps between them, and says when it is enough."""

    def __init__(self, operation: str, backoff: Backoff, random: Random) -> None:
        self._operation = operation
        self._backoff = backoff
        self._random = random
        self._failures = 0

    async def failed(self, error: ClientError | BotoCoreError) -> None:
        """A whole call failed. Raises ViewStoreRefused, ViewStoreThrottled, ViewStoreUnavailable."""
        trouble = classify(error)
        if trouble is Trouble.REFUSED:
            raise ViewStoreRefused(f"{self._operation}: {code_of(error)}: {error}") from error
        await self._again(code_of(error), throttled=trouble is Trouble.THROTTLED, cause=error)

    async def left_over(self, code: str) -> None:
        """Parts of a call were not carried out. Raises ViewStoreThrottled, ViewStoreUnavailable."""
        await self._again(code, throttled=code != "InternalServerError", cause=None)

    async def _again(self, code: str, *, throttled: bool, cause: Exception | None) -> None:
        self._failures += 1
        if self._failures >= self._backoff.tries_max:
            kind = ViewStoreThrottled if throttled else ViewStoreUnavailable
            raise kind(f"{self._operation} failed {self._failures} times in a row, at last with {code}") from cause
        await anyio.sleep(self._backoff.sleep_s(self._failures, self._random))


class DynamoViewStore:
    """See `ViewStore`. `random` spreads the sleeps between tries."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        self._client: Any = client  # our own low-level encoding: the stubs' item types add nothing
        self._table = table
        self._random = random
        self._backoff = backoff or Backoff()

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore`."""
        distinct = list(dict.fromkeys(keys))
        found: dict[str, Stored] = {}
        chunks = [distinct[start : start + KEYS_PER_GET] for start in range(0, len(distinct), KEYS_PER_GET)]
        await run_all([partial(self._get, chunk, found) for chunk in chunks], at_once=CALLS_AT_ONCE)
        return found

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """See `ViewStore`."""
        if len({write.key for write in writes}) != len(writes):
            raise ValueError("a key stands twice in one call")
        statements = [(number, view_items.statement_for(self._table, write)) for number, write in enumerate(writes)]
        results: dict[int, WriteResult] = {}
        calls = view_items.calls(statements)
        await run_all([partial(self._execute, call, results) for call in calls], at_once=CALLS_AT_ONCE)
        return tuple(results[number] for number in range(len(writes)))

    async def listed(self, list_key: str, *, after: Place | None, limit: int, newest_first: bool) -> Page:
        """See `ViewStore`. A page ends early at 1 MB (AWS, "Query"); it still says where it goes on."""
        if not 1 <= limit <= LIST_PAGE_MAX:
            raise ValueError(f"a page has 1 to {LIST_PAGE_MAX} documents, not {limit}")
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": view_items.INDEX,
            "KeyConditionExpression": "list_key = :list_key",
            "ExpressionAttributeValues": {":list_key": {"S": list_key}},
            "ScanIndexForward": not newest_first,
            "Limit": limit + 1,  # one more tells whether another page follows
        }
        if after is not None:
            request["ExclusiveStartKey"] = view_items.start_key(list_key, after)
        answer = await self._call("Query", self._client.query, request)
        items = answer.get("Items", [])
        shown = items[:limit]
        more = len(items) > limit or (bool(shown) and "LastEvaluatedKey" in answer)
        documents = tuple(view_items.stored_from(item) for item in shown)
        return Page(documents, view_items.place_from(shown[-1]) if more else None)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See `ViewStore`."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "Limit": SCAN_PAGE,
            "ProjectionExpression": "#key",
            "FilterExpression": "begins_with(#key, :prefix)",
            "ExpressionAttributeNames": {"#key": "key"},
            "ExpressionAttributeValues": {":prefix": {"S": prefix}},
        }
        while True:
            answer = await self._call("Scan", self._client.scan, request)
            for item in answer.get("Items", []):
                yield item["key"]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def generation(self, view: str) -> int:
        """See `ViewStore`."""
        request = {
            "TableName": self._table,
            "Key": {"key": {"S": view_items.pointer_key(view)}},
            "ConsistentRead": True,
        }
        answer = await self._call("GetItem", self._client.get_item, request)
        pointer = answer.get("Item")
        return FIRST_GENERATION if pointer is None else int(pointer["generation"]["N"])

    async def _get(self, keys: list[str], found: dict[str, Stored]) -> None:
        tries = self._tries("BatchGetItem")
        wanted = [{"key": {"S": key}} for key in keys]
        while wanted:
            request = {"RequestItems": {self._table: {"Keys": wanted, "ConsistentRead": True}}}
            answer = await self._call("BatchGetItem", self._client.batch_get_item, request)
            for item in answer.get("Responses", {}).get(self._table, []):
                stored = view_items.stored_from(item)
                found[stored.key] = stored
            left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if len(left) == len(wanted):  # an answer that is full at 16 MB leaves some over too: that is no throttling
                await tries.left_over("UnprocessedKeys")
            wanted = left

    async def _execute(self, call: list[tuple[int, dict[str, Any]]], results: dict[int, WriteResult]) -> None:
        tries = self._tries("BatchExecuteStatement")
        waiting = call
        while waiting:
            request = {"Statements": [statement for _, statement in waiting]}
            answer = await self._call("BatchExecuteStatement", self._client.batch_execute_statement, request)
            left: list[tuple[int, dict[str, Any]]] = []
            code = ""
            for entry, response in zip(waiting, answer["Responses"], strict=True):
                error = response.get("Error")
                if error is None:
                    results[entry[0]] = Written()
                elif error["Code"] in _CONDITION_FAILED:
                    results[entry[0]] = Conflict(_commit_of(error))
                elif error["Code"] in _TRY_AGAIN:
                    left.append(entry)
                    code = error["Code"]
                else:
                    raise ViewStoreRefused(f"BatchExecuteStatement: {error['Code']}: {error.get('Message')}")
            if left:
                await tries.left_over(code)
            waiting = left

    async def _call(self, operation: str, method: Any, request: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answers
        tries = self._tries(operation)
        while True:
            try:
                return await method(**request)
            except (ClientError, BotoCoreError) as error:
                await tries.failed(error)

    def _tries(self, operation: str) -> _Tries:
        return _Tries(operation, self._backoff, self._random)


def _commit_of(error: Mapping[str, Any]) -> int | None:
    commit = error.get("Item", {}).get("last_commit", {}).get("N")
    return None if commit is None else int(commit)
