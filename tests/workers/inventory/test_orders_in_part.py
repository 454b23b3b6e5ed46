"""The inventory worker and orders of which some is missing, lies elsewhere, is cancelled or comes back: the log and stock always agree."""

from typing import Any

import pytest

from orderstore.change_requests import AnswerQuestion, InspectReturn, RequestReturn
from orderstore.domain import events as e
from orderstore.domain.state import Placed
from orderstore.orders import placed
from orderstore.wishes import answering, returning
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from tests.workers.shipping.parcels import cancel_lines, goods_in, history_of, message_of
from tests.workers.world import CUSTOMER, OPERATOR, Faults, World
from workers.inventory.locations import locations_in
from workers.inventory.stock import Level, Place
from workers.reconciliation.stock_orders import booked
from workers.runtime.outcome import Done

BACKORDER = {"missingStock": "backorder"}


async def agree(world: World, order_id: str) -> Placed:
    """Stock has set aside, and let go, what the log says of the only order that there is; no event is there twice."""
    history = await history_of(world, order_id)
    said, levels = booked(history), all_levels(world.tables["inventory"])
    assert {place: level.reserved for place, level in levels.items() if level.reserved} == dict(said.held)
    assert {place: level.committed for place, level in levels.items() if level.committed} == dict(said.gone)
    assert all(level.adds_up for level in levels.values())
    ids = [recorded.event_id for recorded in history.events]
    assert len(ids) == len(set(ids))
    return placed(history)


async def of_kind(world: World, order_id: str, kind: type[Any]) -> list[Any]:
    """The order's events of this kind."""
    history = await history_of(world, order_id)
    return [recorded.event for recorded in history.events if isinstance(recorded.event, kind)]


async def waiting_for_three(world: World, *, there: int = 2, **fields: Any) -> str:
    """Five pieces of A were ordered on two lines; so many of them were there, and have left."""
    await world.stock.receive("r1", {"A": there} if there else {"B": 1})
    order_id = await world.place(("A", 2, "10"), ("A", 3, "10"), stocked=False, terms={**BACKORDER, **fields})
    world.faults.armed = False
    await world.deliver()
    return order_id


def test_goods_of_several_locations_leave_from_there() -> None:
    """The log says where each piece lies; each parcel takes from its own location, once."""

    async def scenario() -> None:
        world = World(locations=locations_in("main=GB,north=SE"))
        await world.stock.receive("r1", {"A": 9, "B": 1})
        await world.stock.receive("r2", {"A": 9, "B": 1}, location="north")
        order_id = await world.place(("A", 1, "10"), ("B", 2, "10"), ("A", 1, "10"), stocked=False, country="SE")
        await world.deliver(copies=2)
        (reserved,) = await of_kind(world, order_id, e.InventoryReserved)
        assert {one.location: {part.line: part.quantity for part in one.lines} for one in reserved.allocations} == {
            "main": {1: 1},
            "north": {0: 1, 1: 1, 2: 1},
        }
        assert len((await agree(world, order_id)).inventory.committed) == 2
        assert await world.status(order_id) == "Completed"
        assert all_levels(world.tables["inventory"])[Place("north", "A")] == Level(9, 7, 0, 2)

    run_virtual(scenario)


