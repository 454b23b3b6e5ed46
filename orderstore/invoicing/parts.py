"""What pieces of an order's lines come to, line by line: the shares of `orderstore/domain/shares.py`, as documents list them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orderstore.domain import events as e
from orderstore.domain.pricing import share_of_pieces
from orderstore.domain.shares import Taken, pieces_in
from orderstore.domain.statuses import Placed
from orderstore.invoicing.amounts import discount_without_tax


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """So many pieces of a line, and what they come to after their discount, which is without tax. `asked_minor` is the same discount as it
    was asked for: of prices that hold their tax, with it."""

    count: int
    net_minor: int = 0
    tax_minor: int = 0
    discount_minor: int = 0
    asked_minor: int = 0

    def without(self, other: "Part") -> "Part":
        return Part(
            count=self.count - other.count,
            net_minor=self.net_minor - other.net_minor,
            tax_minor=self.tax_minor - other.tax_minor,
            discount_minor=self.discount_minor - other.discount_minor,
            asked_minor=self.asked_minor - other.asked_minor,
        )


def due_of(state: Placed) -> list[Part]:
    """What of each line is left to be paid for: as `shares.taxes_due`, line by line. Pieces that were refunded before they were cancelled
    are still there, since the refund takes them back with a credit note."""
    order = state.order
    parts = [part_of(order, index, 0, line.quantity) for index, line in enumerate(order.lines)]
    for at, cancelled in enumerate(state.cancelled):
        gone = pieces_in(order, _taken_before_cancellation(state, at))
        for piece in cancelled.priced:
            parts[piece.line] = parts[piece.line].without(part_of(order, piece.line, gone[piece.line], piece.quantity))
            gone[piece.line] += piece.quantity
    return parts


def _taken_before_cancellation(state: Placed, at: int) -> tuple[Taken, ...]:
    refunds = (one for one in state.payment.refunds[: state.cancelled[at].after] if not one.of_cancellation)
    return (*state.cancelled[:at], *refunds)


def takes_shipping(state: Placed, at: int) -> bool:
    """Whether this cancellation was for the last pieces that there were."""
    return is_all(state.order, pieces_in(state.order, (*_taken_before_cancellation(state, at), state.cancelled[at])))


def is_all(order: e.OrderCreated, gone: Sequence[int]) -> bool:
    return all(count == line.quantity for count, line in zip(gone, order.lines, strict=True))


def part_of(order: e.OrderCreated, index: int, before: int, count: int) -> Part:
    """So many pieces of a line, when so many were counted before."""
    if order.pricing is None:
        return Part(count=count)
    priced, pieces = order.pricing.lines[index], order.lines[index].quantity
    discount_minor = discount_without_tax(priced, order.pricing.tax_mode)
    amounts = (priced.net_minor, priced.tax_minor, discount_minor, priced.discount_minor)
    net, tax, discount, asked = (
        share_of_pieces(amount, pieces=pieces, before=before, count=count) for amount in amounts
    )
    return Part(count=count, net_minor=net, tax_minor=tax, discount_minor=discount, asked_minor=asked)
