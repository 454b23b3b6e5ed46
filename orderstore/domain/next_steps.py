"""What the order still wants of each worker, as a pure function of its state.

A message is only a hint that something may be wanted: handlers read the order, take the next step, record it, and look
again until nothing is left. So repeats, reorderings and redrives are harmless.
"""

from dataclasses import dataclass

from orderstore.domain.billing import uncredited
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    NotPlaced,
    PaymentStatus,
    Received,
    Refund,
    Rejected,
    ShipmentStatus,
    State,
)


@dataclass(frozen=True, slots=True)
class Authorize:
    """Hold (or take) the money of the order."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Take the money that is held."""


@dataclass(frozen=True, slots=True)
class VoidPayment:
    """Let go what is held, and make sure that nothing will be."""


@dataclass(frozen=True, slots=True)
class IssueRefund:
    """Give money back."""

    refund: Refund


PaymentStep = Authorize | Capture | VoidPayment | IssueRefund


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set every line aside, or none."""


@dataclass(frozen=True, slots=True)
class Release:
    """Put back what is set aside, and make sure that nothing will be."""


InventoryStep = Reserve | Release


@dataclass(frozen=True, slots=True)
class Book:
    """Book the carrier."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Hand the goods over."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class Track:
    """Ask whether the goods have arrived."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class CancelBooking:
    """Stop the carrier, if it still can be stopped."""

    shipment_id: str


ShippingStep = Book | Dispatch | Track | CancelBooking


@dataclass(frozen=True, slots=True)
class IssueInvoice:
    """The goods have left: say what they cost."""


@dataclass(frozen=True, slots=True)
class IssueCreditNote:
    """Money was given back: take its share of the invoice back."""

    refund: Refund


BillingStep = IssueInvoice | IssueCreditNote


def payment_step(state: State) -> PaymentStep | None:
    """The payment worker's next step."""
    match state:
        case NotPlaced() | Cancelled() | Rejected():
            return None
        case Received() | Confirmed():
            if state.payment.status is PaymentStatus.PENDING:
                return Authorize()
        case InFulfilment() | Completed():
            if state.payment.status is PaymentStatus.AUTHORIZED:
                return Capture()
        case Cancelling():
            if _shipment_may_leave(state):
                return None  # compensation runs in reverse: the parcel first, then the money
            if state.payment.status in (PaymentStatus.PENDING, PaymentStatus.AUTHORIZED):
                return VoidPayment()
    if state.payment.status is PaymentStatus.CAPTURED and state.payment.refunds_pending:
        return IssueRefund(state.payment.refunds_pending[0])
    return None


def inventory_step(state: State) -> InventoryStep | None:
    """The inventory worker's next step."""
    match state:
        case Received():
            return Reserve() if state.inventory.status is InventoryStatus.PENDING else None
        case Cancelling():
            if _shipment_may_leave(state):
                return None
            held = state.inventory.status in (InventoryStatus.PENDING, InventoryStatus.RESERVED)
            return Release() if held else None
        case NotPlaced() | Confirmed() | InFulfilment() | Completed() | Cancelled() | Rejected():
            return None


def shipping_step(state: State) -> ShippingStep | None:
    """The shipping worker's next step. A hold stops what brings the goods nearer to their leaving, and nothing else."""
    match state:
        case Confirmed(holds=(_, *_)):
            return None
        case Confirmed(shipment=None):
            return Book()
        case Confirmed(shipment=shipment) if shipment is not None and shipment.status is ShipmentStatus.BOOKED:
            return Dispatch(shipment.shipment_id)
        case InFulfilment(shipment=shipment) if shipment is not None and shipment.status is ShipmentStatus.DISPATCHED:
            return Track(shipment.shipment_id)
        case Cancelling(shipment=shipment) if shipment is not None and shipment.status is ShipmentStatus.BOOKED:
            return CancelBooking(shipment.shipment_id)
        case _:
            return None


def billing_step(state: State) -> BillingStep | None:
    """The billing worker's next step: first the invoice, then what refunds take back of it, one document after the other."""
    match state:
        case NotPlaced():
            return None
        case InFulfilment(invoice=None):
            return IssueInvoice()
        case _:
            wanted = uncredited(state)
            return IssueCreditNote(wanted[0]) if wanted else None


def _shipment_may_leave(state: Cancelling) -> bool:
    return state.shipment is not None and state.shipment.status is ShipmentStatus.BOOKED
