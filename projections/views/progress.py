"""How orders get on: who stands where since which day, how many came to what end, and how long confirmation and the first parcel took.

A half of the view of `daily_figures`, of which the totals are the view. Its part of a document holds the moments of its order, and
everything it adds follows from them. A bucket is a day (UTC) on which something happened here: an imported order counts on the day that it
was taken in, not on the one when it was placed elsewhere.

    placed, confirmed, shipped, completed, cancelled, rejected     orders to which that happened on the day
    confirm_le_<s>, ship_le_<s>, …_longer                          of the confirmed and the shipped, how long it had taken since they came
    of_completed, of_cancelled, of_rejected                        of the orders that came on the day, those that ended so, whenever
    in_<STATUS>                                                    orders that stand there since the day; taken away when they move on

Why a view with totals, and not counters that the projector raises with each record: a record comes again after a crash, after a lost lease
and after every back-fill, and a counter begins at nothing with its process. Here an order is counted by the same write that says it is
counted (`docs/totals.md`), so a restart, a second projector and a repeated record change no figure; whoever shows one only reads it.
Why days, and no list of the orders by age: what stands where since a day is one number however many orders that are, and a day's row is
the one that nearly all of an order's other figures move too. What is late by hours is told by the view `deadlines`.

The first parcel is what "shipped" means. Nothing of a customer is here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, get_args

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.recorded import Recorded
from projections.views.view import OutOfPlace, Sums

OpenStatus = Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "CANCELLING"]
OPEN: Final[tuple[OpenStatus, ...]] = get_args(OpenStatus)
End = Literal["completed", "cancelled", "rejected"]
ENDS: Final[tuple[End, ...]] = get_args(End)
HAPPENED: Final = ("placed", "confirmed", "shipped", *ENDS)
"""What is counted on its own day."""

CONFIRM_S: Final = (1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
"""Upper bounds of what time to confirm is counted in (s); what took longer is counted apart."""
SHIP_S: Final = (60, 600, 3_600, 14_400, 43_200, 86_400, 172_800, 259_200, 432_000, 604_800, 1_209_600)
"""The same for the time until the first parcel leaves."""
TIMED: Final[Mapping[str, tuple[int, ...]]] = {"confirm": CONFIRM_S, "ship": SHIP_S}

_BECOMES: Final[Mapping[type[e.Event], OpenStatus | End]] = {
    e.OrderConfirmed: "CONFIRMED",
    e.OrderCancellationRequested: "CANCELLING",
    e.ShipmentDispatched: "IN_FULFILMENT",
    e.OrderCompleted: "completed",
    e.OrderCancelled: "cancelled",
    e.OrderRejected: "rejected",
}
REACTS_TO: Final[frozenset[type[e.Event]]] = frozenset({e.OrderCreated, *_BECOMES})
"""What moves it."""


def bucket(day: date) -> str:
    """The bucket of a day (UTC)."""
    return day.isoformat()


def standing(status: OpenStatus) -> str:
    """The measure of the orders that are there since the bucket's day."""
    return f"in_{status}"


def of_day(end: End) -> str:
    """The measure of those that came on the bucket's day and ended so."""
    return f"of_{end}"


def within(timed: str, bound_s: int | None) -> str:
    """The measure of those that took no longer than this bound, and longer than the one before it; None: longer than all."""
    return f"{timed}_longer" if bound_s is None else f"{timed}_le_{bound_s}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Moments are ISO 8601 in UTC. `status` is where the order stands since `since`; for an end, that is when it came."""

    came_at: str
    status: OpenStatus | End
    since: str
    confirmed_at: str | None = None
    shipped_at: str | None = None


def evolve(view: Progress | None, recorded: Recorded) -> Progress:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace for an event out of its place."""
    event, now = recorded.event, timestamp(recorded.occurred_at)
    if isinstance(event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return Progress(came_at=now, status="RECEIVED", since=now)
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    becomes = _BECOMES.get(type(event))
    if becomes is None:
        return view
    match event:
        case e.OrderConfirmed():
            view = replace(view, confirmed_at=view.confirmed_at or now)
        case e.ShipmentDispatched():
            view = replace(view, shipped_at=view.shipped_at or now)
        case _:
            pass
    return view if becomes == view.status else replace(view, status=becomes, since=now)


def to_document(view: Progress) -> dict[str, Any]:
    """Its part of the document, as JSON values."""
    return {
        "cameAt": view.came_at,
        "status": view.status,
        "since": view.since,
        "confirmedAt": view.confirmed_at,
        "shippedAt": view.shipped_at,
    }


def from_document(document: Mapping[str, Any]) -> Progress:
    """What `to_document` made a part of a document of. Raises KeyError for anything else."""
    return Progress(
        came_at=document["cameAt"],
        status=document["status"],
        since=document["since"],
        confirmed_at=document["confirmedAt"],
        shipped_at=document["shippedAt"],
    )


def sums(view: Progress) -> Sums:
    """What the order adds to the totals."""
    days: dict[str, Counter[str]] = {}

    def count(moment: str, *measures: str) -> None:
        days.setdefault(_day(moment), Counter()).update(measures)

    count(view.came_at, "placed")
    for happened, timed, moment in (
        ("confirmed", "confirm", view.confirmed_at),
        ("shipped", "ship", view.shipped_at),
    ):
        if moment is not None:
            took_s = (datetime.fromisoformat(moment) - datetime.fromisoformat(view.came_at)).total_seconds()
            bound_s = next((bound for bound in TIMED[timed] if took_s <= bound), None)
            count(moment, happened, within(timed, bound_s))
    for end in ENDS:
        if view.status == end:
            count(view.since, end)
            count(view.came_at, of_day(end))
    for status in OPEN:
        if view.status == status:
            count(view.since, standing(status))
    return days


def _day(moment: str) -> str:
    return bucket(datetime.fromisoformat(moment).astimezone(UTC).date())
