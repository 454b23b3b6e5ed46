"""Stripe's adapter against everything that a provider does on a bad day."""

from typing import Any

import anyio
import pytest

from orderstore.domain.money import Money
from tests.virtual_time import run_virtual
from tests.workers.payment.stripe_fake import FakeStripe, Fault, InProcess
from tests.workers.payment.test_gateway_contract import loopback
from workers.classify import is_outage
from workers.payment.gateway import (
    Authorized,
    Declined,
    GatewayError,
    GatewayPending,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    HoldExpired,
)
from workers.payment.stripe_amounts import NotChargeable, minor_units, stripe_amount
from workers.payment.stripe_declines import declined
from workers.payment.stripe_gateway import PENDING_MAX_S, StripeGateway
from workers.payment.stripe_http import open_stripe, stripe_client
from workers.payment.stripe_intents import TableIntents
from workers.tables.memory import MemoryTable

AMOUNT = Money(90_000, "USD")
DAY_S = 86_400


class Scene:
    """A gateway over the fake, and the clock that both look at."""

    def __init__(self, *faults: Fault | None) -> None:
        self.time_s = 1_772_366_400.0
        self.fake = FakeStripe(lambda: self.time_s)
        self.fake.faults.extend(faults)
        self.table = MemoryTable()
        self.gateway = self.another()

    def another(self) -> StripeGateway:
        """A gateway in another process: it shares the table and nothing else."""
        client = stripe_client(self.fake.api_key, InProcess(self.fake), api_base=None)
        book = TableIntents(self.table, now_ms=self.now_ms)
        return StripeGateway(client, book, now_ms=self.now_ms)

    def now_ms(self) -> int:
        return round(self.time_s * 1_000)

    async def authorize(self, method: str | None = "pm_ok", *, capture: bool = False, amount: Money = AMOUNT) -> Any:
        return await self.gateway.authorize("a", amount=amount, order_reference="o", capture=capture, method=method)

    async def captured(self) -> str:
        held = await self.authorize()
        await self.gateway.capture("c", reference=held.reference, amount=AMOUNT)
        return str(held.reference)


@pytest.mark.parametrize("fault", ["lost after", "lost before", "500 after", "500 before", "garbage after"])
@pytest.mark.parametrize("at", [0, 1], ids=["create", "confirm"])
def test_an_unknown_outcome_is_asked_about_and_never_charged_twice(fault: Fault, at: int) -> None:
    """Whatever was lost, two days later the provider has forgotten every key, and still the attempt is charged once."""  # D13, E074

    async def scenario() -> None:
        scene = Scene(*[None] * at, fault)
        with pytest.raises(GatewayTimeout):
            await scene.authorize(capture=True)
        scene.time_s += 2 * DAY_S
        found = await scene.another().find("a")
        assert found is None or isinstance(found, Authorized)
        answer = await scene.authorize(capture=True)
        assert isinstance(answer, Authorized)
        assert [attempt for attempt, _ in scene.fake.successes] == ["a"]

    run_virtual(scenario)


@pytest.mark.parametrize("fault", ["500 before", "500 after"])
def test_a_stored_fault_is_not_waited_out_for_a_day(fault: Fault) -> None:
    """Stripe gives a stored 5xx again under its key: the adapter asks what became of it, then takes the next key."""  # D13

    async def scenario() -> None:
        scene = Scene(None, fault)
        with pytest.raises(GatewayTimeout):
            await scene.authorize()
        assert isinstance(await scene.authorize(), Authorized)
        assert len(scene.fake.successes) == 1

    run_virtual(scenario)


def test_a_request_that_never_left_is_an_outage_and_not_an_unknown_outcome() -> None:
    """Connection refused, too many requests, a revoked key: nothing has happened, the breaker holds the message."""  # D12

    async def scenario() -> None:
        for fault in ("unsent", "429"):
            scene = Scene(fault)
            with pytest.raises(GatewayUnavailable) as raised:
                await scene.authorize()
            assert is_outage(raised.value)
        scene = Scene()
        scene.fake.api_key = "sk_rolled"
        with pytest.raises(GatewayUnavailable):
            await scene.authorize()
        assert scene.fake.intents == {}

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("method", "category", "code"),
    [
        ("pm_decline_insufficient_funds", "soft", "insufficient_funds"),
        ("pm_decline_expired_card", "hard", "expired_card"),
        ("pm_decline_stolen_card", "fraud", "stolen_card"),
        ("pm_decline_something_new", "soft", "something_new"),
        ("pm_action", "soft", "authentication_required"),
        ("pm_gone", "hard", "invalid_account"),
        (None, "hard", "payment_method_missing"),
    ],
)
def test_a_business_no_has_its_category(method: str | None, category: Any, code: str) -> None:
    """And stays the same when it is asked for again, also from another process."""  # E054

    async def scenario() -> None:
        scene = Scene()
        assert await scene.authorize(method) == Declined(category, code)
        assert await scene.authorize(method) == Declined(category, code)
        scene.fake.forget_keys()
        assert await scene.another().authorize(
            "a", amount=AMOUNT, order_reference="o", capture=False, method=method
        ) == Declined(category, code)
        assert len(scene.fake.tries) <= 1
        assert scene.fake.successes == []

    run_virtual(scenario)


