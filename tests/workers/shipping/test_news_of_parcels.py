"""What carriers tell of parcels: where they were seen, that they will be late, that they will not come."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from orderstore.domain import events as e
from orderstore.domain import timers
from orderstore.domain.state import Cancelled, Completed, Confirmed, InFulfilment, ShipmentStatus
from tests.virtual_time import run_virtual
from tests.workers.shipping.parcels import (
    confirm,
    confirmed,
    every_booking_is_accounted_for,
    fates,
    history_of,
    message_of,
    parcels_of,
    state_of,
    statuses,
    two_places,
)
from tests.workers.world import World
from workers.runtime.outcome import Defer, Done
from workers.shipping.carrier import Cancelled as NotSent
from workers.shipping.carrier import Delayed, Delivered, InTransit, Lost, Refused, Scan, Waiting
from workers.shipping.news import DELAYS_MAX, SCANS_MAX

DAY_S = 86_400


class Telling:
    """The world's carrier, of which every answer can be replaced: by method, the next ones, the last of them for ever."""

    def __init__(self, world: World, **answers: list[Any]) -> None:
        self._carrier = world.carrier
        self._answers = answers
        self.asked: list[str] = []
        world.handlers["shipping"]._carrier = self

    def __getattr__(self, method: str) -> Any:
        if method == "name":
            return self._carrier.name

        async def called(*asked: Any) -> Any:
            self.asked.append(method)
            answer = await getattr(self._carrier, method)(*asked)
            waiting = self._answers.get(method)
            if not waiting:
                return answer
            told = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return (await told() if callable(told) else told) or answer

        return called


def at(world: World, after_s: float = 0) -> datetime:
    return datetime.fromtimestamp(world.time_ms / 1000 + after_s, tz=UTC)


async def told(world: World, order_id: str, event_type: type[Any]) -> list[Any]:
    return [r.event for r in (await history_of(world, order_id)).events if isinstance(r.event, event_type)]


async def under_way(world: World) -> str:
    """An order whose one parcel has left."""
    order_id = await confirm(world, await world.place())
    Telling(world, track=[InTransit()])
    await world.handlers["shipping"](message_of(world, "OrderConfirmed"))
    return order_id


def test_each_scan_is_recorded_once_and_in_order() -> None:
    """The carrier tells the whole story at every look; a repeat under another offset is the same moment."""

    async def scenario() -> None:
        world = World()
        order_id = await under_way(world)
        follow = message_of(world, "ShipmentDispatched")
        first, second = Scan("collected", at(world, 60), "Leeds"), Scan("sorted", at(world, 120))
        abroad = Scan("collected", first.seen_at.astimezone(timezone(timedelta(hours=5))), "Leeds")
        carrier = Telling(world, track=[InTransit((second, first, first)), InTransit((abroad, second))])
        for _ in range(3):
            assert await world.handlers["shipping"](follow) == Defer(60)
        assert [(scan.code, scan.place) for scan in await told(world, order_id, e.TrackingUpdated)] == [
            ("collected", "Leeds"),
            ("sorted", None),
        ]
        assert carrier.asked == ["track"] * 3
        last = Scan("handed_over", at(world, 180), "York")
        Telling(world, track=[Delivered("proof-1", (first, second, last))])
        assert await world.handlers["shipping"](follow) == Done()
        assert await statuses(world, order_id) == [ShipmentStatus.DELIVERED]
        assert (await world.events(order_id))[-2:] == ["TrackingUpdated", "ShipmentDelivered"]
        assert len(await told(world, order_id, e.TrackingUpdated)) == 3
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_two_workers_at_the_same_parcel_record_a_scan_once() -> None:
    """The other one is quicker, between the carrier's answer and our entry: only what it had not seen is added."""

    async def scenario() -> None:
        world = World()
        order_id = await under_way(world)
        follow = message_of(world, "ShipmentDispatched")
        one, two = Scan("collected", at(world, 60)), Scan("sorted", at(world, 120))

        async def meanwhile() -> InTransit:
            Telling(world, track=[InTransit((one,))])
            await world.handlers["shipping"](follow)
            return InTransit((one, two))

        Telling(world, track=[meanwhile])
        assert await world.handlers["shipping"](follow) == Defer(60)
        assert [scan.code for scan in await told(world, order_id, e.TrackingUpdated)] == ["collected", "sorted"]
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_parcel_has_at_most_a_hundred_scans_and_still_arrives() -> None:
    """A carrier that sees it every minute fills no order; how it ends is recorded all the same. Long words are cut."""

    async def scenario() -> None:
        world = World()
        order_id = await under_way(world)
        follow = message_of(world, "ShipmentDispatched")
        seen = tuple(Scan("x" * 500, at(world, number), "y" * 500) for number in range(SCANS_MAX + 50))
        Telling(world, track=[InTransit(seen[:70]), InTransit(seen), Delivered("proof", seen)])
        for outcome in (Defer(60), Defer(60), Done()):
            assert await world.handlers["shipping"](follow) == outcome
        scans = await told(world, order_id, e.TrackingUpdated)
        assert len(scans) == SCANS_MAX
        assert {(len(scan.code), len(scan.place)) for scan in scans} == {(64, 128)}
        assert await statuses(world, order_id) == [ShipmentStatus.DELIVERED]

    run_virtual(scenario)


