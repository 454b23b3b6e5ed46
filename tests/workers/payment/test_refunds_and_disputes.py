"""Money that goes back: refunds that the provider refuses, and disputes, which the bank decides."""

import json
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.rejections import NothingToRefund
from tests.virtual_time import run_virtual
from tests.workers.payment.stories import Story, sandbox
from tests.workers.payment.test_payment_webhooks import Door
from tests.workers.payment.test_stripe_faults import StripeWorld
from tests.workers.world import World
from workers.payment.hints import DELAY_S_MAX, notice_body, notice_in, queue_hint
from workers.payment.sandbox import SandboxDisputes
from workers.payment.stripe_disputes import StripeDisputes
from workers.runtime.outcome import Done


async def paid(world: World, **fields: Any) -> Story:
    story = Story(world, await world.place(**fields))
    await world.deliver()
    return story


@pytest.mark.parametrize(
    ("status", "code"), [("failed", "failed"), ("requires_action", "requires_action"), ("canceled", "canceled")]
)
def test_a_refund_that_does_not_reach_its_card_is_owed_and_tried_again(status: str, code: str) -> None:
    """It is an event and no dead letter; the next try has a key of its own, and gives the money once."""

    async def scenario() -> None:
        world = StripeWorld()
        story = await paid(world, paymentMethod="pm_ok")
        world.stripe.refund_fails = status
        await world.refund(story.order_id, line=1, quantity=1)
        await world.deliver(copies=2)
        (failed,) = await story.all(e.RefundFailed)
        assert (failed.attempt, failed.code) == (1, code)
        assert (await story.order()).payment.refunds_owed != ()
        world.stripe.refund_fails = None
        await story.tell(decisions.retry_refund, "again", refund_id=failed.refund_id)
        await world.deliver(copies=2)
        keys = [refund["metadata"]["orderstore_refund"] for refund in world.stripe.refunds.values()]
        first = f"{story.order_id}:payment:1:refund:{failed.refund_id}"
        assert keys == [first, f"{first}:2"]
        assert len(await story.all(e.RefundIssued)) == 1
        assert [error for error in world.errors if type(error).__name__ != "GatewayTimeout"] == []
        events = (await story.history()).events
        retried = next(one for one in events if one.name == "RefundRetried")
        assert events[-1].name == "CreditNoteIssued" or retried.event_id in {one.causation_id for one in events}

    run_virtual(scenario)


def test_a_refund_that_fails_again_fails_with_another_id() -> None:
    """Each try has its own outcome; after it other refunds go on."""

    async def scenario() -> None:
        world = StripeWorld()
        story = await paid(world, paymentMethod="pm_ok")
        world.stripe.refund_fails = "failed"
        await world.refund(story.order_id, line=1, quantity=1)
        await world.deliver()
        (refund,) = (await story.order()).payment.refunds
        await story.tell(decisions.retry_refund, "again", refund_id=refund.refund_id)
        await world.deliver()
        assert [one.attempt for one in await story.all(e.RefundFailed)] == [1, 2]
        world.stripe.refund_fails = None
        await world.refund(story.order_id, line=0, quantity=1)
        await world.deliver()
        assert [one.amount_minor for one in await story.all(e.RefundIssued)] == [85_000]

    run_virtual(scenario)


def test_the_sandbox_refuses_a_refund_once() -> None:
    """So that the whole way can be tried without a provider."""

    async def scenario() -> None:
        story = await paid(World(), paymentMethod="pm_sandbox_refund_fails")
        await story.world.refund(story.order_id, line=1, quantity=1)
        await story.world.deliver()
        (failed,) = await story.all(e.RefundFailed)
        assert failed.code == "expired_or_canceled_card"
        await story.tell(decisions.retry_refund, "again", refund_id=failed.refund_id)
        await story.world.deliver()
        assert len(await story.all(e.RefundIssued)) == 1

    run_virtual(scenario)


