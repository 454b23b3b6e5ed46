"""Somebody else does something in the middle of a handler's work, at every single point of it where that can be noticed."""

import pytest

from orderstore.domain.rejections import TooLateToCancel
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.world import Faults, World

SKUS = ("LAPTOP-001", "MOUSE-002")


async def _calls_of_a_happy_order(capture: str) -> int:
    world = World(capture=capture)
    await world.place()
    await world.deliver()
    return world.faults.calls


async def _cancelled_in_the_middle(number: int, capture: str, everybody_runs: bool) -> str:
    """Cancel at one point; `everybody_runs` lets all other workers finish their part before the interrupted one goes on."""
    faults = Faults(at=number)
    world = World(faults=faults, capture=capture)
    order_id = await world.place()
    too_late = False

    async def cancel() -> None:
        nonlocal too_late
        try:
            await world.cancel(order_id)
        except TooLateToCancel:
            too_late = True
        if everybody_runs:
            await world.deliver()

    faults.meanwhile = cancel
    await world.deliver()

    status, effects, events = await world.status(order_id), await world.effects(), await world.events(order_id)
    where = f"call {number}, {faults.names[number - 1]}: {status}, {effects}, {events}"
    assert world.errors == [], where
    assert len(effects) == len(set(effects)), where
    reserved = await world.stock_is_sound(*SKUS)
    if status == "Cancelled":
        assert not too_late, where
        assert reserved == (0, 0), where
        assert "dispatched" not in effects, where
        assert ("authorize" in effects) == ("void" in effects), where
        assert ("charge" in effects) == ("refund" in effects), where
        assert "capture" not in effects, where
        assert "InvoiceIssued" not in events, where
    else:
        assert status == "Completed", where
        assert too_late or "OrderCancellationDeclined" in events, where
        assert reserved == (1, 2), where
        assert {"dispatched", "booking"} < set(effects), where
        assert not {"void", "refund"} & set(effects), where
    return status


@pytest.mark.parametrize("everybody_runs", [False, True], ids=["alone", "with everybody"])
@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_a_cancellation_at_any_point_ends_in_one_of_two_clean_states(capture: str, everybody_runs: bool) -> None:
    """Cancel races payment, reservation, booking, dispatch and capture, in every order: undone whole, or delivered whole."""
    # D27
    calls = run_virtual(_calls_of_a_happy_order, capture)

    ends = [run_virtual(_cancelled_in_the_middle, number, capture, everybody_runs) for number in moments(calls)]

    assert {"Cancelled", "Completed"} == set(ends)


async def _duplicated_in_the_middle(number: int) -> None:
    faults = Faults(at=number)
    world = World(faults=faults)
    order_id = await world.place()

    async def again() -> None:
        assert world.in_flight is not None
        queue, message = world.in_flight
        await world.elsewhere[queue](message)

    faults.meanwhile = again
    await world.deliver()

    where = f"call {number}, {faults.names[number - 1]}"
    assert world.errors == [], where
    assert await world.status(order_id) == "Completed", where
    assert await world.effects() == ["authorize", "booking", "capture", "dispatched"], where
    assert await world.stock_is_sound(*SKUS) == (1, 2), where
    ids = [recorded.event_id for recorded in (await world.orders.load(order_id)).events]
    assert len(ids) == len(set(ids)), where
    notified = await world.notifications()
    assert notified == {"sent": 3}, where
    assert len(world.mailbox.sent) == 3, where


def test_the_same_message_twice_at_the_same_time_has_one_effect() -> None:
    """A second worker starts and finishes the same message at every point of the first one's work."""  # E070, E079, D35
    for number in moments(run_virtual(_calls_of_a_happy_order, "on_dispatch")):
        run_virtual(_duplicated_in_the_middle, number)


def test_a_message_redriven_after_everything_is_over_does_nothing() -> None:
    """Two weeks later, whole DLQs come back, oldest last: the order has moved on."""  # E066

    async def redriven() -> None:
        world = World()
        order_id = await world.place()
        await world.deliver()
        events, effects, sent = await world.events(order_id), await world.effects(), len(world.mailbox.sent)
        world.time_ms += 14 * 86_400_000
        world.messages.extend(reversed(world.history))

        await world.deliver()

        assert await world.events(order_id) == events
        assert await world.effects() == effects
        assert len(world.mailbox.sent) == sent

    run_virtual(redriven)
