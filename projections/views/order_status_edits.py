"""How the view `order_status` changes with what happens to the order's edits."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, major
from projections.views.order_status_parts import Edit, OrderStatus

EditEvent = e.OrderEditRequested | e.OrderEditReserved | e.OrderEditApplied | e.OrderEditDeclined | e.OrderEditReleased


def with_edit(view: OrderStatus, event: EditEvent) -> OrderStatus:
    """The order with one edit further on."""
    match event:
        case e.OrderEditRequested():
            edit = Edit(
                edit_id=event.edit_id,
                status="OPEN",
                line_count=len(event.lines),
                piece_count=sum(line.quantity for line in event.lines),
                amount_minor=event.amount_minor,
                attempt=event.attempt,
            )
            return replace(view, edits=(*view.edits, edit))
        case e.OrderEditApplied():
            return _grown(_with(view, event.edit_id, status="APPLIED"), event)
        case e.OrderEditDeclined():
            return _with(view, event.edit_id, status="DECLINED", reason=event.reason)
        case e.OrderEditReserved() | e.OrderEditReleased():
            return view


def next_attempt(view: OrderStatus) -> int:
    """The number of the payment attempt that follows: those of edits are never used again."""
    return max(view.payment.attempt, *(edit.attempt for edit in view.edits), 0) + 1


def _grown(view: OrderStatus, event: e.OrderEditApplied) -> OrderStatus:
    total_minor = view.total_minor + event.amount_minor
    total = major(total_minor, view.currency)
    if event.pricing is None:
        priced = ((line.quantity, line.unit_price) for line in event.lines)
        total_exact = format(exact_sum([(1, Decimal(view.total_exact)), *priced]), "f")
    else:
        total_exact = total
    return replace(
        view,
        total_minor=total_minor,
        total_exact=total_exact,
        total=total,
        line_count=view.line_count + len(event.lines),
        piece_count=view.piece_count + sum(line.quantity for line in event.lines),
    )


def _with(view: OrderStatus, edit_id: str, **changes: Any) -> OrderStatus:  # noqa: ANN401 - fields of Edit
    edits = tuple(replace(edit, **changes) if edit.edit_id == edit_id else edit for edit in view.edits)
    return replace(view, edits=edits)
