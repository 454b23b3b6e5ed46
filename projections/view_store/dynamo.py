"""The view store on DynamoDB: conditional writes in batches, those that move totals in transactions.

Client: low-level aiobotocore, which should not retry by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import Backoff, code_of
from projections.batches import run_all
from projections.view_store import (
    LIST_PAGE_MAX,
    Consumed,
    Page,
    Place,
    Stored,
    Write,
    WriteResult,
)
from projections.view_store import items as view_items
from projections.view_store.dynamo_calls import Calls
from projections.view_store.dynamo_counted_writes import CountedWrites
from projections.view_store.dynamo_plain_writes import PlainWrites
from projections.views.view import Generations

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


class DynamoViewStore:
    """See `ViewStore`."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        table: str,
        random: Random,
        backoff: Backoff | None = None,
        batched: bool = True,
    ) -> None:
        """`random` spreads tries and totals, and names transactions: no two stores may draw the same numbers from theirs.

        `batched=False` is for where PartiQL is missing: every document that moves no totals is then written by a call of its own.
        """
        self._calls = Calls(client, table=table, random=random, backoff=backoff)
        self._plain = PlainWrites(self._calls, batched=batched)
        self._counted = CountedWrites(self._calls)

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore`."""
        return {stored.key: stored for stored in map(view_items.stored_from, await self._calls.items(keys))}

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """See `ViewStore`."""
        if len({write.key for write in writes}) != len(writes):
            raise ValueError("a key stands twice in one call")
        results: dict[int, WriteResult] = {}
        entries = list(enumerate(writes))
        plain = [entry for entry in entries if not entry[1].counts]
        counted = [entry for entry in entries if entry[1].counts]
        jobs = [partial(self._plain.write, plain, results), partial(self._counted.write, counted, results)]
        await run_all(jobs, at_once=len(jobs))
        return tuple(results[number] for number in range(len(writes)))

    async def listed(self, list_key: str, *, after: Place | None, limit: int, newest_first: bool) -> Page:
        """See `ViewStore`. A page ends early at 1 MB (AWS, "Query"); it still says where it goes on."""
        if not 1 <= limit <= LIST_PAGE_MAX:
            raise ValueError(f"a page has 1 to {LIST_PAGE_MAX} documents, not {limit}")
        request: dict[str, Any] = {
            "TableName": self._calls.table,
            "IndexName": view_items.INDEX,
            "KeyConditionExpression": "list_key = :list_key",
            "ExpressionAttributeValues": {":list_key": {"S": list_key}},
            "ScanIndexForward": not newest_first,
            "Limit": limit + 1,  # one more tells whether another page follows
        }
        if after is not None:
            request["ExclusiveStartKey"] = view_items.start_key(list_key, after)
        answer = await self._calls.call("Query", self._calls.client.query, request)
        items = answer.get("Items", [])
        shown = items[:limit]
        more = len(items) > limit or (bool(shown) and "LastEvaluatedKey" in answer)
        documents = tuple(view_items.stored_from(item) for item in shown)
        return Page(documents, view_items.place_from(shown[-1]) if more else None)

    def keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """See `ViewStore`."""
        return self._calls.names("key", prefix, consumed=consumed)

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See `ViewStore`."""
        rows = await self._calls.items(key for name in sum_keys for key in view_items.total_keys(name))
        return view_items.totals_from(rows)

    async def sum_keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """See `ViewStore`."""
        seen: set[str] = set()
        async with aclosing(self._calls.names(view_items.TOTAL_OF, prefix, consumed=consumed)) as names:
            async for name in names:
                if name not in seen:
                    seen.add(name)
                    yield name

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ViewStore`."""
        await self._calls.delete(keys)

    async def delete_totals(self, sum_keys: Sequence[str]) -> None:
        """See `ViewStore`."""
        await self._calls.delete(key for name in sum_keys for key in view_items.total_keys(name))

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        """See `ViewStore`."""
        pointers = {item["key"]["S"]: item for item in await self._calls.items(map(view_items.pointer_key, views))}
        return {view: view_items.generations_from(pointers.get(view_items.pointer_key(view))) for view in views}

    async def change_generations(self, view: str, *, before: Generations, after: Generations) -> bool:
        """See `ViewStore`. A try that landed though its answer was lost is met again as `after`."""
        request = view_items.pointer_request(self._calls.table, view, before=before, after=after)
        tries = self._calls.tries("PutItem")
        while True:
            try:
                await self._calls.client.put_item(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return (await self.generations([view]))[view] == after
                await tries.failed(error)
            else:
                return True
