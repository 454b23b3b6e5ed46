"""What a provider's answer means for the order. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from orderstore.domain import decisions, next_steps
from orderstore.domain.deciding import ATTEMPTS_MAX
from orderstore.domain.events import (
    DeclineCategory,
    DiscrepancyFound,
    Event,
    OrderCreated,
    PaymentAttemptStarted,
    PaymentAuthorizationExpired,
    PaymentCompleted,
    PaymentFailed,
)
from orderstore.domain.money import Money
from orderstore.domain.state import Confirmed, InFulfilment, Placed, Received, State
from workers.payment.attempts import Attempt
from workers.payment.gateway import Authorized, Declined, Result
from workers.reaction import OutOfStep

BEGINNINGS: Final[tuple[type[Event], ...]] = (OrderCreated, PaymentAttemptStarted, PaymentAuthorizationExpired)
"""What an attempt begins with: the cause of its outcome, so that outcomes of two attempts never have one id."""


def decided(
    order: Placed, attempt: Attempt, result: Result | None, *, now: datetime
) -> Callable[[State], decisions.Decision]:
    """What is to be recorded. The amount is what the attempt asked for: the order may have lost lines since. Raises OutOfStep."""
    if result is None or attempt.amount is None:
        raise OutOfStep("a payment attempt was abandoned after it had begun")
    match result:
        case Authorized(reference, capture_before, taken):
            completed = PaymentCompleted(
                attempt=order.payment.attempt,
                mode="captured" if attempt.capture or taken else "authorized",
                amount_minor=attempt.amount.minor,
                provider_reference=reference,
                capture_before=capture_before,
            )
            return partial(decisions.complete_payment, outcome=completed)
        case Declined(category, code):
            failed = PaymentFailed(
                attempt=order.payment.attempt,
                category=category,
                code=code,
                retry_until=_retry_until(order, category, now),
            )
            return partial(decisions.fail_payment, outcome=failed)


def wakes_shipping(state: State) -> bool:
    """Whether goods may leave again because the money is there again: no event tells the shipping worker of that."""
    return (
        isinstance(state, Confirmed | InFulfilment)
        and state.payment.attempt > 1
        and isinstance(next_steps.shipping_step(state), next_steps.Book | next_steps.Dispatch)
    )


def charged_in_parts(order: Placed) -> bool:
    """Whether each parcel is paid for when it leaves."""
    return order.order.terms is not None and order.order.terms.charge == "per_shipment"


def money_of(order: Placed, minor: int) -> Money:
    """So many minor units of the order's currency."""
    return Money(minor, order.order.currency)


def key_of(order: Placed, attempt: int) -> str:
    """The provider's idempotency key: the same for every try of the same attempt, at most 255 characters (Stripe)."""
    return f"{order.order.order_id}:payment:{attempt}"


def own_key(order: Placed) -> str:
    """That of the order's present attempt."""
    return key_of(order, order.payment.attempt)


def hold_ran_out(order: Placed) -> DiscrepancyFound:
    """What the provider holds no longer and nobody has taken, for a person."""
    left_minor = order.due_minor - order.payment.captured_minor
    return DiscrepancyFound(area="money", kind="hold_ran_out", subject=held_of(order), ours=left_minor, theirs=0)


def held_of(order: Placed) -> str:
    """The provider's reference of what is held or was taken."""
    reference = order.payment.provider_reference
    assert reference is not None, "a payment that is authorised or captured has its reference"
    return reference


def _retry_until(order: Placed, category: DeclineCategory, now: datetime) -> datetime | None:
    """How long the customer may try again; None: the answer is final. What the bank declines for good is never tried again, and once
    goods have left, it is for a person."""
    allowed_s = 0 if order.order.terms is None else order.order.terms.payment_retry_s
    if category != "soft" or allowed_s <= 0 or order.payment.next_attempt > ATTEMPTS_MAX:
        return None
    return now + timedelta(seconds=allowed_s) if isinstance(order, Received | Confirmed) else None
