"""What the door lets in: the wire form of a request, checked field by field before anything is stored.

Prices come as JSON numbers or decimal strings and never pass through binary floating point: `strict_json.parse` reads the body with the
decimal literals as they were written. Every string, list and number has a bound.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from orderstore.asked_prices import pricing_of, total_of
from orderstore.asked_terms import AskedTerms
from orderstore.domain.events import HoldReason
from orderstore.domain.price_facts import TaxMode, TaxRounding
from orderstore.request_fields import (
    TOTAL_MINOR_MAX,
    Address,
    ClearText,
    Currency,
    HoldId,
    Identifier,
    Moment,
    Note,
    PaymentMethod,
    Phone,
    Price,
    Sku,
    TaxRate,
    Text,
    Total,
    VatId,
    Whole,
    no_card_data,
)
from orderstore.wire import WireRequest

LINES_MAX: Final = 5_000
QUANTITY_MAX: Final = 1_000_000
PLACED_YEARS: Final = (1970, 9_000)
BODY_BYTES_MAX: Final = 1024 * 1024


class Item(WireRequest):
    """One line: a SKU may stand on several lines, a price may be zero or below the smallest coin."""

    sku: Sku
    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX), Whole]
    price: Price
    tax_rate_percent: TaxRate | None = None
    discount: Price | None = None
    description: Annotated[ClearText, Field(max_length=200)] = ""


class Shipping(WireRequest):
    """What the customer pays for the way."""

    price: Price
    tax_rate_percent: TaxRate | None = None
    discount: Price | None = None


class PostalAddress(WireRequest):
    """Where the customer lives or has their seat, as an invoice shows it (Art. 226 (5) of Directive 2006/112/EC)."""

    lines: Annotated[
        tuple[Annotated[Text, Field(min_length=1, max_length=100)], ...], Field(min_length=1, max_length=4, repr=False)
    ]
    postal_code: Annotated[Annotated[Text, Field(min_length=1, max_length=16)] | None, Field(repr=False)] = None
    city: Annotated[Text, Field(min_length=1, max_length=100, repr=False)]
    region: Annotated[Annotated[Text, Field(min_length=1, max_length=100)] | None, Field(repr=False)] = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class PlaceOrder(WireRequest):
    """`POST /orders` (E038). The outcome fields are test hooks that only sandbox providers honour; a client's `total` is
    only compared with ours (E007)."""

    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=LINES_MAX)]
    currency: Currency
    customer_id: Identifier | None = None
    customer_email: Annotated[Address | None, Field(repr=False)] = None
    customer_name: Annotated[Annotated[Text, Field(max_length=200)] | None, Field(repr=False)] = None
    customer_phone: Annotated[Phone | None, Field(repr=False)] = None
    customer_address: Annotated[PostalAddress | None, Field(repr=False)] = None
    customer_vat_id: Annotated[VatId | None, Field(repr=False)] = None
    country: Annotated[ClearText, Field(max_length=64)] | None = None
    channel: Annotated[
        str,
        Field(pattern=r"^[a-z][a-z0-9-]{0,31}$"),
        AfterValidator(no_card_data),
    ] = "api"
    reference: Identifier | None = None
    payment_method: Annotated[PaymentMethod | None, Field(repr=False)] = None
    placed_at: Moment | None = None
    total: Total | None = None
    tax_mode: TaxMode | None = None
    tax_rounding: TaxRounding | None = None
    discount: Price | None = None
    shipping: Shipping | None = None
    terms: AskedTerms | None = None
    payment_outcome: Literal["approved", "declined"] | None = None
    inventory_outcome: Literal["reserved", "out_of_stock"] | None = None
    simulate_technical_failure: Literal["payment", "inventory", "shipping", "billing", "notification"] | None = None
    shipping_outcome: Literal["refused", "lost", "delayed"] | None = None

    @property
    def uses_sandbox_hooks(self) -> bool:
        """Whether the request asks for something that only the sandbox can do."""
        hooks = (self.payment_outcome, self.inventory_outcome, self.simulate_technical_failure, self.shipping_outcome)
        return any(hook is not None for hook in hooks)

    @property
    def total_exact(self) -> Decimal:
        """What it comes to: the sum of quantity x price, to the last digit, or what taxes and discounts make of it."""
        return total_of(self, pricing_of(self))[0]

    @field_validator("placed_at")
    @classmethod
    def _a_moment(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("placedAt needs its offset from UTC, such as Z")
        if not PLACED_YEARS[0] <= value.year <= PLACED_YEARS[1]:
            raise ValueError(f"placedAt must lie in the years {PLACED_YEARS[0]} to {PLACED_YEARS[1]}")
        return value

    @model_validator(mode="after")
    def _payable(self) -> "PlaceOrder":
        total_exact, total_minor = total_of(self, pricing_of(self))
        if self.total is not None and self.total != total_exact:
            raise ValueError(f"the total is {total_exact:f} by our sum, not {self.total:f}")
        if not 0 < total_minor <= TOTAL_MINOR_MAX:
            raise ValueError(f"the total must be between one minor unit and {TOTAL_MINOR_MAX}, not {total_minor}")
        return self


class CancelOrder(WireRequest):
    """`POST /orders/{id}/cancel`."""

    reason: Annotated[Note, Field(repr=False)] = ""


class LinePieces(WireRequest):
    """So many pieces of the line with this index, counted from 0."""

    line: Annotated[int, Field(strict=True, ge=0, lt=LINES_MAX), Whole]
    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX), Whole]


class RefundLine(LinePieces):
    """Pieces whose price is to be given back."""


class RequestRefund(WireRequest):
    """`POST /orders/{id}/refunds`."""

    lines: Annotated[tuple[RefundLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    reason: Annotated[Note, Field(repr=False)] = ""


class HoldOrder(WireRequest):
    """`POST /orders/{id}/holds`. Without a `holdId` the Idempotency-Key names the hold."""

    reason: HoldReason
    hold_id: HoldId | None = None
    note: Annotated[Note, Field(repr=False)] = ""


class ReleaseHold(WireRequest):
    """`POST /orders/{id}/holds/{holdId}/release`."""

    note: Annotated[Note, Field(repr=False)] = ""
