"""Money that is taken parcel by parcel: each part once, the parts add up, and nobody pays for what is still here."""

from functools import partial
from typing import Any

import anyio
import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.money import Money
from orderstore.domain.state import PaymentStatus
from tests.virtual_time import run_virtual
from tests.workers.payment.stories import NORTH, SOUTH, Story, over_stripe, sandbox
from tests.workers.payment.test_stripe_gateway import DAY_S, Scene
from workers.payment.gateway import GatewayRefused, GatewayTimeout, HoldExpired, TakenOnce
from workers.payment.hints import hint_body
from workers.runtime.queue import Message

BY_PARCEL = {"charge": "per_shipment"}
WHOLE, LAPTOP, MICE = Money(90_000, "USD"), Money(85_000, "USD"), Money(5_000, "USD")


async def confirmed(story: Story) -> Story:
    await story.reserved_at_two_places()
    await story.deliver()
    return story


async def captures(story: Story) -> list[tuple[int, str | None, bool]]:
    return [(one.amount_minor, one.shipment_id, one.final) for one in await story.all(e.PaymentCaptured)]


@pytest.mark.parametrize("over", ["sandbox", "stripe"])
def test_each_parcel_is_paid_for_when_it_leaves_and_the_last_takes_what_is_left(over: str) -> None:
    """Every message twice; each capture has the parcel that it pays for as its cause."""

    async def scenario() -> None:
        story = await confirmed(await (sandbox if over == "sandbox" else over_stripe)(terms=BY_PARCEL))
        await story.leaves("p1", "north", NORTH)
        await story.deliver(copies=2)
        assert await captures(story) == [(85_000, "p1", False)]
        assert (await story.order()).payment.status is PaymentStatus.PARTIALLY_CAPTURED
        await story.leaves("p2", "south", SOUTH)
        await story.deliver(copies=2)
        assert await captures(story) == [(85_000, "p1", False), (5_000, "p2", True)]
        assert (await story.order()).payment.status is PaymentStatus.CAPTURED
        events = (await story.history()).events
        causes = [one.causation_id for one in events if one.name == "PaymentCaptured"]
        assert causes == [one.event_id for one in events if one.name == "ShipmentDispatched"]
        if over == "stripe":
            world: Any = story.world
            assert (world.stripe.intents["pi_1"]["amount_received"], world.stripe.intents["pi_1"]["status"]) == (
                90_000,
                "succeeded",
            )

    run_virtual(scenario)


@pytest.mark.parametrize("over", ["sandbox", "stripe"])
def test_two_parcels_that_left_before_anybody_looked_are_two_captures(over: str) -> None:
    """Whoever comes late takes each part in turn, and each is caused by its own parcel."""

    async def scenario() -> None:
        story = await confirmed(await (sandbox if over == "sandbox" else over_stripe)(terms=BY_PARCEL))
        await story.leaves("p1", "north", NORTH)
        await story.leaves("p2", "south", SOUTH)
        await story.deliver()
        assert await captures(story) == [(85_000, "p1", False), (5_000, "p2", True)]
        events = (await story.history()).events
        causes = [one.causation_id for one in events if one.name == "PaymentCaptured"]
        assert causes == [one.event_id for one in events if one.name == "ShipmentDispatched"]

    run_virtual(scenario)


@pytest.mark.parametrize(("over", "card"), [("sandbox", "pm_sandbox_taken_once"), ("stripe", "pm_once")])
def test_a_card_that_is_taken_from_once_is_when_everything_has_left(over: str, card: str) -> None:
    """Nobody pays for goods that are still here; the one capture is for all of it."""

    async def scenario() -> None:
        story = await confirmed(await (sandbox if over == "sandbox" else over_stripe)(card, terms=BY_PARCEL))
        await story.leaves("p1", "north", NORTH)
        await story.deliver(copies=2)
        assert await captures(story) == []
        await story.leaves("p2", "south", SOUTH)
        await story.deliver(copies=2)
        assert await captures(story) == [(90_000, None, True)]
        assert (await story.order()).payment.status is PaymentStatus.CAPTURED

    run_virtual(scenario)


def test_an_order_that_pays_at_once_asks_no_card_whether_it_may_be_taken_in_parts() -> None:
    """It costs no request more, and holds what it always held."""

    async def scenario() -> None:
        story = await over_stripe()
        await story.deliver()
        world: Any = story.world
        assert world.stripe.intents["pi_1"]["payment_method_options"] == {}

    run_virtual(scenario)


async def _held_in_parts(scene: Scene) -> Any:
    return await scene.gateway.authorize(
        "a", amount=WHOLE, order_reference="o", capture=False, method="pm_ok", in_parts=True
    )


@pytest.mark.parametrize("fault", ["lost after", "500 after", "lost before", "500 before"])
def test_a_part_is_found_when_its_key_is_forgotten(fault: Any) -> None:
    """Stripe adds up what was taken: two days later each part is still taken once."""  # 5.5: 1

    async def scenario() -> None:
        scene = Scene()
        held = await _held_in_parts(scene)
        for amount, before, final in ((LAPTOP, 0, False), (MICE, 85_000, True)):
            act = partial(
                scene.gateway.capture,
                f"c{before}",
                reference=held.reference,
                amount=amount,
                before_minor=before,
                final=final,
            )
            scene.fake.faults.append(fault)
            with pytest.raises(GatewayTimeout):
                await act()
            scene.time_s += 2 * DAY_S
            assert await act() == await act()
            assert scene.fake.intents["pi_1"]["amount_received"] == before + amount.minor

    run_virtual(scenario)


