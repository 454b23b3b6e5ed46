"""What an order becomes with the pieces that an edit adds: its lines, its price, its reservation. Pure.

The new lines follow those that it had, so that every line keeps its number for ever. What the order costs stays what its lines come to:
with taxes by the line, without them the exact sum of all, rounded once; an edit costs the difference.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.copying import replace
from orderstore.domain.evolving_stock import MAIN, pieces_of
from orderstore.domain.money import exact_sum, exponent, major, round_to_minor
from orderstore.domain.parts import Edit, Inventory
from orderstore.domain.pricing import Asked, DiscountTooLarge, gross_minor, price
from orderstore.domain.rejections import EditRefused

LINES_MAX: Final = 5_000
TOTAL_MINOR_MAX: Final = 10**15
TAX_RATES_MAX: Final = 20
"""Of an order with all of its edits: what the door lets in with a new one."""
HOLD_RAN_OUT: Final = "authorization_expired"
"""The code of an edit that was declined because the order's own hold ran out: what became of the edit's own payment nobody knows then."""
_NO_TAX: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A line that is wanted in addition. The discount is in the currency's units, in the same mode as the price."""

    line: e.OrderLine
    tax_rate_percent: Decimal | None = None
    discount: Decimal | None = None


def priced(order: e.OrderCreated, added: Sequence[Added]) -> tuple[int, e.Pricing | None]:
    """What the order costs more with these lines, and their taxes; by the order's own rules.

    Raises EditRefused: more than an order may have, or a tax on an order without.
    """
    if len(order.lines) + len(added) > LINES_MAX:
        raise EditRefused(f"an order has at most {LINES_MAX} lines")
    pricing = None if order.pricing is None else _pricing(order, order.pricing, added)
    if pricing is None:
        if any(one.tax_rate_percent is not None or one.discount is not None for one in added):
            raise EditRefused("the order was placed without taxes and discounts: place a second order")
        exact = _exact(order, [one.line for one in added])
        amount_minor = round_to_minor(exact, order.currency) - order.total_minor
    else:
        amount_minor = gross_minor(pricing)
    if order.total_minor + amount_minor > TOTAL_MINOR_MAX:
        raise EditRefused(f"an order comes to at most {TOTAL_MINOR_MAX} minor units")
    return amount_minor, pricing


def edited(order: e.OrderCreated, edit: e.OrderEditApplied) -> e.OrderCreated:
    """The order as if it had been placed with these lines too."""
    total_minor = order.total_minor + edit.amount_minor
    if order.pricing is None or edit.pricing is None:
        exact, pricing = _exact(order, edit.lines), order.pricing
    else:
        exact = Decimal(major(total_minor, order.currency))
        pricing = replace(order.pricing, lines=(*order.pricing.lines, *edit.pricing.lines))
    lines = (*order.lines, *edit.lines)
    return replace(order, lines=lines, total_exact=exact, total_minor=total_minor, pricing=pricing)


def pieces_added(edit: Edit) -> tuple[e.Pieces, ...]:
    """All that it adds, by the numbers that its lines have in the order."""
    return tuple(e.Pieces(line=edit.first_line + at, quantity=line.quantity) for at, line in enumerate(edit.lines))


def with_goods(inventory: Inventory, edit: Edit, *, wanted: Counter[int]) -> Inventory:
    """The order's reservation with what is set aside for the edit. `wanted` are the order's pieces without it. What lies nowhere in
    particular lies at the main location, and is said to as soon as anything lies elsewhere, or is still to come: then whatever is not said
    to be set aside would be forgotten."""
    if not (inventory.allocations or edit.allocations or inventory.missing):
        return inventory
    missing = Counter({part.line: part.quantity for part in inventory.missing})
    before = inventory.allocations or _at_main(pieces_of(wanted - missing))
    return replace(inventory, allocations=(*before, *(edit.allocations or _at_main(pieces_added(edit)))))


def _at_main(pieces: tuple[e.Pieces, ...]) -> tuple[e.Allocation, ...]:
    return (e.Allocation(location=MAIN, lines=pieces),) if pieces else ()


def _pricing(order: e.OrderCreated, rules: e.Pricing, added: Sequence[Added]) -> e.Pricing:
    asked = [
        Asked(
            quantity=one.line.quantity,
            unit_price=one.line.unit_price,
            tax_rate_percent=_plain(one.tax_rate_percent),
            discount_minor=_whole_minor(one.discount, order.currency, at),
        )
        for at, one in enumerate(added)
    ]
    rates = {one.tax_rate_percent for one in asked} | {one.tax_rate_percent for one in rules.lines}
    if rules.shipping is not None:
        rates.add(rules.shipping.tax_rate_percent)
    if len(rates) > TAX_RATES_MAX:
        raise EditRefused(f"an order has at most {TAX_RATES_MAX} different tax rates")
    try:
        return price(asked, currency=order.currency, tax_mode=rules.tax_mode, tax_rounding=rules.tax_rounding)
    except DiscountTooLarge as error:
        raise EditRefused(str(error)) from error


def _plain(rate: Decimal | None) -> Decimal:
    return _NO_TAX if rate is None else Decimal(format(rate.normalize(), "f"))


def _whole_minor(discount: Decimal | None, currency: str, at: int) -> int:
    if discount is None:
        return 0
    minor = round_to_minor(discount, currency)
    if discount.scaleb(exponent(currency)) != minor:
        raise EditRefused(f"items.{at}.discount: {discount:f} {currency} is not a whole number of its smallest units")
    return minor


def _exact(order: e.OrderCreated, lines: Sequence[e.OrderLine]) -> Decimal:
    return exact_sum([(1, order.total_exact), *((line.quantity, line.unit_price) for line in lines)])