def test_the_scans_of_two_parcels_are_each_their_own() -> None:
    """The same word at the same moment about both is told of both."""

    async def scenario() -> None:
        world = two_places(transit_s=3_600, scans=True)
        order_id = await confirmed(world)
        await world.deliver()
        first, second = await parcels_of(world, order_id)
        seen = [(scan.shipment_id, scan.code) for scan in await told(world, order_id, e.TrackingUpdated)]
        assert sorted(seen) == sorted(
            (parcel.shipment_id, code) for parcel in (first, second) for code in ("collected", "out_for_delivery")
        )
        assert isinstance(await state_of(world, order_id), Completed)
        assert world.errors == []
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


@pytest.mark.parametrize("moment", [Scan, lambda code, seen_at: Delayed(seen_at, code)], ids=["scan", "delay"])
def test_a_time_without_its_offset_is_refused(moment: Any) -> None:
    """Nobody can tell what it means."""
    with pytest.raises(ValueError, match="offset"):
        moment("seen", datetime(2026, 3, 1, 12))  # noqa: DTZ001 - that is the point


def test_a_parcel_that_is_refused_holds_the_order_until_somebody_has_seen_to_it() -> None:
    """At the hand-over: nothing left, nothing is booked again; after the release another parcel has another id, and the order ends."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(shippingOutcome="refused")
        await world.deliver()
        state = await state_of(world, order_id)
        assert isinstance(state, Confirmed)
        assert await statuses(world, order_id) == [ShipmentStatus.FAILED]
        (hold,) = state.holds
        assert (await told(world, order_id, e.ShipmentFailed))[0].code == "address_unknown"
        await world.deliver(copies=2)
        assert len(await parcels_of(world, order_id)) == 1

        await world.release(order_id, hold.hold_id)
        await world.deliver()
        assert await statuses(world, order_id) == [ShipmentStatus.FAILED, ShipmentStatus.DELIVERED]
        assert await world.status(order_id) == "Completed"
        assert world.errors == []
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


@pytest.mark.parametrize("answer", [Refused("no_such_street"), NotSent()], ids=["refused", "cancelled"])
def test_a_booking_that_the_carrier_will_not_take_holds_the_order(answer: Any) -> None:
    """Also one that it cancels by itself: nobody asks the same for ever, and the next try has another id."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        Telling(world, book=[answer, None])
        await world.deliver()
        state = await state_of(world, order_id)
        assert await statuses(world, order_id) == [ShipmentStatus.FAILED]
        assert [hold.reason for hold in state.holds] == ["address"]
        assert world.errors == []
        await world.release(order_id, state.holds[0].hold_id)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert len({parcel.shipment_id for parcel in await parcels_of(world, order_id)}) == 2
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_booking_that_the_carrier_cancels_by_itself_holds_the_order() -> None:
    """At the hand-over, and nobody here had asked for it."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        Telling(world, dispatch=[NotSent(), None])
        await world.deliver()
        assert (await told(world, order_id, e.ShipmentFailed))[0].code == "cancelled"
        assert len((await state_of(world, order_id)).holds) == 1
        assert world.errors == []

    run_virtual(scenario)


def test_a_refused_parcel_of_an_order_that_is_undone_gives_everything_back() -> None:
    """The customer cancels while somebody looks at the address."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(shippingOutcome="refused")
        await world.deliver()
        await world.cancel(order_id)
        await world.deliver()
        assert isinstance(await state_of(world, order_id), Cancelled)
        assert await world.stock_is_sound("LAPTOP-001", "MOUSE-002") == (0, 0)
        assert "dispatched" not in (await fates(world)).values()
        assert world.errors == []

    run_virtual(scenario)