def test_an_unknown_outcome_of_a_refund_is_no_failure() -> None:
    """It is asked about, and given once."""  # 8: 3

    async def scenario() -> None:
        world = StripeWorld()
        story = await paid(world, paymentMethod="pm_ok")
        world.stripe.only_posts = True
        world.stripe.faults.append("lost after")
        await world.refund(story.order_id, line=1, quantity=1)
        await world.deliver()
        assert await story.all(e.RefundFailed) == []
        assert len(world.stripe.refunds) == 1

    run_virtual(scenario)


async def test_a_dispute_is_told_by_a_webhook_and_read_from_the_provider() -> None:
    """The event names no order and is believed in nothing; told twice, in any order, it is recorded once."""
    world = StripeWorld()
    door = Door(world)
    world.wants = lambda queue, _event: queue in ("payment", "inventory")
    story = await paid(world, paymentMethod="pm_ok")
    dispute = world.stripe.dispute("pi_1", amount=90_000)
    body = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": "charge.dispute.closed",
            "data": {"object": {"id": dispute, "object": "dispute", "payment_intent": "pi_1", "status": "lost"}},
        }
    )
    for _ in range(2):
        assert (await door.tell(body)).json() == {"status": "noted"}
    notices = [message for _, message in world.messages if notice_in(message.body) is not None]
    world.messages.clear()
    for message in notices:
        assert await world.handlers["payment"](message) == Done()
    (opened,) = await story.all(e.PaymentDisputed)
    assert (opened.dispute_id, opened.amount_minor, opened.reason) == (dispute, 90_000, "product_not_received")
    assert opened.answer_by is not None
    assert await story.all(e.PaymentDisputeClosed) == [], "it says that it is closed, and Stripe does not"
    assert [hold.hold_id for hold in (await story.order()).holds] == [f"dispute:{dispute}"]
    world.stripe.disputes[dispute]["status"] = "won"
    assert await world.handlers["payment"](notices[0]) == Done()
    assert [one.outcome for one in await story.all(e.PaymentDisputeClosed)] == ["won"]
    assert (await story.order()).holds == ()


@pytest.mark.parametrize(("won", "left"), [(True, 90_000), (False, 0)])
def test_what_the_bank_took_back_is_not_given_back_a_second_time(won: bool, left: int) -> None:
    """Lost, the money is gone; won, it is ours to give."""

    async def scenario() -> None:
        story = await paid(World())
        world = story.world
        disputes = SandboxDisputes(world.ledger)
        reference = str((await story.order()).payment.provider_reference)
        await disputes.open(reference, amount_minor=90_000)
        await disputes.close(reference, won=won)
        world.send("payment", notice_body(reference))
        await world.handlers["payment"](world.messages.pop()[1])
        assert [one.outcome for one in await story.all(e.PaymentDisputeClosed)] == ["won" if won else "lost"]
        if won:
            await world.refund(story.order_id, line=0, quantity=1)
            await world.refund(story.order_id, line=1, quantity=2)
            await world.deliver()
        else:
            with pytest.raises(NothingToRefund):
                await world.refund(story.order_id, line=0, quantity=1)
        assert sum(one.amount_minor for one in await story.all(e.RefundIssued)) == left

    run_virtual(scenario)


async def test_a_refund_that_came_back_from_its_bank_is_a_discrepancy_of_its_order() -> None:
    """Days after it was given; told twice, it is noted once, and nothing is given a second time by itself."""
    world = StripeWorld()
    door = Door(world)
    story = await paid(world, paymentMethod="pm_ok")
    await world.refund(story.order_id, line=1, quantity=1)
    await world.deliver()
    (refund,) = world.stripe.refunds.values()
    told = {"id": refund["id"], "object": "refund", "payment_intent": "pi_1", "status": "failed"}
    body = json.dumps({"id": "evt_1", "object": "event", "type": "refund.failed", "data": {"object": told}})
    assert (await door.tell(body)).json() == {"status": "noted"}
    await world.deliver()
    assert await story.all(e.DiscrepancyFound) == [], "Stripe itself says that it was given"
    refund["status"] = "failed"
    for _ in range(2):
        await door.tell(body)
        await world.deliver()
    assert [(one.kind, one.ours, one.theirs) for one in await story.all(e.DiscrepancyFound)] == [
        ("refunds_differ", 2_500, 0)
    ]
    assert len(world.stripe.refunds) == 1


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"])
def test_an_inquiry_takes_no_money_and_is_no_dispute(status: str) -> None:
    """Nothing is recorded, and nothing is held up."""

    async def scenario() -> None:
        world = StripeWorld()
        story = await paid(world, paymentMethod="pm_ok")
        world.stripe.dispute("pi_1", amount=90_000, status=status)
        world.send("payment", notice_body("pi_1"))
        await world.deliver()
        assert await story.all(e.PaymentDisputed) == []

    run_virtual(scenario)


