"""The data of each published event, as types: `contract.public_data` is checked against them, and their schemas are derived from them.

A contract with names of its own: nothing here is taken from the domain, so that a change there which would change what the world sees
is a type error in `contract.py` first. Every change is held to the last release's schemas (`orderstore schemas check`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypedDict

from orderstore.schemas.shape import DECIMAL_PATTERN, Shape

MOMENT_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"

Moment = Annotated[str, Shape(pattern=MOMENT_PATTERN, format="date-time")]
"""ISO 8601 with milliseconds and Z (E042)."""
Amount = Annotated[str, Shape(pattern=DECIMAL_PATTERN)]
"""A decimal as people write it, never a binary float."""
Count = Annotated[int, Shape(minimum=1)]
Minor = Annotated[int, Shape(minimum=0)]
"""An amount in minor units of the order's currency."""

CancellationReason = Literal["customer", "operator", "payment_failed", "inventory_failed"]
HoldReason = Literal["fraud_review", "address", "stock", "payment", "operator"]


class Item(TypedDict):
    """One line, as it was ordered."""

    sku: str
    quantity: Count
    price: Amount


class OrderCreated(TypedDict):
    """The order is accepted. `customerId` is what travels of the customer: never a name, an address or an e-mail address."""

    orderId: str
    customerId: str | None
    channel: str
    currency: Annotated[str, Shape(pattern="^[A-Z]{3}$")]
    items: list[Item]
    totalAmount: Amount
    totalMinor: Minor


class PaymentCompleted(TypedDict):
    """The provider holds or has taken the money."""

    attempt: Count
    mode: Literal["authorized", "captured"]
    amountMinor: Minor


class PaymentFailed(TypedDict):
    """The provider said no."""

    attempt: Count
    category: Literal["soft", "hard", "fraud"]
    code: str


class Money(TypedDict):
    """So much, in minor units of the order's currency."""

    amountMinor: Minor


class Refund(TypedDict):
    """A refund that is asked for, or given."""

    refundId: str
    amountMinor: Minor


class InventoryReserved(TypedDict):
    """Every line is set aside."""

    reservationId: str


class MissingStock(TypedDict):
    """A SKU that could not be reserved in full."""

    sku: str
    wanted: int
    available: int


class InventoryFailed(TypedDict):
    """Nothing is set aside: at least one SKU is short."""

    missing: list[MissingStock]


class OrderRejected(TypedDict):
    """Neither paid for nor set aside, and why."""

    reasons: list[str]


class OrderCancellationRequested(TypedDict):
    """The order is to be undone. Whatever was said about it stays in the log."""

    reason: CancellationReason


class OrderCancellationDeclined(TypedDict):
    """It goes on."""

    reason: Literal["dispatched"]


class OrderCancelled(TypedDict):
    """Every outstanding step is undone; what had to be."""

    reason: CancellationReason
    compensations: list[str]


class OrderHeld(TypedDict):
    """Nothing leaves until every hold is released. Whatever was said about it stays in the log."""

    holdId: str
    reason: HoldReason


class OrderHoldReleased(TypedDict):
    """This hold is over; others may be open."""

    holdId: str


class ShipmentCreated(TypedDict):
    """The carrier has a booking."""

    shipmentId: str
    carrier: str


class ShipmentDispatched(TypedDict):
    """The goods have left."""

    shipmentId: str
    trackingNumber: str


class Shipment(TypedDict):
    """A shipment, and nothing to add."""

    shipmentId: str


class InvoiceIssued(TypedDict):
    """The invoice has its number."""

    invoiceNumber: str
    series: str
    number: Count
    totalMinor: Minor
    currency: Annotated[str, Shape(pattern="^[A-Z]{3}$")]
    issuedAt: Moment


class CreditNoteIssued(TypedDict):
    """A refund's share of an invoice is taken back; `invoiceNumber` is the invoice's."""

    creditNoteNumber: str
    series: str
    number: Count
    invoiceNumber: str
    refundId: str
    totalMinor: Minor
    currency: Annotated[str, Shape(pattern="^[A-Z]{3}$")]
    issuedAt: Moment


class Pieces(TypedDict):
    """So many pieces of the order's line with this index (0-based)."""

    line: Annotated[int, Shape(minimum=0)]
    quantity: Count


class LinesCancelled(TypedDict):
    """These pieces are no part of the order any more."""

    cancellationId: str
    lines: list[Pieces]
    amountMinor: Minor
    reason: Literal["customer", "operator", "inventory", "delay"]


class OrderActionRequired(TypedDict):
    """The customer has to decide something until then."""

    actionId: str
    kind: Literal["payment", "missing_stock", "delay_consent"]
    deadline: Moment


class PaymentAttemptStarted(TypedDict):
    """The customer tries again."""

    attempt: Count


