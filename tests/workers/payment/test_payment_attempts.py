"""Several attempts at one order's money: amounts, retries, customers who must act, holds that run out, and money that comes late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orderstore.domain import decisions, timers
from orderstore.domain import events as e
from orderstore.domain.deciding import ATTEMPTS_MAX
from orderstore.domain.money import Money
from orderstore.domain.state import PaymentStatus
from tests.virtual_time import run_virtual
from tests.workers.payment.stories import NORTH, SOUTH, Story, over_stripe, placed_in, sandbox
from tests.workers.world import World
from workers.payment.editing import LOOKS_S
from workers.payment.gateway import Authorized, Declined, GatewayRefused, GatewayTimeout
from workers.payment.handler import ACTION_S
from workers.payment.sandbox import SandboxGateway, act
from workers.runtime.outcome import Done

RETRY = {"paymentRetryS": 3_600}


def _now(story: Story) -> datetime:
    return datetime.fromtimestamp(story.world.time_ms / 1_000, tz=UTC)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_the_amount_of_an_attempt_is_what_it_asked_for(capture: Any) -> None:
    """The order loses a line between the charge and its answer: the event says what the provider has, and what is too much goes back."""

    async def scenario() -> None:
        story = await over_stripe(capture=capture)
        world: Any = story.world
        await story.reserved_at_two_places()
        world.stripe.faults.extend([None, "lost after"])
        with pytest.raises(GatewayTimeout):
            await world.handlers["payment"](world.messages[0][1])
        await story.tell(decisions.cancel_lines, "less", cancellation_id="c", lines=(SOUTH,), reason="customer")
        await story.deliver()
        (paid,) = await story.all(e.PaymentCompleted)
        assert paid.amount_minor == 90_000
        intent = world.intent_of(story.order_id)
        if capture == "on_dispatch":
            await story.leaves("p", "north", NORTH)
            await story.deliver()
            assert intent["amount_received"] == 85_000, "what is taken is what is due"
        else:
            assert [refund["amount"] for refund in world.stripe.refunds.values()] == [5_000]
            (back,) = (await story.order()).payment.refunds
            assert (back.issued, back.of_cancellation) == (True, True), "no document names it"

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("method", "retry"),
    [("pm_sandbox_declined_soft", True), ("pm_sandbox_declined_hard", False), ("pm_sandbox_declined_fraud", False)],
)
def test_only_what_is_not_declined_for_good_may_be_tried_again(method: str, retry: bool) -> None:
    """The deadline is the order's own rule, from now on."""

    async def scenario() -> None:
        story = await sandbox(method, terms=RETRY)
        await story.deliver()
        (failed,) = await story.all(e.PaymentFailed)
        assert failed.retry_until == (_now(story) + timedelta(hours=1) if retry else None)

    run_virtual(scenario)


def test_an_order_whose_terms_know_no_retry_is_declined_for_good() -> None:
    """As every order was before there was a choice."""

    async def scenario() -> None:
        story = await sandbox("pm_sandbox_declined_soft")
        await story.deliver()
        assert [one.retry_until for one in await story.all(e.PaymentFailed)] == [None]

    run_virtual(scenario)


def test_the_last_of_all_tries_is_final() -> None:
    """Card networks count: after so many the answer stands."""

    async def scenario() -> None:
        story = await sandbox("pm_sandbox_declined_soft", terms=RETRY)
        await story.deliver()
        for _ in range(ATTEMPTS_MAX - 1):
            await story.retry()
            await story.deliver()
        failed = await story.all(e.PaymentFailed)
        assert [one.attempt for one in failed] == list(range(1, ATTEMPTS_MAX + 1))
        assert [one.retry_until is None for one in failed] == [False] * (ATTEMPTS_MAX - 1) + [True]
        events = (await story.history()).events
        assert len({one.event_id for one in events}) == len(events)

    run_virtual(scenario)


