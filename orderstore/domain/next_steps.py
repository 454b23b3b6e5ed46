"""What the order still wants of each worker, as a pure function of its state.

A message is only a hint that something may be wanted: handlers read the order, take the next step, record it, and look
again until nothing is left. So repeats, reorderings and redrives are harmless.
"""

from typing import Final

from orderstore.domain import ids
from orderstore.domain.billing import uncredited, unstored, wants_invoice
from orderstore.domain.edit_steps import payment_of_edits, stock_of_edits
from orderstore.domain.follow_up import HELD, PAID
from orderstore.domain.parcels import LEFT, Parcel, all_gone, next_parcel, shipments_in, shipped
from orderstore.domain.shares import amount_of
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    NotPlaced,
    PaymentStatus,
    Placed,
    Received,
    Refund,
    Rejected,
    ReturnStatus,
    ShipmentStatus,
    State,
)
from orderstore.domain.steps import (
    Authorize,
    AuthorizeEdit,
    BillingStep,
    Book,
    CancelBooking,
    Capture,
    CommitStock,
    Dispatch,
    FillBackorder,
    InventoryStep,
    IssueCreditNote,
    IssueInvoice,
    IssueRefund,
    PaymentStep,
    Release,
    ReleaseEdit,
    ReleaseHold,
    ReleasePieces,
    Reserve,
    ReserveEdit,
    Restock,
    ShippingStep,
    StoreDocument,
    Track,
    VoidPayment,
)

__all__ = (
    "Authorize",
    "AuthorizeEdit",
    "BillingStep",
    "Book",
    "CancelBooking",
    "Capture",
    "CommitStock",
    "Dispatch",
    "FillBackorder",
    "InventoryStep",
    "IssueCreditNote",
    "IssueInvoice",
    "IssueRefund",
    "PaymentStep",
    "Release",
    "ReleaseEdit",
    "ReleaseHold",
    "ReleasePieces",
    "Reserve",
    "ReserveEdit",
    "Restock",
    "ShippingStep",
    "StoreDocument",
    "Track",
    "VoidPayment",
)  # beside everything that is defined here


_BOOKED: Final = frozenset({ShipmentStatus.BOOKED})


def payment_step(state: State) -> PaymentStep | None:
    """The payment worker's next step."""
    if isinstance(state, Placed) and state.edits and (of_edits := payment_of_edits(state)) is not None:
        return of_edits
    match state:
        case NotPlaced() | Cancelled() | Rejected():
            return None
        case Received() if state.grace_until is not None:
            return None
        case Received() | Confirmed():
            if state.payment.status in (PaymentStatus.PENDING, PaymentStatus.ACTION_REQUIRED):
                return Authorize(state.due_minor)
        case InFulfilment() | Completed():
            if state.payment.status in (PaymentStatus.PENDING, PaymentStatus.ACTION_REQUIRED):
                return Authorize(state.due_minor)  # what was held ran out before it was taken
            if state.payment.status in (PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED):
                taking = _capture(state)
                if taking is not None:
                    return taking
        case Cancelling():
            if _may_leave(state):
                return None  # compensation runs in reverse: the parcels first, then the money
            if state.payment.status in (
                PaymentStatus.PENDING,
                PaymentStatus.ACTION_REQUIRED,
                PaymentStatus.AUTHORIZED,
            ):
                return VoidPayment()
    taken = state.payment.status is PaymentStatus.CAPTURED
    if taken and state.payment.refunds_pending:
        return IssueRefund(state.payment.refunds_pending[0])
    return None


def inventory_step(state: State) -> InventoryStep | None:
    """The inventory worker's next step."""
    match state:
        case NotPlaced() | Cancelled() | Rejected():
            return None
        case Received() if state.grace_until is not None:
            return None
        case Received():
            if state.inventory.status is InventoryStatus.PENDING:
                return Reserve()
            return _release_pieces(state)
        case Cancelling():
            return Release() if state.inventory.status in HELD and not _may_leave(state) else None
        case Confirmed() | InFulfilment() | Completed():
            wanted = _commit(state) or _release_pieces(state) or _restock(state) or _fill(state)
            if state.edits and not isinstance(wanted, CommitStock):
                return stock_of_edits(state) or wanted
            return wanted


def shipping_step(state: State) -> ShippingStep | None:
    """The shipping worker's next step. A hold, a review and money that is not there stop what brings goods nearer to their leaving, and
    nothing else."""
    match state:
        case Confirmed() | InFulfilment():
            return _recall(state) or (_send(state) if _may_send(state) else None) or _track(state)
        case Cancelling():
            booked = shipments_in(state, _BOOKED)
            return CancelBooking(booked[0].shipment_id) if booked else None
        case NotPlaced() | Received() | Completed() | Cancelled() | Rejected():
            return None