class PaymentDisputed(TypedDict):
    """The bank has taken money back, for now. `reason` is its own word."""

    disputeId: str
    amountMinor: Minor
    reason: str


class PaymentDisputeClosed(TypedDict):
    """The dispute is over."""

    disputeId: str
    outcome: Literal["won", "lost"]


class RefundRetried(TypedDict):
    """A refund that failed is tried again."""

    refundId: str
    attempt: Count


class InventoryPartiallyReserved(TypedDict):
    """Some pieces are set aside, and these are missing."""

    reservationId: str
    missing: list[Pieces]


class BackorderFilled(TypedDict):
    """These pieces were missing and have come."""

    reservationId: str
    lines: list[Pieces]


class ShipmentFailed(TypedDict):
    """The carrier will not bring it; `code` is its own word."""

    shipmentId: str
    code: str


class ShipmentDelayed(TypedDict):
    """The goods leave later; where `consentBy` is set, the customer has to agree until then."""

    delayId: str
    promisedAt: Moment
    reason: str
    consentBy: Moment | None


class TrackingUpdated(TypedDict):
    """The carrier has seen the parcel."""

    shipmentId: str
    code: str
    seenAt: Moment
    place: str | None


class ReturnRequested(TypedDict):
    """The customer wants to send these pieces back. Whatever was said about it stays in the log."""

    returnId: str
    lines: list[Pieces]
    reason: Literal["withdrawal", "damaged", "wrong_item", "not_as_described", "other"]


class Return(TypedDict):
    """A return, and nothing to add."""

    returnId: str


class InspectedPieces(TypedDict):
    """So many pieces of a line came back in this condition."""

    line: Annotated[int, Shape(minimum=0)]
    quantity: Count
    condition: Literal["sellable", "damaged", "dismissed"]


class ReturnInspected(TypedDict):
    """What came back, and in which condition."""

    returnId: str
    pieces: list[InspectedPieces]


class Nothing(TypedDict):
    """The event says all by its name."""


PublicData = (
    OrderCreated
    | PaymentCompleted
    | PaymentFailed
    | Money
    | Refund
    | InventoryReserved
    | InventoryFailed
    | OrderRejected
    | OrderCancellationRequested
    | OrderCancellationDeclined
    | OrderCancelled
    | OrderHeld
    | OrderHoldReleased
    | ShipmentCreated
    | ShipmentDispatched
    | Shipment
    | InvoiceIssued
    | CreditNoteIssued
    | LinesCancelled
    | OrderActionRequired
    | PaymentAttemptStarted
    | PaymentDisputed
    | PaymentDisputeClosed
    | RefundRetried
    | InventoryPartiallyReserved
    | BackorderFilled
    | ShipmentFailed
    | ShipmentDelayed
    | TrackingUpdated
    | ReturnRequested
    | Return
    | ReturnInspected
    | Nothing
)

FORMS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "OrderCreated": OrderCreated,
        "OrderConfirmed": Nothing,
        "OrderRejected": OrderRejected,
        "OrderCancellationRequested": OrderCancellationRequested,
        "OrderCancelled": OrderCancelled,
        "OrderCompleted": Nothing,
        "OrderHeld": OrderHeld,
        "OrderHoldReleased": OrderHoldReleased,
        "PaymentCompleted": PaymentCompleted,
        "PaymentFailed": PaymentFailed,
        "RefundRequested": Refund,
        "RefundIssued": Refund,
        "InventoryReserved": InventoryReserved,
        "InventoryFailed": InventoryFailed,
        "InventoryReleased": Nothing,
        "ShipmentCreated": ShipmentCreated,
        "ShipmentCancelled": Shipment,
        "ShipmentDispatched": ShipmentDispatched,
        "ShipmentDelivered": Shipment,
        "InvoiceIssued": InvoiceIssued,
        "CreditNoteIssued": CreditNoteIssued,
        "LinesCancelled": LinesCancelled,
        "OrderActionRequired": OrderActionRequired,
        "PaymentAttemptStarted": PaymentAttemptStarted,
        "PaymentDisputed": PaymentDisputed,
        "PaymentDisputeClosed": PaymentDisputeClosed,
        "RefundRetried": RefundRetried,
        "InventoryPartiallyReserved": InventoryPartiallyReserved,
        "BackorderFilled": BackorderFilled,
        "ShipmentFailed": ShipmentFailed,
        "ShipmentDelayed": ShipmentDelayed,
        "TrackingUpdated": TrackingUpdated,
        "ReturnRequested": ReturnRequested,
        "ReturnInspected": ReturnInspected,
        "FraudReviewRequested": Nothing,
        "FraudReviewPassed": Nothing,
        "PaymentAuthorizationExpired": Nothing,
        "ReturnApproved": Return,
        "ReturnDeclined": Return,
        "ReturnReceived": Return,
    }
)
"""The form of each published event, by its name in the registry."""
