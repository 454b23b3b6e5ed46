"""Before anybody begins, before the goods have to have left, and before the provider lets go of the money: each on a virtual clock."""

from datetime import timedelta
from functools import partial

import anyio
import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import holds, next_steps
from orderstore.domain.state import Cancelled, Cancelling, Confirmed
from orderstore.registry import BY_CLASS
from tests.builders import BOOKED, CAPTURED, DISPATCHED, NOON, PAID, PAID_AT_ONCE, RESERVED
from tests.virtual_time import run_virtual
from tests.workers.sweeping.sweep_world import SweepWorld

MINUTE_S, DAY_S = 60, 86_400
LATEST_S = 60
PAY = partial(d.complete_payment, outcome=PAID)
RESERVE = partial(d.reserve_inventory, outcome=RESERVED)
BOOK = partial(d.create_shipment, outcome=BOOKED)
SEND = partial(d.dispatch_shipment, outcome=DISPATCHED)
CAPTURE = partial(d.capture_payment, outcome=CAPTURED)
PATIENT = e.Allowances(outcomes_s=300 * DAY_S, dispatch_s=300 * DAY_S, delivery_s=300 * DAY_S)
PROMISED = NOON + timedelta(days=30)
QUESTION = f"promise:{int(PROMISED.timestamp())}"


async def swept_at(world: SweepWorld, moment_s: float) -> None:
    """Sweepers that run for a while around this moment of the clock: before it for half of that while, and after it."""
    await anyio.sleep(moment_s - LATEST_S - anyio.current_time())
    async with world.running(world.sweeper()):
        await anyio.sleep(2 * LATEST_S)


def test_nobody_begins_with_an_order_until_its_grace_is_over_and_then_everybody_is_told() -> None:
    """60 seconds: not a step earlier, and what ends them wakes payment and stock."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(grace_until=NOON + timedelta(seconds=60))
        async with world.running(world.sweeper()):
            await anyio.sleep(59)
            history = await world.orders.load(order_id)
            assert [recorded.name for recorded in history.events] == ["OrderCreated"]
            assert next_steps.payment_step(history.state) is None
            assert next_steps.inventory_step(history.state) is None
            await anyio.sleep(1 + LATEST_S)
        history = await world.orders.load(order_id)
        assert [recorded.name for recorded in history.events] == ["OrderCreated", "OrderGraceEnded"]
        assert next_steps.payment_step(history.state) == next_steps.Authorize(90_000)
        assert next_steps.inventory_step(history.state) == next_steps.Reserve()
        assert BY_CLASS[e.OrderGraceEnded].consumers == ("payment", "inventory")
        assert world.seen.counts["grace"] == 1

    run_virtual(scenario)


def test_a_cancellation_within_the_grace_ends_the_order_at_once_and_compensates_nothing() -> None:
    """Nobody began with it, so nobody has anything to give back; and nobody begins with it afterwards."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(grace_until=NOON + timedelta(seconds=60))
        history = await world.happen(order_id, partial(d.request_cancellation, reason="customer"))

        assert isinstance(history.state, Cancelled)
        assert [recorded.event for recorded in history.events[1:]] == [
            e.OrderCancellationRequested(reason="customer"),
            e.OrderCancelled(reason="customer", compensations=()),
        ]
        for moment_s in (60, 15 * MINUTE_S, DAY_S):
            await swept_at(world, moment_s)
        assert (await world.orders.load(order_id)).version == history.version
        assert world.seen.hints == []

    run_virtual(scenario)


def test_the_time_for_the_outcomes_begins_when_the_grace_is_over() -> None:
    """An hour of grace is no hour in which payment and stock are late."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(grace_until=NOON + timedelta(hours=1))
        await swept_at(world, 15 * MINUTE_S)
        assert await world.names(order_id) == ["OrderCreated"]
        await swept_at(world, 60 * MINUTE_S)
        await swept_at(world, 74 * MINUTE_S - 1)
        assert await world.names(order_id) == ["OrderCreated", "OrderGraceEnded"]
        await swept_at(world, 77 * MINUTE_S)
        assert (await world.names(order_id))[2] == "OrderProcessStalled"

    run_virtual(scenario)


def test_what_was_promised_and_has_not_left_is_asked_about_and_undone_without_consent() -> None:
    """30 days; then 72 hours for the customer; silence is no consent (16 CFR 435.2), and the money goes back."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=PATIENT, ship_by=PROMISED)
        await world.happen(order_id, partial(d.complete_payment, outcome=PAID_AT_ONCE), RESERVE, BOOK)
        await anyio.sleep(30 * DAY_S - 300)
        async with world.running(world.sweeper()):
            await anyio.sleep(299)
            assert (await world.names(order_id))[-1] == "ShipmentCreated"
            await anyio.sleep(1 + LATEST_S)
            [asked] = (await world.events(order_id))[5:]
            assert isinstance(asked, e.OrderActionRequired)
            assert (asked.action_id, asked.kind) == (QUESTION, "delay_consent")
            assert timedelta(0) <= asked.deadline - PROMISED - timedelta(hours=72) <= timedelta(seconds=LATEST_S)
        await swept_at(world, 33 * DAY_S + LATEST_S)
        assert (await world.events(order_id))[6:] == [
            e.OrderActionAnswered(action_id=QUESTION, answer="expired"),
            e.OrderCancellationRequested(reason="customer"),
        ]
        await world.happen(
            order_id,
            partial(d.cancel_shipment, outcome=e.ShipmentCancelled(shipment_id=BOOKED.shipment_id)),
        )
        [refund] = (await world.orders.load(order_id)).state.payment.refunds
        assert refund.amount_minor == 90_000

    run_virtual(scenario)


