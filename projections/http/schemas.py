"""The shape of every answer, for the OpenAPI document. A test holds each real answer to these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class OrderAccepted(_Answer):
    order_id: str
    event_id: str
    status: Literal["ORDER_RECEIVED"]


class CancellationAccepted(_Answer):
    order_id: str
    event_id: str
    status: Literal["CANCELLATION_REQUESTED"]


class RefundAccepted(_Answer):
    order_id: str
    event_id: str
    refund_id: str
    amount_minor: int
    status: Literal["REFUND_REQUESTED"]


class Payment(_Answer):
    status: Literal["PENDING", "AUTHORIZED", "CAPTURED", "FAILED", "VOIDED"]
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    refund_pending_minor: int


class Inventory(_Answer):
    status: Literal["PENDING", "RESERVED", "FAILED", "RELEASED"]


class Shipment(_Answer):
    shipment_id: str
    status: Literal["BOOKED", "CANCELLED", "DISPATCHED", "DELIVERED"]
    tracking_number: str | None


class Cancellation(_Answer):
    reason: str
    declined: bool


class Publication(_Answer):
    """`state` is the same in the words of the event-driven flow: received, then published to every subscriber."""

    status: Literal["pending", "published"]
    state: Literal["ORDER_RECEIVED", "EVENT_PUBLISHED"]
    published_through: str | None


class _Order(_Answer):
    """Amounts named `...Minor` are integers in minor units of `currency`; `total` is the same as people write it."""

    order_id: str
    customer_id: str | None
    status: Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "COMPLETED", "CANCELLING", "CANCELLED", "REJECTED"]
    payment: Payment
    inventory: Inventory
    shipment: Shipment | None
    invoice_numbers: list[str]
    cancellation: Cancellation | None
    currency: str
    total_minor: int
    total_exact: str
    total: str
    line_count: int
    placed_at: str
    updated_at: str
    last_recorded_at_ms: int
    version: int
    commit: int


class OrderStatus(_Order):
    """Where the order stands now. Amounts named `...Minor` are integers in minor units of `currency`; `total` is for people."""

    publication: Publication


class Asked(_Answer):
    """A commit's number, or a time and the clock that it is meant by."""

    commit: int | None
    time: str | None
    clock: Literal["recorded", "occurred"] | None


class AsOf(_Answer):
    """The last commit, and the number of events, that the order had at the moment that was asked for; 0 before it was placed."""

    asked: Asked
    commit: int
    version: int


class OrderStatusThen(_Order):
    """Where the order stood. `publication` is null: the log does not hold when an event was published, and says nothing of it."""

    publication: None
    as_of: AsOf


class OrdersPage(_Answer):
    items: list[OrderStatus]
    next_cursor: str | None


class Actor(_Answer):
    type: Literal["customer", "operator", "service", "provider"]
    id: str


class Event(_Answer):
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


class EventsPage(_Answer):
    order_id: str
    items: list[Event]
    next_after: int | None


class Change(_Answer):
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


class Changes(_Answer):
    """`backward` when `to` is the earlier moment: then what `events` did is taken back, and `new` is what was before.
    Fields that only say where a document stands (`version`, `commit`, `updatedAt`, `lastRecordedAtMs`) are not compared."""

    order_id: str
    from_: Annotated[AsOf, Field(alias="from")]
    to: AsOf
    direction: Literal["forward", "backward", "none"]
    fields: list[Change]
    events: list[Event]
    events_omitted: int


class InvoiceLine(_Answer):
    sku: str
    description: str
    quantity: int
    unit_price: str
    amount: str


class Invoice(_Answer):
    """Very long orders show their first lines only: `linesOmitted` says how many more there are."""

    order_id: str
    customer_id: str | None
    invoice_number: str
    series: str
    number: int
    currency: str
    total_minor: int
    total: str
    total_exact: str
    issued_at: str
    supplied_at: str
    line_count: int
    lines_omitted: int
    lines: list[InvoiceLine]


class Invoices(_Answer):
    order_id: str
    items: list[Invoice]


class Alive(_Answer):
    status: Literal["alive"]


class Ready(_Answer):
    status: Literal["ready"]
    parts: dict[str, bool]


class ProblemError(BaseModel):
    """What is wrong: at a JSON pointer into the body (RFC 6901), or in a named parameter."""

    model_config = ConfigDict(title="ProblemError")

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemPlace(BaseModel):
    """Where and when an order began that did not exist at the moment that was asked for."""

    model_config = ConfigDict(title="ProblemPlace", alias_generator=to_camel)

    commit: int
    version: int
    recorded_at: str
    occurred_at: str


class ProblemHead(BaseModel):
    """How far an order has come that has not the commit that was asked for."""

    model_config = ConfigDict(title="ProblemHead")

    commit: int
    version: int


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable; further members belong to the kind of problem."""

    model_config = ConfigDict(title="Problem", alias_generator=to_camel)

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[ProblemError] | None = None
    errors_omitted: int | None = None
    hint: str | None = None
    began: ProblemPlace | None = None
    head: ProblemHead | None = None
