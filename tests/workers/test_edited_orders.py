"""Orders that people add pieces to, with every worker: applied whole or not at all, whatever dies, races or is asked for in between."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from orderstore.domain import events as e
from orderstore.domain import timers
from orderstore.domain.rejections import CommandRejected, EditUnderWay, TooEarlyToEdit, TooLateToEdit
from tests.moments import moments
from tests.ordering import cause
from tests.virtual_time import run_virtual
from tests.workers.editing import (
    CREATED,
    EDITED,
    LAMPS,
    LAMPS_MINOR,
    TOTAL_MINOR,
    all_of,
    ask,
    everything_agrees,
    holds,
    lines,
    settled,
    stocked,
    withdraw,
)
from tests.workers.shipping.parcels import cancel_lines
from tests.workers.world import Crash, Faults, World
from workers.inventory.locations import locations_in
from workers.payment.sandbox import SandboxGateway, act
from workers.payment.sandbox_cards import ASKS_CUSTOMER


async def held(world: World, **fields: Any) -> str:
    """Confirmed, and somebody keeps its goods here."""
    order_id = await stocked(world, **fields)
    await world.hold(order_id, "wait")
    await world.deliver()
    assert await world.status(order_id) == "Confirmed"
    return order_id


async def released(world: World, order_id: str) -> None:
    world.faults.armed = False
    await world.release(order_id, "wait")
    await world.deliver()


def test_what_is_added_is_paid_for_and_leaves_with_the_rest() -> None:
    """More is held before the order is changed, and what was held before is let go; one parcel, one invoice, one capture of it all."""

    async def scenario() -> None:
        world = World()
        order_id = await held(world)
        await ask(world, order_id)
        await world.deliver(copies=2)
        order = await everything_agrees(world, order_id)
        assert (lines(order), order.due_minor, settled(order)) == (EDITED, TOTAL_MINOR + LAMPS_MINOR, "applied")
        assert await holds(world) == {"1": (TOTAL_MINOR, "void"), "2": (TOTAL_MINOR + LAMPS_MINOR, "")}
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed"
        assert order.payment.captured_minor == TOTAL_MINOR + LAMPS_MINOR
        assert len(await all_of(world, order_id, e.ShipmentCreated)) == 1
        assert await world.stock_is_sound("LAPTOP-001", "MOUSE-002", "LAMP-003") == (1, 2, 2)
        assert world.errors == []

    run_virtual(scenario)


def test_the_order_is_what_it_was_until_then() -> None:
    """Nothing is booked while an edit is open, and neither its price nor its hold changes."""  # 5.3.9

    async def scenario() -> None:
        world = World()
        order_id = await held(world)
        world.wants = lambda queue, _event: queue == "shipping"
        await ask(world, order_id)
        await released(world, order_id)
        order = await everything_agrees_so_far(world, order_id)
        assert (lines(order), order.due_minor) == (CREATED, TOTAL_MINOR)
        assert order.shipments == ()
        assert await holds(world) == {"1": (TOTAL_MINOR, "")}

    run_virtual(scenario)


async def everything_agrees_so_far(world: World, order_id: str) -> Any:
    world.faults.armed = False
    return (await world.orders.load(order_id)).state


@pytest.mark.parametrize("places", ["main,north", "north,main"])
def test_added_goods_lie_where_they_lie(places: str) -> None:
    """What was at the main location is said to be there as soon as something lies elsewhere; each leaves from its own place."""

    async def scenario() -> None:
        world = World(locations=locations_in(places))
        await world.stock.receive("lamps-north", {"LAMP-003": 9}, location="north")
        order_id = await held(world, lamps=0)
        await ask(world, order_id)
        await world.deliver()
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed"
        assert {one.location for one in order.shipments} == {"main", "north"}

    run_virtual(scenario)


def test_an_edit_whose_goods_are_not_there_changes_nothing() -> None:
    """Nobody is asked for money for it, and the next one may be."""

    async def scenario() -> None:
        world = World()
        order_id = await held(world, lamps=1)
        await ask(world, order_id)
        await world.deliver()
        order = await everything_agrees(world, order_id)
        (declined,) = await all_of(world, order_id, e.OrderEditDeclined)
        assert (declined.reason, lines(order)) == ("out_of_stock", CREATED)
        assert await holds(world) == {"1": (TOTAL_MINOR, "")}
        await ask(world, order_id, items=[{**LAMPS[0], "quantity": 1}], key="less")
        await world.deliver()
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed"
        assert order.payment.captured_minor == TOTAL_MINOR + 1_999

    run_virtual(scenario)


def test_an_edit_that_the_bank_declines_changes_nothing() -> None:
    """The goods go back, and what was held stays held: the order leaves as it was."""

    async def scenario() -> None:
        world = World()
        order_id = await held(world)
        world.handlers["payment"]._gateway_for = _declining(world)
        await ask(world, order_id)
        await world.deliver()
        (declined,) = await all_of(world, order_id, e.OrderEditDeclined)
        assert (declined.reason, declined.code) == ("payment_failed", "card_declined")
        assert await world.stock_is_sound("LAMP-003") == (0,)
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert (await world.status(order_id), order.payment.captured_minor) == ("Completed", TOTAL_MINOR)
        assert order.payment.attempt == 1

    run_virtual(scenario)


def _declining(world: World) -> Any:
    """The provider says no from now on."""
    return lambda _order: SandboxGateway(world.ledger, declines=True)


@pytest.mark.parametrize("does_it", [True, False])
def test_the_customer_does_what_the_bank_asks_for_or_not(does_it: bool) -> None:
    """In time, the edit is applied; if not, it is declined, and what the bank was asked for is withdrawn."""

    async def scenario() -> None:
        world = World()
        order_id = await stocked(world, paymentMethod=ASKS_CUSTOMER)
        await world.hold(order_id, "wait")
        await world.deliver()
        await act(world.ledger, f"{order_id}:payment:1")
        await world.hint("payment", await world.orders.load(order_id))
        await world.deliver()
        assert await world.status(order_id) == "Confirmed"
        await ask(world, order_id)
        await world.deliver()
        asked = (await all_of(world, order_id, e.OrderActionRequired))[-1]
        assert asked.kind == "edit_payment"
        if does_it:
            await act(world.ledger, f"{order_id}:payment:2")
            await world.hint("payment", await world.orders.load(order_id))
        else:
            history = await world.orders.load(order_id)
            why = cause("too-late", causation_id=order_id)
            over = partial(timers.expire, now=asked.deadline + timedelta(seconds=1))
            await world.orders.record(history, over, cause=why)
        await world.deliver()
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed"
        assert settled(order) == ("applied" if does_it else "declined")
        assert order.questions == ()

    run_virtual(scenario)


def test_pieces_that_were_added_can_be_taken_out_again() -> None:
    """They are pieces of the order like any other; stock has them back from the edit's own reservation."""

    async def scenario() -> None:
        world = World()
        order_id = await held(world)
        await ask(world, order_id)
        await world.deliver()
        await cancel_lines(world, order_id, line=2, quantity=1)
        await world.deliver()
        order = await everything_agrees(world, order_id)
        assert order.due_minor == TOTAL_MINOR + 1_999
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.stock_is_sound("LAPTOP-001", "MOUSE-002", "LAMP-003") == (1, 2, 1)
        assert order.payment.captured_minor == TOTAL_MINOR + 1_999

    run_virtual(scenario)