@pytest.mark.parametrize("reference", ["pi_404", "pi_foreign", "pi_stray"])
def test_a_dispute_about_somebody_else_s_payment_is_not_ours(reference: str) -> None:
    """Another user of the account, or an attempt whose money was given back long ago: the message is done."""

    async def scenario() -> None:
        world = StripeWorld()
        story = await paid(world, paymentMethod="pm_ok")
        ours = world.stripe.intents["pi_1"]
        world.stripe.intents["pi_foreign"] = {**ours, "id": "pi_foreign", "metadata": {}}
        world.stripe.intents["pi_stray"] = {**ours, "id": "pi_stray"}
        for of in ("pi_foreign", "pi_stray"):
            world.stripe.dispute(of, amount=1)
        world.send("payment", notice_body(reference))
        await world.deliver()
        assert (world.errors, world.poisoned, await story.all(e.PaymentDisputed)) == ([], [], [])

    run_virtual(scenario)


def test_a_worker_without_disputes_takes_no_notice() -> None:
    """It is no message of an order: to the dead letters, where somebody sees it."""

    async def scenario() -> None:
        story = await sandbox()
        story.world.handlers["payment"]._disputes = None
        story.world.messages.clear()
        story.world.send("payment", notice_body("pi_1"))
        with pytest.raises(Exception, match="envelope"):
            await story.world.handlers["payment"](story.world.messages[0][1])

    run_virtual(scenario)


@pytest.mark.parametrize("body", ["", "paymentNotice", '{"paymentNotice": 5}', '{"paymentNotice": {"reference": ""}}'])
def test_what_is_no_notice_is_none(body: str) -> None:
    """A notice names one payment."""
    assert notice_in(body) is None


async def test_a_hint_goes_to_its_queue_and_waits_no_longer_than_a_queue_can() -> None:
    """The first message of the order once more."""
    sent: list[dict[str, Any]] = []

    class Client:
        async def get_queue_url(self, *, QueueName: str) -> Any:  # noqa: N803 - as SQS names it
            return {"QueueUrl": f"url of {QueueName}"}

        async def send_message(self, **asked: Any) -> None:
            sent.append(asked)

    story = await sandbox()
    hint = queue_hint(Client(), "shop-{}".format)  # type: ignore[arg-type]  # all that is asked of it
    await hint("shipping", await story.history())
    await hint("payment", await story.history(), delay_s=5_000)
    assert [(one["QueueUrl"], one.get("DelaySeconds")) for one in sent] == [
        ("url of shop-shipping", None),
        ("url of shop-payment", DELAY_S_MAX),
    ]
    assert sent[0]["MessageBody"] == story.world.messages[0][1].body


async def test_the_provider_s_disputes_are_told_with_whose_they_are() -> None:
    """Oldest first, as they came about."""
    world = StripeWorld()
    story = await paid(world, paymentMethod="pm_ok")
    first, second = world.stripe.dispute("pi_1", amount=5), world.stripe.dispute("pi_1", amount=7, status="lost")
    client: Any = world.handlers["payment"]._disputes._disputes
    assert isinstance(client, StripeDisputes)
    found = await client.of("pi_1")
    assert found is not None
    assert found.order_id == story.order_id
    assert [(one.dispute_id, one.standing) for one in found.disputes] == [(first, "open"), (second, "lost")]
