"""Tax, discounts and shares, so that sums always add up to the last minor unit. Pure integers; rates and unit prices are decimals.

Rounding is half to even (`money.round_to_minor`), at line or at unit level. The levels are those of commercetools' TaxCalculationMode:
1.08 x 3 at 19 % is 3.86 by the line and 3.87 by the unit. Whatever the level, gross = net + tax on each line, so on each rate and on the
whole (EN 16931, BR-CO-15), since every total is a sum of lines and nothing is rounded twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.domain.price_facts import PricedLine, Pricing, TaxAmount, TaxMode, TaxRounding

_EXACT: Final = Context(prec=60)
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class _Rules:
    currency: str
    tax_mode: TaxMode
    tax_rounding: TaxRounding


class DiscountTooLarge(ValueError):
    """A discount is more than what it is taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One line as it was asked for; the discount is in minor units, in the same mode as the price."""

    quantity: int
    unit_price: Decimal
    tax_rate_percent: Decimal = Decimal(0)
    discount_minor: int = 0


def price(
    lines: Sequence[Asked],
    *,
    currency: str,
    tax_mode: TaxMode,
    tax_rounding: TaxRounding,
    discount_minor: int = 0,
    shipping: Asked | None = None,
) -> Pricing:
    """What each line costs. The order's own discount is shared among the lines by what they come to, shipping has none of it.

    Raises DiscountTooLarge.
    """
    rules = _Rules(currency, tax_mode, tax_rounding)
    left = [_after_discount(line, rules, f"line {index}") for index, line in enumerate(lines)]
    if discount_minor > sum(left):
        raise DiscountTooLarge(f"the lines come to {sum(left)} minor units, the order's discount to {discount_minor}")
    shares = allocate(discount_minor, left)
    priced = tuple(
        _taxed(line, amount - share, rules, share=share)
        for line, amount, share in zip(lines, left, shares, strict=True)
    )
    freight = None if shipping is None else _taxed(shipping, _after_discount(shipping, rules, "shipping"), rules)
    return Pricing(tax_mode=tax_mode, tax_rounding=tax_rounding, lines=priced, shipping=freight)


def allocate(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Share an amount by weights, by the largest remainder: the shares add up to the amount, none is more than one unit from its exact
    share, and of equal remainders the earlier line has the unit. Raises ValueError for an amount that nobody has a weight for."""
    whole = sum(weights)
    if amount < 0 or any(weight < 0 for weight in weights):
        raise ValueError("an amount and its weights are not negative")
    if amount == 0:
        return (0,) * len(weights)
    if whole == 0:
        raise ValueError(f"there is nothing to share {amount} by")
    shares = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(amount * weights[index] % whole), index))
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return tuple(shares)


def gross_minor(pricing: Pricing) -> int:
    """What the whole order costs, shipping and tax included."""
    return sum(line.net_minor + line.tax_minor for line in _all(pricing))


def taxes_of(pricing: Pricing) -> tuple[TaxAmount, ...]:
    """Net and tax of the whole order by rate, the lowest rate first."""
    return _by_rate((line.tax_rate_percent, line.net_minor, line.tax_minor) for line in _all(pricing))


def share_of_pieces(amount_minor: int, *, pieces: int, before: int, count: int) -> int:
    """What `count` pieces of a line of `pieces` have of its amount, when `before` were counted already: so parts add up to the whole,
    however they are cut."""
    return _part(amount_minor, before + count, pieces) - _part(amount_minor, before, pieces)


def taxes_of_pieces(
    pricing: Pricing, quantities: Sequence[int], before: Sequence[int], counts: Sequence[int]
) -> tuple[TaxAmount, ...]:
    """Net and tax of so many pieces of each line by rate, when `before` of each were given back already. The last piece of the order takes
    the shipping with it."""
    amounts = [
        (
            line.tax_rate_percent,
            share_of_pieces(line.net_minor, pieces=pieces, before=had, count=count),
            share_of_pieces(line.tax_minor, pieces=pieces, before=had, count=count),
        )
        for line, pieces, had, count in zip(pricing.lines, quantities, before, counts, strict=True)
        if count
    ]
    whole = all(had + count == pieces for pieces, had, count in zip(quantities, before, counts, strict=True))
    if whole and amounts and pricing.shipping is not None:
        amounts.append((pricing.shipping.tax_rate_percent, pricing.shipping.net_minor, pricing.shipping.tax_minor))
    return _by_rate(amounts)


def _all(pricing: Pricing) -> tuple[PricedLine, ...]:
    return pricing.lines if pricing.shipping is None else (*pricing.lines, pricing.shipping)


def _by_rate(amounts: Iterable[tuple[Decimal, int, int]]) -> tuple[TaxAmount, ...]:
    rates: dict[Decimal, tuple[int, int]] = {}
    for rate, net, tax in amounts:
        net_so_far, tax_so_far = rates.get(rate, (0, 0))
        rates[rate] = (net_so_far + net, tax_so_far + tax)
    return tuple(
        TaxAmount(rate_percent=rate, net_minor=net, tax_minor=tax) for rate, (net, tax) in sorted(rates.items())
    )


def _after_discount(line: Asked, rules: _Rules, name: str) -> int:
    if rules.tax_rounding == "unit":
        amount = line.quantity * round_to_minor(line.unit_price, rules.currency)
    else:
        amount = round_to_minor(exact_sum([(line.quantity, line.unit_price)]), rules.currency)
    if line.discount_minor > amount:
        raise DiscountTooLarge(f"{name} comes to {amount} minor units, its discount to {line.discount_minor}")
    return amount - line.discount_minor


def _taxed(line: Asked, due: int, rules: _Rules, *, share: int = 0) -> PricedLine:
    """`due` is what is left after the line's own discount and its `share` of the order's."""
    rate, discount = line.tax_rate_percent, line.discount_minor + share
    if rules.tax_rounding == "unit" and discount == 0:
        tax = line.quantity * _tax(round_to_minor(line.unit_price, rules.currency), rate, rules.tax_mode)
    else:  # a discount is the line's and no piece's, so its tax is too
        tax = _tax(due, rate, rules.tax_mode)
    net = due - tax if rules.tax_mode == "inclusive" else due
    return PricedLine(net_minor=net, tax_minor=tax, tax_rate_percent=rate, discount_minor=discount)


def _tax(amount_minor: int, rate_percent: Decimal, tax_mode: TaxMode) -> int:
    over = _EXACT.add(_HUNDRED, rate_percent) if tax_mode == "inclusive" else _HUNDRED
    return _half_even(_EXACT.multiply(Decimal(amount_minor), rate_percent), over)


def _part(amount_minor: int, count: int, pieces: int) -> int:
    return _half_even(Decimal(amount_minor * count), Decimal(pieces))


def _half_even(numerator: Decimal, denominator: Decimal) -> int:
    """The quotient of two exact numbers, rounded once: a quotient that was cut before might look like a half and be none."""
    quotient, remainder = _EXACT.divmod(numerator, denominator)
    whole, twice = int(quotient), _EXACT.multiply(remainder, Decimal(2))
    if twice > denominator or (twice == denominator and whole % 2 == 1):
        return whole + 1
    return whole
