"""The provider's books against the log, beyond what was paid: parts, refunds, disputes; and payments that only need to be looked at."""

from typing import Any

import anyio
import pytest

from orderstore.domain import events as e
from tests.virtual_time import run_virtual
from tests.workers.payment.stories import NORTH, SOUTH, Story
from tests.workers.payment.stripe_fake import InProcess
from tests.workers.payment.test_payment_parts import BY_PARCEL
from tests.workers.payment.test_stripe_faults import StripeWorld
from tests.workers.reconciliation.test_payment_reconciliation import DAY_MS, Scene
from workers.payment.hints import HintNotTaken
from workers.payment.stripe_books import StripeBooks
from workers.payment.stripe_http import stripe_client
from workers.reconciliation.payments import PaymentReconciliation


class Woken(Scene):
    """What does not fit wakes the payment worker, which has done its work when it is looked again."""

    def __init__(self, *, asks_customer: bool = False) -> None:
        super().__init__()
        if asks_customer:
            self.world = StripeWorld(asks_customer=True)
            self.stripe = self.world.stripe
            self.books = StripeBooks(stripe_client(self.stripe.api_key, InProcess(self.stripe), api_base=None))
        self.woken = 0
        self.down = False
        self.reconciliation = PaymentReconciliation(
            self.books, self.world.attempts.held_between, self.world.orders, wake=self._wake
        )

    async def _wake(self, body: str) -> None:
        if self.down:
            raise HintNotTaken("down")
        self.woken += 1
        self.world.send("payment", body)

    async def found_beside_the_worker(self) -> list[tuple[str, str, int, int]]:
        """The worker is at work while the reconciliation waits."""
        found: list[Any] = []

        async def compare() -> None:
            found.extend(await self.found())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(compare)
            await anyio.sleep(30)
            await self.world.deliver()
        return found


def test_paid_and_the_webhook_was_lost_heals_by_itself() -> None:
    """The customer acted, and nobody told us: the order is woken, and is no discrepancy."""  # 6: money reconciliation

    async def scenario() -> None:
        scene = Woken(asks_customer=True)
        scene.world.wants = lambda queue, _event: queue == "payment"
        order_id = await scene.world.place(paymentMethod="pm_action")
        await scene.world.deliver()
        scene.stripe.act()
        assert await scene.found_beside_the_worker() == []
        assert scene.woken == 1
        assert "PaymentCompleted" in await scene.world.events(order_id)

    run_virtual(scenario)


def test_a_capture_whose_message_is_lost_heals_by_itself() -> None:
    """The money was taken, and the worker died before it could say so."""

    async def scenario() -> None:
        scene = Woken()
        scene.world.wants = lambda queue, event: queue != "payment" or event == "OrderCreated"
        order_id = await scene.world.place(paymentMethod="pm_ok")
        await scene.world.deliver()
        scene.stripe.intents["pi_1"].update(status="succeeded", amount_received=90_000)
        assert await scene.found_beside_the_worker() == []
        assert (await scene.world.events(order_id)).count("PaymentCaptured") == 1

    run_virtual(scenario)


def test_what_nobody_can_be_woken_for_is_told() -> None:
    """The queue is down: it counts, and is noted."""

    async def scenario() -> None:
        scene = Woken()
        scene.down = True
        order_id, intent = await scene.paid(hold=True)
        intent.update(status="succeeded", amount_received=90_000)
        assert await scene.found_beside_the_worker() == [(order_id, "amount_differs", 0, 90_000)]

    run_virtual(scenario)


def test_a_dry_run_wakes_nobody() -> None:
    """It only tells."""

    async def scenario() -> None:
        scene = Woken()
        _, intent = await scene.paid()
        scene.stripe.dispute(intent["id"], amount=5)
        assert len(await scene.found(note=False)) == 1
        assert scene.woken == 0

    run_virtual(scenario)


