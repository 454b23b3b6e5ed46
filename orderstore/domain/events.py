"""What can happen to an order. These are stored for ever: field names and meanings are history. Change them only with a
new version and an upcaster (`orderstore/registry.py`, golden files in `tests/orderstore/golden`).

No event carries card data; personal data, and whatever people write in their own words, is only in `SealedText`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from orderstore.domain.billing_facts import CreditNoteIssued, InvoiceIssued
from orderstore.domain.payment_facts import PaymentDiscrepancyFound, PaymentMethodChosen
from orderstore.domain.price_facts import PricedLine, Pricing, TaxAmount
from orderstore.domain.values import Allowances, FreeText, OrderLine, RefundedLine, SandboxHooks, SealedText

__all__ = (
    "Allowances",
    "CreditNoteIssued",
    "FreeText",
    "InvoiceIssued",
    "OrderLine",
    "PaymentDiscrepancyFound",
    "PaymentMethodChosen",
    "PricedLine",
    "Pricing",
    "RefundedLine",
    "SandboxHooks",
    "SealedText",
    "TaxAmount",
)  # beside everything that is defined here

CancellationReason = Literal["customer", "operator", "payment_failed", "inventory_failed"]
PaymentMode = Literal["authorized", "captured"]
DeclineCategory = Literal["soft", "hard", "fraud"]
HoldReason = Literal["fraud_review", "address", "stock", "payment", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """The order is accepted: it is durable, nothing has been charged or reserved yet."""

    order_id: str
    channel: str
    currency: str
    lines: tuple[OrderLine, ...]
    total_exact: Decimal
    total_minor: int
    placed_at: datetime
    request_hash: str
    customer_id: str | None = None
    country: str | None = None
    contact: SealedText | None = None
    reference: str | None = None
    hooks: SandboxHooks | None = None
    allowances: Allowances | None = None
    """None: an order from before they were kept, which has the defaults."""
    pricing: Pricing | None = None
    """Tax and discounts of each line; None: none were asked for, and the total is the exact sum of the lines, rounded once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCompleted:
    """The provider holds (authorized) or has taken (captured) the money; the order is not confirmed by that alone."""

    attempt: int
    mode: PaymentMode
    amount_minor: int
    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """The provider said no. An unknown outcome is never this event."""

    attempt: int
    category: DeclineCategory
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """The authorised money has been taken: from here on only refunds give it back."""

    amount_minor: int
    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    """Nothing is held any more; `provider_reference` is None when nothing ever was."""

    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested:
    """Money is to be given back; the amount is set aside by this event, so that two refunds never exceed the order."""

    refund_id: str
    amount_minor: int
    reason: FreeText | None = None
    lines: tuple[RefundedLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundIssued:
    """The provider has given the money back."""

    refund_id: str
    amount_minor: int
    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReserved:
    """Every line is set aside, all or nothing."""

    reservation_id: str
    untracked_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingStock:
    """A SKU that could not be reserved in full."""

    sku: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFailed:
    """Nothing is set aside: at least one SKU is short. A business outcome, not a fault."""

    missing: tuple[MissingStock, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReleased:
    """Nothing is set aside any more; `reservation_id` is None when nothing ever was."""

    reservation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """Paid for and set aside: to be fulfilled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """Neither paid for nor set aside: there is nothing to undo."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancellationRequested:
    """Whoever asked, the order is to be undone: every worker gives back what it holds."""

    reason: CancellationReason
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancellationDeclined:
    """Too late: the goods had left before the carrier could be stopped. The order goes on."""

    reason: Literal["dispatched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """Every outstanding step is known to be undone."""

    reason: CancellationReason
    compensations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCreated:
    """The carrier has a booking; the goods have not moved."""

    shipment_id: str
    carrier: str
    label_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCancelled:
    """The booking is undone; the goods never left."""

    shipment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDispatched:
    """The goods have left: the pivot after which nothing is undone, only refunded or returned."""

    shipment_id: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDelivered:
    """The goods have arrived."""

    shipment_id: str
    proof_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted:
    """Delivered, paid and invoiced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHeld:
    """Somebody stopped the order: nothing is booked and nothing leaves until every hold is released. Compensation goes on."""

    hold_id: str
    reason: HoldReason
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHoldReleased:
    """This hold is over; after the last one the order goes on."""

    hold_id: str
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataErased:
    """The keys of these classes that sealed `subject`'s data are destroyed: nobody can read them any more, here or in any copy. The order
    stays what it was; `certificate` says what was done."""

    subject: str
    certificate: str
    key_classes: tuple[Literal["operational", "fiscal"], ...]


Event = (
    OrderCreated
    | PaymentMethodChosen
    | PaymentCompleted
    | PaymentFailed
    | PaymentCaptured
    | PaymentVoided
    | PaymentDiscrepancyFound
    | RefundRequested
    | RefundIssued
    | InventoryReserved
    | InventoryFailed
    | InventoryReleased
    | OrderConfirmed
    | OrderRejected
    | OrderCancellationRequested
    | OrderCancellationDeclined
    | OrderCancelled
    | ShipmentCreated
    | ShipmentCancelled
    | ShipmentDispatched
    | ShipmentDelivered
    | InvoiceIssued
    | CreditNoteIssued
    | OrderCompleted
    | OrderHeld
    | OrderHoldReleased
    | PersonalDataErased
)
