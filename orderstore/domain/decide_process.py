"""Decisions where people are in the loop, in the shape of `decisions`, which offers them: answers, reviews, stages that take too long."""

from datetime import datetime
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.decide_edits import decline_edit, given_up
from orderstore.domain.decide_payment import lose_sight_of_payment, retry_refund
from orderstore.domain.decide_stock import cancelling_lines
from orderstore.domain.deciding import Decision, existing, with_follow_up
from orderstore.domain.parcels import counted, pieces_of, shipments_in, unbooked, wanted
from orderstore.domain.rejections import NotStalled, OrderClosed, TooLateToCancel, TooManyNotes, UnknownQuestion
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    Order,
    Question,
    Received,
    Rejected,
    ShipmentStatus,
    Stall,
    State,
    fold,
)
from orderstore.domain.waiting import PAYMENT, waits_in

NOTES_MAX: Final = 1_000
"""Of one order: more than anybody reads."""


def request_cancellation(state: State, *, reason: e.CancellationReason, note: e.FreeText | None = None) -> Decision:
    """Ask for the order to be undone. Raises UnknownOrder, OrderClosed (rejected), TooLateToCancel."""
    order = existing(state)
    match order:
        case Received() | Confirmed():
            undone = e.OrderCancellationRequested(reason=reason, note=note)
            return with_follow_up(order, *given_up(order, "order_undone"), undone)
        case Cancelling() | Cancelled():
            return ()
        case Rejected():
            raise OrderClosed("the order was rejected: there is nothing to cancel")
        case InFulfilment() | Completed():
            raise TooLateToCancel("the goods have left: ask for a refund instead")


def answer(state: State, *, action_id: str, answer: e.Answer) -> Decision:
    """What the customer decided, or (`expired`) that the time for it is over; `()` for a question that is answered.

    missing_stock   accepted or expired: the order goes on without what is missing; declined: it is undone
    delay_consent   accepted: nothing changes; declined or expired: what has not left is undone (16 CFR 435.2(b): silence is no consent),
                    and of that, what a carrier has booked is recalled, if it still can be
    payment         declined or expired: the order is undone; to accept is to pay (`retry_payment`), so `accepted` changes nothing
    edit_payment    declined or expired: the edit comes to nothing; to accept is to do what the bank asks for, so `accepted` changes nothing

    Raises UnknownOrder, UnknownQuestion.
    """
    order = existing(state)
    if action_id not in order.question_ids:
        raise UnknownQuestion("the order never asked this")
    question = next((one for one in order.questions if one.action_id == action_id), None)
    if question is None:
        return ()
    return _answered(order, question, answer)


def _answered(order: Order, question: Question, answer: e.Answer) -> Decision:
    if question.kind == "edit_payment":
        if answer == "accepted" or order.open_edit is None:
            return ()
        reason: e.EditDecline = "not_in_time" if answer == "expired" else "withdrawn"
        return decline_edit(order, edit_id=order.open_edit.edit_id, reason=reason)
    said = e.OrderActionAnswered(action_id=question.action_id, answer=answer)
    after = fold(order, (said,))
    match question.kind:
        case "payment" if answer == "accepted":
            return ()
        case "delay_consent" if answer == "accepted":
            return (said,)
        case "missing_stock" if answer != "declined":
            missing = order.inventory.missing
            if not missing:
                return (said,)
            if not wanted(order) - counted(missing):  # nothing else is left of it
                return (said, *_undone(after, question, "inventory_failed"))
            without = cancelling_lines(after, cancellation_id="missing_stock", lines=missing, reason="inventory")
            return with_follow_up(order, said, *without)
        case "missing_stock":
            return (said, *_undone(after, question, "customer"))
        case "delay_consent":
            return (said, *_undone(after, question, "customer"))
        case "payment":
            return (said, *_undone(after, question, "payment_failed"))


