"""An order's document at a moment of its past, and what changed in it between two. Pure: the view's own fold, over a part of the log."""

from collections.abc import Sequence
from typing import Any, Final

from orderstore.audit.moments import CommitAhead, Moment
from orderstore.audit.time_travel import Difference, difference
from orderstore.recorded import Recorded
from projections.views import invoices, order_status
from projections.views.invoice_documents import Invoices

STANDING_FIELDS: Final = frozenset({"updatedAt", "lastRecordedAtMs", "version", "commit"})
"""These say where a document stands, and so differ between any two commits; the moments themselves tell that."""


def document_of(events: Sequence[Recorded]) -> dict[str, Any] | None:
    """What the status view says of an order with these events; None for one without any. Raises OutOfPlace."""
    view: order_status.OrderStatus | None = None
    for recorded in events:
        view = order_status.evolve(view, recorded)
    return None if view is None else order_status.to_answer(view)


def invoices_of(events: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Every invoice that an order with these events has, oldest first, as the view shows them. Raises OutOfPlace."""
    view: Invoices | None = None
    for recorded in events:
        view = invoices.evolve(view, recorded)
    return [] if view is None else invoices.single_documents(invoices.to_document(view))


def check_has(events: Sequence[Recorded], commit: int) -> None:
    """Raises CommitAhead: an order with these events, which are all of them, has no such commit."""
    if commit > events[-1].commit:
        raise CommitAhead(commit, head_commit=events[-1].commit, head_version=events[-1].version)


def changes(events: Sequence[Recorded], old: Moment, new: Moment) -> Difference:
    """What lies between two moments of an order, in the words of its document. Raises CommitAhead, OutOfPlace."""
    return difference(
        events,
        old,
        new,
        evolve=order_status.evolve,
        to_document=order_status.to_answer,
        apart_from=STANDING_FIELDS,
    )
