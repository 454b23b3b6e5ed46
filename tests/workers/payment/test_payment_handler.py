"""The payment worker against a provider that times out, forgets its keys, declines, and comes too late."""

from typing import Any

import anyio
import pytest

from orderstore.domain.events import PaymentCompleted, PaymentFailed
from orderstore.domain.ids import event_id
from orderstore.domain.money import Money
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.classify import classify
from workers.payment.gateway import (
    Authorized,
    Declined,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    Result,
    always,
)
from workers.payment.handler import PaymentHandler
from workers.runtime.outcome import Done, Retry


class ForgetfulProvider:
    """Keeps no idempotency keys: every call that reaches it has its effect again. It can be asked what became of an attempt."""

    def __init__(self, *, decline: Declined | None = None) -> None:
        self.charges: list[str] = []
        self.captures: list[str] = []
        self.voids: list[str] = []
        self.refunds: list[tuple[str, int]] = []
        self.finds = 0
        self.before: list[Exception] = []
        """Errors raised instead of doing the work, first first."""
        self.after: list[Exception] = []
        """Errors raised after the work was done."""
        self.decline = decline

    async def _called(self, effect: Any) -> None:
        await anyio.lowlevel.checkpoint()
        if self.before:
            raise self.before.pop(0)
        effect()
        if self.after:
            raise self.after.pop(0)

    async def authorize(
        self, attempt_key: str, *, amount: Money, order_reference: str, capture: bool, **_more: object
    ) -> Result:
        await self._called(lambda: self.charges.append(attempt_key))
        return self.decline or Authorized("reference-1")

    async def capture(self, key: str, *, reference: str, amount: Money, **_more: object) -> str:
        await self._called(lambda: self.captures.append(reference))
        return "capture-1"

    async def void(self, key: str, *, reference: str) -> None:
        await self._called(lambda: self.voids.append(reference))

    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        await self._called(lambda: self.refunds.append((key, amount.minor)))
        return f"refund-{len(self.refunds)}"

    async def find(self, attempt_key: str) -> Result | None:
        self.finds += 1
        if attempt_key not in self.charges:
            return None
        return self.decline or Authorized("reference-1")

    async def close(self, attempt_key: str) -> None:
        raise AssertionError("nothing is tried twice here")


def world_with(provider: ForgetfulProvider, *, capture: Any = "on_dispatch") -> World:
    world = World()
    world.handlers["payment"] = PaymentHandler(
        world.orders,
        gateway_for=always(provider),
        attempts=world.attempts,
        hint=world.hint,
        now_ms=world.now_ms,
        capture=capture,
        sandbox=False,
        observer=world.reports,  # type: ignore[arg-type]
    )
    return world


def test_a_time_out_after_the_charge_never_charges_again() -> None:
    """The outcome is unknown, so the retry asks before it charges; even a provider that forgot the key charges once."""  # D13

    async def scenario() -> None:
        provider = ForgetfulProvider()
        provider.after = [GatewayTimeout("no answer")]
        world = world_with(provider)
        order_id = await world.place()
        await world.deliver()

        assert provider.charges == [f"{order_id}:payment:1"]
        assert provider.finds == 1
        assert await world.status(order_id) == "Completed"
        assert world.reports.counts["payment", "authorize", "unknown"] == 1
        assert [classify(error) for error in world.errors] == [Retry("workers.payment.gateway.GatewayTimeout")]

    run_virtual(scenario)


def test_a_time_out_before_the_charge_charges_on_the_retry() -> None:
    """Asked, the provider has never heard of the attempt: it is made with the same key."""  # E058

    async def scenario() -> None:
        provider = ForgetfulProvider()
        provider.before = [GatewayTimeout("no answer"), GatewayUnavailable("503"), GatewayUnavailable("503")]
        world = world_with(provider)
        order_id = await world.place()
        await world.deliver()

        assert provider.charges == [f"{order_id}:payment:1"]
        assert await world.status(order_id) == "Completed"
        assert "PaymentFailed" not in await world.events(order_id)

    run_virtual(scenario)


@pytest.mark.parametrize("decline", [Declined("hard", "stolen_card"), Declined("soft", "insufficient_funds")])
def test_a_decline_is_an_event_and_no_retry(decline: Declined) -> None:
    """The message is done, the customer is told, nothing is in a dead-letter queue."""  # E054, E055, E056, E057

    async def scenario() -> None:
        world = world_with(ForgetfulProvider(decline=decline))
        order_id = await world.place()
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")

        assert await world.handlers[queue](message) == Done()
        await world.deliver()

        history = await world.orders.load(order_id)
        failed = [recorded for recorded in history.events if isinstance(recorded.event, PaymentFailed)]
        assert [recorded.event for recorded in failed] == [
            PaymentFailed(attempt=1, category=decline.category, code=decline.code)
        ]
        assert world.errors == []
        assert any("declined" in mail.subject for mail in world.mailbox.sent)

    run_virtual(scenario)


def test_a_decline_whose_answer_was_lost_stays_a_decline() -> None:
    """A time-out after a decline is asked about too."""  # D13

    async def scenario() -> None:
        provider = ForgetfulProvider(decline=Declined("hard", "stolen_card"))
        provider.after = [GatewayTimeout("no answer")]
        world = world_with(provider)
        order_id = await world.place()
        await world.deliver()

        assert len(provider.charges) == 1
        assert await world.status(order_id) == "Cancelled"

    run_virtual(scenario)


