"""What some pieces have of the order's money: an amount, and its taxes.

A share follows from the pieces that were taken out before it, by a refund or a cancellation of lines, in the order in which that was asked
for: so the shares of all add up to the order to the last minor unit, whichever is given back or credited first.
"""

from collections.abc import Sequence

from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.domain.parts import LineCancellation, Refund
from orderstore.domain.pricing import allocate, taxes_of, taxes_of_pieces
from orderstore.domain.rejections import NothingToRefund, RefundTooLarge
from orderstore.domain.statuses import Placed

Taken = Refund | LineCancellation
"""Pieces that were taken out of the order's money."""


def priced(order: Placed, lines: Sequence[e.Pieces]) -> tuple[e.Pieces, ...]:
    """Which of these pieces are still part of the order's money: nobody promised it back and they were not cancelled."""
    gone, left = pieces_in(order.order, taken_out(order)), []
    for line in lines:
        quantity = min(line.quantity, order.order.lines[line.line].quantity - gone[line.line])
        gone[line.line] += line.quantity
        if quantity > 0:
            left.append(e.Pieces(line=line.line, quantity=quantity))
    return tuple(left)


def refund_amount(order: e.OrderCreated, before: Sequence[Taken], lines: Sequence[e.Pieces], *, left_minor: int) -> int:
    """What these pieces cost, and never more than what is left of the order. Raises NothingToRefund, RefundTooLarge."""
    pieces_left = [line.quantity - gone for line, gone in zip(order.lines, pieces_in(order, before), strict=True)]
    for line in lines:
        if line.quantity < 1 or not 0 <= line.line < len(pieces_left):
            raise NothingToRefund(f"line {line.line} with quantity {line.quantity} is no piece of this order")
        pieces_left[line.line] -= line.quantity
        if pieces_left[line.line] < 0:
            raise RefundTooLarge(f"line {line.line} has fewer pieces left than {line.quantity}")
    # the last piece takes the rounding with it, so that parts add up to the whole
    amount_minor = amount_of(order, before, lines) if any(pieces_left) else left_minor
    if amount_minor > left_minor:
        raise RefundTooLarge(f"{amount_minor} minor units are more than the {left_minor} that are left")
    if amount_minor < 1:
        raise NothingToRefund("the named pieces cost nothing")
    return amount_minor


def amount_left(state: Placed, lines: Sequence[e.Pieces], *, left_minor: int) -> int:
    """What these pieces come to, and no more than is left; with the last pieces of the order, all that is left."""
    taken = pieces_in(state.order, taken_out(state))
    for line in lines:
        taken[line.line] += line.quantity
    last = all(gone >= line.quantity for gone, line in zip(taken, state.order.lines, strict=True))
    return left_minor if last else min(left_minor, amount_of(state.order, taken_out(state), lines))


def amount_of(order: e.OrderCreated, before: Sequence[Taken], lines: Sequence[e.Pieces]) -> int:
    """What these pieces come to when those were taken out before, in minor units."""
    if order.pricing is not None:
        return sum(part.net_minor + part.tax_minor for part in refund_taxes(order, before, lines) or ())
    return round_to_minor(
        exact_sum([(line.quantity, order.lines[line.line].unit_price) for line in lines]), order.currency
    )


def refund_taxes(
    order: e.OrderCreated, before: Sequence[Taken], lines: Sequence[e.Pieces]
) -> tuple[e.TaxAmount, ...] | None:
    """The taxes of these pieces by rate, when those were taken out before; None for an order without taxes."""
    if order.pricing is None:
        return None
    counts = [0] * len(order.lines)
    for line in lines:
        counts[line.line] += line.quantity
    return taxes_of_pieces(order.pricing, [line.quantity for line in order.lines], pieces_in(order, before), counts)


