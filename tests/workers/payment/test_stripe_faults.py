"""Orders through the payment worker and Stripe's adapter, with random faults, forgotten keys and copies: each attempt is charged at most
once, and the order says what the provider says. The seed is the test's parameter."""

import random
from typing import Any

import pytest

from orderstore.domain.events import PaymentCompleted, PaymentFailed
from tests.seeds import seeds
from tests.virtual_time import run_virtual
from tests.workers.payment.stripe_fake import FakeStripe, InProcess
from tests.workers.world import World
from workers.payment.disputes import DisputeDesk
from workers.payment.gateway import GatewayRefused, always
from workers.payment.handler import PENDING_AGAIN_S, PaymentHandler
from workers.payment.stripe_disputes import StripeDisputes
from workers.payment.stripe_gateway import StripeGateway
from workers.payment.stripe_http import stripe_client
from workers.payment.stripe_intents import TableIntents
from workers.runtime.outcome import Defer, Done

FAULTS = ("unsent", "lost before", "lost after", "500 before", "500 after", "429", "garbage after")
METHODS = ("pm_ok", "pm_ok", "pm_decline_insufficient_funds", "pm_action")


class StripeWorld(World):
    """The small world, with Stripe behind the payment worker."""

    def __init__(self, *, capture: Any = "on_dispatch", asks_customer: bool = False) -> None:
        super().__init__()
        self.stripe = FakeStripe(lambda: self.time_ms / 1_000, only_posts=False)
        client = stripe_client(self.stripe.api_key, InProcess(self.stripe), api_base=None)
        gateway = StripeGateway(
            client,
            TableIntents(self.tables["payments"], now_ms=self.now_ms),
            now_ms=self.now_ms,
            asks_customer=asks_customer,
        )
        self.gateway = gateway
        self.handlers["payment"] = PaymentHandler(
            self.orders,
            gateway_for=always(gateway),
            attempts=self.attempts,
            hint=self.hint,
            now_ms=self.now_ms,
            disputes=DisputeDesk(self.orders, StripeDisputes(client), observer=self.reports),  # type: ignore[arg-type]  # as below
            capture=capture,
            sandbox=False,
            observer=self.reports,  # type: ignore[arg-type]  # it answers every method
        )

    def intent_of(self, order_id: str) -> dict[str, Any]:
        found = [i for i in self.stripe.intents.values() if i["metadata"]["orderstore_order"] == order_id]
        tried = [
            intent for intent in found if intent["status"] != "requires_payment_method" or intent["last_payment_error"]
        ]
        assert len(tried) <= 1, "one attempt, one intent that was ever confirmed"
        return tried[0] if tried else found[0]


@pytest.mark.parametrize("seed", seeds(15, range(60)))
def test_whatever_goes_wrong_an_attempt_is_charged_at_most_once(seed: int) -> None:
    """Random faults at random requests, keys that are forgotten, orders that are cancelled meanwhile."""  # D13, E074, A04
    run_virtual(_random_day, random.Random(seed))


async def _random_day(chance: random.Random) -> None:
    world = StripeWorld(capture=chance.choice(["on_dispatch", "at_once"]))
    world.stripe.faults.extend(
        chance.choice(FAULTS) if chance.random() < 0.35 else None for _ in range(chance.randrange(60))
    )
    placed = {}
    for _ in range(4):
        method = chance.choice(METHODS)
        stock = chance.choice(["reserved", "out_of_stock"])
        placed[await world.place(paymentMethod=method, inventoryOutcome=stock)] = method
    cancelled = [order_id for order_id in placed if chance.random() < 0.3]
    real, when = world.stripe.answer, chance.randrange(1, 20)

    async def answer(*arguments: Any) -> Any:
        if len(world.stripe.requests) == when:
            world.time_ms += 2 * 86_400_000  # every key is forgotten
            for order_id in cancelled:
                if await world.status(order_id) in ("Received", "Confirmed"):
                    await world.cancel(order_id)
        return await real(*arguments)

    world.stripe.answer = answer  # type: ignore[method-assign]  # so that time passes in the middle
    await world.deliver(copies=chance.choice([1, 2]))

    assert not [error for error in world.errors if isinstance(error, GatewayRefused)]
    assert world.poisoned == []
    attempts = [attempt for attempt, _ in world.stripe.successes]
    assert len(attempts) == len(set(attempts)), "charged twice"
    for order_id, method in placed.items():
        await _books_agree(world, order_id, method)


async def _books_agree(world: StripeWorld, order_id: str, method: str) -> None:
    status = await world.status(order_id)
    events = [recorded.event for recorded in (await world.orders.load(order_id)).events]
    assert status in ("Completed", "Cancelled", "Rejected")
    failed = any(isinstance(event, PaymentFailed) for event in events)
    paid = any(isinstance(event, PaymentCompleted) for event in events)
    if failed:
        assert method != "pm_ok", "an unknown outcome was taken for a decline"
    if not paid and not failed:
        assert not any(attempt.startswith(order_id) for attempt, _ in world.stripe.successes)
        return
    intent = world.intent_of(order_id)
    given_back = sum(r["amount"] for r in world.stripe.refunds.values() if r["payment_intent"] == intent["id"])
    kept = intent["amount_received"] - given_back
    assert intent["status"] != "requires_capture", "nothing is left held"
    assert kept == (90_000 if status == "Completed" else 0)


def test_an_order_costs_three_requests() -> None:
    """Make, confirm, capture; a refund asks first, since nothing else keeps it from being paid twice."""

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await world.place(paymentMethod="pm_ok")
        await world.deliver()
        intents = "/v1/payment_intents"
        made = [f"post {intents}", f"post {intents}/pi_1/confirm", f"post {intents}/pi_1/capture"]
        assert world.stripe.requests == made
        await world.refund(order_id, line=1, quantity=1)
        await world.deliver(copies=2)
        assert world.stripe.requests[3:] == ["get /v1/refunds", "post /v1/refunds"]

    run_virtual(scenario)


def test_a_pending_payment_is_asked_about_again_and_burns_no_receive() -> None:
    """The worker defers; once the provider has decided, the order goes on."""  # D13

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await world.place(paymentMethod="pm_processing")
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")
        for _ in range(3):
            assert await world.handlers[queue](message) == Defer(PENDING_AGAIN_S)
        assert world.reports.counts["payment", "authorize", "pending"] == 3
        world.stripe.settle("ok")
        assert await world.handlers[queue](message) == Done()
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)


def test_a_redrive_two_days_later_charges_nothing() -> None:
    """Every message of a finished order again, when the provider has forgotten every key."""  # D13, E066

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await world.place(paymentMethod="pm_ok")
        await world.deliver()
        world.time_ms += 2 * 86_400_000
        before = list(world.stripe.requests)
        for entry in list(world.history):
            world.messages.append(entry)
        await world.deliver()
        assert world.stripe.requests == before
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)


def test_an_order_without_a_payment_method_is_declined_and_told_so() -> None:
    """A business no, never a message that nobody can handle."""  # E054

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await world.place()
        await world.deliver()
        failed = [r.event for r in (await world.orders.load(order_id)).events if isinstance(r.event, PaymentFailed)]
        assert [(event.category, event.code) for event in failed] == [("hard", "payment_method_missing")]
        assert world.stripe.requests == []

    run_virtual(scenario)
