"""The payment worker's handler: what the order still wants of the payment provider, one step at a time.

An unknown outcome is never a decline: a time-out leaves the attempt `begun`, and the next delivery asks the provider what became of it
before anything is charged, with the same key (D13). Each attempt has a row and a key of its own, and before a later one asks for money the
earlier one is ended at the provider: what comes of it late neither holds nor keeps money a second time.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Literal

from orderstore.domain import decisions, next_steps
from orderstore.domain import events as e
from orderstore.domain.parcels import all_gone
from orderstore.domain.state import Cancelling, PaymentStatus, Placed, Refund, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.payment.attempts import Attempt, AttemptStore
from workers.payment.disputes import DisputeDesk
from workers.payment.earlier import end_earlier
from workers.payment.editing import LOOKS_S, EditPayments
from workers.payment.gateway import (
    ActionRequired,
    Answer,
    Authorized,
    GatewayFor,
    GatewayPending,
    HoldExpired,
    PaymentGateway,
    TakenOnce,
)
from workers.payment.hints import Hint, notice_in
from workers.payment.outcomes import (
    BEGINNINGS,
    charged_in_parts,
    decided,
    held_of,
    hold_ran_out,
    money_of,
    own_key,
    wakes_shipping,
)
from workers.payment.refunding import give_back
from workers.payment.reporting import called, reporting
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Defer, Done, Outcome
from workers.runtime.queue import Message

CaptureMode = Literal["on_dispatch", "at_once"]
PENDING_AGAIN_S: Final = 60.0
"""How soon the provider is asked again about a payment that it has not decided. The adapter bounds how long that goes on."""
ACTION_S: Final = 86_400
"""How long a customer has to do what the bank asks for, unless a setting says otherwise."""


class PaymentHandler(Reaction):
    """Authorises, captures, voids and refunds. `capture` says when money is taken: when the goods leave, or at once. `now_ms` is the wall
    clock in milliseconds since 1970; `disputes` None: the provider tells of none."""

    def __init__(
        self,
        orders: Orders,
        *,
        gateway_for: GatewayFor,
        attempts: AttemptStore,
        hint: Hint,
        now_ms: Callable[[], int],
        disputes: DisputeDesk | None = None,
        capture: CaptureMode = "on_dispatch",
        action_s: int = ACTION_S,
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="payment", sandbox=sandbox, observer=observer)
        self._gateway_for = gateway_for
        self._attempts = attempts
        self._hint = hint
        self._now_ms = now_ms
        self._disputes = disputes
        self._capture_at_once = capture == "at_once"
        self._action = timedelta(seconds=action_s)
        self._edits = EditPayments(
            orders,
            attempts,
            hint=hint,
            caused_by=self._caused_by,
            now=self._now,
            action=self._action,
            capture_at_once=self._capture_at_once,
            observer=self._observer,
        )

    async def __call__(self, message: Message) -> Outcome:
        """Do what the order wants, or see to the disputes that a notice is about."""
        told = notice_in(message.body)
        if told is None or self._disputes is None:
            return await super().__call__(message)
        await self._disputes.look(told)
        return Done()

    def _may_want(self, state: State) -> bool:
        return next_steps.payment_step(state) is not None or wakes_shipping(state)

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        try:
            return await self._take(history)
        except GatewayPending:
            return Defer(PENDING_AGAIN_S)

    async def _take(self, history: History) -> History | Outcome | None:
        order = placed(history)
        gateway = self._gateway_for(order.order)
        match next_steps.payment_step(history.state):
            case None:
                if wakes_shipping(history.state):
                    await self._hint("shipping", history)
                return None
            case next_steps.Authorize(amount_minor):
                attempt = await self._attempts.begin(
                    own_key(order),
                    order_id=order.order.order_id,
                    amount=money_of(order, amount_minor),
                    capture=self._capture_at_once,
                )
                if attempt.state == "abandoned":
                    return await self._orders.load(order.order.order_id)  # it was cancelled: look again
                return await self._settle(history, gateway, attempt)
            case next_steps.AuthorizeEdit(edit):
                return await self._edits.cover(history, gateway, edit)
            case next_steps.ReleaseHold(spare):
                return await self._edits.let_go(history, gateway, spare)
            case next_steps.VoidPayment():
                return await self._void(history, gateway)
            case next_steps.Capture() as wanted:
                return await self._capture(history, gateway, wanted)
            case next_steps.IssueRefund(refund):
                return await self._refund(history, gateway, refund)

    async def _settle(self, history: History, gateway: PaymentGateway, attempt: Attempt) -> History | Outcome:
        """Bring a begun attempt to its end, and write the end into the order."""
        order = placed(history)
        result = attempt.result
        if result is None:
            with reporting(self._observer, "authorize"):
                answer = await self._outcome(order, gateway, attempt)
            if isinstance(answer, ActionRequired):
                return await self._customer_must_act(history, gateway, answer)
            self._observer.payment("authorize", "approved" if isinstance(answer, Authorized) else "declined")
            result = (await self._attempts.complete(attempt, answer)).result
        decide = decided(order, attempt, result, now=self._now())
        history = await self._orders.caught_up(history)  # the provider took its time, and stock went on
        return await self._orders.record(history, decide, cause=self._caused_by(history, BEGINNINGS, "payment-outcome"))

    async def _outcome(self, order: Placed, gateway: PaymentGateway, attempt: Attempt) -> Answer:
        """What the provider says. Only who has just begun the attempt may charge without asking first.

        An attempt that the provider has never heard of is finished with the same key, on an order that is being cancelled too: its
        first request may still be on its way, and only its own answer makes the outcome known. What it holds is voided next.
        """
        if attempt.amount is None:
            raise OutOfStep("a payment attempt was abandoned after it had begun")
        if not attempt.own:
            found = await gateway.find(attempt.key)
            if found is not None:
                return found
        taken_over = await end_earlier(order, gateway, self._observer, wanted=attempt.amount)
        if taken_over is not None:
            return taken_over
        return await gateway.authorize(
            attempt.key,
            amount=attempt.amount,
            order_reference=order.order.order_id,
            capture=attempt.capture,
            method=order.payment.method,
            in_parts=charged_in_parts(order),
        )

    async def _customer_must_act(
        self, history: History, gateway: PaymentGateway, answer: ActionRequired
    ) -> History | Outcome:
        """Wait for the customer; on an order that is being cancelled nobody does, and what was asked for is withdrawn."""
        order = placed(history)
        if isinstance(order, Cancelling):
            await called(self._observer, "void", gateway.void(f"{own_key(order)}:void", reference=answer.reference))
            return await self._voided(history, answer.reference)
        if order.payment.status is PaymentStatus.ACTION_REQUIRED:
            return Done()
        outcome = e.PaymentActionRequired(
            attempt=order.payment.attempt,
            provider_reference=answer.reference,
            deadline=self._now() + self._action,
        )
        decide = partial(decisions.require_payment_action, outcome=outcome)
        cause = self._caused_by(history, BEGINNINGS, "payment-action")
        history = await self._orders.record(history, decide, cause=cause)
        self._observer.payment("authorize", "action_required")
        if isinstance(history.state, Cancelling):
            return history
        for delay_s in LOOKS_S:
            await self._hint("payment", history, delay_s=delay_s)
        return Done()

    async def _void(self, history: History, gateway: PaymentGateway) -> History | Outcome:
        """Let go what is held; when nothing was begun, make sure that nothing will be."""
        order = placed(history)
        reference = order.payment.provider_reference
        if reference is None:
            attempt = await self._attempts.abandon(own_key(order), order_id=order.order.order_id)
            if attempt.state != "abandoned":
                return await self._settle(history, gateway, attempt)
            with reporting(self._observer, "void"):
                await end_earlier(order, gateway, self._observer, wanted=None)
        else:
            await called(self._observer, "void", gateway.void(f"{own_key(order)}:void", reference=reference))
        return await self._voided(history, reference)

    async def _voided(self, history: History, reference: str | None) -> History:
        decide = partial(decisions.void_payment, outcome=e.PaymentVoided(provider_reference=reference))
        cause = self._caused_by(history, e.OrderCancellationRequested, "payment-void")
        return await self._orders.record(history, decide, cause=cause)

    async def _capture(
        self, history: History, gateway: PaymentGateway, wanted: next_steps.Capture
    ) -> History | Outcome:
        """Take what a parcel costs, or all of it. A card that lets itself be taken from only once is, when everything has left: nobody pays
        for what is still here. What is held no longer is asked for anew."""
        order = placed(history)
        try:
            return await self._taken(history, gateway, wanted)
        except TakenOnce:
            if not all_gone(order):
                return Done()
            left_minor = order.due_minor - order.payment.captured_minor
            return await self._taken(history, gateway, next_steps.Capture(left_minor))
        except HoldExpired:
            outcome = e.PaymentAuthorizationExpired(provider_reference=held_of(order))
            decide = partial(decisions.expire_authorization, outcome=outcome)
            cause = self._caused_by(history, e.PaymentCompleted, "payment-expired")
            after = await self._orders.record(history, decide, cause=cause)
            return after if after.version > history.version else await self._for_a_person(history)

    async def _for_a_person(self, history: History) -> Outcome:
        """Taken in part, or tried too often, and the goods have left: the rest of it is held nowhere, and the order says so, once."""
        order = placed(history)
        finding = hold_ran_out(order)
        cause = self._caused_by(history, e.PaymentCompleted, "payment-discrepancy:hold_ran_out")
        await self._orders.note_discrepancy(history, finding, cause=cause)
        return Done()

    async def _taken(self, history: History, gateway: PaymentGateway, wanted: next_steps.Capture) -> History:
        order = placed(history)
        parcel = "" if wanted.shipment_id is None else f":{wanted.shipment_id}"
        key = f"{own_key(order)}:capture{parcel}"
        if parcel or order.cancelled or not all_gone(order):  # an ordinary order loses nothing more
            wanted = await self._as_begun(order, key, wanted)
        taken = gateway.capture(
            key,
            reference=held_of(order),
            amount=money_of(order, wanted.amount_minor),
            before_minor=order.payment.captured_minor,
            final=wanted.final,
        )
        outcome = e.PaymentCaptured(
            amount_minor=wanted.amount_minor,
            provider_reference=await called(self._observer, "capture", taken),
            shipment_id=wanted.shipment_id,
            final=wanted.final,
        )
        decide = partial(decisions.capture_payment, outcome=outcome)
        cause = self._caused_by(history, e.ShipmentDispatched, "payment-capture", shipment_id=wanted.shipment_id)
        history = await self._orders.caught_up(history)  # stock and billing act on the same dispatch
        return await self._orders.record(history, decide, cause=cause)

    async def _as_begun(self, order: Placed, key: str, wanted: next_steps.Capture) -> next_steps.Capture:
        """A part that may have been taken already is taken as it was begun, whatever was cancelled since: the provider takes no other."""
        amount = money_of(order, wanted.amount_minor)
        begun = await self._attempts.begin(key, order_id=order.order.order_id, amount=amount, capture=wanted.final)
        if begun.amount is None:
            raise OutOfStep("a capture is never abandoned")
        return replace(wanted, amount_minor=begun.amount.minor, final=begun.capture)

    async def _refund(self, history: History, gateway: PaymentGateway, refund: Refund) -> History:
        decide, purpose = await give_back(placed(history), gateway, refund, self._observer)
        asked = (e.RefundRequested, e.RefundRetried)
        cause = self._caused_by(history, asked, purpose, refund_id=refund.refund_id)
        return await self._orders.record(history, decide, cause=cause)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC)