def test_who_agrees_to_wait_is_not_asked_again_until_another_promise_is_over() -> None:
    """Of each promise once: a delay that was told moves it, and the moment that counts is the later one."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=PATIENT, ship_by=PROMISED)
        await world.happen(order_id, PAY, RESERVE)
        later = PROMISED + timedelta(days=40)
        await swept_at(world, 30 * DAY_S)
        await world.happen(order_id, partial(d.answer, action_id=QUESTION, answer="accepted"))
        await swept_at(world, 50 * DAY_S)
        assert (await world.names(order_id)).count("OrderActionRequired") == 1
        told = e.ShipmentDelayed(delay_id="d", promised_at=later, reason="supplier")
        await world.happen(order_id, partial(d.delay_shipment, outcome=told))
        await swept_at(world, 70 * DAY_S - 2 * LATEST_S)
        assert (await world.names(order_id)).count("OrderActionRequired") == 1
        await swept_at(world, 70 * DAY_S)
        assert (await world.names(order_id)).count("OrderActionRequired") == 2
        assert isinstance((await world.orders.load(order_id)).state, Confirmed)

    run_virtual(scenario)


@pytest.mark.parametrize("ship_by", [None, PROMISED])
def test_who_was_promised_nothing_or_has_it_is_not_asked(ship_by: object) -> None:
    """An order from before there were promises keeps what it had; and what has left is no promise any more."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=PATIENT, ship_by=ship_by)
        history = await world.happen(order_id, PAY, RESERVE, *((BOOK, SEND, CAPTURE) if ship_by else ()))
        for day in (30, 90):
            await swept_at(world, day * DAY_S)
        assert (await world.orders.load(order_id)).version == history.version

    run_virtual(scenario)


def test_money_that_is_held_and_not_taken_is_told_before_the_provider_lets_it_go() -> None:
    """At four fifths of the time that the provider gave: a person sees it, and the order says itself when it is over."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=PATIENT)
        held = e.PaymentCompleted(
            attempt=1,
            mode="authorized",
            amount_minor=90_000,
            provider_reference="ch",
            capture_before=NOON + timedelta(days=10),
        )
        await world.happen(order_id, partial(d.complete_payment, outcome=held), RESERVE)
        await anyio.sleep(8 * DAY_S - 300)
        async with world.running(world.sweeper()):
            await anyio.sleep(299)
            assert (await world.names(order_id))[-1] == "OrderConfirmed"
            await anyio.sleep(1 + LATEST_S)
        [told] = (await world.events(order_id))[4:]
        assert told == e.OrderProcessStalled(stage="capture", since=NOON, due_at=NOON + timedelta(days=8))
        assert await world.open_kinds(order_id) == ["stalled"]
        assert world.seen.hints == [("shipping", order_id)]

        await world.happen(order_id, BOOK, SEND, CAPTURE)
        assert (await world.events(order_id))[-1] == e.OrderProcessResumed(stage="capture", action="resume")
        assert await world.open_kinds(order_id) == []

    run_virtual(scenario)


def test_a_parcel_that_stays_here_while_others_have_left_is_told_by_name() -> None:
    """Booked for 48 hours, but for the time in which the order was held; the parcel that left is late by itself, after five days."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(delivery_s=90 * DAY_S))
        north, south = (
            e.Allocation(location=name, lines=(e.Pieces(line=line, quantity=quantity),))
            for name, line, quantity in (("north", 0, 1), ("south", 1, 2))
        )
        spread = e.InventoryReserved(reservation_id="r", allocations=(north, south))
        first, second = (
            e.ShipmentCreated(
                shipment_id=at.location, carrier="c", label_reference="l", location=at.location, lines=at.lines
            )
            for at in (north, south)
        )
        await world.happen(
            order_id,
            PAY,
            partial(d.reserve_inventory, outcome=spread),
            partial(d.create_shipment, outcome=first),
            partial(d.create_shipment, outcome=second),
            partial(d.dispatch_shipment, outcome=e.ShipmentDispatched(shipment_id="north", tracking_number="t")),
            CAPTURE,
            partial(holds.hold, hold_id="h", reason="address"),
        )
        await anyio.sleep(DAY_S)
        history = await world.happen(order_id, partial(holds.release_hold, hold_id="h"))
        await anyio.sleep(2 * DAY_S - 300)
        async with world.running(world.sweeper()):
            await anyio.sleep(299)
            assert (await world.orders.load(order_id)).version == history.version
            await anyio.sleep(1 + LATEST_S)
        [told] = (await world.events(order_id))[history.version :]
        assert isinstance(told, e.OrderProcessStalled)
        assert (told.stage, told.subject, told.since) == ("dispatch", "south", NOON + timedelta(days=1))
        assert await world.open_kinds(order_id) == ["stalled"]
        assert "shipping" in [department for department, _ in world.seen.hints]

        left = e.ShipmentDispatched(shipment_id="south", tracking_number="t")
        await world.happen(order_id, partial(d.dispatch_shipment, outcome=left))
        assert await world.open_kinds(order_id) == []

    run_virtual(scenario)


def test_a_cancellation_after_the_grace_is_undone_by_those_who_began() -> None:
    """The log decides: what ended the grace came first."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(grace_until=NOON + timedelta(seconds=60))
        async with world.running(world.sweeper()):
            await anyio.sleep(60 + LATEST_S)
        history = await world.happen(order_id, partial(d.request_cancellation, reason="customer"))
        assert isinstance(history.state, Cancelling)
        assert next_steps.payment_step(history.state) == next_steps.VoidPayment()

    run_virtual(scenario)