def test_a_decline_whose_answer_was_lost_is_found() -> None:
    """The card is not asked a second time."""  # D13

    async def scenario() -> None:
        scene = Scene(None, "lost after")
        with pytest.raises(GatewayTimeout):
            await scene.authorize("pm_decline_do_not_honor")
        assert await scene.another().find("a") == Declined("soft", "do_not_honor")
        assert len(scene.fake.tries) == 1

    run_virtual(scenario)


@pytest.mark.parametrize("ends", ["ok", "insufficient_funds"])
def test_a_payment_that_is_processing_has_no_outcome_yet(ends: str) -> None:
    """It is neither held nor declined, and no outage either; later it is what Stripe then says."""  # D13

    async def scenario() -> None:
        scene = Scene()
        with pytest.raises(GatewayPending) as raised:
            await scene.authorize("pm_processing")
        assert not is_outage(raised.value)
        with pytest.raises(GatewayPending):
            await scene.gateway.find("a")
        scene.time_s += 10 * PENDING_MAX_S
        with pytest.raises(GatewayPending):  # however long: only Stripe can say what becomes of it
            await scene.gateway.find("a")
        scene.fake.settle(ends)
        found = await scene.gateway.find("a")
        assert found == (Authorized("pi_1") if ends == "ok" else Declined("soft", ends))

    run_virtual(scenario)


def test_a_customer_who_never_acts_is_waited_for_within_a_bound() -> None:
    """Then the intent is cancelled, so that nobody can complete it any more, and counts as a soft decline."""

    async def scenario() -> None:
        scene = Scene()
        with pytest.raises(GatewayPending):
            await scene.authorize("pm_action_later")
        scene.time_s += PENDING_MAX_S - 1
        with pytest.raises(GatewayPending):
            await scene.gateway.find("a")
        scene.time_s += 2
        assert await scene.gateway.find("a") == Declined("soft", "authentication_not_completed")
        assert scene.fake.intents["pi_1"]["status"] == "canceled"

    run_virtual(scenario)


def test_a_hold_that_ran_out_cannot_be_taken() -> None:
    """For a person: the goods may have left. An attempt whose answer was never heard is then declined."""

    async def scenario() -> None:
        scene = Scene()
        held = await scene.authorize()
        scene.time_s += 7 * DAY_S
        scene.fake.expire_holds()
        with pytest.raises(HoldExpired):
            await scene.gateway.capture("c", reference=held.reference, amount=AMOUNT)
        assert await scene.gateway.find("a") == Declined("soft", "canceled_automatic")

    run_virtual(scenario)


@pytest.mark.parametrize("fault", ["lost after", "500 after", "lost before", "500 before"])
def test_a_capture_a_void_and_a_refund_are_found_when_their_keys_are_forgotten(fault: Fault) -> None:
    """Each is asked for again two days later, and is done once."""  # E074, D13

    async def scenario() -> None:
        scene = Scene()
        held = await scene.authorize()
        for act in (
            lambda: scene.gateway.capture("c", reference=held.reference, amount=AMOUNT),
            lambda: scene.gateway.refund("r", reference=held.reference, amount=Money(500, "USD")),
        ):
            scene.fake.faults.append(fault)
            with pytest.raises(GatewayTimeout):
                await act()
            scene.time_s += 2 * DAY_S
            first = await act()
            assert await act() == first
        assert scene.fake.intents["pi_1"]["amount_received"] == 90_000
        assert [refund["amount"] for refund in scene.fake.refunds.values()] == [500]

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_refund_is_found_behind_the_first_page_of_a_hundred() -> None:
    """The list is read page by page, with a bound."""

    async def scenario() -> None:
        scene = Scene()
        reference = await scene.captured()
        first = await scene.gateway.refund("r0", reference=reference, amount=Money(1, "USD"))
        for number in range(1, 120):
            await scene.gateway.refund(f"r{number}", reference=reference, amount=Money(1, "USD"))
        scene.fake.forget_keys()
        assert await scene.gateway.refund("r0", reference=reference, amount=Money(1, "USD")) == first
        assert len(scene.fake.refunds) == 120

    run_virtual(scenario)


def test_a_key_that_meets_other_parameters_is_a_bug_and_no_decline() -> None:
    """Somebody else used our key."""

    async def scenario() -> None:
        scene = Scene()
        await scene.authorize()
        scene.table = MemoryTable()  # the book was lost: the same key comes with other metadata
        with pytest.raises(GatewayRefused):
            await scene.another().authorize("a", amount=AMOUNT, order_reference="p", capture=False, method="pm_ok")
        assert len(scene.fake.successes) == 1

    run_virtual(scenario)


