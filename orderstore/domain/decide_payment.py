"""Decisions about money, in the shape of `decisions`, which offers them."""

from collections import Counter
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.decide_edits import given_up, refuse_while_edited
from orderstore.domain.decide_returns import on_their_way_back, returns_owed
from orderstore.domain.deciding import ATTEMPTS_MAX, Decision, existing, with_follow_up
from orderstore.domain.edits import HOLD_RAN_OUT
from orderstore.domain.rejections import (
    NothingToRefund,
    NothingToRetry,
    OrderClosed,
    RefundTooLarge,
    TooManyAttempts,
    UnknownRefund,
)
from orderstore.domain.shares import (
    disputed_refund_id,
    kept_back,
    pieces_in,
    refund_amount,
    surplus_refund_id,
    taken_out,
)
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    Order,
    PaymentStatus,
    Received,
    Refund,
    Rejected,
    State,
    fold,
)

UNDECIDED: Final = frozenset({PaymentStatus.PENDING, PaymentStatus.ACTION_REQUIRED})
"""The provider's answer is still to come."""


def complete_payment(state: State, *, outcome: e.PaymentCompleted) -> Decision:
    """The provider holds or has taken the money; recorded on an order being undone too, so that it is given back. What was taken for
    pieces that were cancelled meanwhile is promised back in the same commit."""
    order = existing(state)
    if not _awaits(order, outcome.attempt):
        return ()
    taken_minor = outcome.amount_minor if outcome.mode == "captured" else 0
    return with_follow_up(order, outcome, *_answered(order, "accepted"), *_surplus(order, taken_minor))


def _surplus(order: Order, taken_minor: int) -> Decision:
    surplus_minor = taken_minor - order.due_minor
    if surplus_minor <= 0 or isinstance(order, Cancelling):
        return ()
    why = e.FreeText(plain="cancelled pieces")
    refund_id = surplus_refund_id(order.order.order_id)
    return (e.RefundRequested(refund_id=refund_id, amount_minor=surplus_minor, reason=why),)


def fail_payment(state: State, *, outcome: e.PaymentFailed) -> Decision:
    """The provider declined. While the customer may try again (`retry_until`), the goods stay set aside and the customer is asked."""
    order = existing(state)
    if not _awaits(order, outcome.attempt):
        return ()
    asked: Decision = ()
    if outcome.retry_until is not None and isinstance(order, Received | Confirmed):
        question = f"payment:{outcome.attempt}:retry"
        asked = (e.OrderActionRequired(action_id=question, kind="payment", deadline=outcome.retry_until),)
    return with_follow_up(order, outcome, *_answered(order, "declined"), *asked)


def require_payment_action(state: State, *, outcome: e.PaymentActionRequired) -> Decision:
    """The provider waits for the customer. Not a decline: the goods stay set aside until the deadline."""
    order = existing(state)
    if order.payment.status is not PaymentStatus.PENDING or outcome.attempt != order.payment.attempt:
        return ()
    question = f"payment:{outcome.attempt}"
    return (outcome, e.OrderActionRequired(action_id=question, kind="payment", deadline=outcome.deadline))


def retry_payment(state: State, *, method: str | None = None) -> Decision:
    """The customer (or an operator) tries again, after a decline or while the bank waits for its customer: the earlier attempt is ended at
    the provider before the new one asks. Raises UnknownOrder, OrderClosed, NothingToRetry, TooManyAttempts."""
    order = existing(state)
    match order:
        case Cancelling() | Cancelled() | Rejected() | Completed():
            raise OrderClosed("the order has ended: there is nothing left to pay")
        case Received() | Confirmed() | InFulfilment():
            pass
    if order.payment.status not in (PaymentStatus.FAILED, PaymentStatus.ACTION_REQUIRED):
        raise NothingToRetry("nothing was declined or waits for its customer, or it is being tried again already")
    if order.payment.next_attempt > ATTEMPTS_MAX:
        raise TooManyAttempts(f"the order's payment was tried {ATTEMPTS_MAX} times")
    started = e.PaymentAttemptStarted(attempt=order.payment.next_attempt, method=method)
    return (started, *_answered(order, "accepted"))


def capture_payment(state: State, *, outcome: e.PaymentCaptured) -> Decision:
    """The authorised money was taken, all of it or that of one parcel. What was taken for pieces that were cancelled while it was, is
    promised back in the same commit."""
    order = existing(state)
    if order.payment.status not in (PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_CAPTURED):
        return ()
    if any(capture.shipment_id == outcome.shipment_id for capture in order.payment.captures):
        return ()
    return with_follow_up(order, outcome, *_surplus(order, order.payment.captured_minor + outcome.amount_minor))


