"""The published envelope as a worker reads it: tolerant of fields that are new, strict about those that it needs.

A worker takes from a message only which order to look at, and the threads that tie its outcome to what caused it; what is
true it reads in the log. Source of the shape: `orderstore/contract.py` (requirement E042).

    MalformedMessage        not such an envelope: no retry can help
    └── UnknownEventType    an event type, or a major version, that this build does not know
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from orderstore.registry import BY_NAME

_Name = Annotated[str, Field(min_length=1, max_length=256)]


class MalformedMessage(Exception):
    """The body is not an envelope. The text names fields and problems, never the values: those may be personal."""


class UnknownEventType(MalformedMessage):
    """This build does not know the event type, or not its major version: deploy readers before writers."""


class Envelope(BaseModel):
    """What a worker needs of the envelope."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    event_id: _Name
    event_type: _Name
    event_version: Annotated[str, Field(pattern=r"^\d{1,6}\.\d{1,6}$")]
    order_id: _Name
    tenant: _Name
    correlation_id: _Name
    traceparent: Annotated[str, Field(max_length=256)] | None = None


def parse_envelope(body: str) -> Envelope:
    """The envelope in a message's body. Raises MalformedMessage, UnknownEventType."""
    try:
        envelope = Envelope.model_validate_json(body)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, found['loc'])) or 'body'}: {found['type']}" for found in error.errors()[:5])
        raise MalformedMessage("not an event's envelope: " + ", ".join(problems)) from None
    known = BY_NAME.get(envelope.event_type)
    if known is None:
        raise UnknownEventType("this build knows no event of that type")
    if envelope.event_version.partition(".")[0] != known.published_version.partition(".")[0]:
        raise UnknownEventType(f"this build knows {known.name} {known.published_version}, not {envelope.event_version}")
    return envelope
