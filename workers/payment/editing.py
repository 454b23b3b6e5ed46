"""The money of an edit: what the whole order costs with it is held anew, in an attempt of its own, while what was held before stays held;
and then one of the two is let go, whichever the log does not need.

So whatever happens in between, the order is paid for as it stands: by the old hold until the edit is applied, by the new one from then on.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.decide_edits import question_of
from orderstore.domain.events import Event
from orderstore.domain.money import Money
from orderstore.domain.parts import Edit, Spare
from orderstore.domain.state import Placed
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Cause
from orderstore.transact import Decide
from workers.observe import WorkerObserver
from workers.payment.attempts import Attempt, AttemptStore
from workers.payment.gateway import ActionRequired, Answer, Authorized, Declined, PaymentGateway, Result
from workers.payment.hints import Hint
from workers.payment.outcomes import charged_in_parts, key_of, money_of
from workers.payment.reporting import called, reporting
from workers.reaction import OutOfStep
from workers.runtime.outcome import Done, Outcome

LOOKS_S: Final = (120, 900)
"""When it is looked whether the customer has done what the bank asks for, should no webhook tell. The deadline is kept by the sweeper."""


class CausedBy(Protocol):
    """As `Reaction._caused_by`."""

    def __call__(
        self, history: History, event_type: type[Event] | tuple[type[Event], ...], purpose: str, **about: str | None
    ) -> Cause: ...


class EditPayments:
    """Covers edits and lets holds go. `now` is the wall clock; `action` is how long a customer has to do what the bank asks for."""

    def __init__(
        self,
        orders: Orders,
        attempts: AttemptStore,
        *,
        hint: Hint,
        caused_by: CausedBy,
        now: Callable[[], datetime],
        action: timedelta,
        capture_at_once: bool,
        observer: WorkerObserver,
    ) -> None:
        self._orders = orders
        self._attempts = attempts
        self._hint = hint
        self._caused_by = caused_by
        self._now = now
        self._action = action
        self._capture_at_once = capture_at_once
        self._observer = observer

    async def cover(self, history: History, gateway: PaymentGateway, edit: Edit) -> History | Outcome:
        """Have the provider hold what the order costs with the edit, and apply it. Raises GatewayError, TableError, StoreError."""
        order = placed(history)
        attempt = await self._attempts.begin(
            key_of(order, edit.attempt),
            order_id=order.order.order_id,
            amount=money_of(order, edit.due_minor),
            capture=self._capture_at_once,
        )
        if attempt.state == "abandoned":
            return await self._orders.load(order.order.order_id)  # it was declined meanwhile: look again
        result = attempt.result
        if result is None:
            with reporting(self._observer, "authorize"):
                answer = await _outcome(order, gateway, attempt)
            if isinstance(answer, ActionRequired):
                return await self._customer_must_act(history, edit)
            self._observer.payment("authorize", "approved" if isinstance(answer, Authorized) else "declined")
            result = (await self._attempts.complete(attempt, answer)).result
        cause = self._caused_by(history, e.OrderEditReserved, "edit-payment", edit_id=edit.edit_id)
        return await self._orders.record(history, _decided(edit, attempt, result), cause=cause)

    async def _customer_must_act(self, history: History, edit: Edit) -> History | Outcome:
        if question_of(edit.edit_id) in placed(history).question_ids:
            return Done()
        ask = partial(decisions.ask_for_edit, edit_id=edit.edit_id, deadline=self._now() + self._action)
        cause = self._caused_by(history, e.OrderEditReserved, "edit-payment-action", edit_id=edit.edit_id)
        history = await self._orders.record(history, ask, cause=cause)
        if placed(history).open_edit is None:
            return history
        self._observer.payment("authorize", "action_required")
        for delay_s in LOOKS_S:
            await self._hint("payment", history, delay_s=delay_s)
        return Done()

    async def let_go(self, history: History, gateway: PaymentGateway, spare: Spare) -> History:
        """See to it that this attempt holds nothing and keeps nothing. Raises GatewayError, TableError, StoreError."""
        order = placed(history)
        key, reference = key_of(order, spare.attempt), spare.provider_reference
        if reference is None:
            reference = await self._let_go_what_is_there(order, gateway, key)
        else:
            await called(self._observer, "void", gateway.void(f"{key}:void", reference=reference))
        outcome = e.PaymentHoldReleased(attempt=spare.attempt, provider_reference=reference)
        decide = partial(decisions.release_hold_of_attempt, outcome=outcome)
        decided = (e.OrderEditApplied, e.OrderEditDeclined)
        cause = self._caused_by(history, decided, f"payment-hold-released:{spare.attempt}")
        return await self._orders.record(history, decide, cause=cause)

    async def _let_go_what_is_there(self, order: Placed, gateway: PaymentGateway, key: str) -> str | None:
        """Of an attempt that nobody has begun, nobody will. Of one that was begun it is first known what it came to."""
        attempt = await self._attempts.abandon(key, order_id=order.order.order_id)
        if attempt.state == "abandoned":
            return None
        answer: Answer | None = attempt.result
        if answer is None:
            with reporting(self._observer, "void"):
                answer = await _outcome(order, gateway, attempt)
            if not isinstance(answer, ActionRequired):
                answer = (await self._attempts.complete(attempt, answer)).result
        match answer:
            case Authorized(reference, taken=taken) if taken or attempt.capture:
                await self._given_back(gateway, attempt, reference)
                return reference
            case Authorized(reference) | ActionRequired(reference):
                await called(self._observer, "void", gateway.void(f"{key}:void", reference=reference))
                return reference
            case Declined() | None:
                return None

    async def _given_back(self, gateway: PaymentGateway, attempt: Attempt, reference: str) -> None:
        giving = gateway.refund(f"{attempt.key}:return", reference=reference, amount=_amount_of(attempt))
        await called(self._observer, "refund", giving)


async def _outcome(order: Placed, gateway: PaymentGateway, attempt: Attempt) -> Answer:
    """What the provider says. Only who has just begun the attempt may ask for money without looking first; one that the provider has never
    heard of is finished with the same key, since its first request may still be on its way."""
    amount = _amount_of(attempt)
    if not attempt.own:
        found = await gateway.find(attempt.key)
        if found is not None:
            return found
    return await gateway.authorize(
        attempt.key,
        amount=amount,
        order_reference=order.order.order_id,
        capture=attempt.capture,
        method=order.payment.method,
        in_parts=charged_in_parts(order),
    )


def _amount_of(attempt: Attempt) -> Money:
    if attempt.amount is None:
        raise OutOfStep("a payment attempt was abandoned after it had begun")
    return attempt.amount


def _decided(edit: Edit, attempt: Attempt, result: Result | None) -> Decide:
    match result:
        case Authorized(reference, capture_before, taken):
            completed = e.PaymentCompleted(
                attempt=edit.attempt,
                mode="captured" if attempt.capture or taken else "authorized",
                amount_minor=_amount_of(attempt).minor,
                provider_reference=reference,
                capture_before=capture_before,
            )
            return partial(decisions.cover_edit, edit_id=edit.edit_id, outcome=completed)
        case Declined(code=code):
            return partial(decisions.decline_edit, edit_id=edit.edit_id, reason="payment_failed", code=code)
        case None:
            raise OutOfStep("a payment attempt has ended without a result")
