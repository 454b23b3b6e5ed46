"""The rows of rebuilds in the table of views: item `rebuild/<view>`, with its version beside it, on which every write is conditional."""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import Backoff, code_of
from projections.rebuild.state import Rebuild
from projections.view_store import ViewStoreRefused
from projections.view_store.dynamo_calls import Calls

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


class DynamoRebuildBook:
    """See `RebuildBook`."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        """Use the table of views; `random` spreads the sleeps between tries."""
        self._calls = Calls(client, table=table, random=random, backoff=backoff)

    async def read(self, view: str) -> Rebuild | None:
        """See `RebuildBook`. Raises ViewStoreRefused for a row that another release wrote in another form."""
        request = {"TableName": self._calls.table, "Key": {"key": {"S": _key(view)}}, "ConsistentRead": True}
        item = (await self._calls.call("GetItem", self._calls.client.get_item, request)).get("Item")
        return None if item is None else rebuild_in(item, view)

    async def replace(self, before: Rebuild | None, after: Rebuild) -> bool:
        """See `RebuildBook`. A try that landed though its answer was lost is met again as `after`."""
        request: dict[str, Any] = {
            "TableName": self._calls.table,
            "Item": {
                "key": {"S": _key(after.view)},
                "version": {"N": str(after.version)},
                "row": {"S": msgspec.json.encode(after).decode()},
            },
            "ExpressionAttributeNames": {"#guard": "key" if before is None else "version"},
            "ConditionExpression": "attribute_not_exists(#guard)",
        }
        if before is not None:
            request["ConditionExpression"] = "#guard = :version"
            request["ExpressionAttributeValues"] = {":version": {"N": str(before.version)}}
        tries = self._calls.tries("PutItem")
        while True:
            try:
                await self._calls.client.put_item(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return await self.read(after.view) == after
                await tries.failed(error)
            else:
                return True


def rebuild_in(item: Mapping[str, Any], view: str) -> Rebuild:
    """The row in an item. Raises ViewStoreRefused."""
    try:
        return msgspec.json.decode(item["row"]["S"], type=Rebuild)
    except (KeyError, TypeError, ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise ViewStoreRefused(f"{_key(view)} is no row of a rebuild: {error}") from error


def _key(view: str) -> str:
    return f"rebuild/{view}"