def test_money_that_an_earlier_attempt_holds_late_is_let_go_before_a_new_card_is_asked() -> None:
    """A worker stood still before the confirmation of a declined attempt; whatever it does now, the intent is dead."""

    async def scenario() -> None:
        story = await over_stripe("pm_decline_insufficient_funds", terms=RETRY)
        await story.deliver()
        await story.retry("pm_ok")
        await story.deliver()
        world: Any = story.world
        first = next(
            one for one in world.stripe.intents.values() if one["metadata"]["orderstore_attempt"].endswith(":1")
        )
        assert first["status"] == "canceled"
        assert len(world.stripe.successes) == 1

    run_virtual(scenario)


def test_an_earlier_attempt_that_succeeds_while_it_is_being_ended_is_not_lost() -> None:
    """It was read as undecided, and has taken the money when it is to be cancelled."""

    async def scenario() -> None:
        story = await over_stripe("pm_decline_insufficient_funds", capture="at_once", terms=RETRY)
        await story.deliver()
        world: Any = story.world
        (late,) = world.stripe.intents.values()
        real = world.stripe.answer

        async def answer(method: str, url: str, *more: Any) -> Any:
            if url.endswith("/cancel"):
                late.update(status="succeeded", amount_received=90_000, latest_charge="ch_late")
            return await real(method, url, *more)

        world.stripe.answer = answer
        await story.retry("pm_ok")
        await story.deliver()
        (paid,) = await story.all(e.PaymentCompleted)
        assert (paid.attempt, paid.provider_reference, world.stripe.successes) == (2, late["id"], [])
        assert world.errors == []

    run_virtual(scenario)


@pytest.mark.parametrize("amount", [90_000, 80_000])
def test_money_that_an_earlier_attempt_took_late_is_taken_over_or_given_back(amount: int) -> None:
    """It had been declined, and succeeded after all: what is due is not asked for twice, another amount is refunded."""

    async def scenario() -> None:
        story = await over_stripe("pm_decline_insufficient_funds", capture="at_once", terms=RETRY)
        await story.deliver()
        world: Any = story.world
        (late,) = world.stripe.intents.values()
        late.update(status="succeeded", amount_received=amount, latest_charge="ch_late")
        await story.retry("pm_ok")
        await story.deliver(copies=2)
        (paid,) = await story.all(e.PaymentCompleted)
        back = [refund["amount"] for refund in world.stripe.refunds.values()]
        kept = sum(one["amount_received"] for one in world.stripe.intents.values()) - sum(back)
        assert (paid.attempt, paid.mode, paid.amount_minor, kept) == (2, "captured", 90_000, 90_000)
        assert (paid.provider_reference == late["id"], back) == ((True, []) if amount == 90_000 else (False, [80_000]))

    run_virtual(scenario)


def test_late_money_of_an_order_that_is_cancelled_is_given_back() -> None:
    """Nobody had begun the second attempt yet."""

    async def scenario() -> None:
        story = await over_stripe("pm_decline_insufficient_funds", capture="at_once", terms=RETRY)
        await story.deliver()
        world: Any = story.world
        (late,) = world.stripe.intents.values()
        late.update(status="succeeded", amount_received=90_000, latest_charge="ch_late")
        await story.retry("pm_ok")
        await world.cancel(story.order_id)
        await story.deliver(copies=2)
        assert [refund["amount"] for refund in world.stripe.refunds.values()] == [90_000]
        assert (await story.order()).payment.status is PaymentStatus.VOIDED

    run_virtual(scenario)


def test_a_customer_who_must_act_is_waited_for_and_then_the_order_goes_on() -> None:
    """Asked once, until a deadline; it is looked again by itself, and whoever looks asks for the same attempt."""

    async def scenario() -> None:
        story = await over_stripe("pm_action", asks_customer=True)
        world: Any = story.world
        message = world.messages[0][1]
        assert await world.handlers["payment"](message) == Done()
        (asked,) = await story.all(e.PaymentActionRequired)
        assert (asked.attempt, asked.provider_reference) == (1, "pi_1")
        assert asked.deadline == _now(story) + timedelta(seconds=ACTION_S)
        assert world.hints == [("payment", delay_s) for delay_s in LOOKS_S]
        assert await world.handlers["payment"](message) == Done()
        assert len(await story.all(e.PaymentActionRequired)) == 1
        world.stripe.act()
        await story.deliver()
        assert len(await story.all(e.PaymentCompleted)) == 1
        assert world.stripe.tries == ["pi_1"]
        assert (await story.order()).questions == ()

    run_virtual(scenario)


