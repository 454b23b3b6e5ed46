"""What an order costs, as its first event keeps it: amounts in minor units of its currency, for ever as they were when it was placed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

TaxMode = Literal["inclusive", "exclusive"]
"""Whether the prices that were asked for hold their tax already, or it comes on top."""
TaxRounding = Literal["line", "unit"]
"""What is rounded: the tax of a whole line, or that of one piece, times the pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """One line, or the shipping: what is payable for it is `net_minor` + `tax_minor`, after `discount_minor` was taken off: its own
    discount and its share of the order's, in the same mode as its price."""

    net_minor: int
    tax_minor: int
    tax_rate_percent: Decimal
    discount_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """`lines` are the order's, one for one."""

    tax_mode: TaxMode
    tax_rounding: TaxRounding
    lines: tuple[PricedLine, ...]
    shipping: PricedLine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxAmount:
    """What a document holds of one rate."""

    rate_percent: Decimal
    net_minor: int
    tax_minor: int
