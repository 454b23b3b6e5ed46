"""The API's representations: an order with its publication (K3, E040, E041), an event without anything personal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orderstore.codec import timestamp
from orderstore.contract import public_data
from orderstore.history import History
from orderstore.recorded import Recorded
from projections.views import order_status


def order_document(view: Mapping[str, Any], *, published_through_ms: int | None) -> dict[str, Any]:
    """The status view, and where its last event stands on its way out.

    An event is published once the relay's low-water mark has passed it; the mark says nothing of its own millisecond.
    """
    published = published_through_ms is not None and view["lastRecordedAtMs"] < published_through_ms
    publication = {
        "status": "published" if published else "pending",
        "state": "EVENT_PUBLISHED" if published else "ORDER_RECEIVED",
        "publishedThrough": None if published_through_ms is None else _moment(published_through_ms),
    }
    return {**view, "publication": publication}


def strong_document(history: History) -> dict[str, Any]:
    """What the view will say once it has caught up, folded from the log by the view's own function."""
    view: order_status.OrderStatus | None = None
    for recorded in history.events:
        view = order_status.evolve(view, recorded)
    assert view is not None  # `Orders.load` raises for an order without events
    return order_status.to_document(view)


def event_document(recorded: Recorded) -> dict[str, Any]:
    """One entry of the readable history. `data` is what the world may see of it: one list of fields, in `orderstore.contract`."""
    return {
        "version": recorded.version,
        "commit": recorded.commit,
        "eventId": recorded.event_id,
        "eventType": recorded.name,
        "eventVersion": recorded.event_version,
        "source": recorded.source,
        "occurredAt": timestamp(recorded.occurred_at),
        "recordedAt": _moment(recorded.recorded_at_ms),
        "actor": {"type": recorded.actor.type, "id": recorded.actor.id},
        "causationId": recorded.causation_id,
        "correlationId": recorded.correlation_id,
        "traceparent": recorded.traceparent,
        "data": public_data(recorded.event),
    }


def _moment(ms: int) -> str:
    return timestamp(datetime.fromtimestamp(ms / 1000, tz=UTC))