def test_a_customer_who_fails_to_prove_who_he_is_is_declined() -> None:
    """That is the bank's no."""

    async def scenario() -> None:
        story = await over_stripe("pm_action", asks_customer=True)
        world: Any = story.world
        await story.deliver()
        world.stripe.act("authentication_required")
        await world.hint("payment", await story.history())
        await story.deliver()
        assert [one.code for one in await story.all(e.PaymentFailed)] == ["authentication_required"]

    run_virtual(scenario)


@pytest.mark.parametrize("acts", [False, True])
def test_a_customer_who_does_not_act_in_time_holds_nothing_up(acts: bool) -> None:
    """The deadline undoes the order: the provider is asked no more, and what came in the last moment is let go."""

    async def scenario() -> None:
        story = await over_stripe("pm_action", asks_customer=True)
        world: Any = story.world
        await story.deliver()
        if acts:
            world.stripe.act()
        over = _now(story) + timedelta(seconds=ACTION_S + 1)
        await story.tell(timers.expire, "expired", now=over)
        await story.deliver(copies=2)
        assert world.stripe.intents["pi_1"]["status"] == "canceled"
        assert (await story.order()).payment.status is PaymentStatus.VOIDED
        assert len(await story.all(e.PaymentCompleted)) == (1 if acts else 0)

    run_virtual(scenario)


def test_the_sandbox_has_a_bank_that_asks() -> None:
    """So that the whole way can be tried without a provider."""

    async def scenario() -> None:
        story = await sandbox("pm_sandbox_action")
        await story.deliver()
        assert (await story.order()).payment.status is PaymentStatus.ACTION_REQUIRED
        await act(story.world.ledger, f"{story.order_id}:payment:1")
        await story.world.hint("payment", await story.history())
        await story.deliver()
        assert (await story.order()).payment.status is PaymentStatus.AUTHORIZED

    run_virtual(scenario)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
@pytest.mark.parametrize("acts", ["never", "before it is withdrawn", "afterwards"])
def test_a_customer_who_pays_otherwise_while_the_bank_waits_pays_once(capture: Any, acts: str) -> None:
    """The bank's question is withdrawn before the new card is asked. Who answers it first has paid with the old one, if that took money."""

    async def scenario() -> None:
        story = await over_stripe("pm_action", asks_customer=True, capture=capture)
        world: Any = story.world
        await story.deliver()
        if acts == "before it is withdrawn":
            world.stripe.act()
        await story.retry("pm_ok")
        await story.deliver(copies=2)
        if acts == "afterwards":
            world.stripe.act()
            await story.deliver()
        (paid,) = await story.all(e.PaymentCompleted)
        taken = [one for one in world.stripe.intents.values() if one["status"] in ("succeeded", "requires_capture")]
        assert (paid.attempt, len(taken)) == (2, 1)
        late = acts == "before it is withdrawn" and capture == "at_once"
        assert world.stripe.intents["pi_1"]["status"] == ("succeeded" if late else "canceled")
        assert (await story.order()).questions == ()

    run_virtual(scenario)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
@pytest.mark.parametrize("acts", ["never", "before it is withdrawn", "afterwards"])
def test_the_sandbox_s_bank_withdraws_its_question_too(capture: Any, acts: str) -> None:
    """As a real one does; nobody pays twice there either."""

    async def scenario() -> None:
        story = await placed_in(World(capture=capture), paymentMethod="pm_sandbox_action")
        first = f"{story.order_id}:payment:1"
        await story.deliver()
        if acts == "before it is withdrawn":
            assert await act(story.world.ledger, first) == "acted"
        await story.retry("pm_ok")
        await story.deliver(copies=2)
        if acts == "afterwards":
            assert await act(story.world.ledger, first) == "withdrawn"
        (paid,) = await story.all(e.PaymentCompleted)
        late = acts == "before it is withdrawn" and capture == "at_once"
        assert (paid.attempt, paid.provider_reference) == (2, f"payment/{story.order_id}:payment:{1 if late else 2}")
        charges = [row.key async for row in story.world.ledger.entries() if row.kind in ("charge", "authorize")]
        voided = [row.key async for row in story.world.ledger.entries() if row.kind in ("void", "withdrawn")]
        assert len(charges) == (1 if late else 2)
        assert bool(voided) != late

    run_virtual(scenario)


