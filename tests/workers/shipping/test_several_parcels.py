"""An order in several parcels: each is booked, handed over and followed by itself, and the order ends with the last of them."""

import pytest

from orderstore.domain import ids
from orderstore.domain.parcels import Parcel
from orderstore.domain.state import ShipmentStatus
from tests.virtual_time import run_virtual
from tests.workers.shipping.parcels import (
    confirmed,
    every_booking_is_accounted_for,
    history_of,
    message_of,
    parcels_of,
    place,
    statuses,
    two_places,
)
from tests.workers.world import World
from workers.inventory.locations import locations_in
from workers.runtime.outcome import Defer, Done
from workers.shipping.bookings import consignment_of
from workers.shipping.carrier import Consignment, Goods

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ON_ITS_WAY, ARRIVED = ShipmentStatus.DISPATCHED, ShipmentStatus.DELIVERED


def test_an_order_from_two_places_leaves_in_two_parcels() -> None:
    """Each has what lies there, and the events of each name their own causes and have ids of their own."""

    async def scenario() -> None:
        world = two_places()
        order_id = await place(world)
        await world.deliver()

        assert await world.status(order_id) == "Completed"
        assert world.errors == []
        parcels = await parcels_of(world, order_id)
        assert [(parcel.location, [(p.line, p.quantity) for p in parcel.lines]) for parcel in parcels] == [
            ("north", [(0, 1)]),
            ("south", [(1, 2)]),
        ]
        assert await statuses(world, order_id) == [ARRIVED, ARRIVED]
        await every_booking_is_accounted_for(world, order_id)
        events = (await history_of(world, order_id)).events
        causes = {recorded.event_id: recorded for recorded in events}
        for recorded in events:
            if recorded.name in ("ShipmentDispatched", "ShipmentDelivered"):
                assert causes[recorded.causation_id].event.shipment_id == recorded.event.shipment_id  # type: ignore[union-attr]  # of a parcel

    run_virtual(scenario)


def test_the_carrier_is_told_what_is_in_a_parcel_and_where_it_leaves_from() -> None:
    """Pieces of the same article are one item; a parcel of everything has every line."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(("A-1", 2, "5"), ("B-1", 1, "7"), ("A-1", 3, "5"))
        order = (await history_of(world, order_id)).state.order  # type: ignore[union-attr]  # it was placed
        everything = consignment_of(order, Parcel(None, ()))
        assert everything == Consignment(order, None, (Goods("A-1", 5), Goods("B-1", 1)))

        two = two_places()
        told: list[Consignment] = []
        book = two.carrier.book

        async def noted(shipment_id: str, consignment: Consignment):
            told.append(consignment)
            return await book(shipment_id, consignment)

        two.carrier.book = noted  # type: ignore[method-assign]  # it listens
        await place(two)
        await two.deliver()
        assert [(one.location, one.goods) for one in told] == [
            ("north", (Goods("LAPTOP-001", 1),)),
            ("south", (Goods("MOUSE-002", 2),)),
        ]

    run_virtual(scenario)


def test_the_only_parcel_of_an_order_has_the_ids_that_it_always_had() -> None:
    """What was recorded by earlier builds is met again."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.deliver()
        events = {recorded.name: recorded for recorded in (await history_of(world, order_id)).events}
        shipment_id = ids.event_id(order_id, "shipment")
        assert events["ShipmentCreated"].event.shipment_id == shipment_id  # type: ignore[union-attr]  # of a parcel
        for name, cause, purpose in (
            ("ShipmentCreated", "OrderConfirmed", "shipment-created"),
            ("ShipmentDispatched", "ShipmentCreated", "shipment-dispatched"),
            ("ShipmentDelivered", "ShipmentDispatched", "shipment-delivered"),
        ):
            assert events[name].event_id == ids.event_id(events[cause].event_id, purpose)

    run_virtual(scenario)


def test_each_parcel_is_followed_by_the_message_of_its_own_dispatch() -> None:
    """A message waits for its parcel and asks for no other; once it has arrived, it leaves the others to theirs."""

    async def scenario() -> None:
        world = two_places(transit_s=3_600)
        order_id = await confirmed(world)
        handle = world.handlers["shipping"]
        asked: list[str] = []
        track = world.carrier.track

        async def noted(shipment_id: str):
            asked.append(shipment_id)
            return await track(shipment_id)

        world.carrier.track = noted  # type: ignore[method-assign]  # it listens
        assert await handle(message_of(world, "OrderConfirmed")) == Done()
        first, second = (parcel.shipment_id for parcel in await parcels_of(world, order_id))
        assert asked == [first, second]
        ours, theirs = (message_of(world, "ShipmentDispatched", one) for one in (first, second))
        asked.clear()
        assert await handle(ours) == Defer(60)
        assert asked == [first]
        assert await handle(message_of(world, "ShipmentCreated", first)) == Done()

        world.time_ms += HOUR_MS
        asked.clear()
        assert await handle(theirs) == Done()
        assert asked == [second]
        assert await statuses(world, order_id) == [ON_ITS_WAY, ARRIVED]
        assert await handle(theirs) == Done()
        assert asked == [second]
        assert await handle(ours) == Done()
        assert await statuses(world, order_id) == [ARRIVED, ARRIVED]

    run_virtual(scenario)


def test_a_parcel_whose_message_is_gone_is_followed_by_any_other() -> None:
    """A queue keeps a message for four days. Whatever wakes the worker after that waits for the parcel to its end."""

    async def scenario() -> None:
        world = two_places(transit_s=6 * 86_400)
        order_id = await confirmed(world)
        handle = world.handlers["shipping"]
        await handle(message_of(world, "OrderConfirmed"))
        first, second = (parcel.shipment_id for parcel in await parcels_of(world, order_id))
        world.time_ms += 3 * DAY_MS
        assert await handle(message_of(world, "OrderConfirmed")) == Done()
        world.time_ms += 2 * DAY_MS
        hint = message_of(world, "ShipmentDispatched", second)
        assert await handle(hint) == Defer(60)
        world.time_ms += 2 * DAY_MS
        assert await handle(hint) == Done()
        assert await statuses(world, order_id) == [ARRIVED, ARRIVED]
        assert first != second

    run_virtual(scenario)


@pytest.mark.thorough
def test_more_parcels_than_a_message_may_take_steps_still_all_leave() -> None:
    """Twenty places, one piece in each."""

    async def scenario() -> None:
        places = [f"place-{number}" for number in range(20)]
        world = World(locations=locations_in(",".join(places)))
        for place_ in places:
            await world.stock.receive(f"in-{place_}", {"MUG-1": 1}, location=place_)
        order_id = await world.place(("MUG-1", 20, "3"), stocked=False)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert await statuses(world, order_id) == [ARRIVED] * 20
        assert world.errors == []
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)