def test_an_ordinary_order_says_no_more_than_it_did() -> None:
    """And stock lets its goods go with the parcel."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.deliver(copies=2)
        (reserved,) = await of_kind(world, order_id, e.InventoryReserved)
        assert reserved == e.InventoryReserved(reservation_id=order_id)
        assert await of_kind(world, order_id, e.InventoryCommitted) != []
        await agree(world, order_id)
        assert world.reports.counts[("reservation", "committed")] == 1

    run_virtual(scenario)


@pytest.mark.parametrize("there", [0, 2])
def test_what_is_missing_is_set_aside_when_it_comes(there: int) -> None:
    """In as many deliveries as it takes, the last pieces by the last lines; the order is done when all of it has left."""

    async def scenario() -> None:
        world = World()
        order_id = await waiting_for_three(world, there=there)
        waits = await agree(world, order_id)
        assert sum(part.quantity for part in waits.inventory.missing) == 5 - there
        await goods_in(world, "r2", {"A": 1}, "main")
        await world.deliver(copies=2)
        await agree(world, order_id)
        await goods_in(world, "r3", {"A": 9}, "main")
        await world.deliver(copies=2)
        assert isinstance(await agree(world, order_id), Placed)
        assert await world.status(order_id) == "Completed"
        assert await world.stock.levels(["A"]) == (Level(there + 10, there + 5, 0, 5),)
        assert len(await of_kind(world, order_id, e.BackorderFilled)) == 2

    run_virtual(scenario)


def test_nobody_waits_in_the_queue_for_goods() -> None:
    """The message of an order for which nothing has come is done; the sweeper has it looked at again."""

    async def scenario() -> None:
        world = World()
        order_id = await waiting_for_three(world)
        before = await world.events(order_id)
        await goods_in(world, "elsewhere", {"B": 1}, "main")
        assert [await world.handlers[queue](message) for queue, message in world.messages] == [Done()]
        assert await world.events(order_id) == before

    run_virtual(scenario)


def test_a_customer_who_is_asked_may_do_without() -> None:
    """What was there leaves, and the order asks no more of stock."""

    async def scenario() -> None:
        world = World()
        await world.stock.receive("r1", {"A": 2})
        order_id = await world.place(("A", 5, "10"), stocked=False, terms={"missingStock": "ask", "answerS": 600})
        await world.deliver()
        (question,) = await of_kind(world, order_id, e.OrderActionRequired)
        history = await history_of(world, order_id)
        asked_at = next(one.occurred_at for one in history.events if isinstance(one.event, e.OrderActionRequired))
        assert (question.deadline - asked_at).total_seconds() == 600
        wish = answering.answer(question.action_id, AnswerQuestion(answer="accepted"))
        await world.orders.ask(order_id, wish, actor=CUSTOMER)
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        await agree(world, order_id)

    run_virtual(scenario)


@pytest.mark.parametrize("there", [0, 2])
def test_what_is_missing_is_cancelled_where_the_terms_say_so(there: int) -> None:
    """Unless it is everything: then nothing comes of the order, and nothing stays aside."""

    async def scenario() -> None:
        world = World()
        await world.stock.receive("r1", {"A": there, "B": 1} if there else {"B": 1})
        order_id = await world.place(("A", 5, "10"), stocked=False, terms={"missingStock": "cancel_lines"})
        await world.deliver()
        assert await world.status(order_id) == ("Completed" if there else "Cancelled")
        assert len(await of_kind(world, order_id, e.InventoryFailed)) == (0 if there else 1)
        await agree(world, order_id)

    run_virtual(scenario)


def test_pieces_that_are_cancelled_are_back_once() -> None:
    """Before the parcel is booked, and in two parts."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(("A", 5, "10"))
        world.wants = lambda queue, _type: queue in ("payment", "inventory")
        await world.deliver()
        for key in ("c-1", "c-2"):
            await cancel_lines(world, order_id, 0, 1, key)
            await world.deliver(copies=2)
        order = await agree(world, order_id)
        assert len(order.inventory.released) == 2
        assert await world.stock.levels(["A"]) == (Level(100, 97, 3),)

    run_virtual(scenario)


async def _cancelled_around_a_fill(faults: Faults, *, cancelled: tuple[int, int], crash: bool) -> int:
    """Goods come, and their order's pieces are cancelled at a moment of the fill."""
    world = World(faults=faults)
    faults.armed = False
    order_id = await waiting_for_three(world)
    world.messages.clear()
    await world.stock.receive("r2", {"A": 2})
    message = next(entry for entry in world.history if entry[0] == "inventory")

    changed = []

    async def change_of_mind() -> None:
        changed.append(True)
        world.time_ms += 1
        for number, line in enumerate(cancelled):
            if line:
                await cancel_lines(world, order_id, 1, line, f"c-{number}")

    faults.armed, faults.calls = True, 0
    if not crash:
        faults.meanwhile = change_of_mind
    world.messages.append(message)
    try:
        await world._hand(*message)
    finally:
        calls, faults.armed = faults.calls, False
    if not changed:
        await change_of_mind()
    await world.deliver(copies=2)
    order = await agree(world, order_id)
    left = 5 - sum(cancelled)
    assert sum(part.quantity for part in order.inventory.missing) == max(0, left - 4)
    assert await world.status(order_id) == ("Completed" if left <= 4 else "InFulfilment")
    await goods_in(world, "r3", {"A": 9}, "main")
    await world.deliver()
    await agree(world, order_id)
    assert await world.status(order_id) == "Completed"
    (level,) = await world.stock.levels(["A"])
    assert level == Level(13, 13 - left, 0, left)
    return calls


