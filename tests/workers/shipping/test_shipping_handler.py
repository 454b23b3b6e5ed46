"""The shipping worker: the carrier decides the race between dispatch and cancellation, and no booking is forgotten."""

import pytest

from orderstore.domain import ids
from orderstore.domain.parcels import Parcel
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.runtime.outcome import Defer, Done
from workers.shipping.bookings import consignment_of
from workers.shipping.carrier import Cancelled, CarrierRefused, Consignment, Delivered, Dispatched, TooLate
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier


async def confirmed(world: World) -> str:
    """An order that is paid for and set aside; shipping has not begun."""
    order_id = await world.place()
    world.wants = lambda queue, event_type: queue in ("payment", "inventory")
    await world.deliver()
    world.wants = lambda queue, event_type: True
    assert await world.status(order_id) == "Confirmed"
    return order_id


async def whole(world: World, order_id: str) -> Consignment:
    """All of an order in one parcel."""
    return consignment_of((await world.orders.load(order_id)).state.order, Parcel(None, ()))  # type: ignore[union-attr]  # it was placed


def message_of(world: World, queue: str, event_type: str):
    return next(m for q, m in world.history if q == queue and f'"{event_type}"' in m.body)


def test_a_cancellation_that_comes_after_the_goods_left_is_declined() -> None:
    """The carrier had dispatched, the worker died before it wrote that down, the customer cancelled: the order goes on."""

    async def scenario() -> None:
        world = World()
        order_id = await confirmed(world)
        await world.carrier.book(ids.event_id(order_id, "shipment"), await whole(world, order_id))
        await world.handlers["shipping"]._book(
            await world.orders.load(order_id), ids.event_id(order_id, "shipment"), Parcel(None, ())
        )
        await world.carrier.dispatch(ids.event_id(order_id, "shipment"))
        await world.cancel(order_id)
        world.messages.extend(entry for entry in world.history if entry not in world.messages)
        await world.deliver()

        events = await world.events(order_id)
        assert await world.status(order_id) == "Completed"
        assert "OrderCancellationDeclined" in events
        assert events.count("ShipmentDispatched") == 1
        assert await world.effects() == ["authorize", "booking", "capture", "dispatched"]

    run_virtual(scenario)


def test_a_booking_that_the_log_refused_is_cancelled_even_if_its_worker_dies() -> None:
    """The order was cancelled while the carrier was being booked, and the worker died before it could undo the booking."""

    async def scenario() -> None:
        world = World()
        order_id = await confirmed(world)
        await world.carrier.book(ids.event_id(order_id, "shipment"), await whole(world, order_id))
        await world.cancel(order_id)
        message = message_of(world, "shipping", "OrderConfirmed")

        assert await world.handlers["shipping"](message) == Done()

        assert await world.effects() == ["authorize", "booking", "cancelled"]
        assert await world.carrier.dispatch(ids.event_id(order_id, "shipment")) == Cancelled()

    run_virtual(scenario)


def test_the_carrier_lets_one_of_dispatch_and_cancellation_win_for_ever() -> None:
    """In both orders, and however often it is asked."""

    async def scenario() -> None:
        world = World()
        order = await whole(world, await world.place())
        for shipment_id in ("left", "stopped", "never-booked"):
            if shipment_id != "never-booked":
                await world.carrier.book(shipment_id, order)
        assert isinstance(await world.carrier.dispatch("left"), Dispatched)
        assert isinstance(await world.carrier.cancel("left"), TooLate)
        assert isinstance(await world.carrier.dispatch("left"), Dispatched)
        assert await world.carrier.cancel("stopped") == Cancelled()
        assert await world.carrier.dispatch("stopped") == Cancelled()
        assert await world.carrier.cancel("never-booked") == Cancelled()
        assert await world.carrier.book("never-booked", order) == Cancelled()
        with pytest.raises(CarrierRefused):
            await world.carrier.dispatch("unknown")
        with pytest.raises(CarrierRefused):
            await world.carrier.track("stopped")

    run_virtual(scenario)


def test_a_parcel_on_its_way_waits_without_burning_a_receive() -> None:
    """Only one message follows it; the others are done. When it has arrived, the order is complete."""

    async def scenario() -> None:
        world = World()
        carrier = SandboxCarrier(world.ledger, now_ms=world.now_ms, transit_s=3_600)
        world.handlers["shipping"] = ShippingHandler(
            world.orders,
            carrier=carrier,
            now_ms=world.now_ms,
            sandbox=True,
            track_again_s=600,
            observer=world.reports,
        )
        order_id = await confirmed(world)

        assert await world.handlers["shipping"](message_of(world, "shipping", "OrderConfirmed")) == Done()
        following = message_of(world, "shipping", "ShipmentDispatched")
        assert await world.handlers["shipping"](following) == Defer(600)
        world.time_ms += 3_600_000
        assert await carrier.track(ids.event_id(order_id, "shipment")) == Delivered(
            f"proof-{ids.event_id(order_id, 'shipment')}"
        )
        assert await world.handlers["shipping"](following) == Done()
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)
