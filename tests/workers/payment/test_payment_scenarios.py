"""What others get wrong: the scenarios of payments that facts force, and defects read in other systems' code, each as a promise."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.rejections import RefundTooLarge
from orderstore.requests import RequestRefund
from tests.virtual_time import run_virtual
from tests.workers.payment.stories import over_stripe
from tests.workers.payment.test_stripe_faults import StripeWorld
from tests.workers.world import CUSTOMER, World
from workers.payment.gateway import GatewayTimeout

DAY_MS = 86_400_000
RETRY = {"paymentRetryS": 3_600}


def test_a_redrive_two_days_later_charges_nothing_a_second_time() -> None:
    """The charge landed and its answer was lost; the message lay in the dead letters while Stripe forgot the key."""  # 5.5: 1, D13

    async def scenario() -> None:
        story = await over_stripe()
        world: Any = story.world
        world.stripe.faults.extend([None, "lost after"])
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")
        with pytest.raises(GatewayTimeout):
            await world.handlers[queue](message)
        world.time_ms += 2 * DAY_MS
        await story.deliver()
        assert len(world.stripe.successes) == 1
        assert (await story.order()).payment.status.value == "authorized"

    run_virtual(scenario)


def test_after_a_decline_a_new_card_is_a_new_attempt_with_a_key_of_its_own() -> None:
    """The old key would answer what it answered; the goods stay set aside meanwhile."""  # 5.5: 2

    async def scenario() -> None:
        story = await over_stripe("pm_decline_insufficient_funds", terms=RETRY)
        await story.deliver()
        (declined,) = await story.all(e.PaymentFailed)
        assert declined.retry_until is not None
        assert (await story.names())[-1] == "OrderActionRequired"
        await story.retry("pm_ok")
        await story.deliver(copies=2)
        (paid,) = await story.all(e.PaymentCompleted)
        world: Any = story.world
        assert (paid.attempt, [attempt for attempt, _ in world.stripe.successes]) == (
            2,
            [f"{story.order_id}:payment:2"],
        )
        assert (await story.names()).count("OrderActionAnswered") == 1
        events = (await story.history()).events
        outcomes = [one for one in events if one.name in ("PaymentFailed", "PaymentCompleted")]
        began = next(one for one in events if one.name == "PaymentAttemptStarted")
        assert len({one.event_id for one in outcomes}) == 2
        assert [one.causation_id for one in outcomes] == [events[0].event_id, began.event_id]

    run_virtual(scenario)


def test_of_two_refunds_of_60_on_100_exactly_one_wins() -> None:
    """Asked for at the same moment, with other keys: the other is told that there is too little left."""  # 5.5: 3

    async def scenario() -> None:
        world = World()
        order_id = await world.place(("CUP-1", 5, "20"))
        await world.deliver()
        refused: list[Exception] = []

        async def ask(key: str) -> None:
            asked = RequestRefund.model_validate({"lines": [{"line": 0, "quantity": 3}]})
            try:
                await world.orders.request_refund(order_id, asked, actor=CUSTOMER, idempotency_key=key)
            except RefundTooLarge as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "one")
            tasks.start_soon(ask, "two")
        await world.deliver(copies=2)
        given = [
            entry.details["amount_minor"]
            async for entry in world.ledger.entries(order=order_id)
            if entry.kind == "refund"
        ]
        assert (len(refused), given) == (1, [6_000])
        assert (await world.events(order_id)).count("RefundIssued") == 1

    run_virtual(scenario)


@pytest.mark.parametrize("trouble", ["lost after", "500 after", "lost before", "500 before"])
def test_whatever_the_provider_does_not_say_is_not_a_no(trouble: Any) -> None:
    """A time-out after the charge, or a fault of the provider's: the order waits, and is paid once."""  # 5.5: 9, 8: 3

    async def scenario() -> None:
        story = await over_stripe()
        world: Any = story.world
        world.stripe.faults.extend([None, trouble])
        await story.deliver()
        assert await story.all(e.PaymentFailed) == []
        assert len(world.stripe.successes) == 1
        assert (await story.order()).payment.status.value == "authorized"

    run_virtual(scenario)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_a_payment_that_succeeds_after_its_order_was_cancelled_is_given_back(capture: Any) -> None:
    """Let go where it is held, refunded where it was taken, without anybody asking for it."""  # 5.5: 11

    async def scenario() -> None:
        story = await over_stripe("pm_processing", capture=capture)
        world: Any = story.world
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")
        await world.handlers[queue](message)
        await world.cancel(story.order_id)
        world.stripe.settle("ok")
        world.wants = lambda _queue, _event: True
        await story.deliver()
        intent = world.intent_of(story.order_id)
        kept = intent["amount_received"] - sum(refund["amount"] for refund in world.stripe.refunds.values())
        assert (await world.status(story.order_id), kept) == ("Cancelled", 0)
        assert intent["status"] == ("canceled" if capture == "on_dispatch" else "succeeded")

    run_virtual(scenario)


def test_an_outcome_that_nobody_knows_is_said_and_settled_when_it_comes() -> None:
    """The stage has stalled: it is for a person, and never a decline; then the provider answers."""  # 5.5: 9

    async def scenario() -> None:
        story = await over_stripe("pm_processing")
        queue, message = next(entry for entry in story.world.messages if entry[0] == "payment")
        await story.world.handlers[queue](message)
        now = datetime(2026, 3, 1, tzinfo=UTC)
        await story.tell(decisions.stall, "stalled", stage="outcomes", since=now, due_at=now)
        assert [one.attempt for one in await story.all(e.PaymentOutcomeUnknown)] == [1]
        assert (await story.order()).payment.unknown
        world: Any = story.world
        world.stripe.settle("ok")
        await story.deliver()
        assert await story.all(e.PaymentFailed) == []
        payment = (await story.order()).payment
        assert (payment.status.value, payment.unknown) == ("authorized", False)

    run_virtual(scenario)


def test_no_event_and_no_row_names_a_card_and_no_log_names_the_token() -> None:
    """The method is kept in the log, sealed off from what is published; the payment worker writes it into nothing of its own."""  # 8: 8

    async def scenario() -> None:
        story = await over_stripe("pm_decline_do_not_honor", terms=RETRY)
        await story.deliver()
        await story.retry("pm_other_card")
        await story.deliver()
        rows = [row async for row in story.world.tables["payments"].scan()]
        assert "pm_" not in repr(rows)
        assert not any("pm_" in message.body for _, message in story.world.history)

    run_virtual(scenario)
    package = Path(__file__).parents[3] / "workers" / "payment"
    assert not [path.name for path in package.glob("*.py") if "structlog" in path.read_text(encoding="utf-8")]


def test_nothing_is_taken_before_the_goods_are_there_and_a_refund_that_fails_is_not_the_end() -> None:
    """Money is held, stock is set aside, and then it is taken; what cannot be given back is owed, and is tried again."""  # 8: 13

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await world.place(paymentMethod="pm_ok", inventoryOutcome="out_of_stock")
        await world.deliver()
        assert world.stripe.intents["pi_1"]["amount_received"] == 0
        assert await world.status(order_id) == "Cancelled"
        paid = await world.place(paymentMethod="pm_ok")
        await world.deliver()
        world.stripe.refund_fails = "failed"
        await world.refund(paid, line=0, quantity=1)
        await world.deliver()
        assert (await world.events(paid))[-1] == "RefundFailed"
        assert world.poisoned == []

    run_virtual(scenario)