@pytest.mark.thorough
@pytest.mark.parametrize("crash", [False, True], ids=["cut in between", "died there"])
@pytest.mark.parametrize("cancelled", [(1, 0), (2, 0), (3, 0), (1, 1), (1, 2)], ids=str)
def test_pieces_cancelled_while_they_come_in_are_set_aside_for_nobody(cancelled: tuple[int, int], crash: bool) -> None:
    """At every moment of the fill: what the log takes is held, what it refuses is back on the shelf, and nobody waits for it."""

    async def of(faults: Faults) -> int:
        return await _cancelled_around_a_fill(faults, cancelled=cancelled, crash=crash)

    measure = run_virtual(of, Faults())
    for number in moments(measure):
        for after in (False, True) if crash else (False,):
            run_virtual(of, Faults(at=number, after=after))


def test_two_workers_fill_once() -> None:
    """Whichever is faster, at every moment of the other."""

    async def scenario(at: int | None) -> int:
        faults = Faults(at=at)
        world = World(faults=faults)
        faults.armed = False
        order_id = await waiting_for_three(world)
        await world.stock.receive("r2", {"A": 1})
        message = next(entry for entry in world.history if entry[0] == "inventory")[1]

        async def other() -> None:
            world.time_ms += 1  # or both would write the same commit
            await world.elsewhere["inventory"](message)

        faults.armed, faults.calls, faults.meanwhile = True, 0, other
        await world.handlers["inventory"](message)
        faults.armed = False
        assert len(await of_kind(world, order_id, e.BackorderFilled)) == 1
        await agree(world, order_id)
        return faults.calls

    for number in moments(run_virtual(scenario, None)):
        run_virtual(scenario, number)