def test_a_customer_who_fails_at_the_sandbox_s_bank_is_declined_softly() -> None:
    """And may try again, where the terms say so; nothing is held."""

    async def scenario() -> None:
        story = await sandbox("pm_sandbox_action", terms=RETRY)
        await story.deliver()
        assert await act(story.world.ledger, f"{story.order_id}:payment:1", answer="refused") == "refused"
        assert await act(story.world.ledger, f"{story.order_id}:payment:1") == "refused", "the first answer stands"
        await story.world.hint("payment", await story.history())
        await story.deliver()
        (failed,) = await story.all(e.PaymentFailed)
        assert (failed.category, failed.code) == ("soft", "payment_intent_authentication_failure")
        assert failed.retry_until is not None

    run_virtual(scenario)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_an_order_that_is_cancelled_while_the_bank_waits_is_never_paid(capture: Any) -> None:
    """Who answers the bank in that moment is too late, or gets the money back."""

    async def scenario() -> None:
        for acts in (False, True):
            story = await placed_in(World(capture=capture), paymentMethod="pm_sandbox_action")
            await story.deliver()
            if acts:
                await act(story.world.ledger, f"{story.order_id}:payment:1")
            await story.world.cancel(story.order_id)
            await story.deliver(copies=2)
            assert await act(story.world.ledger, f"{story.order_id}:payment:1") in ("acted", "withdrawn")
            order = await story.order()
            assert order.payment.status in (PaymentStatus.VOIDED, PaymentStatus.CAPTURED)
            assert order.payment.captured_minor == order.payment.refunded_minor

    run_virtual(scenario)


def test_what_the_customer_has_just_paid_at_the_sandbox_is_not_let_go() -> None:
    """Between the look and the void; once it is let go, the customer is too late."""

    async def scenario() -> None:
        ledger = World().ledger
        for attempt, acts in (("paid", True), ("let go", False)):
            asked = SandboxGateway(ledger).authorize(
                attempt, amount=Money(5, "USD"), order_reference="o", capture=True, method="pm_sandbox_action"
            )
            reference = (await asked).reference  # type: ignore[union-attr]  # the bank asks
            if acts:
                await act(ledger, attempt)
                with pytest.raises(GatewayRefused):
                    await SandboxGateway(ledger).void("v", reference=reference)
                assert isinstance(await SandboxGateway(ledger).find(attempt), Authorized)
            else:
                await SandboxGateway(ledger).void("v", reference=reference)
                assert await act(ledger, attempt) == "withdrawn"
                assert isinstance(await SandboxGateway(ledger).find(attempt), Declined)

    run_virtual(scenario)


def test_a_hold_tells_how_long_it_lasts() -> None:
    """Stripe's own word, kept with the attempt: who reads it later reads the same."""

    async def scenario() -> None:
        story = await over_stripe()
        world: Any = story.world
        world.stripe.hold_s = 604_800
        begun_s = world.time_ms // 1_000
        world.stripe.faults.extend([None, "lost after"])
        await story.deliver()
        (paid,) = await story.all(e.PaymentCompleted)
        assert paid.capture_before == datetime.fromtimestamp(begun_s + 604_800, tz=UTC)
        again = await world.attempts.begin(
            f"{story.order_id}:payment:1", order_id=story.order_id, amount=Money(1, "USD"), capture=True
        )
        assert (again.result.capture_before, again.amount) == (paid.capture_before, Money(90_000, "USD"))

    run_virtual(scenario)


async def held_too_long(method: str = "pm_sandbox_hold_60") -> Story:
    """Confirmed, and the hold has run out since."""
    story = await sandbox(method)
    await story.reserved_at_two_places()
    await story.deliver()
    assert await story.world.status(story.order_id) == "Confirmed"
    story.world.time_ms += 61_000
    return story


