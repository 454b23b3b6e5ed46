"""Decisions: `(state, *, inputs) -> tuple[Event, ...]`, `()` meaning "already so". No clock, no ids made up, no I/O.

Outcomes of workers never fail for business reasons: an outcome that the order no longer needs is `()`, or is recorded
so that the worker's next step (`next_steps`) can give back what it holds. Commands of people raise
`rejections.CommandRejected`.
"""

from orderstore.domain import events as e
from orderstore.domain.follow_up import follow_up
from orderstore.domain.rejections import OrderClosed, TooLateToCancel, UnknownOrder
from orderstore.domain.shares import refund_amount
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    NotPlaced,
    Order,
    PaymentStatus,
    Received,
    Rejected,
    Shipment,
    ShipmentStatus,
    State,
    fold,
)

Decision = tuple[e.Event, ...]


def place(state: State, *, order: e.OrderCreated, method: str | None = None) -> Decision:
    """Accept an order, and how it is paid. On an existing one: already so (the caller compares `request_hash`)."""
    if not isinstance(state, NotPlaced):
        return ()
    return (order,) if method is None else (order, e.PaymentMethodChosen(method=method))


# Payment


def complete_payment(state: State, *, outcome: e.PaymentCompleted) -> Decision:
    """The provider holds or has taken the money; recorded on an order being undone too, so that it is given back."""
    order = _existing(state)
    return _with_follow_up(order, outcome) if order.payment.status is PaymentStatus.PENDING else ()


def fail_payment(state: State, *, outcome: e.PaymentFailed) -> Decision:
    """The provider declined."""
    order = _existing(state)
    return _with_follow_up(order, outcome) if order.payment.status is PaymentStatus.PENDING else ()


def capture_payment(state: State, *, outcome: e.PaymentCaptured) -> Decision:
    """The authorised money was taken."""
    order = _existing(state)
    return _with_follow_up(order, outcome) if order.payment.status is PaymentStatus.AUTHORIZED else ()


def void_payment(state: State, *, outcome: e.PaymentVoided) -> Decision:
    """Nothing is held any more."""
    order = _existing(state)
    if not isinstance(order, Cancelling):
        return ()
    voidable = (PaymentStatus.PENDING, PaymentStatus.AUTHORIZED)
    return _with_follow_up(order, outcome) if order.payment.status in voidable else ()


def note_discrepancy(state: State, *, finding: e.PaymentDiscrepancyFound) -> Decision:
    """Note what the provider's books say otherwise; whether that is noted already, the log knows and the state does not."""
    _existing(state)
    return (finding,)


def request_refund(
    state: State, *, refund_id: str, lines: tuple[e.RefundedLine, ...], reason: e.FreeText | None
) -> Decision:
    """Set money aside to be given back for pieces of lines. Before the capture it waits for the capture.

    Raises UnknownOrder, OrderClosed, NothingToRefund, RefundTooLarge.
    """
    order = _existing(state)
    if any(refund.refund_id == refund_id for refund in order.payment.refunds):
        return ()
    match order:
        case Cancelling() | Cancelled() | Rejected():
            raise OrderClosed("the order is cancelled or rejected: nothing is left to refund")
        case Received() | Confirmed() | InFulfilment() | Completed():
            pass
    if order.payment.status is PaymentStatus.FAILED:
        raise OrderClosed("the payment was declined: there is nothing to refund")
    left_minor = order.payment.amount_minor - order.payment.refunded_minor
    amount_minor = refund_amount(order.order, order.payment.refunds, lines, left_minor=left_minor)
    return (e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, reason=reason, lines=lines),)


def issue_refund(state: State, *, outcome: e.RefundIssued) -> Decision:
    """The provider gave the money back. What was never taken cannot be: a refund that was asked for before ends with the order."""
    order = _existing(state)
    if order.payment.status is not PaymentStatus.CAPTURED:
        return ()
    pending = {refund.refund_id for refund in order.payment.refunds_pending}
    return _with_follow_up(order, outcome) if outcome.refund_id in pending else ()


