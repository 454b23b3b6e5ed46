"""How the payment of the view `order_status` changes with what happens to it."""

from dataclasses import replace
from typing import assert_never

from orderstore.codec import timestamp
from orderstore.domain import events as e
from projections.views.order_status_parts import DISPUTES_MAX, OWED_MAX, Dispute, Owed, Payment

MoneyEvent = (
    e.PaymentMethodChosen
    | e.PaymentAttemptStarted
    | e.PaymentActionRequired
    | e.PaymentCompleted
    | e.PaymentFailed
    | e.PaymentCaptured
    | e.PaymentAuthorizationExpired
    | e.PaymentOutcomeUnknown
    | e.PaymentVoided
    | e.PaymentDisputed
    | e.PaymentDisputeClosed
    | e.RefundRequested
    | e.RefundIssued
    | e.RefundFailed
    | e.RefundRetried
)


def payment_after(payment: Payment, event: MoneyEvent, *, due_minor: int) -> Payment:
    """`due_minor` is what the customer has to pay in all."""
    match event:
        case e.PaymentCompleted():
            taken = event.mode == "captured"
            return replace(
                payment,
                status="CAPTURED" if taken else "AUTHORIZED",
                attempt=event.attempt,
                amount_minor=event.amount_minor,
                captured_minor=event.amount_minor if taken else 0,
                unknown=False,
                retry_until=None,
            )
        case e.PaymentCaptured():
            captured_minor = payment.captured_minor + event.amount_minor
            whole = event.final or captured_minor >= due_minor
            return replace(payment, status="CAPTURED" if whole else "PARTIALLY_CAPTURED", captured_minor=captured_minor)
        case e.PaymentFailed():
            until = None if event.retry_until is None else timestamp(event.retry_until)
            return replace(payment, status="FAILED", attempt=event.attempt, unknown=False, retry_until=until)
        case e.PaymentVoided():
            return replace(payment, status="VOIDED", unknown=False)
        case e.PaymentMethodChosen():
            return payment
        case e.PaymentAttemptStarted():
            return replace(payment, status="PENDING", attempt=event.attempt, unknown=False, retry_until=None)
        case e.PaymentAuthorizationExpired():
            return replace(payment, status="PENDING", attempt=payment.attempt + 1, unknown=False, retry_until=None)
        case e.PaymentActionRequired():
            return replace(payment, status="ACTION_REQUIRED")
        case e.PaymentOutcomeUnknown():
            return replace(payment, unknown=True)
        case e.PaymentDisputed() | e.PaymentDisputeClosed():
            return _disputed(payment, event)
        case e.RefundRequested() | e.RefundIssued() | e.RefundFailed() | e.RefundRetried():
            return _refunding(payment, event)
        case _:
            assert_never(event)


def less_is_due(payment: Payment, *, due_minor: int) -> Payment:
    """The payment once pieces are cancelled, and only so much is due still: what was taken of some parcels may be all of it."""
    if payment.status == "PARTIALLY_CAPTURED" and payment.captured_minor >= due_minor:
        return replace(payment, status="CAPTURED")
    return payment


def _disputed(payment: Payment, event: e.PaymentDisputed | e.PaymentDisputeClosed) -> Payment:
    if isinstance(event, e.PaymentDisputed):
        one = Dispute(dispute_id=event.dispute_id, amount_minor=event.amount_minor)
        kept = (*payment.disputes, one)[:DISPUTES_MAX]
        return replace(payment, disputes=kept, disputed_minor=payment.disputed_minor + event.amount_minor)
    won_minor = sum(
        dispute.amount_minor
        for dispute in payment.disputes
        if dispute.dispute_id == event.dispute_id and event.outcome == "won"
    )
    left = tuple(dispute for dispute in payment.disputes if dispute.dispute_id != event.dispute_id)
    return replace(payment, disputes=left, disputed_minor=payment.disputed_minor - won_minor)


def _refunding(
    payment: Payment, event: e.RefundRequested | e.RefundIssued | e.RefundFailed | e.RefundRetried
) -> Payment:
    if isinstance(event, e.RefundRequested):
        one = Owed(refund_id=event.refund_id, amount_minor=event.amount_minor)
        pending_minor = payment.refund_pending_minor + event.amount_minor
        return replace(payment, owed=(*payment.owed, one)[:OWED_MAX], refund_pending_minor=pending_minor)
    own = next((owed for owed in payment.owed if owed.refund_id == event.refund_id), None)
    if isinstance(event, e.RefundIssued):
        given = replace(payment, refunded_minor=payment.refunded_minor + event.amount_minor)
        if own is None:
            return replace(given, refund_pending_minor=payment.refund_pending_minor - event.amount_minor)
        return _with_owed(given, own, None)
    if own is None:
        return payment
    return _with_owed(payment, own, replace(own, failed=isinstance(event, e.RefundFailed)))


def _with_owed(payment: Payment, before: Owed, after: Owed | None) -> Payment:
    """The payment with one refund further on; None: it is owed no more."""
    at = payment.owed.index(before)
    return replace(
        payment,
        owed=(*payment.owed[:at], *(() if after is None else (after,)), *payment.owed[at + 1 :]),
        refund_pending_minor=payment.refund_pending_minor + _minor(after, failed=False) - _minor(before, failed=False),
        refund_failed_minor=payment.refund_failed_minor + _minor(after, failed=True) - _minor(before, failed=True),
    )


def _minor(owed: Owed | None, *, failed: bool) -> int:
    return owed.amount_minor if owed is not None and owed.failed is failed else 0
