"""What an order concludes from its own facts: the join of the two parallel outcomes, and the ends. Pure, and the same
whichever outcome came last; it is appended in the same commit as the fact that completed it.

`tests/orderstore/domain/test_join.py` holds the whole table of payment x inventory outcomes.
"""

from typing import Final

from orderstore.domain import events as e
from orderstore.domain.parcels import LIVE, all_arrived, shipments_in
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
    State,
    fold,
)

READY: Final = frozenset({InventoryStatus.RESERVED, InventoryStatus.BACKORDERED})
"""What is set aside suffices to go on."""
HELD: Final = frozenset(
    {
        InventoryStatus.PENDING,
        InventoryStatus.RESERVED,
        InventoryStatus.PARTIAL,
        InventoryStatus.BACKORDERED,
        InventoryStatus.EXPIRED,
    }
)
"""Goods are set aside, or may be."""
PAID: Final = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED, PaymentStatus.CAPTURED})


def follow_up(state: State) -> tuple[e.Event, ...]:
    """The events that follow of themselves; `()` while something is still awaited."""
    match state:
        case Received():
            return _join(state)
        case Confirmed():
            return _undo(state, "payment_failed") if _declined_for_good(state.payment) else ()
        case Cancelling():
            return _close(state)
        case InFulfilment():
            return _complete(state)
        case NotPlaced() | Completed() | Cancelled() | Rejected():
            return ()


def _join(state: Received) -> tuple[e.Event, ...]:
    paid = state.payment.status in PAID
    declined = state.payment.status is PaymentStatus.FAILED
    ready = state.inventory.status in READY
    short = state.inventory.status is InventoryStatus.FAILED
    if paid and ready:
        return (e.OrderConfirmed(),)
    if declined and short:
        return (e.OrderRejected(reasons=("payment_failed", "inventory_failed")),)
    if paid and short:
        return _undo(state, "inventory_failed")
    set_aside = ready or state.inventory.status is InventoryStatus.PARTIAL
    if _declined_for_good(state.payment) and set_aside:
        return _undo(state, "payment_failed")
    return ()


def _declined_for_good(payment: Payment) -> bool:
    return payment.status is PaymentStatus.FAILED and payment.retry_until is None


def _undo(state: Received | Confirmed, reason: e.CancellationReason) -> tuple[e.Event, ...]:
    request = e.OrderCancellationRequested(reason=reason)
    cancelling = fold(state, (request,))
    return (request, *follow_up(cancelling))


def _close(state: Cancelling) -> tuple[e.Event, ...]:
    """Cancelled once nothing is held. Captured money is asked back at once, in the same commit."""
    if shipments_in(state, LIVE):
        return ()  # while a parcel may still leave, the order may still go on: promise nothing yet
    if _untouched(state):
        return (e.OrderCancelled(reason=state.reason, compensations=()),)
    payment = state.payment
    given = sum(refund.amount_minor for refund in payment.refunds if refund not in payment.refunds_in_vain)
    left_minor = payment.amount_minor - given - payment.disputed_minor
    if payment.status is PaymentStatus.CAPTURED and left_minor > 0:
        before = sum(refund.refund_id.startswith(_undoing(state)) for refund in payment.refunds)
        refund_id = f"{_undoing(state)}:{before + 1}" if before else _undoing(state)
        reason = e.FreeText(plain="cancellation")
        return (e.RefundRequested(refund_id=refund_id, amount_minor=left_minor, reason=reason),)
    disputed = any(dispute.status == "open" for dispute in payment.disputes)  # won, it is to be given back
    if disputed or _money_held(payment) or payment.spare or state.inventory.status in HELD:
        return ()
    return (e.OrderCancelled(reason=state.reason, compensations=_compensations(state)),)


def _untouched(state: Cancelling) -> bool:
    """Nobody has begun with it: there is nothing to give back."""
    pending = state.payment.status is PaymentStatus.PENDING and state.inventory.status is InventoryStatus.PENDING
    return pending and state.grace_until is not None


def _undoing(state: Cancelling) -> str:
    return f"{state.order.order_id}:cancellation"


def _money_held(payment: Payment) -> bool:
    match payment.status:
        case (
            PaymentStatus.PENDING
            | PaymentStatus.ACTION_REQUIRED
            | PaymentStatus.AUTHORIZED
            | PaymentStatus.PARTIALLY_CAPTURED
        ):
            return True
        case PaymentStatus.CAPTURED:
            return any(refund not in payment.refunds_in_vain for refund in payment.refunds_owed)
        case PaymentStatus.FAILED | PaymentStatus.VOIDED:
            return False


def _compensations(state: Cancelling) -> tuple[str, ...]:
    done = []
    if state.shipments:
        done.append("shipment_cancelled")
    if state.payment.status is PaymentStatus.VOIDED:
        done.append("payment_voided")
    if any(refund.issued for refund in state.payment.refunds):
        done.append("payment_refunded")
    if state.inventory.status is InventoryStatus.RELEASED:
        done.append("inventory_released")
    return tuple(done)


def _complete(state: InFulfilment) -> tuple[e.Event, ...]:
    captured = state.payment.status is PaymentStatus.CAPTURED
    if captured and state.invoice is not None and all_arrived(state):
        return (e.OrderCompleted(),)
    return ()
