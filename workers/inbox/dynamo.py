"""The table of inboxes in DynamoDB (aiobotocore, so asyncio only).

Two local indexes, which unlike global ones can be read consistently: `by_number` has every note in the order in which it came in,
`by_unread` has those that are not read yet, each until it expires.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio

from workers.inbox.notes import HEAD, NOTES_END
from workers.inbox.port import InboxRows, Row
from workers.tables.attributes import decode_item
from workers.tables.dynamo import GET_PAUSE_S, DynamoTable
from workers.tables.errors import ConditionRefused, TableThrottled

DELETES_PER_CALL: Final = 25
"""AWS, BatchWriteItem: at most 25 items in a call."""
DELETE_ROUNDS_MAX: Final = 8


class DynamoInboxTable(DynamoTable, InboxRows):
    """See `DynamoTable` for what is tried again."""

    async def newest(self, owner: str, *, before: str, limit: int) -> tuple[Sequence[Row], str | None]:
        """See `InboxRows`. What stands behind the notes is left out by the key, so that a page costs what it shows."""
        request = {
            **self._of(owner, "note < :before", {":before": {"S": min(before, NOTES_END)}}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        answer = await self._call("Query", self._client.query, request)
        left = answer.get("LastEvaluatedKey")
        return [decode_item(item) for item in answer["Items"]], None if left is None else left["note"]["S"]

    async def came_after(self, owner: str, number: int, *, limit: int) -> Sequence[Row]:
        """See `InboxRows`."""
        request = {
            **self._of(owner, "#number > :number", {":number": {"N": str(number)}}, index="by_number"),
            "ConsistentRead": True,
            "Limit": limit,
        }
        request["ExpressionAttributeNames"]["#number"] = "number"
        answer = await self._call("Query", self._client.query, request)
        return [decode_item(item) for item in answer["Items"]]

    async def unread(self, owner: str, *, now_s: int, limit: int) -> int:
        """See `InboxRows`. The index holds keys only: a hundred are about ten kilobytes."""
        request = {
            **self._of(owner, "unread_until > :now", {":now": {"N": str(now_s)}}, index="by_unread"),
            "Select": "COUNT",
            "Limit": limit,
        }
        answer = await self._call("Query", self._client.query, request)
        return int(answer["Count"])

    async def mark_read(self, owner: str, note_id: str, *, now_ms: int) -> Row | None:
        """See `InboxRows`."""
        request = {
            "TableName": self._name,
            "Key": {"owner": {"S": owner}, "note": {"S": note_id}},
            "UpdateExpression": "SET read_at_ms = if_not_exists(read_at_ms, :now) REMOVE unread_until",
            "ConditionExpression": "attribute_exists(title)",
            "ExpressionAttributeValues": {":now": {"N": str(now_ms)}},
            "ReturnValues": "ALL_NEW",
        }
        try:
            answer = await self._call("UpdateItem", self._client.update_item, request)
        except ConditionRefused:
            return None
        return decode_item(answer["Attributes"])

    async def number(self, owner: str) -> int:
        """See `InboxRows`."""
        head = await self.get({"owner": owner, "note": HEAD})
        return 0 if head is None else int(head["last_number"])

    async def numbers(self, owners: Sequence[str]) -> Mapping[str, int]:
        """See `InboxRows`. Half the price of a consistent read; what DynamoDB leaves out is asked for again by the next look."""
        if not owners:
            return {}
        keys = [{"owner": {"S": owner}, "note": {"S": HEAD}} for owner in owners]
        request = {"RequestItems": {self._name: {"Keys": keys, "ConsistentRead": False}}}
        answer = await self._call("BatchGetItem", self._client.batch_get_item, request)
        heads = [decode_item(item) for item in answer["Responses"].get(self._name, [])]
        return {head["owner"]: int(head["last_number"]) for head in heads}

    async def remove(self, owner: str, *, limit: int) -> int:
        """See `InboxRows`."""
        request = {
            **self._of(owner, "note < :end", {":end": {"S": NOTES_END}}),
            "ProjectionExpression": "#owner, note",
            "ConsistentRead": True,
            "Limit": limit,
        }
        keys = (await self._call("Query", self._client.query, request))["Items"]
        for first in range(0, len(keys), DELETES_PER_CALL):
            await self._delete([{"DeleteRequest": {"Key": key}} for key in keys[first : first + DELETES_PER_CALL]])
        return len(keys)

    async def _delete(self, left: list[Any]) -> None:
        for round_number in range(DELETE_ROUNDS_MAX):
            request = {"RequestItems": {self._name: left}}
            answer = await self._call("BatchWriteItem", self._client.batch_write_item, request)
            left = list(answer.get("UnprocessedItems", {}).get(self._name, []))
            if not left:
                return
            await anyio.sleep(self._random.uniform(0, GET_PAUSE_S * 2**round_number))
        raise TableThrottled(f"BatchWriteItem left {len(left)} items in {DELETE_ROUNDS_MAX} rounds")

    def _of(self, owner: str, condition: str, values: Mapping[str, Any], *, index: str | None = None) -> dict[str, Any]:
        """A query of one inbox."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": f"#owner = :owner AND {condition}",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": owner}, **values},
        }
        return request if index is None else {**request, "IndexName": index}
