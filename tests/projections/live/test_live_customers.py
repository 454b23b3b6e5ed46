"""A customer's live stream: every commit of the latest orders and every note once, from wherever the client was."""

from typing import Any

import anyio
import pytest

from orderstore.domain import decisions
from orderstore.domain.events import Pieces
from orderstore.store.errors import CorruptCommit, Throttled
from projections.live import positions
from projections.live.positions import NotAPosition, Position
from tests.ordering import TENANT
from tests.projections.live.world import CUSTOMER, LiveWorld, Told, drained, nothing, take, told
from tests.virtual_time import run_virtual
from workers.inbox.notes import owner_for
from workers.inbox.reading import Inboxes


def position_of(one: Told) -> Position:
    assert one.id is not None
    return positions.decode(CUSTOMER, one.id)


def things(found: list[Told]) -> list[tuple[str, object]]:
    """Which notes, and which commits."""
    return [
        ("note", one.data["number"]) if one.event == "note" else (one.data["orderId"], one.data["commit"])
        for one in found
    ]


def test_a_new_client_is_told_where_everything_stands() -> None:
    """The orders, newest first, and how much is unread; then only what changes."""  # E031

    async def scenario() -> None:
        world = LiveWorld()
        first, second = await world.place(), await world.place()
        await world.place(customer="C-2")
        await world.pay(second)
        await world.note(1)
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            (standing,) = await take(stream)
            assert standing.event == "standing"
            assert [order["orderId"] for order in standing.data["orders"]] == [second, first]
            assert (standing.data["unread"], standing.data["unreadMore"]) == (1, False)
            await nothing(stream, for_s=60)
            await world.pay(first)
            await world.note(2)
            found = await take(stream, 2)
            assert sorted(things(found), key=str) == sorted([(first, 2), ("note", 2)], key=str)
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_a_new_order_is_told_from_its_beginning() -> None:
    """It is found within some seconds, and every commit of it is told, also those before it was found."""

    async def scenario() -> None:
        world = LiveWorld()
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            order_id = await world.place()
            await world.pay(order_id)
            began_s = anyio.current_time()
            assert things(await take(stream, 2)) == [(order_id, 1), (order_id, 2)]
            assert anyio.current_time() - began_s <= world.settings.customer_list_s
            await world.reserve(order_id)
            assert things(await take(stream)) == [(order_id, 3)]

    run_virtual(scenario)


@pytest.mark.parametrize("cut_after", range(1, 6))
def test_no_cut_loses_or_repeats_anything(cut_after: int) -> None:
    """Two orders and three notes, interleaved; the client comes back to another process after so many events."""

    async def scenario() -> None:
        world = LiveWorld()
        orders = [await world.place(), await world.place()]
        async with world.desk.customer("t", CUSTOMER, position=None) as stream:
            (standing,) = await take(stream)

        async def meanwhile() -> None:
            for number, step in enumerate((world.pay, world.reserve, world.book), start=1):
                for order_id in orders:
                    await step(order_id)
                await world.note(number)
                await anyio.sleep(7)

        found: list[Told] = []
        last = standing
        async with anyio.create_task_group() as group:
            group.start_soon(meanwhile)
            for seed in range(20):
                desk = world.process(seed)
                async with world.running(desk), desk.customer("t", CUSTOMER, position=position_of(last)) as stream:
                    more = await take(stream, min(cut_after, 9 - len(found)))
                found, last = found + more, more[-1]
                if len(found) == 9:
                    break
        assert sorted(things(found), key=str) == sorted(
            [(order_id, commit) for order_id in orders for commit in (2, 3, 4)] + [("note", n) for n in (1, 2, 3)],
            key=str,
        )
        for order_id in orders:
            assert [
                one.data["commit"] for one in found if one.data.get("orderId") == order_id and one.event == "status"
            ] == [2, 3, 4]
        async with world.desk.customer("t", CUSTOMER, position=position_of(last)) as stream:
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_a_cut_within_what_one_read_brought_loses_nothing() -> None:
    """Four commits and three notes come from one look; each event's id says no more than was sent up to it."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        for number, step in enumerate((world.pay, world.reserve, world.book, world.dispatch), start=1):
            await step(order_id)
            await world.note(number)
        expected = [(order_id, commit) for commit in (2, 3, 4, 5)] + [("note", number) for number in (1, 2, 3, 4)]
        begun = Position(0, {positions.short(order_id): 1})
        async with world.desk.customer("t", CUSTOMER, position=begun) as stream:
            events = await take(stream, 8)
        assert things(events) == expected
        for cut in range(1, 8):
            async with world.desk.customer("t", CUSTOMER, position=position_of(events[cut - 1])) as stream:
                assert things(await take(stream, 8 - cut)) == expected[cut:]

    run_virtual(scenario)


def test_a_note_that_is_late_is_not_missed() -> None:
    """Notes are ordered by what they tell of, but counted as they come: an older one that comes later has a higher number."""

    async def scenario() -> None:
        world = LiveWorld()
        await world.note(5)
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            await world.note(3)
            (late,) = await take(stream)
        assert (late.data["title"], late.data["number"]) == ("note 3", 2)

    run_virtual(scenario)


@pytest.mark.parametrize("connected", [False, True], ids=["before the client comes back", "while it is connected"])
def test_notes_that_are_gone_before_they_were_read_are_not_asked_for_without_end(connected: bool) -> None:
    """They have expired, or their owner was erased: the inbox's number stays, and what is behind it will never come."""

    async def scenario() -> None:
        world = LiveWorld()
        owner = owner_for(TENANT, CUSTOMER)
        asked = 0

        async def after(customer_id: str, number: int, *, limit: int) -> Any:
            nonlocal asked
            asked += 1
            assert asked < 20, "asked again and again"
            if connected:
                await world.table.remove(owner, limit=100)
            return await Inboxes.after(world.inboxes, customer_id, number, limit=limit)

        world.inboxes.after = after  # type: ignore[method-assign]  # the same, counted
        for number in (1, 2, 3):
            await world.note(number)
        if not connected:
            await world.table.remove(owner, limit=100)
        position = Position(3 if connected else 1, {})
        async with world.running(), world.desk.customer("t", CUSTOMER, position=position) as stream:
            if connected:
                await world.note(4)
            await nothing(stream, for_s=60)
            connected_no_more = await world.note(5)
            if not connected:
                (note,) = await take(stream)
                assert (note.data["number"], note.data["id"]) == (4, connected_no_more)

    run_virtual(scenario)