def test_a_parcel_whose_goods_were_given_back_has_left_all_the_same() -> None:
    """Somebody released them by hand: the order goes on, it says so, and somebody counts."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(("A", 5, "10"))
        world.wants = lambda queue, _type: queue in ("payment", "inventory")
        await world.deliver()
        await world.stock.release(order_id)
        world.wants = lambda _queue, _type: True
        world.messages.extend(entry for entry in world.history if entry[0] == "shipping")
        await world.deliver(copies=2)
        assert await world.status(order_id) == "Completed"
        (committed,) = await of_kind(world, order_id, e.InventoryCommitted)
        (found,) = await of_kind(world, order_id, e.DiscrepancyFound)
        assert found == e.DiscrepancyFound(
            area="stock", kind="sent_and_not_held", subject=committed.shipment_id, ours=5, theirs=0
        )
        assert world.reports.counts[("reservation", "not_held")] == 1
        assert await world.stock.levels(["A"]) == (Level(100, 100, 0),)

    run_virtual(scenario)


def test_two_workers_say_once_that_goods_were_not_held() -> None:
    """Whichever is faster, at every moment of the other."""

    async def scenario(at: int | None) -> int:
        faults = Faults(at=at)
        world = World(faults=faults)
        order_id = await world.place(("A", 5, "10"))
        faults.armed = False
        world.wants = lambda queue, event_type: queue != "inventory" or event_type == "OrderCreated"
        await world.deliver()
        await world.stock.release(order_id)
        message = next(entry for entry in world.history if entry[0] == "inventory")[1]

        async def other() -> None:
            world.time_ms += 1  # or both would write the same commit
            await world.elsewhere["inventory"](message)

        faults.armed, faults.calls, faults.meanwhile = True, 0, other
        await world.handlers["inventory"](message)
        faults.armed = False
        assert len(await of_kind(world, order_id, e.InventoryCommitted)) == 1
        assert len(await of_kind(world, order_id, e.DiscrepancyFound)) == 1
        return faults.calls

    for number in moments(run_virtual(scenario, None)):
        run_virtual(scenario, number)


def test_what_has_left_stays_gone_when_the_cancellation_comes_too_late() -> None:
    """The carrier had the first parcel: it is taken off, and the second is still held and leaves too."""

    async def scenario() -> None:
        world = World(locations=locations_in("main,north"))
        await world.stock.receive("r1", {"A": 1})
        await world.stock.receive("r2", {"B": 1}, location="north")
        order_id = await world.place(("A", 1, "10"), ("B", 1, "10"), stocked=False)
        world.wants = lambda queue, _type: queue in ("payment", "inventory")
        await world.deliver()
        message = next(entry for entry in world.history if entry[0] == "shipping")
        await world.handlers["shipping"](message_of(world, "OrderConfirmed"))
        assert message
        world.wants = lambda _queue, _type: True
        await world.deliver(copies=2)
        await agree(world, order_id)
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)


@pytest.mark.parametrize("conditions", [("sellable", "damaged"), ("dismissed", "sellable"), ("dismissed", "dismissed")])
def test_what_comes_back_is_put_where_it_was_sent_from(conditions: tuple[str, str]) -> None:
    """As it was inspected, once; what is dismissed stays out of stock."""

    async def scenario() -> None:
        world = World(locations=locations_in("main,north"))
        await world.stock.receive("r1", {"A": 1})
        await world.stock.receive("r2", {"A": 1}, location="north")
        order_id = await world.place(("A", 2, "10"), stocked=False)
        await world.deliver()
        asked = RequestReturn.model_validate({"lines": [{"line": 0, "quantity": 2}], "reason": "withdrawal"})
        granted = await world.orders.request_return(order_id, asked, actor=CUSTOMER, idempotency_key="k")
        return_id = granted.recorded.event.return_id  # type: ignore[union-attr]  # it says so
        await world.orders.ask(order_id, returning.receive(return_id), actor=OPERATOR)
        pieces = [{"line": 0, "quantity": 1, "condition": condition} for condition in conditions]
        inspection = InspectReturn.model_validate({"pieces": pieces})
        await world.orders.ask(order_id, returning.inspect(return_id, inspection), actor=OPERATOR)
        await world.deliver(copies=2)
        levels = all_levels(world.tables["inventory"])
        assert sum(level.available for level in levels.values()) == conditions.count("sellable")
        assert sum(level.damaged for level in levels.values()) == conditions.count("damaged")
        assert all(level.committed == 1 and level.adds_up for level in levels.values())
        if "dismissed" not in conditions:
            assert {place.location: (level.available, level.damaged) for place, level in levels.items()} == {
                "main": (0, 1),
                "north": (1, 0),
            } or {place.location: (level.available, level.damaged) for place, level in levels.items()} == {
                "main": (1, 0),
                "north": (0, 1),
            }
        restocked = await of_kind(world, order_id, e.InventoryRestocked)
        assert len(restocked) == (0 if set(conditions) == {"dismissed"} else 1)

    run_virtual(scenario)


def test_goods_come_back_although_the_rest_of_the_order_still_waits() -> None:
    """A return of the first parcel does not wait for the second."""

    async def scenario() -> None:
        world = World()
        order_id = await waiting_for_three(world)
        asked = RequestReturn.model_validate({"lines": [{"line": 0, "quantity": 1}], "reason": "withdrawal"})
        granted = await world.orders.request_return(order_id, asked, actor=CUSTOMER, idempotency_key="k")
        return_id = granted.recorded.event.return_id  # type: ignore[union-attr]  # it says so
        history = await history_of(world, order_id)
        if not any(isinstance(recorded.event, e.ReturnApproved) for recorded in history.events):
            await world.orders.ask(order_id, returning.approve(return_id), actor=OPERATOR)
        await world.orders.ask(order_id, returning.receive(return_id), actor=OPERATOR)
        inspection = InspectReturn.model_validate({"pieces": [{"line": 0, "quantity": 1, "condition": "damaged"}]})
        await world.orders.ask(order_id, returning.inspect(return_id, inspection), actor=OPERATOR)
        await world.deliver()
        assert len(await of_kind(world, order_id, e.InventoryRestocked)) == 1
        assert await world.stock.levels(["A"]) == (Level(3, 0, 0, 2, 1),)

    run_virtual(scenario)
