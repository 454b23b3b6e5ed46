"""A day of Stripe's books against the log: what does not fit is found in both directions, noted once, and nothing else is."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import anyio
import pytest

from orderstore.codec import MalformedCommit, UnknownEvent
from orderstore.domain.events import PaymentDiscrepancyFound
from orderstore.domain.ids import event_id
from orderstore.domain.money import Money
from orderstore.domain.state import ImpossibleTransition
from orderstore.history import History
from orderstore.store.errors import CorruptCommit, StreamTooLong, Unavailable
from tests.virtual_time import run_virtual
from tests.workers.payment.stripe_fake import InProcess
from tests.workers.payment.test_stripe_faults import StripeWorld
from workers.payment.gateway import GatewayUnavailable
from workers.payment.stripe_books import StripeBooks
from workers.payment.stripe_http import stripe_client
from workers.reconciliation.daily import CLAIM_S, LOOK_S, DailyReconciliation, DoneDays
from workers.reconciliation.payments import HOLD_WARNED_AFTER_DAYS, PaymentReconciliation, Report
from workers.tables.memory import MemoryTable

DAY_MS = 86_400_000
TOTAL = Money(90_000, "USD")


class Scene:
    """Orders that were paid on the world's first day; `today` is where the world's clock stands."""

    def __init__(self) -> None:
        self.world = StripeWorld()
        self.stripe = self.world.stripe
        client = stripe_client(self.stripe.api_key, InProcess(self.stripe), api_base=None)
        self.books = StripeBooks(client)
        self.reconciliation = PaymentReconciliation(self.books, self.world.attempts.held_between, self.world.orders)

    def today(self) -> date:
        return datetime.fromtimestamp(self.world.time_ms / 1_000, tz=UTC).date()

    async def paid(self, *, hold: bool = False) -> tuple[str, dict[str, Any]]:
        if hold:
            self.world.wants = lambda queue, _event: queue == "payment"
        order_id = await self.world.place(paymentMethod="pm_ok")
        await self.world.deliver()
        self.world.wants = lambda _queue, _event: True
        return order_id, self.world.intent_of(order_id)

    async def found(self, **options: Any) -> list[tuple[str, str, int, int]]:
        report = await self.reconciliation.reconcile(self.today(), **options)
        return [(one.order_id, one.finding.kind, *one.amounts) for one in report.found]

    async def noted(self, order_id: str) -> list[PaymentDiscrepancyFound]:
        events = (await self.world.orders.load(order_id)).events
        return [recorded.event for recorded in events if isinstance(recorded.event, PaymentDiscrepancyFound)]


def test_a_day_that_fits_is_silent() -> None:
    """Completed, declined, cancelled, only held: nothing is found, nothing is appended."""  # E114

    async def scenario() -> None:
        scene = Scene()
        await scene.paid()
        await scene.paid(hold=True)
        await scene.world.place(paymentMethod="pm_decline_stolen_card")
        await scene.world.place(paymentMethod="pm_ok", inventoryOutcome="out_of_stock")
        await scene.world.deliver()
        scene.stripe.intents["pi_foreign"] = {**scene.stripe.intents["pi_1"], "id": "pi_foreign", "metadata": {}}
        report = await scene.reconciliation.reconcile(scene.today())
        assert (report.compared, report.found) == (4, ())

    run_virtual(scenario)


def test_money_that_the_log_knows_nothing_of_is_found_and_noted_once() -> None:
    """Charged, and the order still waits, or believes that it was declined. The next run finds it too and adds nothing."""  # E114

    async def scenario() -> None:
        scene = Scene()
        declined = await scene.world.place(paymentMethod="pm_decline_do_not_honor")
        await scene.world.deliver()
        waiting = await scene.world.place(paymentMethod="pm_ok")
        for order_id in (declined, waiting):
            await scene.world.gateway.authorize(
                f"{order_id}:payment:2", amount=TOTAL, order_reference=order_id, capture=True, method="pm_ok"
            )
        expected = {(declined, "not_in_log", 0, 90_000), (waiting, "not_in_log", 0, 90_000)}
        assert set(await scene.found()) == expected
        assert set(await scene.found()) == expected
        for order_id in (declined, waiting):
            assert [finding.attempt_key for finding in await scene.noted(order_id)] == [f"{order_id}:payment:2"]
        last = (await scene.world.orders.load(declined)).events[-1]
        assert last.event_id == event_id(f"{declined}:payment:2", "payment-discrepancy:not_in_log")
        assert (last.source, last.actor.id) == ("payment", "payment-reconciliation")

    run_virtual(scenario)


def test_money_that_the_provider_does_not_have_is_found() -> None:
    """Gone without a trace, or let go behind our back."""  # E114

    async def scenario() -> None:
        scene = Scene()
        gone, intent = await scene.paid()
        del scene.stripe.intents[intent["id"]]
        expired, _ = await scene.paid(hold=True)
        scene.stripe.expire_holds()
        assert set(await scene.found()) == {
            (gone, "not_at_provider", 90_000, 0),
            (expired, "not_at_provider", 90_000, 0),
        }

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("change", "ours", "theirs"),
    [
        ({"amount_received": 89_999}, 90_000, 89_999),
        ({"currency": "eur"}, 90_000, 90_000),
        ({"status": "requires_capture", "amount_received": 0}, 90_000, 0),
    ],
)
def test_another_amount_currency_or_stage_is_found(change: dict[str, Any], ours: int, theirs: int) -> None:
    """What is only held there is not taken."""  # E114

    async def scenario() -> None:
        scene = Scene()
        order_id, intent = await scene.paid()
        intent.update(change)
        assert await scene.found() == [(order_id, "amount_differs", ours, theirs)]

    run_virtual(scenario)


def test_money_that_a_person_took_at_the_provider_is_found() -> None:
    """The log says that it is only held."""

    async def scenario() -> None:
        scene = Scene()
        order_id, intent = await scene.paid(hold=True)
        intent.update(status="succeeded", amount_received=90_000)
        assert await scene.found() == [(order_id, "amount_differs", 0, 90_000)]

    run_virtual(scenario)


def test_what_is_between_two_steps_is_no_discrepancy() -> None:
    """A worker has captured and not yet said so: a minute later both sides agree."""

    async def scenario() -> None:
        scene = Scene()
        order_id, intent = await scene.paid(hold=True)
        intent.update(status="succeeded", amount_received=90_000)

        async def a_little_later() -> None:
            await anyio.sleep(30)
            intent.update(status="requires_capture", amount_received=0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(a_little_later)
            assert await scene.found() == []
        assert await scene.noted(order_id) == []

    run_virtual(scenario)


def test_a_hold_that_nears_its_end_is_told_once() -> None:
    """Days before it runs out, on the one day whose turn it is."""

    async def scenario() -> None:
        scene = Scene()
        order_id, _ = await scene.paid(hold=True)
        told = []
        for _ in range(8):
            told += [(scene.today(), *found) for found in await scene.found()]
            scene.world.time_ms += DAY_MS
        first = datetime.fromtimestamp(StripeWorld().time_ms / 1_000, tz=UTC).date()
        assert told == [(first + timedelta(days=HOLD_WARNED_AFTER_DAYS), order_id, "hold_expires", 90_000, 90_000)]

    run_virtual(scenario)


def test_an_order_that_is_not_there_is_told_and_cannot_be_noted() -> None:
    """A charge under our metadata without an order: the log was restored from too old a copy, say."""

    async def scenario() -> None:
        scene = Scene()
        nobody = "00000000-0000-4000-8000-000000000000"
        await scene.world.gateway.authorize(
            f"{nobody}:payment:1", amount=TOTAL, order_reference=nobody, capture=True, method="pm_ok"
        )
        report = await scene.reconciliation.reconcile(scene.today())
        assert [(f.order_id, f.finding.kind, f.noted) for f in report.found] == [(nobody, "not_in_log", False)]

    run_virtual(scenario)


def test_a_dry_run_appends_nothing() -> None:
    """It only tells."""

    async def scenario() -> None:
        scene = Scene()
        order_id, intent = await scene.paid()
        del scene.stripe.intents[intent["id"]]
        assert len(await scene.found(note=False)) == 1
        assert await scene.noted(order_id) == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_the_books_are_read_page_by_page() -> None:
    """Each payment of the day once, none of another day."""

    async def scenario() -> None:
        scene = Scene()
        _, intent = await scene.paid()
        begin_s = intent["created"]
        for number in range(250):
            scene.stripe.intents[f"pi_x{number}"] = {**intent, "id": f"pi_x{number}"}
        scene.stripe.intents["pi_later"] = {**intent, "id": "pi_later", "created": begin_s + 1}
        found = [theirs.reference async for theirs in scene.books.payments(begin_s, begin_s + 1)]
        assert len(found) == len(set(found)) == 251
        assert "pi_later" not in found

    run_virtual(scenario)


@pytest.mark.parametrize(
    "error",
    [
        MalformedCommit("no body"),
        CorruptCommit("main/order-x", 2, "its hash"),
        StreamTooLong("x", "1 commit"),
        ImpossibleTransition("captured twice"),
    ],
)
def test_an_order_that_cannot_be_read_is_named_and_the_others_are_compared(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One damaged order hides no discrepancy of another, on either side."""

    async def scenario() -> None:
        scene = Scene()
        damaged, _ = await scene.paid()
        lost, lost_intent = await scene.paid()
        found, intent = await scene.paid()
        intent["amount_received"] = 1
        load = scene.world.orders.load

        async def loads(order_id: str) -> History:
            if order_id in {damaged, lost}:
                raise error
            return await load(order_id)

        monkeypatch.setattr(scene.world.orders, "load", loads)
        del scene.stripe.intents[lost_intent["id"]]
        report = await scene.reconciliation.reconcile(scene.today())
        assert report.unreadable == (damaged, lost)
        assert [(one.order_id, one.noted) for one in report.found] == [(found, True)]
        assert report.compared == 3

    run_virtual(scenario)


