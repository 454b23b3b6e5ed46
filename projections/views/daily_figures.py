"""The figures of the business: what was sold (`daily_sales`) and how orders get on (`progress`), day by day. The totals are the view.

Both are halves of one document, so that both move in one transaction: a document of its own for each would cost every order four write
units more, and four times as many where many orders come together, which share the rows of the totals but not their documents.

    2026-03-01/USD    a bucket of `daily_sales`: a day and a currency
    2026-03-01        a bucket of `progress`: a day

It bears the name of the older half, whose totals readers have had since before there was the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orderstore.recorded import Recorded
from projections.views import daily_sales, progress
from projections.views.daily_sales import DailySales
from projections.views.progress import Progress
from projections.views.view import Sums, View

NAME: Final = "daily_sales"
SCHEMA: Final = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What one order adds, in its halves."""

    sales: DailySales
    progress: Progress


def evolve(view: Figures | None, recorded: Recorded) -> Figures:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace for an event out of its place."""
    if view is None:
        return Figures(daily_sales.evolve(None, recorded), progress.evolve(None, recorded))
    sales, stands = daily_sales.evolve(view.sales, recorded), progress.evolve(view.progress, recorded)
    return view if sales is view.sales and stands is view.progress else Figures(sales, stands)


def to_document(view: Figures) -> dict[str, Any]:
    """The view as JSON values."""
    return {**daily_sales.to_document(view.sales), "progress": progress.to_document(view.progress)}


def from_document(document: Mapping[str, Any]) -> Figures:
    """The view in a document that `to_document` made. Raises KeyError, TypeError or ValueError for any other."""
    return Figures(daily_sales.from_document(document), progress.from_document(document["progress"]))


def sums(view: Figures) -> Sums:
    """What the order adds to the totals: no bucket of one half is one of the other's."""
    return {**daily_sales.sums(view.sales), **progress.sums(view.progress)}


def _moves_nothing(recorded: Recorded) -> bool:
    event = recorded.event
    return not daily_sales.moved_by(event) and type(event) not in progress.REACTS_TO


VIEW: Final[View[Figures]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    reacts_to=daily_sales.REACTS_TO | progress.REACTS_TO,
    unmoved_by=_moves_nothing,
    sums=sums,
)
