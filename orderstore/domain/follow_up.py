"""What an order concludes from its own facts: the join of the two parallel outcomes, and the ends. Pure, and the same
whichever outcome came last; it is appended in the same commit as the fact that completed it.

`tests/orderstore/domain/test_join.py` holds the whole table of payment x inventory outcomes.
"""

from orderstore.domain import events as e
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    NotPlaced,
    Payment,
    PaymentStatus,
    Received,
    Rejected,
    ShipmentStatus,
    State,
    fold,
)


def follow_up(state: State) -> tuple[e.Event, ...]:
    """The events that follow of themselves; `()` while something is still awaited."""
    match state:
        case Received():
            return _join(state)
        case Cancelling():
            return _close(state)
        case InFulfilment():
            return _complete(state)
        case NotPlaced() | Confirmed() | Completed() | Cancelled() | Rejected():
            return ()


def _join(state: Received) -> tuple[e.Event, ...]:
    paid = state.payment.status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
    declined = state.payment.status is PaymentStatus.FAILED
    reserved = state.inventory.status is InventoryStatus.RESERVED
    short = state.inventory.status is InventoryStatus.FAILED
    if paid and reserved:
        return (e.OrderConfirmed(),)
    if declined and short:
        return (e.OrderRejected(reasons=("payment_failed", "inventory_failed")),)
    if declined and reserved:
        return _undo(state, "payment_failed")
    if paid and short:
        return _undo(state, "inventory_failed")
    return ()


def _undo(state: Received, reason: e.CancellationReason) -> tuple[e.Event, ...]:
    request = e.OrderCancellationRequested(reason=reason)
    cancelling = fold(state, (request,))
    return (request, *follow_up(cancelling))


def _close(state: Cancelling) -> tuple[e.Event, ...]:
    """Cancelled once nothing is held. Captured money is asked back at once, in the same commit."""
    if state.shipment is not None and state.shipment.status is not ShipmentStatus.CANCELLED:
        return ()  # while the parcel may still leave, the order may still go on: promise nothing yet
    payment = state.payment
    left_minor = payment.amount_minor - payment.refunded_minor
    if payment.status is PaymentStatus.CAPTURED and left_minor > 0:
        refund_id = f"{state.order.order_id}:cancellation"
        reason = e.FreeText(plain="cancellation")
        return (e.RefundRequested(refund_id=refund_id, amount_minor=left_minor, reason=reason),)
    stock_held = state.inventory.status in (InventoryStatus.PENDING, InventoryStatus.RESERVED)
    if _money_held(payment) or stock_held:
        return ()
    return (e.OrderCancelled(reason=state.reason, compensations=_compensations(state)),)


def _money_held(payment: Payment) -> bool:
    match payment.status:
        case PaymentStatus.PENDING | PaymentStatus.AUTHORIZED:
            return True
        case PaymentStatus.CAPTURED:
            return bool(payment.refunds_pending)
        case PaymentStatus.FAILED | PaymentStatus.VOIDED:
            return False


def _compensations(state: Cancelling) -> tuple[str, ...]:
    done = []
    if state.shipment is not None:
        done.append("shipment_cancelled")
    if state.payment.status is PaymentStatus.VOIDED:
        done.append("payment_voided")
    if state.payment.status is PaymentStatus.CAPTURED:
        done.append("payment_refunded")
    if state.inventory.status is InventoryStatus.RELEASED:
        done.append("inventory_released")
    return tuple(done)


def _complete(state: InFulfilment) -> tuple[e.Event, ...]:
    delivered = state.shipment is not None and state.shipment.status is ShipmentStatus.DELIVERED
    captured = state.payment.status is PaymentStatus.CAPTURED
    if delivered and captured and state.invoice is not None:
        return (e.OrderCompleted(),)
    return ()
