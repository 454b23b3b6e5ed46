"""What is around the events: the published envelope (requirement E042), and the body of a stored commit."""

from collections.abc import Mapping
from typing import Final, Literal, NotRequired, TypedDict

from orderstore.schemas.forms.parts import Count, Moment

ENVELOPE: Final = "Envelope"
ENVELOPE_VERSION: Final = "1.0"
NOTICE: Final = "CommitRecorded"
NOTICE_VERSION: Final = "1.0"
COMMIT: Final = "Commit"
COMMIT_VERSION: Final = "1.0"

ActorType = Literal["customer", "operator", "service", "provider"]


class Actor(TypedDict):
    """Who did it."""

    type: ActorType
    id: str


class Envelope(TypedDict):
    """What every message has. `data` is the event's own; an event too large to travel has `dataRef` instead, its place in the
    log. `version` counts the order's events from 1: order by it, never by time."""

    eventId: str
    eventType: str
    eventVersion: str
    source: str
    occurredAt: Moment
    orderId: str
    tenant: str
    version: Count
    correlationId: str
    causationId: str
    actor: Actor
    traceparent: NotRequired[str]
    data: NotRequired[Mapping[str, object]]
    dataRef: NotRequired[str]


class Notice(TypedDict):
    """A commit in which nothing is of public interest: the order has grown, and nothing of what it says. Only who hears everything
    hears of it."""

    eventId: str
    eventType: Literal["CommitRecorded"]
    eventVersion: str
    source: str
    occurredAt: Moment
    orderId: str
    tenant: str
    commit: Count
    correlationId: str


class StoredEvent(TypedDict):
    """One event of a commit; its `data` are as the schema of its type and version says."""

    eventId: str
    eventType: str
    eventVersion: str
    occurredAt: Moment
    data: Mapping[str, object]


class CommitBody(TypedDict):
    """The body of a commit: what its events share stands once."""

    correlationId: str
    causationId: str
    actor: Actor
    source: str
    traceparent: NotRequired[str]
    firstVersion: Count
    events: list[StoredEvent]
