"""All notifications of an order, and whether an event has been told of: one page holds them, there are at most a few dozen."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workers.notification.records import FINAL_STATES, RESEND, Notification, record_of
from workers.tables.attributes import decode_item
from workers.tables.dynamo import translated

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


async def notifications_of(
    dynamodb: "DynamoDBClient", table: str, order_id: str, *, event_id: str | None = None
) -> tuple[Notification, ...]:
    """The records of an order, or of one of its events, by name. Raises TableError."""
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#order = :order",
        "ExpressionAttributeNames": {"#order": "order"},
        "ExpressionAttributeValues": {":order": {"S": order_id}},
        "ConsistentRead": True,
    }
    if event_id is not None:
        request["KeyConditionExpression"] += " AND begins_with(notification, :event)"
        request["ExpressionAttributeValues"][":event"] = {"S": f"{event_id}:"}
    with translated("Query"):
        answer = await dynamodb.query(**request)
    return tuple(record_of(decode_item(item)) for item in answer["Items"])


def all_told(records: Iterable[Notification]) -> bool:
    """Whether every channel by which an event was to be told has come to its end, and there is one. Resends do not count."""
    first = [record for record in records if RESEND not in record.notification]
    planned = {channel for record in first for channel in record.channels or (record.channel,)}
    return bool(planned) and planned <= {record.channel for record in first if record.state in FINAL_STATES}
