"""Money: integer minor units of an ISO 4217 currency; unit prices and exact sums are decimals, never binary floats."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

# ISO 4217 minor units. Source: ISO 4217 list one (six-group.com), amounts that differ from the usual two digits.
_TWO: Final = (
    "AED ARS AUD BGN BRL CAD CHF CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR KES LBP MAD MXN MYR NGN NOK NZD PEN "
    "PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TWD UAH USD ZAR"
)
_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}

CURRENCIES: Final = frozenset(_EXPONENTS)
"""Those that an order may be placed in."""

# Wide enough for any order that the door lets in, so that no sum is ever rounded silently.
_EXACT: Final = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (pennies, yen, fils) of a currency."""

    minor: int
    currency: str

    def __str__(self) -> str:
        return f"{major(self.minor, self.currency)} {self.currency}"


def is_currency(code: str) -> bool:
    """Whether this service knows the currency and its number of minor digits."""
    return code in _EXPONENTS


def exponent(currency: str) -> int:
    """Digits after the point: 2 for GBP, 0 for JPY, 3 for KWD. Raises KeyError for a currency we do not know."""
    return _EXPONENTS[currency]


def exact_sum(products: Sequence[tuple[int, Decimal]]) -> Decimal:
    """The exact sum of quantity x unit price, whatever the number of digits."""
    with localcontext(_EXACT):
        return sum((quantity * price for quantity, price in products), Decimal(0))


def round_to_minor(amount: Decimal, currency: str) -> int:
    """The payable amount in minor units, half to even, as banks round."""
    scaled = amount.scaleb(exponent(currency), context=_EXACT)
    return int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN, context=_EXACT))


def major(minor: int, currency: str) -> str:
    """Minor units as people write them: 90000 USD is "900.00", 900 JPY is "900"."""
    digits = exponent(currency)
    return format(Decimal(minor).scaleb(-digits, context=_EXACT), f".{digits}f")
