"""Orders in several parcels in the hands of every worker: money, goods, documents and parcels add up in the end."""

import pytest

from orderstore.domain import events as e
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import Completed, InFulfilment, Placed, ShipmentStatus
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.shipping.parcels import (
    confirmed,
    every_booking_is_accounted_for,
    fates,
    history_of,
    message_of,
    next_booking,
    parcels_of,
    place,
    set_aside,
    state_of,
    statuses,
    two_places,
)
from tests.workers.world import Faults, World

PER_PARCEL = {"terms": {"charge": "per_shipment"}}
TOTAL = 90_000


async def captures(world: World, order_id: str) -> list[tuple[int, str | None]]:
    return [
        (recorded.event.amount_minor, recorded.event.shipment_id)
        for recorded in (await history_of(world, order_id)).events
        if isinstance(recorded.event, e.PaymentCaptured)
    ]


async def adds_up(world: World, order_id: str) -> Placed:
    """An order that was sent whole: taken once, invoiced once, gone from stock, and nothing owed."""
    state = await state_of(world, order_id)
    assert isinstance(state, Completed)
    assert state.payment.captured_minor == TOTAL
    assert (await world.events(order_id)).count("InvoiceIssued") == 1
    assert state.invoice is not None
    assert state.invoice.total_minor == TOTAL
    await every_booking_is_accounted_for(world, order_id)
    assert await set_aside(world) == (0, 0)
    return state


def test_each_parcel_is_paid_for_when_it_leaves() -> None:
    """Two places, two parcels, two captures that make the whole; one invoice, after the last has left."""

    async def scenario() -> None:
        world = two_places(transit_s=3_600)
        order_id = await place(world, **PER_PARCEL)
        await world.deliver()
        await adds_up(world, order_id)
        north, south = await parcels_of(world, order_id)
        assert await captures(world, order_id) == [(85_000, north.shipment_id), (5_000, south.shipment_id)]
        events = await world.events(order_id)
        last_left = len(events) - 1 - events[::-1].index("ShipmentDispatched")
        assert events.index("InvoiceIssued") > last_left
        assert world.errors == []

    run_virtual(scenario)


def test_what_the_first_parcel_costs_is_taken_while_the_second_is_still_here() -> None:
    """The second is delayed: its money is held and not taken, and no invoice is written, until it has left."""

    async def scenario() -> None:
        world = two_places(delay_s=7_200)
        order_id = await confirmed(world, shippingOutcome="delayed", **PER_PARCEL)
        world.wants = lambda queue, event: queue != "shipping" or event != "ShipmentCreated"
        await world.deliver()
        assert await statuses(world, order_id) == [ShipmentStatus.BOOKED, ShipmentStatus.DELIVERED]
        assert [minor for minor, _ in await captures(world, order_id)] == [5_000]
        assert "InvoiceIssued" not in await world.events(order_id)
        world.wants = lambda _queue, _event: True
        world.messages.extend(entry for entry in world.history if "ShipmentCreated" in entry[1].body)
        await world.deliver()
        assert [minor for minor, _ in await captures(world, order_id)] == [5_000, 85_000]
        await adds_up(world, order_id)
        assert world.errors == []

    run_virtual(scenario)


@pytest.mark.parametrize("terms", [{}, PER_PARCEL], ids=["per order", "per parcel"])
def test_a_lost_parcel_is_refunded_by_a_person_and_the_order_ends(terms: dict[str, object]) -> None:
    """The first of two is lost: the other arrives, the order waits, and the refund of what was lost ends it, with its credit note."""

    async def scenario() -> None:
        world = two_places(transit_s=3_600)
        order_id = await place(world, shippingOutcome="lost", **terms)
        await world.deliver()
        assert isinstance(await state_of(world, order_id), InFulfilment)
        assert await statuses(world, order_id) == [ShipmentStatus.LOST, ShipmentStatus.DELIVERED]
        await world.refund(order_id, line=0, quantity=1)
        await world.deliver()
        state = await adds_up(world, order_id)
        assert sum(refund.amount_minor for refund in state.payment.refunds if refund.issued) == 85_000
        assert [note.total_minor for note in state.credit_notes] == [85_000]
        assert world.errors == []

    run_virtual(scenario)


