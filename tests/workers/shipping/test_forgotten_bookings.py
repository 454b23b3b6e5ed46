"""A booking that the log does not take is cancelled at the carrier, whoever dies or changes their mind in between; others are not."""

import pytest

from orderstore.domain import next_steps
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import InFulfilment, ShipmentStatus
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.shipping.parcels import (
    bookings,
    cancel_lines,
    confirmed,
    every_booking_is_accounted_for,
    fates,
    goods_in,
    history_of,
    message_of,
    next_booking,
    parcels_of,
    place,
    state_of,
    statuses,
    two_places,
)
from tests.workers.world import Crash, Faults, World
from workers.reaction import OutOfStep
from workers.runtime.outcome import Done
from workers.shipping import bookings as booked
from workers.shipping.bookings import consignment_of, unrecorded

BACKORDER = {"terms": {"missingStock": "backorder"}}


async def book_and_die(world: World, order_id: str) -> str:
    """What a worker leaves that dies between the carrier's answer and the log."""
    wanted = await next_booking(world, order_id)
    order = (await state_of(world, order_id)).order
    await world.carrier.book(wanted.shipment_id, consignment_of(order, wanted.parcel))
    return wanted.shipment_id


async def one_booked(world: World) -> str:
    """The first of two parcels is booked and recorded; of the second, nothing."""
    order_id = await confirmed(world)
    history = await history_of(world, order_id)
    wanted = await next_booking(world, order_id)
    await world.handlers["shipping"]._book(history, wanted.shipment_id, wanted.parcel)
    assert await statuses(world, order_id) == [ShipmentStatus.BOOKED]
    return order_id


def test_the_second_parcel_is_stopped_when_the_order_is_undone() -> None:
    """The first is booked and known, the second is booked and not: both are cancelled, and the order ends."""

    async def scenario() -> None:
        world = two_places()
        order_id = await one_booked(world)
        forgotten = await book_and_die(world, order_id)
        await world.cancel(order_id)
        await world.deliver()
        (known,) = await parcels_of(world, order_id)
        assert await world.status(order_id) == "Cancelled"
        assert await fates(world) == {known.shipment_id: "cancelled", forgotten: "cancelled"}
        assert world.errors == []

    run_virtual(scenario)


def test_a_parcel_that_lost_its_pieces_is_stopped_and_booked_as_it_is_now() -> None:
    """Booked, the worker dies, one of its two mice is cancelled: the parcel of two is cancelled, one of one is sent."""

    async def scenario() -> None:
        world = two_places()
        order_id = await one_booked(world)
        forgotten = await book_and_die(world, order_id)
        await cancel_lines(world, order_id, line=1, quantity=1)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        first, second = await parcels_of(world, order_id)
        assert await fates(world) == {
            first.shipment_id: "dispatched",
            second.shipment_id: "dispatched",
            forgotten: "cancelled",
        }
        assert [part.quantity for part in second.lines] == [1]
        assert world.errors == []

    run_virtual(scenario)


