"""The API's representations: an order with its publication (K3, E040, E041), an event without anything personal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from orderstore.audit.moments import AtCommit, Moment, instant
from orderstore.audit.time_travel import Difference, FieldChange, Prefix
from orderstore.codec import timestamp
from orderstore.contract import public_data
from orderstore.recorded import Recorded
from projections.answers.publication import Publication, first_commit
from projections.stream.parking import Parked

EVENTS_SHOWN_MAX: Final = 100


def order_document(view: Mapping[str, Any], publication: Publication) -> dict[str, Any]:
    """The status view, and where its last event stands on its way out: also whether the relay had to leave the order behind, and why."""
    row = publication.left.get(view["orderId"]) or publication.passed.get(view["orderId"])
    status = publication.of_order(view)
    told = {
        "status": status,
        "state": "EVENT_PUBLISHED" if status == "published" else "ORDER_RECEIVED",
        "publishedThrough": None if publication.through_ms is None else _moment(publication.through_ms),
        "parked": row is not None and row.state == "parked",
        "leftBehind": None if row is None else left_document(row),
    }
    return {**view, "publication": told}


def left_document(row: Parked) -> dict[str, Any]:
    """From which commit on something waits, or the first that was passed over; since when, and why. `commit` is null while not known."""
    cause = f"{row.cause.error}: {row.cause.message}" if row.cause.message else row.cause.error
    return {"commit": first_commit(row), "since": _moment(row.parked_at_ms), "cause": cause}


def past_document(view: Mapping[str, Any], then: Prefix) -> dict[str, Any]:
    """The status view as it stood, with where that is. The log does not hold when an event was published, so it is not told."""
    return {**view, "publication": None, "asOf": as_of_document(then)}


def as_of_document(then: Prefix) -> dict[str, Any]:
    """Which moment was asked for, and which commit that is; 0 for an order that was not placed yet."""
    return {"asked": _asked(then.moment), "commit": then.commit, "version": then.version}


def changes_document(order_id: str, found: Difference, *, events_max: int = EVENTS_SHOWN_MAX) -> dict[str, Any]:
    """What lies between two moments. Very many events are shown in part: the list of events has them all, in pages."""
    return {
        "orderId": order_id,
        "from": as_of_document(found.old),
        "to": as_of_document(found.new),
        "direction": found.direction,
        "fields": [_change_document(change) for change in found.fields],
        "events": [event_document(recorded) for recorded in found.events[:events_max]],
        "eventsOmitted": max(0, len(found.events) - events_max),
    }


def place_document(recorded: Recorded) -> dict[str, Any]:
    """Where in history an event stands, and when that was."""
    return {
        "commit": recorded.commit,
        "version": recorded.version,
        "recordedAt": _moment(recorded.recorded_at_ms),
        "occurredAt": timestamp(recorded.occurred_at),
    }


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


def listed_event(recorded: Recorded, publication: Publication) -> dict[str, Any]:
    """The same, with where the event stands on its way out."""
    return {**event_document(recorded), "publication": publication.of_event(recorded)}


def _change_document(change: FieldChange) -> dict[str, Any]:
    return {
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "eventId": change.by.event_id,
        "eventType": change.by.name,
        "actor": {"type": change.by.actor.type, "id": change.by.actor.id},
        **place_document(change.by),
    }


def _asked(moment: Moment) -> dict[str, Any]:
    if isinstance(moment, AtCommit):
        return {"commit": moment.number, "time": None, "clock": None}
    return {"commit": None, "time": instant(moment.time), "clock": moment.clock}


def _moment(ms: int) -> str:
    return timestamp(datetime.fromtimestamp(ms / 1000, tz=UTC))