def billing_step(state: State) -> BillingStep | None:
    """The billing worker's next step: first the invoice, then what refunds take back of it, one document after the other; then
    what they look like."""
    if isinstance(state, NotPlaced):
        return None
    if wants_invoice(state):
        return IssueInvoice()
    wanted = uncredited(state)
    if wanted:
        return IssueCreditNote(wanted[0])
    drawn = unstored(state)
    return StoreDocument(drawn[0]) if drawn else None


def shipment_id(state: Placed, parcel: Parcel) -> str:
    """The id of the next parcel: the same for every try, and another one for other pieces, also where pieces that came and pieces that were
    cancelled leave it with what it was to have once before, or an edit does that was declined. So an id that the order has given up never
    comes back."""
    pieces = ",".join(f"{part.line}x{part.quantity}" for part in parcel.lines)
    purpose = f"shipment:{parcel.location}:{pieces}" if pieces else "shipment"
    if state.cancelled:
        purpose = f"{purpose}:{len(state.cancelled)}"
    if state.edits:
        purpose = f"{purpose}:edit:{len(state.edits)}"
    return ids.event_id(state.order.order_id, purpose, len(state.shipments))


def _may_send(state: Placed) -> bool:
    return not state.holds and state.open_edit is None and state.review != "open" and state.payment.status in PAID


def _may_leave(state: Cancelling) -> bool:
    return any(shipment.status is ShipmentStatus.BOOKED for shipment in state.shipments)


def _send(state: Placed) -> ShippingStep | None:
    parcel = next_parcel(state)
    if parcel is not None:
        return Book(shipment_id(state, parcel), parcel)
    booked = shipments_in(state, _BOOKED)
    return Dispatch(booked[0].shipment_id) if booked else None


def _recall(state: Placed) -> CancelBooking | None:
    """Before anything else: what nobody wants any more is not to leave."""
    recalled = (one.shipment_id for one in shipments_in(state, _BOOKED) if one.recalled)
    return next((CancelBooking(shipment_id) for shipment_id in recalled), None)


def _track(state: Placed) -> Track | None:
    under_way = shipments_in(state, frozenset({ShipmentStatus.DISPATCHED}))
    return Track(tuple(shipment.shipment_id for shipment in under_way)) if under_way else None


def _capture(state: Placed) -> Capture | None:
    """What is to be taken now: everything with the first parcel, or parcel by parcel, and with the last of them what is left."""
    terms, payment = state.order.terms, state.payment
    left_minor = state.due_minor - payment.captured_minor
    if terms is None or terms.charge == "per_order":
        return Capture(left_minor) if left_minor > 0 else None
    gone = shipments_in(state, LEFT)
    paid_for = {capture.shipment_id for capture in payment.captures}
    for at, shipment in enumerate(gone):
        if shipment.shipment_id in paid_for or left_minor <= 0:
            continue
        if at == len(gone) - 1 and all_gone(state):
            return Capture(left_minor, shipment.shipment_id)
        before = [Refund(refund_id="", lines=shipped(state, one), amount_minor=0) for one in gone[:at]]
        amount_minor = min(left_minor, amount_of(state.order, before, shipped(state, shipment)))
        if amount_minor > 0:
            return Capture(amount_minor, shipment.shipment_id, final=False)
    return (
        Capture(left_minor) if left_minor > 0 and gone and all_gone(state) else None
    )  # what rounding left, if it left anything


def _commit(state: Placed) -> CommitStock | None:
    for shipment in shipments_in(state, LEFT):
        if shipment.shipment_id not in state.inventory.committed:
            return CommitStock(shipment, shipped(state, shipment))
    return None


def _release_pieces(state: Placed) -> ReleasePieces | None:
    for part in state.cancelled:
        if part.freed and part.cancellation_id not in state.inventory.released:
            return ReleasePieces(part)
    return None


def _fill(state: Placed) -> FillBackorder | None:
    waits = state.inventory.status is InventoryStatus.BACKORDERED and state.inventory.missing
    return FillBackorder(state.inventory.missing) if waits else None


def _restock(state: Placed) -> Restock | None:
    for one in state.returns:
        back = one.status is ReturnStatus.INSPECTED and not one.restocked
        if back and any(part.condition != "dismissed" for part in one.inspected):
            return Restock(one)
    return None
