"""The payment worker's handler: what the order still wants of the payment provider, one step at a time.

An unknown outcome is never a decline: a time-out leaves the attempt `begun`, and the next delivery asks the provider what became of it
before anything is charged, with the same key (D13).
"""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Literal, TypeVar

from orderstore.domain import decisions, next_steps
from orderstore.domain.events import (
    OrderCancellationRequested,
    OrderCreated,
    PaymentCaptured,
    PaymentCompleted,
    PaymentFailed,
    PaymentVoided,
    RefundIssued,
    RefundRequested,
    ShipmentDispatched,
)
from orderstore.domain.money import Money
from orderstore.domain.state import Placed, Refund, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.payment.attempts import Attempt, AttemptStore
from workers.payment.gateway import (
    Authorized,
    Declined,
    GatewayError,
    GatewayFor,
    GatewayPending,
    GatewayTimeout,
    PaymentGateway,
    Result,
)
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Defer, Outcome

CaptureMode = Literal["on_dispatch", "at_once"]
PENDING_AGAIN_S: Final = 60.0
"""How soon the provider is asked again about a payment that it has not decided. The adapter bounds how long that goes on."""
_T = TypeVar("_T")


class PaymentHandler(Reaction):
    """Authorises, captures, voids and refunds. `capture` says when money is taken: when the goods leave, or at once."""

    def __init__(
        self,
        orders: Orders,
        *,
        gateway_for: GatewayFor,
        attempts: AttemptStore,
        capture: CaptureMode = "on_dispatch",
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="payment", sandbox=sandbox, observer=observer)
        self._gateway_for = gateway_for
        self._attempts = attempts
        self._capture_at_once = capture == "at_once"

    def _may_want(self, state: State) -> bool:
        return next_steps.payment_step(state) is not None

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        try:
            return await self._take(history)
        except GatewayPending:
            return Defer(PENDING_AGAIN_S)

    async def _take(self, history: History) -> History | None:
        order = placed(history)
        gateway = self._gateway_for(order.order)
        match next_steps.payment_step(history.state):
            case None:
                return None
            case next_steps.Authorize(amount_minor):
                attempt = await self._attempts.begin(
                    _attempt_key(order),
                    order_id=order.order.order_id,
                    amount=Money(amount_minor, order.order.currency),
                    capture=self._capture_at_once,
                )
                if attempt.state == "abandoned":
                    return await self._orders.load(order.order.order_id)  # it was cancelled: look again
                return await self._settle(history, gateway, attempt)
            case next_steps.VoidPayment():
                return await self._void(history, gateway)
            case next_steps.Capture():
                return await self._capture(history, gateway)
            case next_steps.IssueRefund(refund):
                return await self._refund(history, gateway, refund)

    async def _settle(self, history: History, gateway: PaymentGateway, attempt: Attempt) -> History:
        """Bring a begun attempt to its end, and write the end into the order."""
        order = placed(history)
        result = attempt.result
        if result is None:
            with self._reporting_trouble("authorize"):
                answer = await self._outcome(order, gateway, attempt)
            self._observer.payment("authorize", "approved" if isinstance(answer, Authorized) else "declined")
            result = (await self._attempts.complete(attempt, answer)).result
        match result:
            case Authorized(reference):
                completed = PaymentCompleted(
                    attempt=order.payment.attempt,
                    mode="captured" if attempt.capture else "authorized",
                    amount_minor=order.order.total_minor,
                    provider_reference=reference,
                )
                decide = partial(decisions.complete_payment, outcome=completed)
            case Declined(category, code):
                failed = PaymentFailed(attempt=order.payment.attempt, category=category, code=code)
                decide = partial(decisions.fail_payment, outcome=failed)
            case None:
                raise OutOfStep("a payment attempt was abandoned after it had begun")
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, OrderCreated, "payment-outcome")
        )

    async def _outcome(self, order: Placed, gateway: PaymentGateway, attempt: Attempt) -> Result:
        """What the provider says. Only who has just begun the attempt may charge without asking first.

        An attempt that the provider has never heard of is finished with the same key, on an order that is being cancelled too: its
        first request may still be on its way, and only its own answer makes the outcome known. What it holds is voided next.
        """
        if not attempt.own:
            found = await gateway.find(attempt.key)
            if found is not None:
                return found
        return await gateway.authorize(
            attempt.key,
            amount=_total(order),
            order_reference=order.order.order_id,
            capture=attempt.capture,
            method=order.payment.method,
        )

    async def _void(self, history: History, gateway: PaymentGateway) -> History:
        """Let go what is held; when nothing was begun, make sure that nothing will be."""
        order = placed(history)
        reference = order.payment.provider_reference
        if reference is None:
            attempt = await self._attempts.abandon(_attempt_key(order), order_id=order.order.order_id)
            if attempt.state != "abandoned":
                return await self._settle(history, gateway, attempt)
        else:
            await self._called("void", gateway.void(f"{_attempt_key(order)}:void", reference=reference))
        decide = partial(decisions.void_payment, outcome=PaymentVoided(provider_reference=reference))
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, OrderCancellationRequested, "payment-void")
        )

    async def _capture(self, history: History, gateway: PaymentGateway) -> History:
        order = placed(history)
        key = f"{_attempt_key(order)}:capture"
        taken = gateway.capture(key, reference=_held(order), amount=_total(order))
        outcome = PaymentCaptured(
            amount_minor=order.payment.amount_minor, provider_reference=await self._called("capture", taken)
        )
        decide = partial(decisions.capture_payment, outcome=outcome)
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, ShipmentDispatched, "payment-capture")
        )

    async def _refund(self, history: History, gateway: PaymentGateway, refund: Refund) -> History:
        order = placed(history)
        key = f"{_attempt_key(order)}:refund:{refund.refund_id}"
        amount = Money(refund.amount_minor, order.order.currency)
        reference = await self._called("refund", gateway.refund(key, reference=_held(order), amount=amount))
        outcome = RefundIssued(
            refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference=reference
        )
        decide = partial(decisions.issue_refund, outcome=outcome)
        purpose = f"refund-outcome:{refund.refund_id}"
        cause = self._caused_by(history, RefundRequested, purpose, refund_id=refund.refund_id)
        return await self._orders.record(history, decide, cause=cause)

    async def _called(self, step: str, call: Awaitable[_T]) -> _T:
        """The provider's answer, reported. A repeat has the same key, so an error needs no repair here."""
        with self._reporting_trouble(step):
            answer = await call
        self._observer.payment(step, "done")
        return answer

    @contextmanager
    def _reporting_trouble(self, step: str) -> Iterator[None]:
        try:
            yield
        except GatewayError as error:
            match error:
                case GatewayTimeout():
                    result = "unknown"
                case GatewayPending():
                    result = "pending"
                case _:
                    result = "failed"
            self._observer.payment(step, result)
            raise


def _attempt_key(order: Placed) -> str:
    """The provider's idempotency key: the same for every try of the same attempt, at most 255 characters (Stripe)."""
    return f"{order.order.order_id}:payment:{order.payment.attempt}"


def _total(order: Placed) -> Money:
    return Money(order.order.total_minor, order.order.currency)


def _held(order: Placed) -> str:
    reference = order.payment.provider_reference
    assert reference is not None, "a payment that is authorised or captured has its reference"
    return reference