class Days:
    """Reconciles by writing down which day, and fails as told."""

    def __init__(self) -> None:
        self.days: list[date] = []
        self.errors: list[Exception] = []
        self.told: list[Any] = []
        self.unreadable_orders: tuple[str, ...] = ()

    async def reconcile(self, day: date) -> Report:
        self.days.append(day)
        await anyio.sleep(5)
        if self.errors:
            raise self.errors.pop(0)
        return Report(day=day, compared=1, found=(), unreadable=self.unreadable_orders)

    def discrepancy(self, order_id: str, kind: str, *, noted: bool) -> None:
        self.told.append((order_id, kind, noted))

    def unreadable(self, order_id: str) -> None:
        self.told.append(("unreadable", order_id))

    def reconciled(self, day: str, compared: int) -> None:
        self.told.append(day)

    def failed(self, day: str, error: Exception) -> None:
        self.told.append(error)

    def behind(self, days: int) -> None:
        self.told.append(days)


def instance(days: Days, table: MemoryTable, start: datetime, seed: int = 1) -> DailyReconciliation:
    def now_ms() -> int:
        return round((start.timestamp() + anyio.current_time()) * 1_000)

    return DailyReconciliation(days, DoneDays(table, now_ms=now_ms), now_ms=now_ms, random=Random(seed), observer=days)


