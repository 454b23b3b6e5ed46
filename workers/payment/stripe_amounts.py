"""Amounts as Stripe writes them. Its smallest unit is not ISO 4217's for every currency.

Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal, special cases) and
https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds.
"""

from typing import Final

from orderstore.domain.money import Money, exponent

# Whole units, as in ISO 4217.
_WHOLE: Final = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
# Whole units in ISO 4217, but two digits in Stripe's API, which must be 00: 5 ISK are 500.
_WHOLE_IN_HUNDREDTHS: Final = frozenset({"ISK"})
# Stripe lists UGX both as zero-decimal and as written with two digits: a hundredfold charge is no risk to take.
_AMBIGUOUS: Final = frozenset({"UGX"})
_HUNDRED: Final = 100
_TEN: Final = 10


class NotChargeable(ValueError):
    """Stripe cannot be asked for exactly this amount. Nothing was asked."""


def stripe_amount(amount: Money) -> int:
    """The integer that the API takes. Raises NotChargeable rather than round: what is charged is what the order says."""
    if amount.currency in _AMBIGUOUS:
        raise NotChargeable(f"{amount.currency} is not charged through Stripe")
    if amount.currency in _WHOLE:
        return amount.minor
    if amount.currency in _WHOLE_IN_HUNDREDTHS:
        return amount.minor * _HUNDRED
    match exponent(amount.currency):
        case 2:
            return amount.minor
        case 3 if amount.minor % _TEN == 0:
            return amount.minor
        case 3:
            raise NotChargeable(f"in {amount.currency} the last digit must be 0 (card networks take two digits)")
        case digits:
            raise NotChargeable(f"{amount.currency} with {digits} digits is not in Stripe's lists")


def minor_units(amount: int, currency: str) -> int:
    """The other way: Stripe's integer as ISO 4217's minor units. `currency` as Stripe writes it, in small letters, or ours."""
    if currency.upper() in _WHOLE_IN_HUNDREDTHS:
        return amount // _HUNDRED
    return amount