def test_who_comes_too_early_or_too_late_is_told_what_to_do() -> None:
    """Before it is confirmed, while it is edited, and when a carrier expects it."""

    async def scenario() -> None:
        world = World()
        order_id = await stocked(world)
        with pytest.raises(TooEarlyToEdit):
            await ask(world, order_id)
        await world.hold(order_id, "wait")
        await world.deliver()
        edit_id = await ask(world, order_id)
        with pytest.raises(EditUnderWay):
            await ask(world, order_id, key="again")
        with pytest.raises(EditUnderWay):
            await cancel_lines(world, order_id, line=1, quantity=1)
        await world.deliver()
        with pytest.raises(TooLateToEdit, match="cancel the lines"):
            await withdraw(world, order_id, edit_id)
        await released(world, order_id)
        with pytest.raises(TooLateToEdit, match="second order"):
            await ask(world, order_id, key="later")

    run_virtual(scenario)


def test_an_edit_of_nothing_but_gifts_asks_for_no_money() -> None:
    """What costs nothing is applied as soon as it is set aside."""

    async def scenario() -> None:
        world = World()
        order_id = await held(world)
        await ask(world, order_id, items=[{**LAMPS[0], "price": "0"}])
        await world.deliver()
        order = await everything_agrees(world, order_id)
        assert (settled(order), lines(order)) == ("applied", EDITED)
        assert await holds(world) == {"1": (TOTAL_MINOR, "")}

    run_virtual(scenario)


