"""How the parts of an order change with what happens to them: one function for each part, each over the events that it hears of.

No rules here: what happened has happened. `state.evolve` puts the parts together.
"""

from typing import Any, assert_never

from orderstore.domain import events as e
from orderstore.domain.copying import replace
from orderstore.domain.parts import (
    Capture,
    Dispute,
    Payment,
    PaymentStatus,
    Refund,
    Return,
    ReturnStatus,
    Shipment,
    ShipmentStatus,
    Spare,
)

MoneyEvent = (
    e.PaymentCompleted
    | e.PaymentCaptured
    | e.PaymentFailed
    | e.PaymentVoided
    | e.PaymentHoldReleased
    | e.PaymentMethodChosen
    | e.PaymentAttemptStarted
    | e.PaymentActionRequired
    | e.PaymentAuthorizationExpired
    | e.PaymentOutcomeUnknown
    | e.PaymentDisputed
    | e.PaymentDisputeClosed
    | e.RefundIssued
    | e.RefundFailed
    | e.RefundRetried
)
ParcelEvent = (
    e.ShipmentCreated
    | e.ShipmentRecalled
    | e.ShipmentCancelled
    | e.ShipmentDispatched
    | e.ShipmentDelivered
    | e.ShipmentFailed
)
ReturnEvent = (
    e.ReturnApproved
    | e.ReturnDeclined
    | e.ReturnCancelled
    | e.ReturnReceived
    | e.ReturnInspected
    | e.InventoryRestocked
)


def payment_after(payment: Payment, event: MoneyEvent, *, due_minor: int) -> Payment:
    """`due_minor` is what the customer has to pay in all."""
    match event:
        case e.PaymentCompleted():
            return _held_or_taken(payment, event)
        case e.PaymentCaptured():
            return _captured(payment, event, due_minor)
        case e.PaymentFailed():
            return replace(
                payment,
                status=PaymentStatus.FAILED,
                attempt=event.attempt,
                retry_until=event.retry_until,
                unknown=False,
                action_until=None,
            )
        case e.PaymentVoided():
            return replace(payment, status=PaymentStatus.VOIDED, unknown=False, action_until=None)
        case e.PaymentHoldReleased():
            return replace(payment, spare=tuple(one for one in payment.spare if one.attempt != event.attempt))
        case e.PaymentMethodChosen():
            return replace(payment, method=event.method)
        case e.PaymentAttemptStarted():
            return _begun_anew(payment, event.attempt, method=event.method or payment.method)
        case e.PaymentActionRequired():
            return replace(payment, status=PaymentStatus.ACTION_REQUIRED, action_until=event.deadline)
        case e.PaymentAuthorizationExpired():
            return _begun_anew(payment, payment.next_attempt, method=payment.method)
        case e.PaymentOutcomeUnknown():
            return replace(payment, unknown=True)
        case e.PaymentDisputed():
            dispute = Dispute(dispute_id=event.dispute_id, amount_minor=event.amount_minor)
            return replace(payment, disputes=(*payment.disputes, dispute))
        case e.PaymentDisputeClosed():
            disputes = tuple(
                replace(dispute, status=event.outcome) if dispute.dispute_id == event.dispute_id else dispute
                for dispute in payment.disputes
            )
            return replace(payment, disputes=disputes)
        case e.RefundIssued():
            return _refund_becomes(payment, event.refund_id, issued=True, failed=False)
        case e.RefundFailed():
            return _refund_becomes(payment, event.refund_id, failed=True)
        case e.RefundRetried():
            return _refund_becomes(payment, event.refund_id, failed=False, attempt=event.attempt)
        case _:
            assert_never(event)


def _held_or_taken(payment: Payment, event: e.PaymentCompleted) -> Payment:
    taken = event.mode == "captured"
    spare = payment.spare
    if payment.status is PaymentStatus.AUTHORIZED:  # an edit is covered, and what was held before is needed no longer
        spare = (*spare, Spare(payment.attempt, payment.provider_reference))
    return replace(
        payment,
        spare=spare,
        status=PaymentStatus.CAPTURED if taken else PaymentStatus.AUTHORIZED,
        attempt=event.attempt,
        amount_minor=event.amount_minor,
        provider_reference=event.provider_reference,
        unknown=False,
        retry_until=None,
        capture_before=event.capture_before,
        action_until=None,
        captures=(Capture(amount_minor=event.amount_minor, provider_reference=event.provider_reference),)
        if taken
        else (),
    )


