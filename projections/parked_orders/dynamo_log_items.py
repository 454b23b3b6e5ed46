"""The log's items as they lie in the table, for who has to look at what cannot be read as a commit."""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from orderstore.store import requests
from orderstore.store.trouble import Backoff, Retrying

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class DynamoLogItems:
    """See `unparking.LogItems`, over an aiobotocore client, which belongs to the caller; bounded retries are made here."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        self._client = client
        self._table = table
        self._retrying = Retrying(backoff or Backoff(), random)

    async def head(self, stream: str) -> int:
        """See `LogItems`."""
        request: dict[str, Any] = {
            **requests.query(self._table, stream, after=None, start=None, limit=1),
            "ProjectionExpression": "#stream, #commit",
            "ScanIndexForward": False,
        }
        request["ExpressionAttributeNames"]["#commit"] = "commit"
        answer = await self._retrying.calling("Query", lambda: self._client.query(**request))
        return max((int(item["commit"]["N"]) for item in answer.get("Items", ())), default=0)

    async def item(self, stream: str, number: int) -> Mapping[str, Any] | None:
        """See `LogItems`."""
        request = requests.get_commit(self._table, stream, number)
        answer = await self._retrying.calling("GetItem", lambda: self._client.get_item(**request))
        return answer.get("Item")