async def _edited(world: World, faults: Faults) -> str:
    order_id = await held(world)
    await ask(world, order_id)
    faults.armed = True
    await world.deliver()
    return order_id


async def _calls() -> int:
    faults = Faults()
    await _edited(World(faults=faults), faults)
    return faults.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_may_die_at_any_point_of_an_edit(after: bool) -> None:
    """And the edit is applied, once; the old hold is let go, once."""  # 5.5.10

    async def scenario(number: int) -> None:
        faults = Faults(at=number, after=after)
        world = World(faults=faults)
        order_id = await _edited(world, faults)
        where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
        assert [type(error) for error in world.errors] == [Crash], where
        assert settled(await everything_agrees(world, order_id)) == "applied", where
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert order.payment.captured_minor == TOTAL_MINOR + LAMPS_MINOR, where

    for number in moments(run_virtual(_calls)):
        run_virtual(scenario, number)


@pytest.mark.parametrize("everybody_runs", [False, True], ids=["alone", "with everybody"])
@pytest.mark.parametrize("what", ["cancel", "withdraw"])
def test_an_edit_may_be_undone_at_any_point(what: str, everybody_runs: bool) -> None:
    """A cancellation or a second thought races every step: applied or declined, and nobody's goods or money are forgotten."""  # 5.5.10

    async def scenario(number: int) -> str:
        faults = Faults(at=number)
        world = World(faults=faults)

        async def meanwhile() -> None:
            try:
                if what == "cancel":
                    await world.cancel(order_id)
                else:
                    await withdraw(world, order_id, edit_id)
            except CommandRejected:
                return
            if everybody_runs:
                await world.deliver()

        faults.meanwhile = meanwhile
        order_id = await held(world)
        edit_id = await ask(world, order_id)
        faults.armed = True
        await world.deliver()
        where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
        assert world.errors == [], where
        order = await everything_agrees(world, order_id)
        if what == "cancel":
            assert await world.status(order_id) == "Cancelled", where
            assert all(became == "void" for _, became in (await holds(world)).values()), where
            return settled(order)
        await released(world, order_id)
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed", where
        assert lines(order) == (EDITED if settled(order) == "applied" else CREATED), where
        return settled(order)

    ends = {run_virtual(scenario, number) for number in moments(run_virtual(_calls))}
    assert ends == {"applied", "declined"}


@pytest.mark.parametrize("everybody_runs", [False, True], ids=["alone", "with everybody"])
def test_an_edit_races_the_booking(everybody_runs: bool) -> None:
    """At every call of every worker of an ordinary order: it is edited whole, or it is too late, and the carrier expects nothing else."""

    async def scenario(number: int) -> str:
        faults = Faults(at=number)
        world = World(faults=faults)
        refused: list[str] = []

        async def meanwhile() -> None:
            try:
                await ask(world, order_id)
            except CommandRejected as rejection:
                refused.append(rejection.code)
                return
            if everybody_runs:
                await world.deliver()

        faults.meanwhile = meanwhile
        order_id = await stocked(world)
        faults.armed = True
        await world.deliver()
        where = f"call {number}, {faults.names[number - 1]}: {await world.events(order_id)}"
        assert world.errors == [], where
        order = await everything_agrees(world, order_id)
        assert await world.status(order_id) == "Completed", where
        assert lines(order) == (CREATED if refused else EDITED), where
        booked = {entry.key.split("/")[1] async for entry in world.ledger.entries() if entry.kind == "booking"}
        ended = {entry.key.split("/")[1]: entry.kind async for entry in world.ledger.entries() if "/fate" in entry.key}
        known = {shipment.shipment_id for shipment in order.shipments}
        assert all(one in known or ended.get(one) == "cancelled" for one in booked), where
        return refused[0] if refused else "edited"

    async def calls() -> int:
        world = World()
        await stocked(world)
        world.faults.armed = True
        await world.deliver()
        return world.faults.calls

    ends = {run_virtual(scenario, number) for number in moments(run_virtual(calls))}
    assert ends >= {"edited", "too_early_to_edit", "too_late_to_edit"}
