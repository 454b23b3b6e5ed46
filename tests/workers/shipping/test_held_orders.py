"""Held orders in the hands of the real workers: nothing leaves, nothing is lost, and the last release wakes the shipping worker."""

from typing import Any

import pytest

from orderstore.domain import ids
from orderstore.domain.rejections import CommandRejected
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.world import Faults, World
from workers.runtime.outcome import Done
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier

SKUS = ("LAPTOP-001", "MOUSE-002")
HAPPY = {
    "on_dispatch": ["authorize", "booking", "capture", "dispatched"],
    "at_once": ["booking", "charge", "dispatched"],
}


class Watched:
    """The world's carrier; it notes what is asked of it to bring the goods nearer to their leaving, and lets `first` happen before."""

    def __init__(self, carrier: SandboxCarrier) -> None:
        self._carrier = carrier
        self.begun: list[str] = []
        self.first: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._carrier, name)

    async def book(self, *asked: Any) -> Any:
        return await self._begin("book", *asked)

    async def dispatch(self, *asked: Any) -> Any:
        return await self._begin("dispatch", *asked)

    async def _begin(self, name: str, *asked: Any) -> Any:
        if (before := self.first.pop(name, None)) is not None:
            await before()
        self.begun.append(name)
        return await getattr(self._carrier, name)(*asked)


def watched(world: World) -> Watched:
    carrier = Watched(world.carrier)
    world.handlers["shipping"] = ShippingHandler(
        world.orders,
        carrier=carrier,  # type: ignore[arg-type]  # it is a Carrier by way of __getattr__
        now_ms=world.now_ms,
        sandbox=True,
        observer=world.reports,
    )
    return carrier


def test_a_held_order_is_paid_reserved_and_confirmed_and_leaves_only_after_its_release() -> None:
    """Held before anything was done: nothing is shipped; the release wakes the shipping worker, and nothing else does."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.hold(order_id, "review")
        await world.deliver()
        assert await world.status(order_id) == "Confirmed"
        assert await world.effects() == ["authorize"]
        assert await world.stock_is_sound(*SKUS) == (1, 2)

        await world.release(order_id, "review")
        assert [(queue, "OrderHoldReleased" in message.body) for queue, message in world.messages] == [
            ("shipping", True)
        ]
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert await world.effects() == HAPPY["on_dispatch"]
        assert world.errors == []

    run_virtual(scenario)


def test_only_the_last_release_lets_the_goods_go() -> None:
    """Two holds, two releases; a release that is told of twice, or weeks later, does nothing."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        for hold_id in ("a", "b"):
            await world.hold(order_id, hold_id)
        await world.deliver()
        await world.release(order_id, "b")
        await world.deliver(copies=2)
        assert await world.effects() == ["authorize"]
        await world.release(order_id, "a")
        await world.deliver(copies=2)
        assert await world.status(order_id) == "Completed"
        effects, events = await world.effects(), await world.events(order_id)

        world.messages.extend(world.history)
        await world.deliver()
        assert (await world.effects(), await world.events(order_id)) == (effects, events)
        assert effects == HAPPY["on_dispatch"]

    run_virtual(scenario)


async def _calls_of_a_happy_order(capture: str) -> int:
    world = World(capture=capture)
    await world.place()
    await world.deliver()
    return world.faults.calls


async def _held_in_the_middle(number: int, capture: str, everybody_runs: bool) -> str:
    faults = Faults(at=number)
    world = World(faults=faults, capture=capture)
    carrier = watched(world)
    order_id = await world.place()
    begun: list[str] = []
    closed = False

    async def hold() -> None:
        nonlocal closed
        try:
            await world.hold(order_id, "review")
        except CommandRejected:
            closed = True
        begun.extend(carrier.begun)
        if everybody_runs:
            await world.deliver()

    faults.meanwhile = hold
    await world.deliver()
    status = await world.status(order_id)
    where = (
        f"call {number}, {faults.names[number - 1]}: {status}, {await world.effects()}, {await world.events(order_id)}"
    )
    assert world.errors == [], where
    if not closed and "ShipmentDispatched" not in await world.events(order_id):
        assert status == "Confirmed", where
        assert carrier.begun == begun, f"begun after the hold was in the log; {where}"
        await world.release(order_id, "review")
        await world.deliver()
    assert await world.status(order_id) == "Completed", where
    assert await world.effects() == HAPPY[capture], where
    assert await world.stock_is_sound(*SKUS) == (1, 2), where
    assert world.errors == [], where
    return status