def _undone(state: State, question: Question, reason: e.CancellationReason) -> Decision:
    """The whole order where nothing has left. Else what nobody has booked, named by its question, as there may be another delay, of pieces
    that a carrier would not take; and what is booked is recalled."""
    order = existing(state)
    match order:
        case Received() | Confirmed():
            return request_cancellation(order, reason=reason)
        case InFulfilment():
            recalled = tuple(
                e.ShipmentRecalled(shipment_id=parcel.shipment_id)
                for parcel in shipments_in(order, frozenset({ShipmentStatus.BOOKED}))
                if not parcel.recalled
            )
            left = unbooked(order)
            if not left or not wanted(order) - left:
                return recalled
            gone = cancelling_lines(order, cancellation_id=question.action_id, lines=pieces_of(left), reason="delay")
            return with_follow_up(order, *gone, *recalled)
        case Completed() | Cancelling() | Cancelled() | Rejected():
            return ()


def pass_review(state: State, *, outcome: e.FraudReviewPassed) -> Decision:
    """The order may go on."""
    return (outcome,) if existing(state).review == "open" else ()


def fail_review(state: State, *, outcome: e.FraudReviewFailed) -> Decision:
    """The order is to be undone, if its goods are still here."""
    order = existing(state)
    if order.review != "open":
        return ()
    after = fold(order, (outcome,))
    if isinstance(order, Received | Confirmed):
        return (outcome, *request_cancellation(after, reason="operator"))
    return (outcome,)


def add_note(state: State, *, note_id: str, note: e.FreeText) -> Decision:
    """Write something down; whether that was done already, the log knows and the state does not. Raises UnknownOrder, TooManyNotes."""
    if existing(state).notes >= NOTES_MAX:
        raise TooManyNotes(f"the order has {NOTES_MAX} notes, and can have no more")
    return (e.OrderNoteAdded(note_id=note_id, note=note),)


def stall(
    state: State, *, stage: e.StalledStage, since: datetime, due_at: datetime, subject: str | None = None
) -> Decision:
    """Say that a stage takes longer than its allowance; `()` when that was said, or the stage is over. A payment whose outcome should be
    known by then is of unknown outcome from now on."""
    order = existing(state)
    if Stall(stage, subject) in order.stalls or not waits_in(order, stage, subject):
        return ()
    stalled = e.OrderProcessStalled(stage=stage, since=since, due_at=due_at, subject=subject)
    unknown = lose_sight_of_payment(order) if stage == "outcomes" else ()
    return (stalled, *unknown)


def resume(
    state: State, *, stage: e.StalledStage, action: e.Resumption, subject: str | None = None, note: e.FreeText | None
) -> Decision:
    """What somebody did about a stage that stalled, about a refund that failed, or a payment of which nobody knows what became of it.
    `cancel` undoes the order in the same commit; `retry` begins another attempt of a refund that failed, and is for the worker that is
    told so else; `skip` takes the stage for done where a person may say so: the parcel has arrived.

    Raises UnknownOrder, NotStalled, TooLateToCancel, OrderClosed, NothingToRefund, TooManyAttempts.
    """
    order = existing(state)
    if not _wants_somebody(order, stage, subject):
        raise NotStalled(
            "nobody waits for this stage of the order; of a refund and of a parcel, say which one (its subject)"
        )
    resumed = e.OrderProcessResumed(stage=stage, action=action, subject=subject, note=note)
    after = fold(order, (resumed,))
    match action:
        case "cancel":
            return (resumed, *request_cancellation(after, reason="operator"))
        case "skip" if stage == "delivery":
            arrived = tuple(
                e.ShipmentDelivered(shipment_id=shipment.shipment_id, proof_reference="operator")
                for shipment in shipments_in(order, frozenset({ShipmentStatus.DISPATCHED}))
                if shipment.shipment_id == subject
            )
            return with_follow_up(order, resumed, *arrived)
        case "retry" if stage == "refund" and subject is not None:
            return (resumed, *retry_refund(after, refund_id=subject))
        case "retry" | "resume" | "skip":
            return (resumed,)


def _wants_somebody(order: Order, stage: e.StalledStage, subject: str | None) -> bool:
    if Stall(stage, subject) in order.stalls:
        return True
    failed = any(refund.failed and refund.refund_id == subject for refund in order.payment.refunds_owed)
    return (stage == "refund" and failed) or (stage == "outcomes" and subject == PAYMENT and order.payment.unknown)