def _captured(payment: Payment, event: e.PaymentCaptured, due_minor: int) -> Payment:
    capture = Capture(
        amount_minor=event.amount_minor,
        provider_reference=event.provider_reference,
        shipment_id=event.shipment_id,
    )
    captures = (*payment.captures, capture)
    whole = event.final or sum(one.amount_minor for one in captures) >= due_minor
    status = PaymentStatus.CAPTURED if whole else PaymentStatus.PARTIALLY_CAPTURED
    return replace(payment, status=status, captures=captures, capture_before=None if whole else payment.capture_before)


def _begun_anew(payment: Payment, attempt: int, *, method: str | None) -> Payment:
    return replace(
        payment,
        status=PaymentStatus.PENDING,
        attempt=attempt,
        earlier=payment.attempt,
        method=method,
        provider_reference=None,
        unknown=False,
        retry_until=None,
        capture_before=None,
        action_until=None,
    )


def _refund_becomes(payment: Payment, refund_id: str, **changes: Any) -> Payment:  # noqa: ANN401 - fields of Refund
    refunds = tuple(
        replace(refund, **changes) if refund.refund_id == refund_id else refund for refund in payment.refunds
    )
    return replace(payment, refunds=refunds)


def refund_of(event: e.RefundRequested, *, of_cancellation: bool, after: int) -> Refund:
    """The refund that begins with this event."""
    return Refund(
        refund_id=event.refund_id,
        amount_minor=event.amount_minor,
        lines=event.lines,
        of_cancellation=of_cancellation,
        after=after,
    )


def shipments_after(shipments: tuple[Shipment, ...], event: ParcelEvent) -> tuple[Shipment, ...]:
    """A parcel more, or one that is somewhere else now."""
    match event:
        case e.ShipmentCreated():
            booked = Shipment(
                shipment_id=event.shipment_id,
                status=ShipmentStatus.BOOKED,
                location=event.location,
                lines=event.lines,
            )
            return (*shipments, booked)
        case e.ShipmentRecalled():
            return tuple(
                replace(one, recalled=True) if one.shipment_id == event.shipment_id else one for one in shipments
            )
        case e.ShipmentDispatched():
            return _is_now(shipments, event.shipment_id, ShipmentStatus.DISPATCHED)
        case e.ShipmentDelivered():
            return _is_now(shipments, event.shipment_id, ShipmentStatus.DELIVERED)
        case e.ShipmentCancelled():
            return _is_now(shipments, event.shipment_id, ShipmentStatus.CANCELLED)
        case e.ShipmentFailed():
            left = any(
                shipment.shipment_id == event.shipment_id and shipment.status is ShipmentStatus.DISPATCHED
                for shipment in shipments
            )
            return _is_now(shipments, event.shipment_id, ShipmentStatus.LOST if left else ShipmentStatus.FAILED)
        case _:
            assert_never(event)


def _is_now(shipments: tuple[Shipment, ...], shipment_id: str, status: ShipmentStatus) -> tuple[Shipment, ...]:
    return tuple(
        replace(shipment, status=status) if shipment.shipment_id == shipment_id else shipment for shipment in shipments
    )


def returns_after(returns: tuple[Return, ...], event: ReturnEvent) -> tuple[Return, ...]:
    """One return, further on."""
    return tuple(_return_after(one, event) if one.return_id == event.return_id else one for one in returns)


def _return_after(one: Return, event: ReturnEvent) -> Return:
    match event:
        case e.ReturnApproved():
            return replace(one, status=ReturnStatus.APPROVED)
        case e.ReturnDeclined():
            return replace(one, status=ReturnStatus.DECLINED)
        case e.ReturnCancelled():
            return replace(one, status=ReturnStatus.CANCELLED)
        case e.ReturnReceived():
            return replace(one, status=ReturnStatus.RECEIVED)
        case e.ReturnInspected():
            return replace(one, status=ReturnStatus.INSPECTED, inspected=event.pieces)
        case e.InventoryRestocked():
            return replace(one, restocked=True)
        case _:
            assert_never(event)