# Inventory


def reserve_inventory(state: State, *, outcome: e.InventoryReserved) -> Decision:
    """Every line is set aside; on an order being undone it is recorded too, so that it is released."""
    order = _existing(state)
    return _with_follow_up(order, outcome) if order.inventory.status is InventoryStatus.PENDING else ()


def fail_inventory(state: State, *, outcome: e.InventoryFailed) -> Decision:
    """At least one SKU is short; nothing is set aside."""
    order = _existing(state)
    return _with_follow_up(order, outcome) if order.inventory.status is InventoryStatus.PENDING else ()


def release_inventory(state: State, *, outcome: e.InventoryReleased) -> Decision:
    """Nothing is set aside any more."""
    order = _existing(state)
    if not isinstance(order, Cancelling):
        return ()
    releasable = (InventoryStatus.PENDING, InventoryStatus.RESERVED)
    return _with_follow_up(order, outcome) if order.inventory.status in releasable else ()


# Shipping


def create_shipment(state: State, *, outcome: e.ShipmentCreated) -> Decision:
    """The carrier is booked. `()` on an order being undone: the worker then cancels the booking."""
    order = _existing(state)
    return (outcome,) if isinstance(order, Confirmed) and order.shipment is None else ()


def dispatch_shipment(state: State, *, outcome: e.ShipmentDispatched) -> Decision:
    """The goods have left. A cancellation that was under way has then come too late: the carrier decides that race."""
    order = _existing(state)
    if not _is_booked(order.shipment, outcome.shipment_id):
        return ()
    match order:
        case Confirmed():
            return (outcome,)
        case Cancelling():
            return (outcome, e.OrderCancellationDeclined(reason="dispatched"))
        case Received() | InFulfilment() | Completed() | Cancelled() | Rejected():
            return ()


def cancel_shipment(state: State, *, outcome: e.ShipmentCancelled) -> Decision:
    """The carrier let the booking go before the goods left."""
    order = _existing(state)
    if not isinstance(order, Cancelling) or not _is_booked(order.shipment, outcome.shipment_id):
        return ()
    return _with_follow_up(order, outcome)


def deliver_shipment(state: State, *, outcome: e.ShipmentDelivered) -> Decision:
    """The goods have arrived."""
    order = _existing(state)
    shipment = order.shipment
    if shipment is None or shipment.status is not ShipmentStatus.DISPATCHED:
        return ()
    return _with_follow_up(order, outcome)


# Change of mind


def request_cancellation(state: State, *, reason: e.CancellationReason, note: e.FreeText | None = None) -> Decision:
    """Ask for the order to be undone. Raises UnknownOrder, OrderClosed (rejected), TooLateToCancel."""
    order = _existing(state)
    match order:
        case Received() | Confirmed():
            return _with_follow_up(order, e.OrderCancellationRequested(reason=reason, note=note))
        case Cancelling() | Cancelled():
            return ()
        case Rejected():
            raise OrderClosed("the order was rejected: there is nothing to cancel")
        case InFulfilment() | Completed():
            raise TooLateToCancel("the goods have left: ask for a refund instead")


# Personal data


def erase_personal_data(state: State, *, erasure: e.PersonalDataErased) -> Decision:
    """Note that the order's personal data cannot be read any more; whether that is noted already, the log knows and the state does not."""
    _existing(state)
    return (erasure,)


def _existing(state: State) -> Order:
    if isinstance(state, NotPlaced):
        raise UnknownOrder("there is no such order")
    return state


def _with_follow_up(order: Order, fact: e.Event) -> Decision:
    """The fact, and what the order itself concludes from it, in one commit."""
    return (fact, *follow_up(fold(order, (fact,))))


def _is_booked(shipment: Shipment | None, shipment_id: str) -> bool:
    return shipment is not None and shipment.status is ShipmentStatus.BOOKED and shipment.shipment_id == shipment_id