def test_a_view_that_is_ahead_of_the_log_is_not_asked_for_without_end() -> None:
    """It must not be: but whoever restored a table wrongly has enough trouble, and the log is asked twice a second, not all the time."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        asked = 0

        async def nothing_there(_order_id: str, _commit: int) -> tuple[()]:
            nonlocal asked
            asked += 1
            assert asked < 200, "asked again and again"
            return ()

        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            world.tail.after = nothing_there  # type: ignore[assignment,method-assign]  # a log that has lost something
            await world.pay(order_id)
            await nothing(stream, for_s=60)
        assert asked > 10

    run_virtual(scenario)


def test_more_notes_than_one_read_brings_come_all() -> None:
    """A client that was away for long is given what it missed, in order, a bounded number at a time."""

    async def scenario() -> None:
        world = LiveWorld(notes_at_once=4)
        for number in range(1, 12):
            await world.note(number)
        async with world.running(), world.desk.customer("t", CUSTOMER, position=Position(0, {})) as stream:
            found = await take(stream, 11)
            assert [one.data["number"] for one in found] == list(range(1, 12))
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_only_the_latest_orders_are_followed() -> None:
    """A new order pushes the oldest out: what is watched, and the id, stay bounded."""

    async def scenario() -> None:
        world = LiveWorld(customer_orders_max=3)
        old = [await world.place() for _ in range(4)]
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            (standing,) = await take(stream)
            assert [order["orderId"] for order in standing.data["orders"]] == old[:0:-1]
            new = await world.place()
            (found,) = await take(stream)
            assert things([found]) == [(new, 1)]
            assert set(position_of(found).orders) == {positions.short(order_id) for order_id in (*old[2:], new)}
            assert world.desk.watched == 4
            await world.pay(old[1])
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_an_id_that_names_what_is_not_there_is_refused() -> None:
    """A note or a commit from the future: the client is not one of this place."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        for position in (Position(1, {}), Position(0, {positions.short(order_id): 2})):
            with pytest.raises(NotAPosition):
                async with world.desk.customer("t", CUSTOMER, position=position):
                    pass
        assert world.desk.streams == world.desk.watched == 0

    run_virtual(scenario)


def test_a_view_that_is_behind_is_no_reason_to_refuse_or_to_repeat() -> None:
    """The client knows a commit that the log has and the view has not."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        await world.pay(order_id, seen=False)
        position = Position(0, {positions.short(order_id): 2})
        async with world.running(), world.desk.customer("t", CUSTOMER, position=position) as stream:
            await nothing(stream, for_s=60)
            await world.project(order_id)
            await nothing(stream, for_s=60)
            await world.reserve(order_id)
            assert things(await take(stream)) == [(order_id, 3)]

    run_virtual(scenario)


def test_an_order_that_the_list_forgets_for_a_moment_is_not_told_again() -> None:
    """The list is an index that is read eventually consistently: another replica may not have the order yet that the client knows."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        await world.pay(order_id)
        position = Position(0, {positions.short(order_id): 2})
        world.statuses.hidden = {order_id}
        async with world.running(), world.desk.customer("t", CUSTOMER, position=position) as stream:
            world.statuses.hidden = set()
            await nothing(stream, for_s=60)
            await world.reserve(order_id)
            assert things(await take(stream)) == [(order_id, 3)]

    run_virtual(scenario)


