"""Daily sales: what was placed, captured, refunded, invoiced, cancelled and rejected on each day, in each currency.

A half of the view of `daily_figures`, of which the totals are the view; the document of an order says what of them is its own. A bucket is
a day (UTC) and a currency, its measures are counts and integer minor units:

    placed     orders, and what they came to        on the day they were placed (`placedAt`; an imported order long before it was written)
               and what edits have added to them    on the day they were applied, which is one order more of no day
    captured   captures, and the money taken        on the day the provider took it, be it with the authorisation or later
    refunded   refunds, and the money given back    on the day the provider gave it back, not that of the request
    invoiced   invoices, and what they came to      on the day of issue
    credited   credit notes, and what they came to  on the day of issue
    cancelled  orders, and what they had come to    on the day the last step was undone
    rejected   orders, and what they had come to    on the day they were rejected

Nothing is ever taken from an earlier day: an order that is cancelled stays among the placed of its day and is one of the cancelled of
another, so a day that is over keeps its figures. Nobody's name is in it, nor a customer's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from orderstore.domain import events as e
from orderstore.recorded import Recorded
from projections.views.view import OutOfPlace, Sums

KINDS: Final = ("placed", "captured", "refunded", "invoiced", "credited", "cancelled", "rejected")


def count_of(kind: str) -> str:
    """The measure with how many there were."""
    return f"{kind}_count"


def minor_of(kind: str) -> str:
    """The measure with what they came to, in minor units of the bucket's currency."""
    return f"{kind}_minor"


REACTS_TO: Final[frozenset[type[e.Event]]] = frozenset(
    {
        e.OrderCreated,
        e.PaymentCompleted,
        e.PaymentCaptured,
        e.RefundIssued,
        e.OrderEditApplied,
        e.InvoiceIssued,
        e.CreditNoteIssued,
        e.OrderCancelled,
        e.OrderRejected,
    }
)
"""What moves it, but for money that is only held; see `moved_by`."""
MEASURES: Final = tuple(measure for kind in KINDS for measure in (count_of(kind), minor_of(kind)))


def bucket(day: date, currency: str) -> str:
    """The bucket of a day (UTC) and a currency."""
    return f"{day.isoformat()}/{currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySales:
    """What one order adds, by day (ISO) and in it by measure."""

    currency: str
    gross_minor: int
    days: Mapping[str, Mapping[str, int]]


def evolve(view: DailySales | None, recorded: Recorded) -> DailySales:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace for an event out of its place."""
    event = recorded.event
    if isinstance(event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        created = DailySales(currency=event.currency, gross_minor=event.total_minor, days={})
        return _plus(created, "placed", event.total_minor, at=event.placed_at)
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    match event:
        case e.PaymentCompleted(mode="captured") | e.PaymentCaptured():
            return _plus(view, "captured", event.amount_minor, at=recorded.occurred_at)
        case e.RefundIssued():
            return _plus(view, "refunded", event.amount_minor, at=recorded.occurred_at)
        case e.OrderEditApplied():
            return _grown(view, event.amount_minor, at=recorded.occurred_at)
        case e.InvoiceIssued():
            return _plus(view, "invoiced", event.total_minor, at=event.issued_at)
        case e.CreditNoteIssued():
            return _plus(view, "credited", event.total_minor, at=event.issued_at)
        case e.OrderCancelled():
            return _plus(view, "cancelled", view.gross_minor, at=recorded.occurred_at)
        case e.OrderRejected():
            return _plus(view, "rejected", view.gross_minor, at=recorded.occurred_at)
        case _:
            return view


def _grown(view: DailySales, amount_minor: int, *, at: datetime) -> DailySales:
    if not amount_minor:
        return view
    day = at.astimezone(UTC).date().isoformat()
    before = view.days.get(day, {})
    more = {
        **before,
        count_of("placed"): before.get(count_of("placed"), 0),
        minor_of("placed"): before.get(minor_of("placed"), 0) + amount_minor,
    }
    gross_minor = view.gross_minor + amount_minor
    return DailySales(currency=view.currency, gross_minor=gross_minor, days={**view.days, day: more})


def _plus(view: DailySales, kind: str, amount_minor: int, *, at: datetime) -> DailySales:
    day = at.astimezone(UTC).date().isoformat()
    before = view.days.get(day, {})
    after = {
        **before,
        count_of(kind): before.get(count_of(kind), 0) + 1,
        minor_of(kind): before.get(minor_of(kind), 0) + amount_minor,
    }
    return DailySales(currency=view.currency, gross_minor=view.gross_minor, days={**view.days, day: after})


def moved_by(event: e.Event) -> bool:
    """Whether an event counts: of what it reacts to, money that is held counts when it is taken."""
    return type(event) in REACTS_TO and not (isinstance(event, e.PaymentCompleted) and event.mode != "captured")


def to_document(view: DailySales) -> dict[str, Any]:
    """Its part of the document, as JSON values: of each kind how many, and what they came to."""
    days = {
        day: {
            kind: [amounts[count_of(kind)], amounts.get(minor_of(kind), 0)]
            for kind in KINDS
            if count_of(kind) in amounts
        }
        for day, amounts in view.days.items()
    }
    return {"currency": view.currency, "grossMinor": view.gross_minor, "days": days}


def from_document(document: Mapping[str, Any]) -> DailySales:
    """What `to_document` made a part of a document of. Raises KeyError, TypeError or ValueError for anything else."""
    days: dict[str, dict[str, int]] = {}
    for day, kinds in document["days"].items():
        amounts = days[day] = {}
        for kind, (count, minor) in kinds.items():
            amounts |= {count_of(kind): count, minor_of(kind): minor}
    return DailySales(currency=document["currency"], gross_minor=document["grossMinor"], days=days)


def sums(view: DailySales) -> Sums:
    """What the order adds to the totals."""
    return {f"{day}/{view.currency}": amounts for day, amounts in view.days.items()}
