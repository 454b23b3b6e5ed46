"""What a handler notes of its request, for the line in the log and for the headers (`requestlog.py`)."""

from starlette.requests import Request

from orderstore.codec import timestamp
from orderstore.recorded import Recorded


def note_order(request: Request, order_id: str) -> None:
    """The request is about this order; its events share the order's id as their correlation."""
    request.state.notes.update(orderId=order_id, correlationId=order_id)


def note_event(request: Request, recorded: Recorded) -> None:
    """The request brought this event about."""
    request.state.notes.update(
        orderId=recorded.order_id,
        correlationId=recorded.correlation_id,
        eventId=recorded.event_id,
        commit=recorded.commit,
        eventType=recorded.name,
        occurredAt=timestamp(recorded.occurred_at),
    )
