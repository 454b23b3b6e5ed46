"""What an order has promised until when, and what becomes of it when that time is over. Pure: the deadlines stand in its events, and
whoever has a clock asks. A time that is over too early or too often asked about is harmless: `expire` says `()`.

How long a stage may take before a person is told is another thing: see `allowances` and `decide_process.stall`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from orderstore.domain import events as e
from orderstore.domain.decide_payment import expire_authorization
from orderstore.domain.decide_process import answer
from orderstore.domain.deciding import Decision, with_follow_up
from orderstore.domain.parcels import all_gone
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    NotPlaced,
    Order,
    PaymentStatus,
    Received,
    Rejected,
    State,
)

Timer = Literal["grace", "payment_retry", "payment_action", "reservation", "authorization", "promise", "answer"]


@dataclass(frozen=True, slots=True)
class Due:
    """A promise that ends. `subject` is the question that is to be answered, where it is one."""

    timer: Timer
    at: datetime
    subject: str | None = None


def dues(state: State) -> tuple[Due, ...]:
    """Every promise that the order is bound by, the earliest first."""
    match state:
        case NotPlaced() | Completed() | Cancelling() | Cancelled() | Rejected():
            return ()
        case Received() | Confirmed() | InFulfilment():
            return tuple(sorted(_dues(state), key=attrgetter("at", "timer")))


def _dues(order: Received | Confirmed | InFulfilment) -> list[Due]:
    found = [
        Due("answer", question.deadline, question.action_id)
        for question in order.questions
        if question.kind != "payment"
    ]
    if isinstance(order, Received) and order.grace_until is not None:
        found.append(Due("grace", order.grace_until))
    if _is_promised(order) and order.ship_by is not None:
        found.append(Due("promise", order.ship_by))
    payment = order.payment
    unpaid = payment.status in (PaymentStatus.FAILED, PaymentStatus.ACTION_REQUIRED)
    here = not isinstance(order, InFulfilment)  # once goods have left, nothing of theirs is undone: for a person
    if here and payment.status is PaymentStatus.FAILED and payment.retry_until is not None:
        found.append(Due("payment_retry", payment.retry_until))
    if here and payment.status is PaymentStatus.ACTION_REQUIRED and payment.action_until is not None:
        found.append(Due("payment_action", payment.action_until))
    if payment.status is PaymentStatus.AUTHORIZED and payment.capture_before is not None:
        found.append(Due("authorization", payment.capture_before))
    if isinstance(order, Received) and unpaid and order.inventory.expires_at is not None:
        found.append(Due("reservation", order.inventory.expires_at))
    return found


def promise_question(ship_by: datetime) -> str:
    """What the customer is asked when this promise is over: once."""
    return f"promise:{int(ship_by.timestamp())}"


def _is_promised(order: Order) -> bool:
    """Whether there is something left of which it was said when it would leave, and the customer was not asked yet."""
    if order.ship_by is None or promise_question(order.ship_by) in order.question_ids:
        return False
    return not all_gone(order)


def first_over(state: State, *, now: datetime) -> Due | None:
    """The earliest promise whose time is over by `now`, and from which something follows."""
    return next((due for due, _ in _over(state, now)), None)


def expire(state: State, *, now: datetime) -> Decision:
    """What follows from the earliest promise whose time is over by `now`; `()` when there is none. Ask again afterwards."""
    return next((events for _, events in _over(state, now)), ())


def _over(state: State, now: datetime) -> Iterator[tuple[Due, Decision]]:
    if not isinstance(state, Received | Confirmed | InFulfilment):
        return
    for due in dues(state):
        if due.at <= now and (events := _expired(state, due, now)):
            yield due, events


def _expired(order: Order, due: Due, now: datetime) -> Decision:
    match due.timer:
        case "grace":
            return (e.OrderGraceEnded(),)
        case "promise":
            until = now + timedelta(seconds=(order.order.terms or e.Terms()).answer_s)
            question = promise_question(due.at)
            return (e.OrderActionRequired(action_id=question, kind="delay_consent", deadline=until),)
        case "authorization":
            reference = order.payment.provider_reference
            assert reference is not None, "what is held has its reference"
            return expire_authorization(order, outcome=e.PaymentAuthorizationExpired(provider_reference=reference))
        case "answer":
            assert due.subject is not None, "an answer is to a question"
            return answer(order, action_id=due.subject, answer="expired")
        case "payment_retry" | "payment_action" as deadline:
            return _undone(order, e.OrderExpired(deadline=deadline))
        case "reservation":
            assert order.inventory.reservation_id is not None, "what is set aside has its reservation"
            put_back = e.ReservationExpired(reservation_id=order.inventory.reservation_id)
            return _undone(order, e.OrderExpired(deadline="reservation"), put_back)


def _undone(order: Order, *facts: e.Event) -> Decision:
    return with_follow_up(order, *facts, e.OrderCancellationRequested(reason="payment_failed"))