@pytest.mark.thorough
def test_each_day_is_compared_once_whatever_the_number_of_instances() -> None:
    """Three instances over four days: every day that is over, hours after midnight, once."""

    async def scenario() -> None:
        days, table = Days(), MemoryTable()
        start = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
        async with anyio.create_task_group() as tasks:
            for seed in range(3):
                await tasks.start(instance(days, table, start, seed).run)
            await anyio.sleep(2 * 3_600 + 1_800)
            assert date(2026, 11, 20) not in days.days, "it is not long over yet"
            await anyio.sleep(3 * 86_400)
            tasks.cancel_scope.cancel()
        assert sorted(days.days) == [date(2026, 11, 15) + timedelta(days=n) for n in range(8)]

    run_virtual(scenario)


def test_an_order_that_cannot_be_read_is_told_and_its_day_is_done() -> None:
    """It would not become readable by comparing its day again and again."""

    async def scenario() -> None:
        days, table = Days(), MemoryTable()
        days.unreadable_orders = ("x",)
        daily = instance(days, table, datetime(2026, 11, 20, 12, tzinfo=UTC))
        await daily.catch_up()
        await daily.catch_up()
        assert days.told.count(("unreadable", "x")) == len(days.days) == 5

    run_virtual(scenario)


@pytest.mark.parametrize(
    "error",
    [
        GatewayUnavailable("down"),
        Unavailable("Query", tries=5, ambiguous=False),
        UnknownEvent("a newer build's"),
        AttributeError("a bug of ours: it must not stop the payments beside it"),
    ],
)
def test_a_day_that_could_not_be_compared_is_tried_again(error: Exception) -> None:
    """Trouble is told, and ends nothing."""

    async def scenario() -> None:
        days, table = Days(), MemoryTable()
        days.errors = [error]
        daily = instance(days, table, datetime(2026, 11, 20, 12, tzinfo=UTC))
        await daily.catch_up()
        assert error in days.told
        assert days.told[-1] == 1, "it says that it is behind"
        await daily.catch_up()
        assert days.told[-1] == 0
        assert days.days.count(date(2026, 11, 15)) == 2

    run_virtual(scenario)


def test_a_day_whose_instance_died_over_it_is_taken_over() -> None:
    """Not at once, since it may be at work, and not never."""

    async def scenario() -> None:
        days, table = Days(), MemoryTable()
        start = datetime(2026, 11, 20, 12, tzinfo=UTC)
        with anyio.move_on_after(2):
            await instance(days, table, start).catch_up()
        await instance(days, table, start).catch_up()
        assert days.days.count(date(2026, 11, 15)) == 1
        await anyio.sleep(CLAIM_S + LOOK_S)
        await instance(days, table, start).catch_up()
        assert days.days.count(date(2026, 11, 15)) == 2

    run_virtual(scenario)
