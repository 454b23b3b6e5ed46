"""Events <-> stored bytes. The only crossing between the domain's types and what lies in the log.

A commit's body is one JSON object, in the order of keys below, made once and stored as the bytes that were hashed:

    {"correlationId", "causationId", "actor": {"type", "id"}, "source", "traceparent"?, "firstVersion",
     "events": [{"eventId", "eventType", "eventVersion", "occurredAt", "data"}, …]}

What a whole commit shares stands once. Field names inside `data` are those of `domain.events`, held by golden files.

    CodecError
    ├── UnknownEvent       a name or version that this build does not know: deploy readers before writers
    └── MalformedCommit    the bytes are not such an object
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from orderstore.domain.events import Event
from orderstore.domain.ids import EventId, order_of
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.registry import BY_CLASS, BY_NAME
from orderstore.store.port import Commit
from orderstore.upcasters import NoUpcaster, upcast


class CodecError(Exception):
    """Stored bytes and this build do not understand each other."""


class UnknownEvent(CodecError):
    """A name or version that this build does not know."""


class MalformedCommit(CodecError):
    """The body is not a commit's JSON object."""


def encode(events: Sequence[Event], *, cause: Cause, first_version: int, occurred_at: datetime) -> bytes:
    """The body of a commit."""
    body: dict[str, Any] = {
        "correlationId": cause.correlation_id,
        "causationId": cause.causation_id,
        "actor": {"type": cause.actor.type, "id": cause.actor.id},
        "source": cause.source,
    }
    if cause.traceparent is not None:
        body["traceparent"] = cause.traceparent
    body["firstVersion"] = first_version
    body["events"] = [
        {
            "eventId": cause.event_id(position),
            "eventType": BY_CLASS[type(event)].name,
            "eventVersion": BY_CLASS[type(event)].version,
            "occurredAt": timestamp(occurred_at),
            "data": data_of(event),
        }
        for position, event in enumerate(events)
    ]
    return orjson.dumps(body)


def decode(commit: Commit) -> tuple[Recorded, ...]:
    """The events of a commit, in order. Raises UnknownEvent, MalformedCommit."""
    try:
        body = orjson.loads(commit.body)
        tenant, order_id = order_of(commit.stream)
        actor = Actor(body["actor"]["type"], body["actor"]["id"])
        return tuple(
            Recorded(
                event_id=EventId(stored["eventId"]),
                name=stored["eventType"],
                event_version=stored["eventVersion"],
                tenant=tenant,
                order_id=order_id,
                version=body["firstVersion"] + position,
                commit=commit.number,
                occurred_at=datetime.fromisoformat(stored["occurredAt"]),
                recorded_at_ms=commit.recorded_at_ms,
                correlation_id=body["correlationId"],
                causation_id=body["causationId"],
                actor=actor,
                source=body["source"],
                traceparent=body.get("traceparent"),
                event=_event(stored["eventType"], stored["eventVersion"], stored["data"]),
            )
            for position, stored in enumerate(body["events"])
        )
    except CodecError:
        raise
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedCommit(f"commit {commit.number} of {commit.stream} cannot be read: {error}") from error


def data_of(event: Event) -> dict[str, Any]:
    """An event's fields as JSON values: decimals as strings, times as ISO 8601, absent values left out."""
    data: dict[str, Any] = _adapter(BY_CLASS[type(event)].name).dump_python(event, mode="json", exclude_none=True)
    return data


def timestamp(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z, as the published envelope asks."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(name: str, version: str, data: dict[str, Any]) -> Event:
    entry = BY_NAME.get(name)
    if entry is None:
        raise UnknownEvent(f"this build does not know {name}")
    try:
        present = upcast(entry, version, data)
    except NoUpcaster as error:
        raise UnknownEvent(f"this build does not know {name} {version}: {error}") from error
    event: Event = _adapter(entry.name).validate_python(present)
    return event


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(BY_NAME[name].event)
