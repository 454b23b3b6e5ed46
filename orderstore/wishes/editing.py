"""Adding pieces to an order, and taking that back."""

from decimal import Decimal
from functools import partial

from orderstore.change_requests import EditOrder
from orderstore.domain import decisions, ids
from orderstore.domain.edits import Added
from orderstore.domain.events import Event, FreeText, OrderEditDeclined, OrderEditRequested, OrderLine, PricedLine
from orderstore.domain.state import State
from orderstore.wishes.wish import Wish, first, says


def edit_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The edit that a client's Idempotency-Key names."""
    return ids.event_id(order_id, f"edit:{idempotency_key}")


def edit(order_id: str, request: EditOrder, *, idempotency_key: str) -> Wish:
    """Add lines to the order. Rejections: OrderClosed, TooEarlyToEdit, TooLateToEdit, EditUnderWay, EditRefused, TooManyAttempts."""
    edit_id = edit_id_for_key(order_id, idempotency_key)
    added = tuple(
        Added(
            line=OrderLine(sku=item.sku, quantity=item.quantity, unit_price=item.price, description=item.description),
            tax_rate_percent=item.tax_rate_percent,
            discount=item.discount,
        )
        for item in request.items
    )

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.request_edit(state, edit_id=edit_id, added=added)

    return Wish(
        purpose=f"edit:{edit_id}",
        decide=decide,
        found=first(says(OrderEditRequested, edit_id=edit_id)),
        same=partial(_says, added=added),
    )


def withdraw_edit(edit_id: str) -> Wish:
    """Take an edit back that is not applied yet. Rejections: UnknownEdit, TooLateToEdit."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.withdraw_edit(state, edit_id=edit_id)

    return Wish(
        purpose=f"edit-withdrawn:{edit_id}", decide=decide, found=first(says(OrderEditDeclined, edit_id=edit_id))
    )


def _says(event: Event, *, added: tuple[Added, ...]) -> bool:
    if not isinstance(event, OrderEditRequested) or event.lines != tuple(one.line for one in added):
        return False
    if event.pricing is None:
        return True  # taxes and discounts would have been refused
    return all(_priced_so(line, one) for line, one in zip(event.pricing.lines, added, strict=True))


def _priced_so(line: PricedLine, asked: Added) -> bool:
    """Whatever the currency's digits are, which the order alone knows."""
    discount = asked.discount or Decimal(0)
    same_discount = any(discount.scaleb(digits) == line.discount_minor for digits in (0, 2, 3))
    return same_discount and line.tax_rate_percent == (asked.tax_rate_percent or Decimal(0))
