"""What the pieces of a refund have of the order's money: the amount that is promised back, and its taxes.

A refund's share follows from the pieces that were asked back before it, in the order of the requests: so the shares of all add up to the
order to the last minor unit, whichever is given back or credited first.
"""

from collections.abc import Sequence

from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.domain.parts import Refund
from orderstore.domain.pricing import taxes_of_pieces
from orderstore.domain.rejections import NothingToRefund, RefundTooLarge


def refund_amount(
    order: e.OrderCreated, refunds: Sequence[Refund], lines: Sequence[e.RefundedLine], *, left_minor: int
) -> int:
    """What these pieces cost, and never more than what is left of the order. Raises NothingToRefund, RefundTooLarge."""
    pieces_left = [line.quantity - gone for line, gone in zip(order.lines, _pieces(order, refunds), strict=True)]
    for line in lines:
        if line.quantity < 1 or not 0 <= line.line < len(pieces_left):
            raise NothingToRefund(f"line {line.line} with quantity {line.quantity} is no piece of this order")
        pieces_left[line.line] -= line.quantity
        if pieces_left[line.line] < 0:
            raise RefundTooLarge(f"line {line.line} has fewer pieces left than {line.quantity}")
    if not any(pieces_left):
        amount_minor = left_minor  # the last piece takes the rounding with it, so that parts add up to the whole
    elif order.pricing is not None:
        amount_minor = sum(part.net_minor + part.tax_minor for part in refund_taxes(order, refunds, lines) or ())
    else:
        exact = exact_sum([(line.quantity, order.lines[line.line].unit_price) for line in lines])
        amount_minor = round_to_minor(exact, order.currency)
    if amount_minor > left_minor:
        raise RefundTooLarge(f"{amount_minor} minor units are more than the {left_minor} that are left")
    if amount_minor < 1:
        raise NothingToRefund("the named pieces cost nothing")
    return amount_minor


def refund_taxes(
    order: e.OrderCreated, before: Sequence[Refund], lines: Sequence[e.RefundedLine]
) -> tuple[e.TaxAmount, ...] | None:
    """The taxes of these pieces by rate, when the refunds `before` were asked for already; None for an order without taxes."""
    if order.pricing is None:
        return None
    counts = [0] * len(order.lines)
    for line in lines:
        counts[line.line] += line.quantity
    return taxes_of_pieces(order.pricing, [line.quantity for line in order.lines], _pieces(order, before), counts)


def _pieces(order: e.OrderCreated, refunds: Sequence[Refund]) -> list[int]:
    """How many pieces of each line these refunds are for."""
    gone = [0] * len(order.lines)
    for refund in refunds:
        for line in refund.lines:
            gone[line.line] += line.quantity
    return gone