def test_a_hold_that_ran_out_when_the_goods_left_is_asked_for_anew() -> None:
    """With the same card, under a new key, and then it is taken."""

    async def scenario() -> None:
        story = await held_too_long()
        await story.leaves("p1", "north", NORTH)
        await story.deliver(copies=2)
        assert [one.attempt for one in await story.all(e.PaymentCompleted)] == [1, 2]
        (taken,) = await story.all(e.PaymentCaptured)
        assert taken.provider_reference == f"payment/{story.order_id}:payment:2/capture"
        effects = [entry.kind async for entry in story.world.ledger.entries()]
        assert sorted(effects) == ["authorize", "authorize", "capture", "void"]

    run_virtual(scenario)


def test_money_that_is_there_again_wakes_who_sends_the_goods() -> None:
    """No event tells the shipping worker; told twice, or once too often, it does no harm."""

    async def scenario() -> None:
        story = await held_too_long()
        reference = (await story.order()).payment.provider_reference
        expired = e.PaymentAuthorizationExpired(provider_reference=str(reference))
        await story.tell(decisions.expire_authorization, "expired", outcome=expired)
        await story.deliver()
        assert ("shipping", 0) in story.world.hints
        first = len(story.world.hints)
        await story.world.hint("payment", await story.history())
        await story.deliver()
        assert story.world.hints[first + 1 :] == [("shipping", 0)], "the first hint may have been lost on its way"
        story.world.wants = lambda queue, _event: queue in ("payment", "shipping")
        await story.world.hint("shipping", await story.history())
        await story.deliver()
        assert await story.world.status(story.order_id) == "InFulfilment"

    run_virtual(scenario)


def test_a_hold_that_runs_out_again_and_again_is_for_a_person() -> None:
    """Not a card that is held for ever: the order says what is owed, once, and whoever looks at the exceptions sees it."""

    async def scenario() -> None:
        story = await held_too_long("pm_sandbox_hold_0")
        await story.leaves("p1", "north", NORTH)
        for _ in range(2):
            assert await story.world.handlers["payment"](story.world.messages[-1][1]) == Done()
        assert len(await story.all(e.PaymentCompleted)) == ATTEMPTS_MAX
        (found,) = await story.all(e.DiscrepancyFound)
        assert (found.area, found.kind, found.theirs) == ("money", "hold_ran_out", 0)
        assert found.ours == (await story.order()).due_minor

    run_virtual(scenario)


def test_a_capture_that_was_overtaken_by_the_end_of_its_hold_is_not_made_twice() -> None:
    """The money was taken; before anybody could say so, the hold was said to be over, and another attempt begun."""

    async def scenario() -> None:
        story = await over_stripe()
        world: Any = story.world
        await story.reserved_at_two_places()
        await story.deliver()
        await story.leaves("p1", "north", NORTH)
        await story.leaves("p2", "south", SOUTH)
        await world.gateway.capture("elsewhere", reference="pi_1", amount=Money(90_000, "USD"))
        expired = e.PaymentAuthorizationExpired(provider_reference="pi_1")
        await story.tell(decisions.expire_authorization, "expired", outcome=expired)
        await story.deliver(copies=2)
        paid = (await story.all(e.PaymentCompleted))[-1]
        assert (paid.attempt, paid.mode, paid.provider_reference) == (2, "captured", "pi_1")
        assert world.stripe.refunds == {}
        assert len(world.stripe.successes) == 1

    run_virtual(scenario)


def test_money_of_an_earlier_attempt_that_nobody_can_judge_is_for_a_person() -> None:
    """Goods have left, and another amount was taken than is due."""

    async def scenario() -> None:
        story = await over_stripe()
        world: Any = story.world
        await story.reserved_at_two_places()
        await story.deliver()
        await story.leaves("p1", "north", NORTH)
        world.stripe.intents["pi_1"].update(status="succeeded", amount_received=1)
        expired = e.PaymentAuthorizationExpired(provider_reference="pi_1")
        await story.tell(decisions.expire_authorization, "expired", outcome=expired)
        with pytest.raises(GatewayRefused, match="goods have left"):
            await world.handlers["payment"](world.messages[-1][1])
        assert len(world.stripe.successes) == 1

    run_virtual(scenario)
