"""How a cancellation finds its sale. The file gives no link, so one is inferred, the same way on every run.

A line of a `C` invoice matches EARLIER sales of the same customer with the same SKU (as written, case included) at the same unit price, of
which enough was not yet taken back. Among them:

1. the newest sale that covers the whole quantity by itself (over several of its lines if the SKU is on more than one);
2. else the quantity is spread over the sales, newest first;
3. else the line is rejected whole: taking back a part would invent a refund that the shop never made.

Guests are never matched: two guests cannot be told apart. A sale taken back whole, in one go, is a cancellation of the order; anything
else is a refund of lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from workers.intake.online_retail.model import Line, RejectReason

FEES_AND_DISCOUNTS = frozenset(
    {"POST", "DOT", "M", "m", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS", "B"}
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A line of an earlier sale of which `remaining` was not taken back yet."""

    sale: int
    line_index: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Take:
    """Take `quantity` back from one line of a sale."""

    sale: int
    line_index: int
    quantity: int


def choose(offers: Sequence[Offer], quantity: int) -> tuple[Take, ...]:
    """Spread `quantity` (positive) over `offers` (newest sale first, its lines in order); empty when they do not suffice."""
    by_sale = [tuple(lines) for _, lines in groupby(offers, key=lambda offer: offer.sale)]
    covering = next((lines for lines in by_sale if sum(offer.remaining for offer in lines) >= quantity), None)
    takes = _fill(covering if covering is not None else offers, quantity)
    return takes if sum(take.quantity for take in takes) == quantity else ()


def why_unmatched(line: Line, *, bought_before: bool, same_price_before: bool) -> tuple[RejectReason, str]:
    """Name the nearest miss of a line of a known customer."""
    if line.sku in FEES_AND_DISCOUNTS:
        return (
            RejectReason.FEE_OR_DISCOUNT_LINE,
            f"{line.sku!r} is a fee or discount and no earlier sale holds it like this",
        )
    if same_price_before:
        return (
            RejectReason.QUANTITY_EXCEEDS_SALE,
            f"more of {line.sku!r} comes back than is left of what was sold at {line.unit_price}",
        )
    if bought_before:
        return RejectReason.PRICE_DIFFERS, f"{line.sku!r} was sold to this customer, but never at {line.unit_price}"
    return RejectReason.NO_SUCH_SALE, f"no earlier sale of {line.sku!r} to this customer"


def _fill(offers: Sequence[Offer], quantity: int) -> tuple[Take, ...]:
    takes: list[Take] = []
    for offer in offers:
        if quantity == 0:
            break
        taken = min(quantity, offer.remaining)
        takes.append(Take(offer.sale, offer.line_index, taken))
        quantity -= taken
    return tuple(takes)