def test_errors_say_types_and_codes_and_nothing_that_stripe_wrote() -> None:
    """Its messages quote what was sent; they would end in logs and dead letters."""  # D33

    async def scenario() -> None:
        scene = Scene()
        scene.fake.intents.clear()
        with pytest.raises(GatewayError) as raised:
            await scene.gateway.capture("c", reference="pi_404", amount=AMOUNT)
        assert "as Stripe says it" not in str(raised.value)
        assert "resource_missing" in str(raised.value)
        assert "req_1" in str(raised.value)

    run_virtual(scenario)


async def test_a_time_out_over_http_is_an_unknown_outcome() -> None:
    """The charge landed, the answer did not; then the connection comes back, and the attempt is found."""  # D13
    fake = FakeStripe(lambda: 1_772_366_400.0)
    fake.faults.extend([None, "lost after"])
    async with loopback(fake) as base, open_stripe(fake.api_key, api_base=base) as client:
        gateway = StripeGateway(client, TableIntents(MemoryTable(), now_ms=lambda: 0), now_ms=lambda: 0)
        asked: Any = {"amount": AMOUNT, "order_reference": "o", "capture": True, "method": "pm_ok"}
        with pytest.raises(GatewayTimeout):
            await gateway.authorize("a", **asked)
        assert isinstance(await gateway.find("a"), Authorized)
        assert await gateway.authorize("a", **asked) == await gateway.find("a")
    assert len(fake.successes) == 1
    async with open_stripe(fake.api_key, api_base=base) as client:  # the server is gone
        gateway = StripeGateway(client, TableIntents(MemoryTable(), now_ms=lambda: 0), now_ms=lambda: 0)
        with pytest.raises(GatewayUnavailable):
            await gateway.authorize("b", **asked)


@pytest.mark.parametrize(
    ("amount", "stripe"),
    [
        (Money(1_099, "USD"), 1_099),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5_120, "KWD"), 5_120),
        (Money(100_000, "HUF"), 100_000),
    ],
)
def test_amounts_are_written_as_stripe_wants_them(amount: Money, stripe: int) -> None:
    """Stripe's smallest unit is not ISO 4217's for every currency, and the way back is the same."""
    assert stripe_amount(amount) == stripe
    assert minor_units(stripe, amount.currency.lower()) == amount.minor


@pytest.mark.parametrize("amount", [Money(5_124, "KWD"), Money(5, "UGX")])
def test_an_amount_that_stripe_cannot_take_is_declined_and_not_rounded(amount: Money) -> None:
    """What is charged is what the order says, or nothing."""

    async def scenario() -> None:
        scene = Scene()
        assert await scene.authorize(amount=amount) == Declined("hard", "invalid_amount")
        assert scene.fake.requests == []

    with pytest.raises(NotChargeable):
        stripe_amount(amount)
    run_virtual(scenario)


@pytest.mark.parametrize("minor", [1, 49, 100_000_000])
def test_an_amount_that_stripe_refuses_is_declined_and_no_matter_for_a_person(minor: int) -> None:
    """Less than it charges, or more: every customer may order so, and would never hear of it. It stays so when asked again."""  # E054

    async def scenario() -> None:
        scene = Scene()
        for _ in range(2):
            assert await scene.authorize(amount=Money(minor, "USD")) == Declined("hard", "invalid_amount")
        assert await scene.another().find("a") is None
        assert scene.fake.intents == {}

    run_virtual(scenario)


def test_a_code_that_is_no_code_is_not_repeated() -> None:
    """It would be stored and published."""  # D31
    assert declined("Card 4242 4242 4242 4242") == Declined("soft", "generic_decline")
    assert declined(None) == Declined("soft", "generic_decline")


def test_a_worker_that_stood_still_with_an_intent_of_its_own_takes_the_one_that_stands() -> None:
    """It made an intent, was stopped for two days, and meanwhile another made one too and charged it."""  # D13, E074

    async def scenario() -> None:
        scene = Scene()
        made, woken = anyio.Event(), anyio.Event()

        class Stopped(TableIntents):
            async def keep(self, attempt_key: str, intent: str) -> str:
                made.set()
                await woken.wait()
                return await super().keep(attempt_key, intent)

        stopped = scene.another()
        stopped._book = Stopped(scene.table, now_ms=scene.now_ms)
        answers: list[Any] = []

        async def slow() -> None:
            answers.append(
                await stopped.authorize("a", amount=AMOUNT, order_reference="o", capture=True, method="pm_ok")
            )

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slow)
            await made.wait()
            scene.time_s += 2 * DAY_S
            answers.append(await scene.authorize(capture=True))
            woken.set()
        assert answers[0] == answers[1]
        assert len(scene.fake.intents) == 2, "both made one"
        assert len(scene.fake.successes) == 1, "one was ever confirmed"

    run_virtual(scenario)