def void_payment(state: State, *, outcome: e.PaymentVoided) -> Decision:
    """Nothing is held any more."""
    order = existing(state)
    if not isinstance(order, Cancelling):
        return ()
    voidable = (PaymentStatus.PENDING, PaymentStatus.ACTION_REQUIRED, PaymentStatus.AUTHORIZED)
    return with_follow_up(order, outcome) if order.payment.status in voidable else ()


def expire_authorization(state: State, *, outcome: e.PaymentAuthorizationExpired) -> Decision:
    """What was held is held no longer: the next attempt begins, or, after as many as there may be, an order is undone that is still here.
    What was taken in part, and what has left, is for a person, who sees the stalled order. An edit that is open is declined with it."""
    order = existing(state)
    payment = order.payment
    if payment.status is not PaymentStatus.AUTHORIZED or payment.provider_reference != outcome.provider_reference:
        return ()
    match order:
        case Received() | Confirmed() if payment.next_attempt > ATTEMPTS_MAX:
            undone = e.OrderCancellationRequested(reason="payment_failed")
            return with_follow_up(order, *given_up(order, "order_undone"), undone)
        case Received() | Confirmed() | InFulfilment() | Completed():
            again = payment.next_attempt <= ATTEMPTS_MAX
            return (*given_up(order, "payment_failed", HOLD_RAN_OUT), outcome) if again else ()
        case Cancelling() | Cancelled() | Rejected():
            return ()


def lose_sight_of_payment(state: State) -> Decision:
    """Nobody knows what became of the present attempt; `()` where nobody began with it. Raises UnknownOrder."""
    payment, waits = existing(state).payment, existing(state).grace_until is not None
    if payment.status not in UNDECIDED or payment.unknown or waits:
        return ()
    return (e.PaymentOutcomeUnknown(attempt=payment.attempt),)


def note_discrepancy(state: State, *, finding: e.PaymentDiscrepancyFound | e.DiscrepancyFound) -> Decision:
    """Note what other books say otherwise; whether that is noted already, the log knows and the state does not."""
    existing(state)
    return (finding,)


def dispute_payment(state: State, *, outcome: e.PaymentDisputed) -> Decision:
    """The bank takes money back. Goods that have not left stay until it is over."""
    order = existing(state)
    if any(dispute.dispute_id == outcome.dispute_id for dispute in order.payment.disputes):
        return ()
    hold_id = f"dispute:{outcome.dispute_id}"
    if isinstance(order, Received | Confirmed | InFulfilment) and hold_id not in order.hold_ids:
        return (outcome, e.OrderHeld(hold_id=hold_id, reason="payment"))
    return (outcome,)


def close_dispute(state: State, *, outcome: e.PaymentDisputeClosed) -> Decision:
    """The dispute is over. A hold for one that is lost stays: whether the goods still leave is for a person."""
    order = existing(state)
    still_open = {dispute.dispute_id for dispute in order.payment.disputes if dispute.status == "open"}
    if outcome.dispute_id not in still_open:
        return ()
    hold_id = f"dispute:{outcome.dispute_id}"
    held = any(hold.hold_id == hold_id for hold in order.holds)
    released = (e.OrderHoldReleased(hold_id=hold_id),) if held and outcome.outcome == "won" else ()
    after = existing(fold(order, (outcome, *released)))
    owed = _owed_again(after, outcome.dispute_id) if outcome.outcome == "won" else ()
    return with_follow_up(order, outcome, *released, *owed)


def _owed_again(order: Order, dispute_id: str) -> Decision:
    """What was not promised back while the bank had the money: of returns, and of pieces that were refunded or cancelled. An order that is
    being undone gives everything back by itself (`follow_up`)."""
    match order:
        case Cancelling() | Cancelled() | Rejected():
            return ()
        case Received() | Confirmed() | InFulfilment() | Completed():
            pass
    if order.payment.status not in (PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED):
        return ()
    of_returns = returns_owed(order)
    after = existing(fold(order, of_returns))
    left_minor = after.due_minor - after.payment.refunded_minor - after.payment.disputed_minor
    amount_minor = min(kept_back(after), left_minor)
    if amount_minor < 1:
        return of_returns
    refund_id = disputed_refund_id(order.order.order_id, dispute_id)
    why = e.FreeText(plain="dispute")
    return (*of_returns, e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, reason=why))