@pytest.mark.thorough
@pytest.mark.parametrize("everybody_runs", [False, True], ids=["alone", "with everybody"])
@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_a_hold_at_any_point_stops_what_has_not_begun_and_loses_nothing(capture: str, everybody_runs: bool) -> None:
    """At every call that any worker makes: once the hold is in the log no booking and no dispatch begins; after the release the order is
    completed, with each effect once."""
    calls = run_virtual(_calls_of_a_happy_order, capture)

    ends = [run_virtual(_held_in_the_middle, number, capture, everybody_runs) for number in moments(calls)]

    assert {"Confirmed", "Completed"} == set(ends)


async def _released_in_the_middle(number: int, everybody_runs: bool) -> bool:
    faults = Faults(at=number)
    world = World(faults=faults)
    order_id = await world.place()
    await world.hold(order_id, "review")

    async def release() -> None:
        await world.release(order_id, "review")
        if everybody_runs:
            await world.deliver()

    faults.meanwhile = release
    await world.deliver()
    if faults.calls < number:
        return False
    where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
    assert await world.status(order_id) == "Completed", where
    assert await world.effects() == HAPPY["on_dispatch"], where
    assert world.errors == [], where
    return True


@pytest.mark.thorough
@pytest.mark.parametrize("everybody_runs", [False, True], ids=["alone", "with everybody"])
def test_a_release_at_any_point_wakes_the_order(everybody_runs: bool) -> None:
    """At every call that the workers make for a held order: none of them is the one after which it sleeps for ever."""
    number = 1
    while run_virtual(_released_in_the_middle, number, everybody_runs):
        number += 1

    assert number > 10


async def _cancelled_while_held(number: int) -> str:
    faults = Faults(at=number)
    world = World(faults=faults, capture="at_once")
    order_id = await world.place()

    async def hold_and_cancel() -> None:
        for ask in (world.hold(order_id, "review"), world.cancel(order_id)):
            try:
                await ask
            except CommandRejected:
                continue

    faults.meanwhile = hold_and_cancel
    await world.deliver()
    status, effects, events = await world.status(order_id), await world.effects(), await world.events(order_id)
    where = f"call {number}, {faults.names[number - 1]}: {status}, {effects}, {events}"
    assert world.errors == [], where
    assert len(effects) == len(set(effects)), where
    if status == "Cancelled":
        assert await world.stock_is_sound(*SKUS) == (0, 0), where
        assert ("charge" in effects) == ("refund" in effects), where
        assert "dispatched" not in effects, where
        assert (await world.orders.load(order_id)).state.holds == (), where  # type: ignore[union-attr]  # it is an order
    else:
        assert status == "Completed", where
        assert "refund" not in effects, where
    return status


def test_a_held_order_is_cancelled_whole_at_any_point() -> None:
    """A hold stands in the way of no compensation: money and stock are given back, whenever it was placed."""
    calls = run_virtual(_calls_of_a_happy_order, "at_once")

    assert {run_virtual(_cancelled_while_held, number) for number in moments(calls)} == {"Cancelled", "Completed"}


def test_the_carrier_was_quicker_than_the_hold() -> None:
    """The hold lands between the worker's look and the hand-over: the goods are gone, the log says both, and the order ends."""

    async def scenario() -> None:
        world = World()
        carrier = watched(world)
        order_id = await world.place()

        async def hold() -> None:
            await world.hold(order_id, "review")

        carrier.first["dispatch"] = hold
        await world.deliver()

        events = await world.events(order_id)
        assert events.index("OrderHeld") < events.index("ShipmentDispatched")
        assert await world.status(order_id) == "Completed"
        assert await world.effects() == HAPPY["on_dispatch"]
        assert world.errors == []

    run_virtual(scenario)


def test_a_booking_that_a_hold_overtook_is_kept_and_used_after_the_release() -> None:
    """The carrier was booked once, whoever recorded it when."""

    async def scenario() -> None:
        world = World()
        carrier = watched(world)
        order_id = await world.place()

        async def hold() -> None:
            await world.hold(order_id, "review")

        carrier.first["book"] = hold
        await world.deliver()
        assert await world.events(order_id) == [
            "OrderCreated", "PaymentCompleted", "InventoryReserved", "OrderConfirmed", "OrderHeld", "ShipmentCreated",
        ]  # fmt: skip
        assert carrier.begun == ["book"]
        await world.release(order_id, "review")
        await world.deliver()
        assert carrier.begun == ["book", "dispatch"]
        assert await world.status(order_id) == "Completed"
        assert ids.event_id(order_id, "shipment")

    run_virtual(scenario)


def test_a_message_for_a_held_order_is_done_with_at_once() -> None:
    """It neither waits in the queue nor counts as failed: the release brings a message of its own."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.hold(order_id, "review")
        await world.deliver()
        message = next(m for queue, m in world.history if queue == "shipping" and '"OrderConfirmed"' in m.body)

        assert await world.handlers["shipping"](message) == Done()
        assert world.reports.counts["nothing_to_do", "shipping", "OrderConfirmed"] == 2

    run_virtual(scenario)
