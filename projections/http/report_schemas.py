"""The shape of the reports' answers, for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import Field

from projections.answers.ports import ExceptionKind
from projections.http.schemas import Answer


class OrderSummary(Answer):
    """Where the order stands, in short, as the view has it at `commit`."""

    status: Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "COMPLETED", "CANCELLING", "CANCELLED", "REJECTED"]
    customer_id: str | None
    currency: str
    total_minor: int
    total: str
    placed_at: str
    updated_at: str
    version: int
    commit: int


class ExceptionEntry(Answer):
    """One thing that needs somebody. `cause` is the stage that it is late with, the reason of a hold, why a cancellation was declined, or
    the error that it was parked for. `dueAt` is when it would have been in time. `reference` is the id of a hold or a refund, or the
    subscription that parked it. `owner` acts, and may do `actions`: verbs of this API, or `redrive`, `retry`, `skip`: commands."""

    kind: ExceptionKind
    cause: str
    since: str
    due_at: str | None
    reference: str | None
    owner: str
    actions: list[str]


class ExceptionalOrder(Answer):
    """`order` is null while the view has not seen the order yet."""

    order_id: str
    kind: ExceptionKind
    entries: list[ExceptionEntry]
    order: OrderSummary | None


class ExceptionsPage(Answer):
    kind: ExceptionKind
    items: list[ExceptionalOrder]
    next_cursor: str | None


class Figure(Answer):
    """How many, and what they came to: in minor units of the currency, and as people write it."""

    count: int
    amount_minor: int
    amount: str


class Figures(Answer):
    """Placed on the day of the order, captured and refunded when the provider did it, invoiced and credited on the day of issue. What
    is cancelled or rejected stays among the placed of its day, and is counted on its own."""

    currency: str
    placed: Figure
    captured: Figure
    refunded: Figure
    invoiced: Figure
    credited: Figure
    cancelled: Figure
    rejected: Figure


class DayFigures(Figures):
    """The figures of one day (UTC) and currency."""

    day: str


class Sales(Answer):
    """`items` by day and currency, days without any left out; `totals` are all of them together, by currency."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    items: list[DayFigures]
    totals: list[Figures]