def test_a_part_that_somebody_else_took_is_not_ours() -> None:
    """The provider has taken more than we know of: for a person, not to be added to."""

    async def scenario() -> None:
        scene = Scene()
        held = await _held_in_parts(scene)
        scene.fake.intents["pi_1"]["amount_received"] = 10
        with pytest.raises(GatewayRefused, match="than we know of"):
            await scene.gateway.capture("c", reference=held.reference, amount=LAPTOP, final=False)
        assert scene.fake.intents["pi_1"]["amount_received"] == 10

    run_virtual(scenario)


def test_a_hold_that_ended_after_a_part_of_it_is_over_and_not_taken_twice() -> None:
    """At its end Stripe lets the rest go, and calls the payment a success."""

    async def scenario() -> None:
        scene = Scene()
        held = await _held_in_parts(scene)
        await scene.gateway.capture("c", reference=held.reference, amount=LAPTOP, final=False)
        scene.fake.intents["pi_1"]["status"] = "succeeded"
        with pytest.raises(HoldExpired):
            await scene.gateway.capture("d", reference=held.reference, amount=MICE, before_minor=85_000)

    run_virtual(scenario)


def test_a_payment_that_was_not_made_for_parts_is_not_taken_in_parts() -> None:
    """Asked for all the same, nothing is taken."""

    async def scenario() -> None:
        scene = Scene()
        held = await scene.authorize()
        with pytest.raises(TakenOnce):
            await scene.gateway.capture("c", reference=held.reference, amount=LAPTOP, final=False)
        assert scene.fake.intents["pi_1"]["amount_received"] == 0

    run_virtual(scenario)


def test_of_many_workers_at_one_parcel_one_takes_its_money() -> None:
    """The sandbox and its ledger, as Stripe's own sum: the same part is one row."""

    async def scenario() -> None:
        story = await confirmed(await sandbox(terms=BY_PARCEL))
        await story.leaves("p1", "north", NORTH)
        message = story.world.messages[-1][1]
        async with anyio.create_task_group() as tasks:
            for handlers in [story.world.handlers, story.world.elsewhere] * 4:
                tasks.start_soon(handlers["payment"], message)
        taken = [entry async for entry in story.world.ledger.entries() if entry.kind == "capture"]
        assert [entry.details["amount_minor"] for entry in taken] == [85_000]
        assert await captures(story) == [(85_000, "p1", False)]

    run_virtual(scenario)


def test_pieces_that_are_cancelled_after_a_parcel_left_are_not_taken() -> None:
    """What was taken is all that is due then."""

    async def scenario() -> None:
        story = await confirmed(await sandbox(terms=BY_PARCEL))
        await story.leaves("p1", "north", NORTH)
        await story.deliver()
        await story.tell(decisions.cancel_lines, "less", cancellation_id="c", lines=(SOUTH,), reason="customer")
        await story.deliver()
        assert await captures(story) == [(85_000, "p1", False)]
        assert (await story.order()).payment.status is PaymentStatus.CAPTURED

    run_virtual(scenario)


@pytest.mark.parametrize("terms", [BY_PARCEL, {}], ids=["by parcel", "at once"])
@pytest.mark.parametrize("over", ["sandbox", "stripe"])
def test_a_part_that_was_taken_before_a_crash_is_known_though_the_rest_was_cancelled_meanwhile(
    over: str, terms: dict[str, str]
) -> None:
    """It is taken as it was begun: not as the last part, and not for another amount, which the provider could only refuse for ever. What
    was taken for the cancelled pieces goes back."""

    async def scenario() -> None:
        story = await confirmed(await (sandbox if over == "sandbox" else over_stripe)(terms=terms))
        record = story.world.orders.record

        async def dies(*_: Any, **__: Any) -> Any:
            raise ConnectionError("the process is gone")

        await story.leaves("p1", "north", NORTH)
        story.world.orders.record = dies  # type: ignore[method-assign]  # it dies between the provider and the log
        message = Message(
            id="m",
            receipt="r",
            body=hint_body(await story.history()),
            attributes={},
            receive_count=1,
            sent_at_ms=story.world.now_ms(),
        )
        with pytest.raises(ConnectionError):
            await story.world.handlers["payment"](message)
        story.world.orders.record = record  # type: ignore[method-assign]  # another process
        cancelled: dict[str, Any] = {"cancellation_id": "c", "lines": (SOUTH,), "reason": "customer"}
        await story.tell(decisions.cancel_lines, "fewer", **cancelled)
        await story.deliver()
        assert await captures(story) == [(85_000, "p1", False) if terms else (90_000, None, True)]
        payment = (await story.order()).payment
        assert payment.status is PaymentStatus.CAPTURED
        given = sum(refund.amount_minor for refund in payment.refunds if refund.issued)
        assert payment.captured_minor - given == 85_000
        if over == "stripe":
            world: Any = story.world
            assert world.stripe.intents["pi_1"]["amount_received"] == payment.captured_minor

    run_virtual(scenario)
