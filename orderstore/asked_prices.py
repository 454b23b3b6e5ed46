"""What a request asks for in money: its total, and the taxes and discounts of each line if it names any. Pure."""

from decimal import Decimal
from typing import Final, Protocol

from orderstore.domain.money import exact_sum, exponent, major, round_to_minor
from orderstore.domain.price_facts import Pricing, TaxMode, TaxRounding
from orderstore.domain.pricing import Asked, gross_minor, price

TAX_RATES_MAX: Final = 20
"""Different ones in one order. A document says net and tax of each, in every list that shows it."""
_NO_TAX: Final = Decimal(0)


class AskedShipping(Protocol):
    """What a request has the customer pay for the way."""

    @property
    def price(self) -> Decimal: ...
    @property
    def tax_rate_percent(self) -> Decimal | None: ...
    @property
    def discount(self) -> Decimal | None: ...


class AskedItem(AskedShipping, Protocol):
    """A line of a request: so many pieces, each at that price."""

    @property
    def quantity(self) -> int: ...


class AskedOrder(Protocol):
    """A request to place an order, as far as money is concerned."""

    @property
    def items(self) -> tuple[AskedItem, ...]: ...
    @property
    def currency(self) -> str: ...
    @property
    def tax_mode(self) -> TaxMode | None: ...
    @property
    def tax_rounding(self) -> TaxRounding | None: ...
    @property
    def discount(self) -> Decimal | None: ...
    @property
    def shipping(self) -> AskedShipping | None: ...


def total_of(order: AskedOrder, pricing: Pricing | None) -> tuple[Decimal, int]:
    """What the order comes to with its pricing: exactly, in the currency's units, and payable, in minor units."""
    if pricing is None:
        exact = exact_sum([(item.quantity, item.price) for item in order.items])
        return exact, round_to_minor(exact, order.currency)
    payable = gross_minor(pricing)
    return Decimal(major(payable, order.currency)), payable


def pricing_of(order: AskedOrder) -> Pricing | None:
    """Tax and discounts of each line; None when the request names neither: its total is then the exact sum of its lines.

    Raises ValueError: a discount is not of whole minor units, or larger than what it is taken off; too many tax rates.
    """
    if not _is_priced(order):
        return None
    charged = order.items if order.shipping is None else (*order.items, order.shipping)
    if (rates := len({_rate(one) for one in charged})) > TAX_RATES_MAX:
        raise ValueError(f"an order has at most {TAX_RATES_MAX} different tax rates, not {rates}")
    return price(
        [
            Asked(
                quantity=item.quantity,
                unit_price=item.price,
                tax_rate_percent=_rate(item),
                discount_minor=_whole_minor(item.discount, order.currency, f"items.{index}.discount"),
            )
            for index, item in enumerate(order.items)
        ],
        currency=order.currency,
        tax_mode=order.tax_mode or "inclusive",
        tax_rounding=order.tax_rounding or "line",
        discount_minor=_whole_minor(order.discount, order.currency, "discount"),
        shipping=_freight(order),
    )


def _is_priced(order: AskedOrder) -> bool:
    named = (order.tax_mode, order.tax_rounding, order.discount, order.shipping)
    return any(given is not None for given in named) or any(
        item.tax_rate_percent is not None or item.discount is not None for item in order.items
    )


def _freight(order: AskedOrder) -> Asked | None:
    if order.shipping is None:
        return None
    discount_minor = _whole_minor(order.shipping.discount, order.currency, "shipping.discount")
    rate = _rate(order.shipping)
    return Asked(quantity=1, unit_price=order.shipping.price, tax_rate_percent=rate, discount_minor=discount_minor)


def _rate(priced: AskedShipping) -> Decimal:
    if priced.tax_rate_percent is None:
        return _NO_TAX
    return Decimal(format(priced.tax_rate_percent.normalize(), "f"))  # one form: 19.0 is 19, and 100 is no 1E+2


def _whole_minor(discount: Decimal | None, currency: str, name: str) -> int:
    if discount is None:
        return 0
    minor = round_to_minor(discount, currency)
    if discount.scaleb(exponent(currency)) != minor:
        raise ValueError(f"{name}: {discount:f} {currency} is not a whole number of its smallest units")
    return minor
