"""The shapes of inboxes, and of what live streams send, for the OpenAPI document. A test holds each real one to these."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from projections.http.order_schemas import OrderFields
from projections.http.schemas import Answer


class Note(Answer):
    """What a customer was told in the app. `id` orders notes by the time of what they tell of, `number` by when they came in, from 1 on."""

    id: str
    number: int
    order_id: str
    event_id: str
    event_type: str
    title: str
    text: str
    created_at: str
    read_at: str | None


class InboxPage(Answer):
    """Notes, newest first. `unread` is counted over the newest 1,000 notes, up to 100: `unreadMore` says that there may be more."""

    customer_id: str
    items: list[Note]
    next_cursor: str | None
    unread: int
    unread_more: bool


class LiveOrder(OrderFields):
    """Where the order stood after a commit."""


class LiveEvent(Answer):
    """Something that happened, as the world may see it."""

    version: int
    event_id: str
    event_type: str
    occurred_at: str
    data: dict[str, Any]


class LiveStatus(Answer):
    """`status`: a commit of an order. `events` are those of it that are public, perhaps none; also none in the first of a new stream."""

    order_id: str
    commit: int
    order: LiveOrder
    events: list[LiveEvent]


class LiveStanding(Answer):
    """`standing`: the first event of a new stream of a customer: their latest orders, newest first, and how many notes are unread."""

    customer_id: str
    orders: list[LiveOrder]
    unread: int
    unread_more: bool


class LiveEnd(Answer):
    """`end`: nothing more is under way for the order. Close the connection: a browser would come back."""

    order_id: str
    commit: int
    status: str


class LiveFault(Answer):
    """`fault`: an order cannot be read, and somebody has to look at it. With `orderId`, a customer's stream goes on without that order."""

    code: str
    order_id: str | None = None


EVENTS: Final[Mapping[str, type[BaseModel]]] = {
    "status": LiveStatus,
    "standing": LiveStanding,
    "note": Note,
    "end": LiveEnd,
    "fault": LiveFault,
}
"""The events by their names in a stream."""


def content(*events: str) -> dict[str, Any]:
    """What OpenAPI can say of a stream: text; and, in an extension, the shape of each event's `data`."""
    shapes = {name: {"$ref": f"#/components/schemas/{EVENTS[name].__name__}"} for name in events}
    return {"text/event-stream": {"schema": {"type": "string", "x-sse-events": shapes}}}