def test_a_parcel_that_is_lost_waits_for_a_person() -> None:
    """The goods left, so nothing is undone; once somebody gives the money back, the order ends."""

    async def scenario() -> None:
        world = World(transit_s=3_600)
        order_id = await world.place(shippingOutcome="lost")
        await world.deliver()
        assert isinstance(await state_of(world, order_id), InFulfilment)
        assert await statuses(world, order_id) == [ShipmentStatus.LOST]
        assert (await told(world, order_id, e.ShipmentFailed))[0].code == "lost"
        for line, pieces in ((0, 1), (1, 2)):
            await world.refund(order_id, line, pieces)
        await world.deliver()
        assert isinstance(await state_of(world, order_id), Completed)
        assert world.errors == []

    run_virtual(scenario)


def test_a_short_delay_is_told_once_and_asks_nobody() -> None:
    """The parcel waits under the message of its booking, and leaves when the carrier lets it."""

    async def scenario() -> None:
        world = World(delay_s=600)
        order_id = await confirm(world, await world.place(shippingOutcome="delayed"))
        handle = world.handlers["shipping"]
        assert await handle(message_of(world, "OrderConfirmed")) == Done()
        waits = message_of(world, "ShipmentCreated")
        for _ in range(3):
            assert await handle(waits) == Defer(60)
        (notice,) = await told(world, order_id, e.ShipmentDelayed)
        assert (notice.promised_at, notice.consent_by) == (at(world, 600), None)
        assert (await state_of(world, order_id)).questions == ()
        world.time_ms += 600_000
        assert await handle(waits) == Done()
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_delayed_parcel_that_was_held_meanwhile_leaves_when_the_carrier_lets_it() -> None:
    """The message of its booking has nothing to wait for while the order is held; the one of the release waits in its place."""

    async def scenario() -> None:
        world = World(delay_s=600)
        order_id = await confirm(world, await world.place(shippingOutcome="delayed"))
        handle = world.handlers["shipping"]
        assert await handle(message_of(world, "OrderConfirmed")) == Done()
        await world.hold(order_id, "looked-at")
        assert await handle(message_of(world, "ShipmentCreated")) == Done()
        await world.release(order_id, "looked-at")
        waits = message_of(world, "OrderHoldReleased")
        assert await handle(waits) == Defer(60)
        world.time_ms += 600_000
        assert await handle(waits) == Done()
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)


def test_a_parcel_that_waits_for_its_collection_is_no_news() -> None:
    """Nobody is told anything; the message of its booking waits with it."""

    async def scenario() -> None:
        world = World()
        order_id = await confirm(world, await world.place())
        Telling(world, dispatch=[Waiting(), Waiting(), None])
        assert await world.handlers["shipping"](message_of(world, "OrderConfirmed")) == Done()
        before = await world.events(order_id)
        assert before[-1] == "ShipmentCreated"
        assert await world.handlers["shipping"](message_of(world, "ShipmentCreated")) == Defer(60)
        assert await world.events(order_id) == before
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert world.errors == []

    run_virtual(scenario)