def test_what_was_read_before_a_trouble_is_told() -> None:
    """One order's log fails while another's was read: the one is told, the other later, and none of it twice."""

    async def scenario() -> None:
        world = LiveWorld()
        first, second = await world.place(), await world.place()
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            await nothing(stream, for_s=30)

            async def fails() -> None:
                world.tail.failure = Throttled("Query", tries=3)

            world.tail.after_read = fails
            await world.pay(first)
            await world.pay(second)
            await world.note(1)
            found = await take(stream, 2)
            assert ("note", 1) in things(found)
            await nothing(stream, for_s=60)
            world.tail.failure = None
            found += await take(stream)
            assert sorted(things(found), key=str) == sorted([(first, 2), (second, 2), ("note", 1)], key=str)
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_one_order_in_trouble_holds_up_no_other() -> None:
    """Its log cannot be read for ten minutes: the other order and the notes are told at once, and it afterwards."""

    async def scenario() -> None:
        world = LiveWorld()
        first, second = await world.place(), await world.place()
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            world.tail.failing = {first: Throttled("Query", tries=3)}
            await world.pay(first)
            await nothing(stream, for_s=30)
            for number, step in enumerate((world.pay, world.reserve, world.book), start=1):
                await step(second)
                await world.note(number)
                assert len(await take(stream, 2)) == 2
                await nothing(stream, for_s=120)
            world.tail.failing = {}
            assert things(await take(stream)) == [(first, 2)]

    run_virtual(scenario)


def test_an_order_that_cannot_be_read_is_left_out_of_the_stream() -> None:
    """The client is told which; the rest goes on, and the day that it can be read again its changes come."""

    async def scenario() -> None:
        world = LiveWorld()
        first, second = await world.place(), await world.place()
        async with world.running():
            async with world.desk.customer("t", CUSTOMER, position=None) as stream:
                (last,) = await take(stream)
                world.tail.failing = {first: CorruptCommit("main/order-x", 2, "it was changed")}
                await world.pay(first)
                (fault,) = await take(stream)
                assert (fault.event, fault.data) == ("fault", {"code": "unreadable_order", "orderId": first})
                await world.reserve(first)
                await nothing(stream, for_s=60)
                await world.pay(second)
                (last,) = await take(stream)
                assert things([last]) == [(second, 2)]
            async with world.desk.customer("t", CUSTOMER, position=position_of(last)) as stream:
                assert [one.event for one in await take(stream)] == ["fault"]
            world.tail.failing = {}
            async with world.desk.customer("t", CUSTOMER, position=position_of(last)) as stream:
                assert things(await take(stream, 2)) == [(first, 2), (first, 3)]

    run_virtual(scenario)


def test_a_customer_without_anything_waits_for_the_first() -> None:
    """Nobody is unknown: an order may come."""

    async def scenario() -> None:
        world = LiveWorld()
        async with world.running(), world.desk.customer("t", "C-9", position=None) as stream:
            (standing,) = await take(stream)
            assert (standing.data["orders"], standing.data["unread"]) == ([], 0)
            order_id = await world.place(customer="C-9")
            assert things(await take(stream)) == [(order_id, 1)]

    run_virtual(scenario)


def test_orders_at_their_end_are_looked_at_seldom() -> None:
    """A customer's past costs next to nothing to watch; a refund in it is still told, within two minutes."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        await world.complete(order_id)
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            await take(stream)
            await nothing(stream, for_s=300)
            looked = sum(keys for what, keys, _ in world.measures.looks if what == "order")
            assert looked <= 5
            await world.happen(
                order_id,
                "refund",
                decisions.request_refund,
                refund_id="r",
                lines=(Pieces(line=1, quantity=1),),
                reason=None,
            )
            assert [one.event for one in await take(stream, within_s=125)] == ["status"]

    run_virtual(scenario)


@pytest.mark.thorough
def test_the_stream_ends_like_any_other() -> None:
    """Its time is bounded, and it ends with a hint."""

    async def scenario() -> None:
        world = LiveWorld()
        await world.place()
        async with world.running(), world.desk.customer("t", CUSTOMER, position=None) as stream:
            frames = await drained(stream)
        assert [told(frame).event for frame in frames if frame.event != "beat"] == ["retry", "standing", "retry"]
        assert world.measures.closed == [("customer", "life")]

    run_virtual(scenario)
