"""An event with its place in history: who caused it, when it happened, when it was written down."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from orderstore.domain.events import Event
from orderstore.domain.ids import EventId, OrderId, event_id

ActorType = Literal["customer", "operator", "service", "provider"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it."""

    type: ActorType
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a commit is written. Its first event's id is derived from `(causation_id, purpose)`: doing it twice is doing it once."""

    causation_id: str
    purpose: str
    correlation_id: str
    actor: Actor
    source: str
    traceparent: str | None = None
    """Where the trace goes on from: the span in which this is decided, where that is traced (`orderstore/tracing.py`), else its cause's."""

    def event_id(self, position: int) -> EventId:
        """The id of the commit's event at `position` (0-based)."""
        return event_id(self.causation_id, self.purpose, position)


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One stored event. `version` counts the order's events from 1, `commit` its commits.

    A struct, not a dataclass, because every event that is ever read becomes one: it is made in a tenth of the time (see
    docs/performance.md). The collector need not look at it: it holds values only, and they cannot hold it.
    """

    event_id: EventId
    name: str
    event_version: str
    tenant: str
    order_id: OrderId
    version: int
    commit: int
    occurred_at: datetime
    recorded_at_ms: int
    correlation_id: str
    causation_id: str
    actor: Actor
    source: str
    traceparent: str | None
    event: Event
