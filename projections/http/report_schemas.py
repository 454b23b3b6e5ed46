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
    """One thing that needs somebody. `cause` is the stage that it is late with, the reason of a hold, a provider's code, or the error that
    it was parked for. `dueAt` is when it would have been in time, or is to be answered. `reference` is the id of what it is about, or the
    subscription that parked it. `owner` acts, and may do `actions`: verbs of this API; those of a parked order are commands."""

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


class AgeOfStanding(Answer):
    """`age` is in days of the calendar (UTC): `0d` is since today."""

    age: Literal["0d", "1d", "2d", "3d-6d", "7d-13d", "14d-29d", "30d+"]
    orders: int


class StandingOrders(Answer):
    """The orders that are in this status now, and for how long; one that has been there for more than 400 days is not counted."""

    status: Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "CANCELLING"]
    orders: int
    oldest_since: str | None
    ages: list[AgeOfStanding]


class Happened(Answer):
    """To how many orders each of these happened on these days, whenever they were placed."""

    placed: int
    confirmed: int
    shipped: int
    completed: int
    cancelled: int
    rejected: int


class OfThosePlaced(Answer):
    """What has become by now of the orders that were placed on these days. `successRate` is completed of placed, null when none was placed;
    it grows until none is open any more."""

    placed: int
    completed: int
    cancelled: int
    rejected: int
    open: int
    success_rate: float | None


class TimeTaken(Answer):
    """Of the orders that came so far on these days, seconds since they were placed: half took at most `p50S`, all but one in twenty at most
    `p95S`. Between the bounds that are counted these are interpolated; null when there were none."""

    orders: int
    p50_s: Annotated[float | None, Field(alias="p50S")]
    p95_s: Annotated[float | None, Field(alias="p95S")]


class BusinessFigures(Answer):
    """`timeToShip` is until the first parcel left."""

    happened: Happened
    of_those_placed: OfThosePlaced
    time_to_confirm: TimeTaken
    time_to_ship: TimeTaken


class BusinessDay(BusinessFigures):
    """The figures of one day (UTC), the day on which the orders came in here."""

    day: str


class Business(Answer):
    """`standing` is now; `days` are the latest first, those on which nothing happened left out; `together` are all of them as one; `sales`
    are those of `GET /sales` over the same days, by currency."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    standing: list[StandingOrders]
    days: list[BusinessDay]
    together: BusinessFigures
    sales: list[Figures]