def test_a_long_delay_asks_the_customer() -> None:
    """More than thirty days: by when they may agree is what the order's terms say; a promise that is kept earlier asks nobody again."""

    async def scenario() -> None:
        world = World()
        order_id = await confirm(world, await world.place(terms={"answerS": 7_200}))
        booked_at = at(world)
        soon, late, later = (Delayed(booked_at + timedelta(days=days), "strike") for days in (29, 31, 40))
        Telling(world, dispatch=[soon, late, soon, late, later, later])
        handle = world.handlers["shipping"]
        await handle(message_of(world, "OrderConfirmed"))
        for _ in range(5):
            assert await handle(message_of(world, "ShipmentCreated")) == Defer(60)
        notices = await told(world, order_id, e.ShipmentDelayed)
        assert [(notice.promised_at, notice.consent_by) for notice in notices] == [
            (soon.promised_at, None),
            (late.promised_at, at(world, 7_200)),
            (later.promised_at, at(world, 7_200)),
        ]
        questions = (await state_of(world, order_id)).questions
        assert [question.kind for question in questions] == ["delay_consent"] * 2

        world.time_ms += 7_200_000
        over = timers.expire(await state_of(world, order_id), now=at(world))
        assert any(isinstance(event, e.OrderCancellationRequested) for event in over)

    run_virtual(scenario)


def test_a_carrier_that_moves_the_day_again_and_again_is_heard_ten_times() -> None:
    """So that no order grows without end."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        days = [Delayed(at(world, DAY_S * (1 + number)), "again") for number in range(DELAYS_MAX + 5)]
        Telling(world, dispatch=[*days, None])
        await world.deliver()
        assert len(await told(world, order_id, e.ShipmentDelayed)) == DELAYS_MAX
        assert await world.status(order_id) == "Completed"
        assert world.errors == []

    run_virtual(scenario)


def test_a_parcel_that_waits_holds_up_no_other() -> None:
    """The first is delayed; the second leaves, is followed and arrives."""

    async def scenario() -> None:
        world = two_places(delay_s=7_200)
        order_id = await confirmed(world, shippingOutcome="delayed")
        await world.handlers["shipping"](message_of(world, "OrderConfirmed"))
        assert await statuses(world, order_id) == [ShipmentStatus.BOOKED, ShipmentStatus.DELIVERED]
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert world.errors == []
        await every_booking_is_accounted_for(world, order_id)

    run_virtual(scenario)


def test_a_delayed_parcel_is_stopped_like_any_other() -> None:
    """It has not left: a cancellation wins."""

    async def scenario() -> None:
        world = World(delay_s=7_200)
        order_id = await world.place(shippingOutcome="delayed")
        world.wants = lambda queue, event: event != "ShipmentCreated" or queue != "shipping"
        await world.deliver()
        await world.cancel(order_id)
        world.wants = lambda _queue, _event: True
        await world.deliver()
        assert isinstance(await state_of(world, order_id), Cancelled)
        assert list((await fates(world)).values()) == ["cancelled"]
        assert world.errors == []

    run_virtual(scenario)


@pytest.mark.parametrize("outcome", ["refused", "lost", "delayed"])
def test_where_payments_are_real_no_order_asks_for_the_fate_of_its_parcel(outcome: str) -> None:
    """Should a hook ever get into a real log, the carrier does not hear of it."""

    async def scenario() -> None:
        world = World(hooks=False)
        order_id = await world.place(shippingOutcome=outcome)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert await statuses(world, order_id) == [ShipmentStatus.DELIVERED]

    run_virtual(scenario)


def test_lost_and_found_are_one_fate() -> None:
    """A carrier that says lost is not asked again, whatever it would say next."""

    async def scenario() -> None:
        world = World()
        order_id = await under_way(world)
        follow = message_of(world, "ShipmentDispatched")
        carrier = Telling(world, track=[Lost("undeliverable"), Delivered("after all")])
        for _ in range(3):
            assert await world.handlers["shipping"](follow) == Done()
        assert carrier.asked == ["track"]
        assert await statuses(world, order_id) == [ShipmentStatus.LOST]

    run_virtual(scenario)