def request_refund(state: State, *, refund_id: str, lines: tuple[e.Pieces, ...], reason: e.FreeText | None) -> Decision:
    """Set money aside to be given back for pieces of lines. Before the capture it waits for the capture.

    Raises UnknownOrder, OrderClosed, NothingToRefund, RefundTooLarge.
    """
    order = existing(state)
    if any(refund.refund_id == refund_id for refund in order.payment.refunds):
        return ()
    match order:
        case Cancelling() | Cancelled() | Rejected():
            raise OrderClosed("the order is cancelled or rejected: nothing is left to refund")
        case Received() | Confirmed() | InFulfilment() | Completed():
            pass
    if order.payment.status is PaymentStatus.FAILED:
        raise OrderClosed("the payment was declined: there is nothing to refund")
    refuse_while_edited(order)
    _refuse_pieces_on_their_way_back(order, lines)
    return (refunding(order, refund_id=refund_id, lines=lines, reason=reason),)


def refunding(
    order: Order, *, refund_id: str, lines: tuple[e.Pieces, ...], reason: e.FreeText | None
) -> e.RefundRequested:
    """What these pieces cost, promised back; of what the bank has taken back already, only the rest.

    Raises NothingToRefund, RefundTooLarge.
    """
    left_minor = order.due_minor - order.payment.refunded_minor
    amount_minor = refund_amount(order.order, taken_out(order), lines, left_minor=max(0, left_minor))
    amount_minor = min(amount_minor, left_minor - order.payment.disputed_minor)
    if amount_minor < 1:
        raise NothingToRefund("the bank has taken this money back already")
    return e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, reason=reason, lines=lines)


def issue_refund(state: State, *, outcome: e.RefundIssued) -> Decision:
    """The provider gave the money back. What was never taken cannot be: a refund that was asked for before ends with the order."""
    order = existing(state)
    if order.payment.status not in (PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED):
        return ()
    pending = {refund.refund_id for refund in order.payment.refunds_owed}
    return with_follow_up(order, outcome) if outcome.refund_id in pending else ()


def fail_refund(state: State, *, outcome: e.RefundFailed) -> Decision:
    """The provider could not give it back; it is owed still, unless the bank has taken that money for ever."""
    pending = _refund(existing(state), outcome.refund_id)
    if pending is None or pending.issued or pending.failed or pending.attempt != outcome.attempt:
        return ()
    return with_follow_up(existing(state), outcome)


def retry_refund(state: State, *, refund_id: str) -> Decision:
    """Try again what failed; `()` for what is tried or given. Raises UnknownOrder, UnknownRefund, NothingToRefund, TooManyAttempts."""
    refund = _refund(existing(state), refund_id)
    if refund is None:
        raise UnknownRefund("the order never had this refund")
    if not refund.failed:
        return ()
    if refund in existing(state).payment.refunds_in_vain:
        raise NothingToRefund("the bank has taken this money back for ever")
    if refund.attempt >= ATTEMPTS_MAX:
        raise TooManyAttempts(f"the refund was tried {ATTEMPTS_MAX} times")
    return (e.RefundRetried(refund_id=refund_id, attempt=refund.attempt + 1),)


def _awaits(order: Order, attempt: int) -> bool:
    """An outcome of an earlier attempt is no outcome of this one."""
    return order.payment.status in UNDECIDED and order.payment.attempt == attempt


def _answered(order: Order, answer: e.Answer) -> tuple[e.OrderActionAnswered, ...]:
    return tuple(
        e.OrderActionAnswered(action_id=question.action_id, answer=answer)
        for question in order.questions
        if question.kind == "payment"
    )


def _refund(order: Order, refund_id: str) -> Refund | None:
    for refund in order.payment.refunds:
        if refund.refund_id == refund_id:
            return refund
    return None


def _refuse_pieces_on_their_way_back(order: Order, lines: tuple[e.Pieces, ...]) -> None:
    """The refund of a return follows from its inspection: whoever gives it before would give it twice."""
    coming = on_their_way_back(order)
    if not coming:
        return
    left = Counter({at: line.quantity for at, line in enumerate(order.order.lines)})
    left -= Counter(dict(enumerate(pieces_in(order.order, taken_out(order))))) + coming
    for part in lines:
        if part.quantity > left[part.line]:
            raise RefundTooLarge(
                f"pieces of line {part.line} are on their way back: their return is refunded when it is inspected"
            )