@pytest.mark.parametrize("left", [0, 1], ids=["the first", "the second"])
def test_a_cancellation_with_two_booked_parcels_of_which_one_had_left(left: int) -> None:
    """It is declined. What was let go before that is known is booked anew; every piece is sent once."""

    async def scenario() -> None:
        world = two_places()
        order_id = await confirmed(world)
        handler = world.handlers["shipping"]
        for _ in range(2):
            wanted = await next_booking(world, order_id)
            await handler._book(await history_of(world, order_id), wanted.shipment_id, wanted.parcel)
        booked = await parcels_of(world, order_id)
        await world.carrier.dispatch(booked[left].shipment_id)
        await world.cancel(order_id)
        await world.deliver()

        await adds_up(world, order_id)
        events = await world.events(order_id)
        assert events.count("OrderCancellationDeclined") == 1
        assert events.count("ShipmentDispatched") == 2
        ended = await statuses(world, order_id)
        arrived = ShipmentStatus.DELIVERED
        assert ended == ([arrived, arrived] if left == 0 else [ShipmentStatus.CANCELLED, arrived, arrived])
        assert sorted((await fates(world)).values()) == ["cancelled"] * (left == 1) + ["dispatched"] * 2
        assert world.errors == []

    run_virtual(scenario)


def test_two_booked_parcels_are_both_let_go_under_ids_of_their_own() -> None:
    """One request, two cancellations: neither is taken for a repeat of the other."""

    async def scenario() -> None:
        world = two_places(delay_s=7_200)
        order_id = await confirmed(world)
        dispatch = world.carrier.dispatch

        async def cancelled_first(shipment_id: str):
            if "OrderCancellationRequested" not in await world.events(order_id):
                await world.cancel(order_id)
                for parcel in await parcels_of(world, order_id):
                    await world.carrier.cancel(parcel.shipment_id)
            return await dispatch(shipment_id)

        world.carrier.dispatch = cancelled_first  # type: ignore[method-assign]  # the customer is quicker
        await world.handlers["shipping"](message_of(world, "OrderConfirmed"))
        await world.deliver()
        assert await world.status(order_id) == "Cancelled"
        assert (await world.events(order_id)).count("ShipmentCancelled") == 2
        await every_booking_is_accounted_for(world, order_id)
        assert await set_aside(world) == (0, 0)
        assert world.errors == []

    run_virtual(scenario)


async def _raced(number: int, hold: bool) -> str:
    """A person cancels, or holds, while the workers are at it."""
    faults = Faults(at=number)
    world = two_places(faults=faults)
    faults.armed = False
    order_id = await place(world, **PER_PARCEL)
    faults.armed = True
    begun: list[str] = []

    async def person() -> None:
        try:
            await (world.hold(order_id, "h") if hold else world.cancel(order_id))
        except CommandRejected:
            begun.append("too late")

    faults.meanwhile = person
    await world.deliver()
    where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
    assert world.errors == [], where
    events = await world.events(order_id)
    if hold and not begun:
        after = events[events.index("OrderHeld") :]
        # What the carrier was being asked at that moment is recorded; nothing else begins.
        assert after.count("ShipmentCreated") + after.count("ShipmentDispatched") <= 1, where
    held = hold and not begun and "OrderCompleted" not in events
    if held:
        await world.release(order_id, "h")
        await world.deliver()
    status = await world.status(order_id)
    if status == "Completed":
        await adds_up(world, order_id)
    else:
        assert (not hold, status) == (True, "Cancelled"), where
        assert await captures(world, order_id) == [], where
        assert "dispatched" not in (await fates(world)).values(), where
        await every_booking_is_accounted_for(world, order_id)
    return "held" if held else status


async def _calls() -> int:
    world = two_places()
    world.faults.armed = False
    await place(world, **PER_PARCEL)
    world.faults.armed = True
    await world.deliver()
    return world.faults.calls


@pytest.mark.thorough
def test_a_hold_at_any_point_stops_the_parcels_that_have_not_begun() -> None:
    """While the first is booked, between the two, at the hand-over: the rest waits for the release, and is charged when it leaves."""
    ends = {run_virtual(_raced, number, True) for number in moments(run_virtual(_calls))}
    assert ends == {"held", "Completed"}


@pytest.mark.thorough
def test_a_cancellation_at_any_point_of_an_order_that_is_paid_by_the_parcel() -> None:
    """Before the first has left nothing is ever taken; after it all of it is, parcel by parcel."""
    ends = {run_virtual(_raced, number, False) for number in moments(run_virtual(_calls))}
    assert ends == {"Cancelled", "Completed"}