def test_a_refund_that_somebody_gave_at_the_provider_is_found_on_its_own_day() -> None:
    """Days after the payment; noted once for each amount, in the order."""  # 6: refunds

    async def scenario() -> None:
        scene = Scene()
        order_id, intent = await scene.paid()
        assert await scene.found() == []
        scene.world.time_ms += 3 * DAY_MS
        await scene.world.refund(order_id, line=1, quantity=1)
        await scene.world.deliver()
        assert await scene.found() == [], "what the log knows of fits"
        ours = next(iter(scene.stripe.refunds.values()))
        scene.stripe.refunds["re_x"] = {**ours, "id": "re_x", "amount": 1_000, "metadata": {}}
        for _ in range(2):
            report = await scene.reconciliation.reconcile(scene.today())
            assert [(one.order_id, one.finding.kind, one.amounts, one.noted) for one in report.found] == [
                (order_id, "refunds_differ", (2_500, 3_500), True)
            ]
        story = Story(scene.world, order_id)
        (noted,) = await story.all(e.DiscrepancyFound)
        assert (noted.area, noted.subject, noted.ours, noted.theirs) == ("money", intent["id"], 2_500, 3_500)
        scene.stripe.refunds["re_x"]["amount"] = 2_000
        await scene.reconciliation.reconcile(scene.today())
        assert [one.theirs for one in await story.all(e.DiscrepancyFound)] == [3_500, 4_500]

    run_virtual(scenario)


def test_a_refund_that_the_bank_sent_back_later_is_found() -> None:
    """We say that it was given; the provider no longer does."""

    async def scenario() -> None:
        scene = Scene()
        order_id, _ = await scene.paid()
        await scene.world.refund(order_id, line=1, quantity=1)
        await scene.world.deliver()
        next(iter(scene.stripe.refunds.values()))["status"] = "failed"
        report = await scene.reconciliation.reconcile(scene.today())
        assert [(one.finding.kind, one.amounts) for one in report.found] == [("refunds_differ", (2_500, 0))]

    run_virtual(scenario)


@pytest.mark.parametrize("wakes", [True, False])
def test_a_dispute_whose_webhook_was_lost_is_recorded_or_told(wakes: bool) -> None:
    """The worker is told which payment it is; where it cannot be, it is a discrepancy."""  # 6: disputes

    async def scenario() -> None:
        scene = Woken()
        scene.down = not wakes
        order_id, intent = await scene.paid()
        scene.world.time_ms += 2 * DAY_MS
        dispute = scene.stripe.dispute(intent["id"], amount=90_000)
        found = await scene.found_beside_the_worker() if wakes else []
        if not wakes:
            report = await scene.reconciliation.reconcile(scene.today())
            assert [(one.finding.kind, one.amounts, one.reference) for one in report.found] == [
                ("disputes_differ", (0, 90_000), intent["id"])
            ]
            return
        assert found == []
        assert [one.dispute_id for one in await Story(scene.world, order_id).all(e.PaymentDisputed)] == [dispute]

    run_virtual(scenario)


def test_parts_and_money_that_came_back_late_fit() -> None:
    """One parcel is paid for and another is still here; and an attempt whose money was given back is as if it never was."""

    async def scenario() -> None:
        scene = Scene()
        scene.world.wants = lambda queue, _event: queue == "payment"
        story = Story(scene.world, await scene.world.place(paymentMethod="pm_ok", terms=BY_PARCEL))
        await story.reserved_at_two_places()
        await story.deliver()
        await story.leaves("p1", "north", NORTH)
        await story.deliver()
        late = {**scene.stripe.intents["pi_1"], "id": "pi_late", "status": "succeeded", "amount_received": 700}
        scene.stripe.intents["pi_late"] = {**late, "latest_charge": "ch_late"}
        scene.stripe.refunds["re_late"] = {
            "id": "re_late",
            "object": "refund",
            "amount": 700,
            "payment_intent": "pi_late",
            "status": "succeeded",
            "created": scene.world.time_ms // 1_000,
            "metadata": {},
        }
        assert await scene.found() == []
        await story.leaves("p2", "south", SOUTH)
        await story.deliver()
        assert await scene.found() == []
        scene.stripe.intents["pi_1"]["amount_received"] = 89_999
        assert await scene.found() == [(story.order_id, "amount_differs", 90_000, 89_999)]

    run_virtual(scenario)


def test_others_refunds_and_disputes_are_not_compared() -> None:
    """The account may have other users."""

    async def scenario() -> None:
        scene = Scene()
        _, intent = await scene.paid()
        scene.world.time_ms += 2 * DAY_MS
        foreign = {**intent, "id": "pi_foreign", "metadata": {}}
        scene.stripe.intents["pi_foreign"] = foreign
        scene.stripe.dispute("pi_foreign", amount=5)
        report = await scene.reconciliation.reconcile(scene.today())
        assert (report.compared, report.found) == (0, ())

    run_virtual(scenario)
