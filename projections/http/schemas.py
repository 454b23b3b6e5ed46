"""The shape of every answer, for the OpenAPI document. A test holds each real answer to these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

HoldReason = Literal["fraud_review", "address", "stock", "payment", "operator"]


class Answer(BaseModel):
    """A JSON object with these members and no others, named as the API names them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class OrderAccepted(Answer):
    """`commit` is where the log has it: `GET /orders/{orderId}?minCommit=…` shows the order with it, or later."""

    order_id: str
    event_id: str
    commit: int
    status: Literal["ORDER_RECEIVED"]


class CancellationAccepted(Answer):
    order_id: str
    event_id: str
    commit: int
    status: Literal["CANCELLATION_REQUESTED"]


class RefundAccepted(Answer):
    order_id: str
    event_id: str
    commit: int
    refund_id: str
    amount_minor: int
    status: Literal["REFUND_REQUESTED"]


class HoldAccepted(Answer):
    order_id: str
    event_id: str
    commit: int
    hold_id: str
    reason: HoldReason
    status: Literal["HELD"]


class HoldReleased(Answer):
    """`eventId` is what ended the hold: its release, or the end of the order."""

    order_id: str
    event_id: str
    commit: int
    hold_id: str
    status: Literal["HOLD_RELEASED"]


class Asked(Answer):
    """A commit's number, or a time and the clock that it is meant by."""

    commit: int | None
    time: str | None
    clock: Literal["recorded", "occurred"] | None


class AsOf(Answer):
    """The last commit, and the number of events, that the order had at the moment that was asked for; 0 before it was placed."""

    asked: Asked
    commit: int
    version: int


class Actor(Answer):
    type: Literal["customer", "operator", "service", "provider"]
    id: str


class Event(Answer):
    version: int
    commit: int
    event_id: str
    event_type: str
    event_version: str
    source: str
    occurred_at: str
    recorded_at: str
    actor: Actor
    causation_id: str
    correlation_id: str
    traceparent: str | None
    data: dict[str, Any]


class ListedEvent(Event):
    """An event, and where it stands on its way to the topic; `internal` ones are told to nobody."""

    publication: Literal["pending", "published", "skipped", "internal"]


class EventsPage(Answer):
    order_id: str
    items: list[ListedEvent]
    next_after: int | None


class Change(Answer):
    """A field that differs, by its path, and the event that gave it what it has at the later of the two moments."""

    field: str
    old: Any
    new: Any
    commit: int
    version: int
    event_id: str
    event_type: str
    recorded_at: str
    occurred_at: str
    actor: Actor


class Changes(Answer):
    """`backward` when `to` is the earlier moment: then what `events` did is taken back, and `new` is what was before.
    Fields that only say where a document stands (`version`, `commit`, `updatedAt`, `lastRecordedAtMs`) are not compared."""

    order_id: str
    from_: Annotated[AsOf, Field(alias="from")]
    to: AsOf
    direction: Literal["forward", "backward", "none"]
    fields: list[Change]
    events: list[Event]
    events_omitted: int


class Alive(Answer):
    status: Literal["alive"]


class HookTaken(Answer):
    status: Literal["noted", "ignored"]


class Ready(Answer):
    status: Literal["ready"]
    parts: dict[str, bool]