def fitted(
    order: e.OrderCreated, taxes: tuple[e.TaxAmount, ...] | None, amount_minor: int
) -> tuple[e.TaxAmount, ...] | None:
    """The same taxes where the amount is another than the pieces come to, since a bank has taken part of it back: they are in proportion
    then, so that a document's taxes always add up to its total. Of no pieces in particular: in the order's proportion."""
    if taxes is None or order.pricing is None or sum(part.net_minor + part.tax_minor for part in taxes) == amount_minor:
        return taxes
    by = taxes if any(part.net_minor + part.tax_minor for part in taxes) else taxes_of(order.pricing)
    shares = allocate(amount_minor, [part.net_minor + part.tax_minor for part in by])
    found = []
    for part, share in zip(by, shares, strict=True):
        net, tax = allocate(share, (part.net_minor, part.tax_minor))
        found.append(e.TaxAmount(rate_percent=part.rate_percent, net_minor=net, tax_minor=tax))
    return tuple(found)


def kept_back(state: Placed) -> int:
    """What pieces that were refunded or cancelled come to beyond what was promised for them, because a bank had taken the money."""
    refunds, found = state.payment.refunds, 0
    for at, part in enumerate(state.cancelled):
        before: tuple[Taken, ...] = state.cancelled[:at]
        before += tuple(one for one in refunds[: part.after] if not one.of_cancellation)
        found += max(0, amount_of(state.order, before, part.priced) - part.amount_minor)
    for refund in refunds:
        if refund.lines and not refund.of_cancellation:
            comes_to = amount_of(state.order, taken_before_refund(state, refund), refund.lines)
            found += max(0, comes_to - refund.amount_minor)
    made_good = disputed_refund_id(state.order.order_id, "")
    return found - sum(one.amount_minor for one in refunds if one.refund_id.startswith(made_good))


def disputed_refund_id(order_id: str, dispute_id: str) -> str:
    """Of what a dispute had kept back, when it is won."""
    return f"{order_id}:dispute:{dispute_id}"


def surplus_refund_id(order_id: str) -> str:
    """Of what was taken for pieces that were cancelled while it was being taken: their cancellation over again, like its own refund."""
    return f"{order_id}:surplus"


def taken_out(state: Placed) -> tuple[Taken, ...]:
    """Everything that was taken out of the order's money so far; a refund of cancelled pieces is the cancellation over again."""
    return (*state.cancelled, *(refund for refund in state.payment.refunds if not refund.of_cancellation))


def taken_before_refund(state: Placed, refund: Refund) -> tuple[Taken, ...]:
    """What was taken out when this refund was asked for."""
    refunds = state.payment.refunds[: state.payment.refunds.index(refund)]
    return (*state.cancelled[: refund.after], *(one for one in refunds if not one.of_cancellation))


def taxes_due(state: Placed) -> tuple[e.TaxAmount, ...] | None:
    """The taxes of the order by rate without those of the pieces that were cancelled; None for an order without taxes."""
    if state.order.pricing is None:
        return None
    due = {part.rate_percent: (part.net_minor, part.tax_minor) for part in taxes_of(state.order.pricing)}
    for at, cancelled in enumerate(state.cancelled):
        refunds = (one for one in state.payment.refunds[: cancelled.after] if not one.of_cancellation)
        share = refund_taxes(state.order, (*state.cancelled[:at], *refunds), cancelled.priced)
        for part in fitted(state.order, share, cancelled.amount_minor) or ():
            net, tax = due[part.rate_percent]
            due[part.rate_percent] = (net - part.net_minor, tax - part.tax_minor)
    return tuple(
        e.TaxAmount(rate_percent=rate, net_minor=net, tax_minor=tax) for rate, (net, tax) in sorted(due.items())
    )


def pieces_in(order: e.OrderCreated, taken: Sequence[Taken]) -> list[int]:
    """How many pieces of each line these are for."""
    gone = [0] * len(order.lines)
    for one in taken:
        for line in one.priced if isinstance(one, LineCancellation) else one.lines:
            gone[line.line] += line.quantity
    return gone
