"""Amounts as documents print them: digits in groups of three, as many behind the point as the currency has, prices without their tax."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, Self

from orderstore.domain.money import exact_sum, exponent, round_to_minor
from orderstore.domain.price_facts import PricedLine, TaxMode

ZERO: Final = Decimal(0)
UNIT_PRICE_DIGITS_MORE: Final = 4
"""A unit price without its tax is printed with up to so many digits more than the currency has (EN 16931 sets no bound)."""
_EXACT: Final = Context(prec=60)
_HUNDRED: Final = Decimal(100)
_MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What a row comes to. Without taxes (`rate` is None) only `exact` counts, in the currency's own units."""

    net_minor: int = 0
    tax_minor: int = 0
    rate: Decimal | None = None
    discount_minor: int = 0
    exact: Decimal = ZERO

    @classmethod
    def of(cls, unit_price: Decimal, count: int) -> Self:
        """So many pieces of an order without taxes."""
        return cls(exact=exact_sum([(count, unit_price)]))

    @staticmethod
    def major(minor: int, currency: str) -> Decimal:
        """Minor units in the currency's own."""
        return Decimal(minor).scaleb(-exponent(currency), context=_EXACT)


def discount_without_tax(priced: PricedLine, tax_mode: TaxMode) -> int:
    """What was taken off, in minor units, as Art. 226 (8) of Directive 2006/112/EC has it: beside prices that are without tax."""
    if tax_mode == "exclusive" or not priced.discount_minor:
        return priced.discount_minor
    before = Decimal(priced.net_minor + priced.tax_minor + priced.discount_minor)
    net = _without_tax(before, priced.tax_rate_percent).to_integral_value(rounding=ROUND_HALF_EVEN, context=_EXACT)
    return int(net) - priced.net_minor


def unit_price_without_tax(price: Decimal, rate: Decimal | None, tax_mode: TaxMode | None, currency: str) -> str:
    """A price that holds its tax is not always a round number without it."""
    if rate is None or tax_mode != "inclusive" or not rate:
        return exact_amount(price, currency)
    digits = Decimal(1).scaleb(-exponent(currency) - UNIT_PRICE_DIGITS_MORE)
    return exact_amount(_without_tax(price, rate).quantize(digits, ROUND_HALF_EVEN, context=_EXACT), currency)


def exact_amount(amount: Decimal, currency: str) -> str:
    """Every digit that counts, and no fewer than the currency has."""
    least = exponent(currency)
    whole = Decimal(round_to_minor(amount, currency)).scaleb(-least, context=_EXACT)
    if whole == amount:
        return _written(whole, least)
    shortest = amount.normalize(_EXACT)
    return _written(shortest, max(least, -int(shortest.as_tuple().exponent)))


def whole_amount(minor: int, currency: str) -> str:
    """Minor units as documents print them: 123456 GBP is 1,234.56, 1234 JPY is 1,234."""
    return _written(Net.major(minor, currency), exponent(currency))


def percent(rate: Decimal) -> str:
    """19 or 8.1, with its sign."""
    return f"{rate:f}%"


def _written(amount: Decimal, digits: int) -> str:
    return f"{amount:,.{digits}f}".replace("-", _MINUS)


def _without_tax(amount: Decimal, rate: Decimal) -> Decimal:
    return _EXACT.divide(_EXACT.multiply(amount, _HUNDRED), _EXACT.add(_HUNDRED, rate))