def test_a_payment_that_succeeded_after_the_cancellation_is_voided() -> None:
    """The charge timed out, the order was cancelled, and then the charge turned out to have landed."""

    async def scenario() -> None:
        provider = ForgetfulProvider()
        provider.after = [GatewayTimeout("no answer")]
        world = world_with(provider)
        order_id = await world.place()
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")
        with pytest.raises(GatewayTimeout):
            await world.handlers[queue](message)
        await world.cancel(order_id)
        await world.deliver()

        assert await world.status(order_id) == "Cancelled"
        assert (len(provider.charges), provider.voids) == (1, ["reference-1"])
        assert {"PaymentCompleted", "PaymentVoided"} < set(await world.events(order_id))

    run_virtual(scenario)


def test_money_taken_at_once_is_refunded_when_the_order_is_cancelled() -> None:
    """A void is for what is held; what was taken is given back, once."""

    async def scenario() -> None:
        provider = ForgetfulProvider()
        world = world_with(provider, capture="at_once")
        order_id = await world.place(inventoryOutcome="out_of_stock")
        await world.deliver()

        assert await world.status(order_id) == "Cancelled"
        assert [minor for _, minor in provider.refunds] == [90_000]
        assert (provider.captures, provider.voids) == ([], [])

    run_virtual(scenario)


def test_an_order_that_is_cancelled_first_is_never_charged() -> None:
    """The void abandons the attempt, so that the redelivered OrderCreated finds a tombstone and calls nobody."""

    async def scenario() -> None:
        provider = ForgetfulProvider()
        world = world_with(provider)
        order_id = await world.place()
        await world.cancel(order_id)
        world.messages.reverse()
        await world.deliver(copies=2)

        assert provider.charges == []
        assert provider.finds == 0
        assert await world.status(order_id) == "Cancelled"

    run_virtual(scenario)


def test_changing_the_capture_mode_does_not_change_an_attempt_that_has_begun() -> None:
    """What was only held is not taken for captured after a deployment with another setting."""

    async def scenario() -> None:
        provider = ForgetfulProvider()
        provider.after = [GatewayTimeout("no answer")]
        world = world_with(provider)
        order_id = await world.place()
        queue, message = next(entry for entry in world.messages if entry[0] == "payment")
        with pytest.raises(GatewayTimeout):
            await world.handlers[queue](message)
        world.handlers["payment"] = world_with(provider, capture="at_once").handlers["payment"]
        world.handlers["payment"]._orders = world.orders
        world.handlers["payment"]._attempts = world.attempts
        await world.deliver()

        history = await world.orders.load(order_id)
        modes = [found.event.mode for found in history.events if isinstance(found.event, PaymentCompleted)]
        assert modes == ["authorized"]
        assert provider.captures == ["reference-1"]

    run_virtual(scenario)


def test_each_refund_is_paid_once_whatever_is_delivered_twice() -> None:
    """Two partial refunds, every message three times."""  # E074

    async def scenario() -> None:
        provider = ForgetfulProvider()
        world = world_with(provider)
        order_id = await world.place()
        await world.deliver()
        await world.refund(order_id, line=1, quantity=1)
        await world.refund(order_id, line=0, quantity=1)
        await world.deliver(copies=3)

        assert [minor for _, minor in provider.refunds] == [2_500, 85_000]
        assert len({key for key, _ in provider.refunds}) == 2
        assert (await world.events(order_id)).count("RefundIssued") == 2

    run_virtual(scenario)


def test_the_outcome_has_an_id_that_follows_from_its_cause() -> None:
    """`uuid5("<event id>:payment-outcome")`: the same message, whenever it is handled, makes the same event."""  # E072

    async def scenario() -> None:
        world = world_with(ForgetfulProvider())
        order_id = await world.place()
        await world.deliver()
        history = await world.orders.load(order_id)
        created = history.events[0]
        paid = next(found for found in history.events if isinstance(found.event, PaymentCompleted))

        assert paid.event_id == event_id(created.event_id, "payment-outcome")
        assert (paid.causation_id, paid.source, paid.actor.id) == (created.event_id, "payment", "payment")
        assert paid.correlation_id == created.correlation_id

    run_virtual(scenario)


def test_the_sandbox_notices_a_capture_or_a_refund_that_makes_no_sense() -> None:
    """A handler that used another key for the same effect would be refused, not quietly obeyed."""

    async def scenario() -> None:
        world = World()
        gateway = world.handlers["payment"]._gateway_for((await world.orders.load(await world.place())).events[0].event)
        amount = Money(100, "USD")
        held = await gateway.authorize("a", amount=amount, order_reference="o", capture=False, method=None)
        assert held == await gateway.authorize("a", amount=amount, order_reference="o", capture=False, method=None)
        assert held == await gateway.find("a")
        assert isinstance(held, Authorized)
        with pytest.raises(GatewayRefused, match="another amount"):
            await gateway.authorize("a", amount=Money(101, "USD"), order_reference="o", capture=False, method=None)
        with pytest.raises(GatewayRefused, match="nothing was captured"):
            await gateway.refund("r", reference=held.reference, amount=amount)
        await gateway.capture("c", reference=held.reference, amount=amount)
        await gateway.capture("c", reference=held.reference, amount=amount)
        with pytest.raises(GatewayRefused, match="a capture was made before"):
            await gateway.capture("c2", reference=held.reference, amount=amount)
        with pytest.raises(GatewayRefused, match="a capture was made before"):
            await gateway.void("v", reference=held.reference)
        assert await world.effects() == ["authorize", "capture"]

    run_virtual(scenario)
