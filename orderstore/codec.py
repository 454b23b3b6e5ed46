"""Events <-> stored bytes. The only crossing between the domain's types and what lies in the log.

A commit's body is one JSON object, in the order of keys below, made once and stored as the bytes that were hashed:

    {"correlationId", "causationId", "actor": {"type", "id"}, "source", "traceparent"?, "firstVersion",
     "events": [{"eventId", "eventType", "eventVersion", "occurredAt", "data"}, …]}

What a whole commit shares stands once. Field names inside `data` are those of `domain.events`, held by golden files.

Reading is typed: the bytes become the domain's own classes in one step, each field checked on the way, with no dictionary in
between. Only what an older build wrote takes the way through a dictionary, which is what upcasters work on. No field is converted:
"1" is not 1. What nobody reads (a field of a newer minor version) is passed over.

    CodecError
    ├── UnknownEvent       a name or version that this build does not know: deploy readers before writers
    └── MalformedCommit    the bytes are not such an object
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cache
from typing import Annotated, Any

import msgspec
import orjson

from orderstore import bounds
from orderstore.domain.events import Event
from orderstore.domain.ids import EventId, OrderId, order_of
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.registry import BY_CLASS, BY_NAME, EVENT_TYPES
from orderstore.store.port import Commit
from orderstore.upcasters import NoUpcaster, major, upcast

_Readers = Mapping[tuple[str, str], tuple[Callable[[msgspec.Raw], Event], bounds.Check | None]]


class CodecError(Exception):
    """Stored bytes and this build do not understand each other."""


class UnknownEvent(CodecError):
    """A name or version that this build does not know."""


class MalformedCommit(CodecError):
    """The body is not a commit's JSON object."""


class _Stored(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One event of a body, its data not read yet: what they are depends on name and version."""

    event_id: EventId
    event_type: str
    event_version: str
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)]
    data: msgspec.Raw


class _Body(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A commit's body."""

    correlation_id: str
    causation_id: str
    actor: Actor
    source: str
    first_version: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    events: tuple[_Stored, ...]
    traceparent: str | None = None


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
    moment = timestamp(occurred_at)
    body["events"] = [
        {
            "eventId": cause.event_id(position),
            "eventType": BY_CLASS[type(event)].name,
            "eventVersion": BY_CLASS[type(event)].version,
            "occurredAt": moment,
            "data": data_of(event),
        }
        for position, event in enumerate(events)
    ]
    return orjson.dumps(body)


def decode(commit: Commit) -> tuple[Recorded, ...]:
    """The events of a commit, in order. Raises UnknownEvent, MalformedCommit."""
    try:
        if not commit.body.isascii():
            commit.body.decode()  # UTF-8 throughout, also where nobody reads
        body = _bodies().decode(commit.body)
        tenant, order_id = order_of(commit.stream)
        return _recorded(body, commit, tenant, order_id)
    except CodecError as error:
        raise type(error)(f"commit {commit.number} of {commit.stream} cannot be read: {error}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedCommit(f"commit {commit.number} of {commit.stream} cannot be read: {error}") from error


def data_of(event: Event) -> dict[str, Any]:
    """An event's fields as JSON values: decimals as strings, times as ISO 8601, absent values left out."""
    data: dict[str, Any] = _without_none(msgspec.to_builtins(event))
    return data


def timestamp(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z, as the published envelope asks."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(at_ms: int) -> str:
    """The same of a wall clock's milliseconds since 1970."""
    return timestamp(datetime.fromtimestamp(at_ms / 1000, UTC))


def _recorded(body: _Body, commit: Commit, tenant: str, order_id: OrderId) -> tuple[Recorded, ...]:
    """One loop without a call of ours in it: whatever stands here is done for every event that is ever read."""
    readers = _readers()
    number, recorded_at_ms = commit.number, commit.recorded_at_ms
    correlation_id, causation_id, actor = body.correlation_id, body.causation_id, body.actor
    source, traceparent = body.source, body.traceparent
    found = []
    for version, stored in enumerate(body.events, body.first_version):
        name, event_version, occurred_at = stored.event_type, stored.event_version, stored.occurred_at
        try:
            reader = readers.get((name, event_version))
            if reader is None:
                event = _event_of_another_version(stored, readers)
                bounds.check(event)
            else:
                read, is_right = reader
                event = read(stored.data)
                if is_right is not None and not is_right(event):
                    raise bounds.beyond(event)
            if not MINYEAR < occurred_at.year < MAXYEAR:  # `bounds.is_moment`
                raise MalformedCommit(f"{name}: it occurred beyond all calendars")
        # What an upcaster meets in data that are not what it expects is a KeyError or the like.
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedCommit(f"{name} {event_version}: {error}") from error
        found.append(
            Recorded(
                event_id=stored.event_id,
                name=name,
                event_version=event_version,
                tenant=tenant,
                order_id=order_id,
                version=version,
                commit=number,
                occurred_at=occurred_at,
                recorded_at_ms=recorded_at_ms,
                correlation_id=correlation_id,
                causation_id=causation_id,
                actor=actor,
                source=source,
                traceparent=traceparent,
                event=event,
            )
        )
    return tuple(found)


def _event_of_another_version(stored: _Stored, readers: _Readers) -> Event:
    """A newer minor version is read as it is; an older major one is first made into the present one."""
    name, version = stored.event_type, stored.event_version
    entry = BY_NAME.get(name)
    if entry is None:
        raise UnknownEvent(f"this build does not know {name}")
    if major(version) == major(entry.version):
        return readers[name, entry.version][0](stored.data)
    try:
        present = upcast(entry, version, msgspec.json.decode(stored.data))
    except NoUpcaster as error:
        raise UnknownEvent(f"this build does not know {name} {version}: {error}") from error
    return msgspec.convert(present, entry.event)


@cache
def _bodies() -> msgspec.json.Decoder[_Body]:
    return msgspec.json.Decoder(_Body)


@cache
def _readers() -> _Readers:
    """How to read what this build writes, and to ask whether it is within its bounds, by name and version."""
    classes: list[tuple[str, str, type]] = [(entry.name, entry.version, entry.event) for entry in EVENT_TYPES]
    return {(name, at): (msgspec.json.Decoder(of).decode, bounds.check_of(of)) for name, at, of in classes}


def _without_none(value: Any) -> Any:  # noqa: ANN401 - JSON values, of any type
    if type(value) is dict:
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_none(inner) for inner in value]
    return value