def test_pieces_that_leave_the_order_while_the_carrier_answers_leave_no_booking_behind() -> None:
    """The same, and nobody dies: the log refuses the parcel of two."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        book = world.carrier.book

        async def and_one_mouse_goes(shipment_id: str, consignment: object):
            answer = await book(shipment_id, consignment)  # type: ignore[arg-type]  # as it was given
            if len(await bookings(world)) == 1:
                await cancel_lines(world, order_id, line=1, quantity=1)
            return answer

        world.carrier.book = and_one_mouse_goes  # type: ignore[method-assign]  # it does more
        await world.deliver()
        (sent,) = await parcels_of(world, order_id)
        assert await world.status(order_id) == "Completed"
        assert sorted((await fates(world)).values()) == ["cancelled", "dispatched"]
        assert (await fates(world))[sent.shipment_id] == "dispatched"
        assert world.errors == []

    run_virtual(scenario)


def test_a_parcel_that_grew_is_stopped_and_booked_as_it_is_now() -> None:
    """What was missing has come to the same place before the first booking was written down."""

    async def scenario() -> None:
        world = two_places()
        order_id = await confirmed(world, mice=1, **BACKORDER)
        await world.handlers["shipping"]._book(
            await history_of(world, order_id), (await next_booking(world, order_id)).shipment_id,
            (await next_booking(world, order_id)).parcel,
        )  # fmt: skip
        forgotten = await book_and_die(world, order_id)
        world.wants = lambda queue, _type: queue == "inventory"
        kept = [entry for entry in world.messages if entry[0] != "inventory"]
        await goods_in(world, "late", {"MOUSE-002": 5}, "south")
        await world.deliver()
        world.wants = lambda _queue, _type: True
        world.messages.extend(kept)
        world.messages.extend(entry for entry in world.history if entry[0] == "shipping")
        await world.deliver()
        assert world.errors == []
        assert (await fates(world))[forgotten] == "cancelled"
        assert [[p.quantity for p in parcel.lines] for parcel in await parcels_of(world, order_id)] == [[1], [2]]
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_plan_that_comes_back_has_another_id() -> None:
    """One mouse, two when one more came, one again when one was cancelled: the booking that was given up stays cancelled, and the order
    is sent all the same."""

    async def scenario() -> None:
        world = two_places()
        order_id = await confirmed(world, laptops=1, mice=1, **BACKORDER)
        wanted = await next_booking(world, order_id)
        await world.handlers["shipping"]._book(await history_of(world, order_id), wanted.shipment_id, wanted.parcel)
        forgotten = await book_and_die(world, order_id)
        world.wants = lambda queue, _type: queue == "inventory"
        await goods_in(world, "late", {"MOUSE-002": 5}, "south")
        await world.deliver()
        grown = await next_booking(world, order_id)
        assert grown.shipment_id != forgotten
        await cancel_lines(world, order_id, line=1, quantity=1)
        again = await next_booking(world, order_id)
        assert [part.quantity for part in again.parcel.lines] == [1]
        assert again.shipment_id not in (forgotten, grown.shipment_id)

        stale = await history_of(world, order_id)
        late = await world.handlers["shipping"]._book(stale, forgotten, again.parcel)
        assert len(late.state.shipments) == 1, "the log has given up that id"
        world.wants = lambda _queue, _type: True
        world.messages.extend(world.history)
        await world.deliver()
        assert world.errors == []
        assert (await fates(world))[forgotten] == "cancelled"
        assert await world.status(order_id) == "Completed"
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_hold_keeps_a_booking_that_nobody_wrote_down() -> None:
    """Held is not undone: after the release the same booking is used. Undone while it is held, it is cancelled."""

    async def scenario(undone: bool) -> None:
        world = two_places()
        order_id = await one_booked(world)
        forgotten = await book_and_die(world, order_id)
        await world.hold(order_id, "review")
        await world.deliver()
        assert await fates(world) == {}
        if undone:
            await world.cancel(order_id)
        else:
            await world.release(order_id, "review")
        await world.deliver()
        assert (await fates(world))[forgotten] == ("cancelled" if undone else "dispatched")
        assert await world.status(order_id) == ("Cancelled" if undone else "Completed")
        assert len(await bookings(world)) == 2
        assert world.errors == []

    run_virtual(scenario, False)
    run_virtual(scenario, True)


def test_a_parcel_still_to_be_decided_on_keeps_the_bookings_of_the_others() -> None:
    """While the carrier may yet say that the first has left, the order may go on, and wants the second after all."""

    async def scenario() -> None:
        world = two_places()
        order_id = await one_booked(world)
        forgotten = await book_and_die(world, order_id)
        (first,) = await parcels_of(world, order_id)
        await world.carrier.dispatch(first.shipment_id)
        await world.cancel(order_id)
        assert unrecorded(await history_of(world, order_id)) == ()
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert await fates(world) == {first.shipment_id: "dispatched", forgotten: "dispatched"}
        assert world.errors == []

    run_virtual(scenario)


async def _lines_cancelled(number: int, everybody_runs: bool) -> None:
    faults = Faults(at=number)
    world = two_places(faults=faults)

    async def one_mouse_goes() -> None:
        try:
            await cancel_lines(world, order_id, line=1, quantity=1)
        except CommandRejected:
            return
        if everybody_runs:
            await world.deliver()

    faults.armed = False
    order_id = await place(world)
    faults.armed = True
    faults.meanwhile = one_mouse_goes
    await world.deliver()
    where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
    assert world.errors == [], where
    assert await world.status(order_id) == "Completed", where
    await every_booking_is_accounted_for(world, order_id)


async def _cancelled(number: int, everybody_runs: bool) -> str:
    faults = Faults(at=number)
    world = two_places(faults=faults)

    async def undo() -> None:
        try:
            await world.cancel(order_id)
        except CommandRejected:
            return
        if everybody_runs:
            await world.deliver()

    faults.armed = False
    order_id = await place(world)
    faults.armed = True
    faults.meanwhile = undo
    await world.deliver()
    where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
    assert world.errors == [], where
    await every_booking_is_accounted_for(world, order_id)
    status = await world.status(order_id)
    if status == "Cancelled":
        assert "dispatched" not in (await fates(world)).values(), where
    else:
        assert status == "Completed", where
        assert (await state_of(world, order_id)).payment.captured_minor == 90_000, where
    return status


async def _calls() -> int:
    world = two_places()
    world.faults.armed = False
    await place(world)
    world.faults.armed = True
    await world.deliver()
    return world.faults.calls


@pytest.mark.parametrize(
    "everybody_runs", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["alone", "with everybody"]
)
def test_pieces_may_leave_an_order_in_parcels_at_any_point(everybody_runs: bool) -> None:
    """At every call of every worker: the order is completed, and the carrier expects nothing that it has not."""
    for number in moments(run_virtual(_calls)):
        run_virtual(_lines_cancelled, number, everybody_runs)


@pytest.mark.parametrize(
    "everybody_runs", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["alone", "with everybody"]
)
def test_an_order_in_parcels_may_be_cancelled_at_any_point(everybody_runs: bool) -> None:
    """Cancel races each booking and each dispatch: undone whole, or delivered whole."""
    calls = run_virtual(_calls)
    ends = {run_virtual(_cancelled, number, everybody_runs) for number in moments(calls)}
    assert ends == {"Cancelled", "Completed"}


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["before", "after"])
def test_a_worker_may_die_at_any_point_of_an_order_in_parcels(after: bool) -> None:
    """And the order is completed, with each parcel booked once."""

    async def scenario(number: int) -> None:
        world = two_places(faults=Faults(at=number, after=after))
        world.faults.armed = False
        order_id = await place(world)
        world.faults.armed = True
        await world.deliver()
        assert [type(error) for error in world.errors] == [Crash]
        assert await world.status(order_id) == "Completed"
        assert len(await bookings(world)) == 2
        await every_booking_is_accounted_for(world, order_id)

    for number in moments(run_virtual(_calls)):
        run_virtual(scenario, number)


def test_an_ordinary_order_is_asked_nothing() -> None:
    """The plans of the past are not gone through, and the carrier is not told to cancel anything."""

    async def scenario(monkeypatch: pytest.MonkeyPatch) -> None:
        world = two_places()

        def looked_at(history: object) -> None:
            raise AssertionError("the plans of the past were gone through")

        monkeypatch.setattr(booked, "_ever_wanted", looked_at)
        order_id = await place(world)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert world.errors == []

    with pytest.MonkeyPatch.context() as patched:
        run_virtual(scenario, patched)


def test_the_carrier_hears_once_of_what_is_given_up_however_often_a_parcel_is_looked_at() -> None:
    """A message that follows a parcel comes back every minute; the carrier is told once in the life of a process."""

    async def scenario() -> None:
        world = two_places(transit_s=3_600)
        order_id = await one_booked(world)
        await book_and_die(world, order_id)
        await cancel_lines(world, order_id, line=1, quantity=1)
        told: list[str] = []
        cancel = world.carrier.cancel

        async def noted(shipment_id: str):
            told.append(shipment_id)
            return await cancel(shipment_id)

        world.carrier.cancel = noted  # type: ignore[method-assign]  # it listens
        handle = world.handlers["shipping"]
        assert await handle(message_of(world, "OrderConfirmed")) == Done()
        assert len(told) == 1
        for _ in range(3):
            await handle(message_of(world, "ShipmentDispatched"))
        assert len(told) == 1
        await world.elsewhere["shipping"](message_of(world, "ShipmentDispatched"))
        assert len(told) == 2

    run_virtual(scenario)


def test_a_parcel_that_left_though_the_order_never_handed_it_over_is_for_a_person() -> None:
    """It cannot be stopped, and the log has no place for it: the message goes to the dead letters, not to the void."""

    async def scenario() -> None:
        world = two_places()
        order_id = await one_booked(world)
        forgotten = await book_and_die(world, order_id)
        await world.carrier.dispatch(forgotten)
        await cancel_lines(world, order_id, line=1, quantity=1)
        with pytest.raises(OutOfStep):
            await world.handlers["shipping"](message_of(world, "OrderConfirmed"))
        assert isinstance((await state_of(world, order_id)), InFulfilment)
        assert next_steps.shipping_step(await state_of(world, order_id)) is None

    run_virtual(scenario)
