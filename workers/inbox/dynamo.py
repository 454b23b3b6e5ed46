"""The table of inboxes in DynamoDB (aiobotocore, so asyncio only).

No index: an entry in one is written with every note and costs as much as the note, and far more notes are written than looked at. What the
indexes told is found by reading notes, the newest first.
"""

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

import anyio

from workers.inbox.notes import HEAD, NOTES_END, UNREAD_AMONG, last_number_of, number_of
from workers.inbox.port import InboxRows, Row
from workers.tables.attributes import decode_item
from workers.tables.dynamo import GET_PAUSE_S, DynamoTable
from workers.tables.errors import ConditionRefused, TableThrottled

DELETES_PER_CALL: Final = 25
"""AWS, BatchWriteItem: at most 25 items in a call."""
DELETE_ROUNDS_MAX: Final = 8
LATE_NOTES: Final = 4
"""Read along with those that are looked for: notes that were told of in time stand in front of one that is late."""
NOTES_PER_CALL: Final = 200


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
        """See `InboxRows`. What came in last nearly always tells of what happened last, so the newest notes are read until all are found
        that there are by the head."""
        missing = (last := await self.number(owner)) - number
        found: list[Row] = []
        request = {
            **self._of(owner, "note < :end", {":end": {"S": NOTES_END}}),
            "ConsistentRead": True,
            "ScanIndexForward": False,
        }
        while missing > 0:
            request["Limit"] = min(missing + LATE_NOTES, NOTES_PER_CALL)
            answer = await self._call("Query", self._client.query, request)
            fresh = [row for row in map(decode_item, answer["Items"]) if number < number_of(row) <= last]
            missing -= len(fresh)
            found = nsmallest(limit, [*found, *fresh], key=number_of)
            if "LastEvaluatedKey" not in answer:
                break  # the others have expired, or were erased
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    async def unread(self, owner: str, *, now_s: int, limit: int) -> tuple[int, bool]:
        """See `InboxRows`. A note is about half a kilobyte: half a read unit for eight of them."""
        request: dict[str, Any] = {
            **self._of(owner, "note < :end", {":end": {"S": NOTES_END}, ":now": {"N": str(now_s)}}),
            "FilterExpression": "attribute_not_exists(read_at_ms) AND expires_at_s > :now",
            "Select": "COUNT",
            "ScanIndexForward": False,
        }
        count = looked_at = 0
        while count < limit and looked_at < UNREAD_AMONG:
            request["Limit"] = min(NOTES_PER_CALL, UNREAD_AMONG - looked_at)
            answer = await self._call("Query", self._client.query, request)
            count += int(answer["Count"])
            looked_at += int(answer["ScannedCount"])
            if "LastEvaluatedKey" not in answer:
                return min(count, limit), count >= limit
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return min(count, limit), True

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
        return 0 if head is None else last_number_of(head)

    async def numbers(self, owners: Sequence[str]) -> Mapping[str, int]:
        """See `InboxRows`. Half the price of a consistent read; what DynamoDB leaves out is asked for again by the next look."""
        if not owners:
            return {}
        keys = [{"owner": {"S": owner}, "note": {"S": HEAD}} for owner in owners]
        request = {"RequestItems": {self._name: {"Keys": keys, "ConsistentRead": False}}}
        answer = await self._call("BatchGetItem", self._client.batch_get_item, request)
        heads = [decode_item(item) for item in answer["Responses"].get(self._name, [])]
        return {head["owner"]: last_number_of(head) for head in heads}

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

    def _of(self, owner: str, condition: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A query of one inbox."""
        return {
            "TableName": self._name,
            "KeyConditionExpression": f"#owner = :owner AND {condition}",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": owner}, **values},
        }
