"""Which orders wait for goods, and since when: a document for those of which some was missing, and none for the others.

An order stands in the list while pieces are missing and it waits for them: not while its customer is asked, and no longer once they came,
were cancelled, or the order ended.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.evolving_stock import less
from orderstore.recorded import Recorded
from projections.views.view import Listing, View

NAME: Final = "backorders"
SCHEMA: Final = 1
WAITING_LIST: Final = "waiting"
QUESTION: Final = "missing_stock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backorder:
    """What is missing since `since` (ISO 8601 in UTC)."""

    order_id: str
    since: str
    missing: tuple[e.Pieces, ...]
    asked: str | None = None
    """The question of which the answer is awaited."""


def evolve(view: Backorder | None, recorded: Recorded) -> Backorder | None:
    """The view after one more event of the order, in the order of the log; None while nothing was ever missing."""
    event = recorded.event
    if isinstance(event, e.InventoryPartiallyReserved):
        now = timestamp(recorded.occurred_at)
        return Backorder(order_id=recorded.order_id, since=now, missing=event.missing)
    if view is None:
        return None
    match event:
        case e.OrderActionRequired() if event.kind == QUESTION:
            return replace(view, asked=event.action_id)
        case e.OrderActionAnswered() if event.action_id == view.asked:
            return replace(view, asked=None)
        case e.BackorderFilled():
            came = Counter[int]()
            for allocation in event.allocations:
                for part in allocation.lines:
                    came[part.line] += part.quantity
            return replace(view, missing=less(view.missing, came))
        case e.LinesCancelled():
            gone = Counter[int]()
            for part in event.lines:
                gone[part.line] += part.quantity
            return replace(view, missing=less(view.missing, gone))
        case e.OrderCancellationRequested() | e.OrderCancelled() | e.OrderRejected():
            return replace(view, missing=(), asked=None)
        case _:
            return view


def to_document(view: Backorder) -> dict[str, Any]:
    """The view as JSON values."""
    return {
        "orderId": view.order_id,
        "since": view.since,
        "missing": [[part.line, part.quantity] for part in view.missing],
        "asked": view.asked,
    }


def from_document(document: Mapping[str, Any]) -> Backorder:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    return Backorder(
        order_id=document["orderId"],
        since=document["since"],
        missing=tuple(e.Pieces(line=line, quantity=quantity) for line, quantity in document["missing"]),
        asked=document["asked"],
    )


def _listing(view: Backorder) -> Listing | None:
    if not view.missing or view.asked is not None:
        return None
    return Listing(WAITING_LIST, f"{view.since}/{view.order_id}")


VIEW: Final[View[Backorder]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
    reacts_to=frozenset(
        {
            e.InventoryPartiallyReserved,
            e.OrderActionRequired,
            e.OrderActionAnswered,
            e.BackorderFilled,
            e.LinesCancelled,
            e.OrderCancellationRequested,
            e.OrderCancelled,
        }
    ),
)
