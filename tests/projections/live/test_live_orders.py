"""An order's live stream: each commit once, in order, whatever lies between the looks, and the end."""

import anyio
import pytest

from orderstore.audit.moments import CommitAhead
from orderstore.domain import decisions
from orderstore.domain.events import Pieces
from orderstore.domain.rejections import UnknownOrder
from orderstore.store.errors import CorruptCommit, Throttled
from projections.answers.ports import ViewsUnavailable
from tests.projections.live.world import LiveWorld, drained, nothing, take, told
from tests.virtual_time import run_virtual

NOWHERE = "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11"


def test_a_new_client_is_told_where_the_order_stands_and_then_each_commit_once() -> None:
    """Ids are the commits' numbers; public events travel with the status that they brought about."""  # E031

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        await world.pay(order_id)
        async with world.running(), world.desk.order("t", order_id, told_to=None) as stream:
            assert stream is not None
            (first,) = await take(stream)
            assert (first.event, first.id, first.data["events"]) == ("status", "2", [])
            assert first.data["order"]["payment"]["status"] == "CAPTURED"
            await world.reserve(order_id)
            (second,) = await take(stream)
            assert second.id == "3"
            assert second.data["order"]["status"] == "CONFIRMED"
            assert [event["eventType"] for event in second.data["events"]] == ["InventoryReserved", "OrderConfirmed"]
            await nothing(stream, for_s=120)

    run_virtual(scenario)


def test_two_commits_between_two_looks_are_two_events() -> None:
    """What moved is read from the log, commit by commit: a look only says that there is something to read."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        async with world.running(), world.desk.order("t", order_id, told_to=None) as stream:
            assert stream is not None
            await take(stream)
            await anyio.sleep(100)
            await world.pay(order_id, seen=False)
            await world.reserve(order_id, seen=False)
            await world.book(order_id)
            assert [one.id for one in await take(stream, 3)] == ["2", "3", "4"]

    run_virtual(scenario)


def test_a_change_between_the_first_read_and_the_first_look_is_told() -> None:
    """Looks compare with what was read, whenever that was."""

    async def scenario() -> None:
        for moment in ("before", "after_read"):
            world = LiveWorld()
            order_id = await world.place()

            async def paid(world: LiveWorld = world, order_id: str = order_id) -> None:
                await world.pay(order_id)

            setattr(world.tail, moment, paid)
            async with world.running(), world.desk.order("t", order_id, told_to=1) as stream:
                assert stream is not None
                assert [one.id for one in await take(stream)] == ["2"], moment
                await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_a_view_that_is_behind_the_log_repeats_nothing() -> None:
    """The client is at the log's head already; the view comes there later, commit by commit."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        await world.pay(order_id, seen=False)
        await world.reserve(order_id, seen=False)
        async with world.running(), world.desk.order("t", order_id, told_to=None) as stream:
            assert stream is not None
            assert [one.id for one in await take(stream)] == ["3"]
            for commit in (2, 3):
                await world.project(order_id, up_to=commit)
                await nothing(stream, for_s=60)
            await world.book(order_id)
            assert [one.id for one in await take(stream)] == ["4"]

    run_virtual(scenario)


def test_who_comes_back_is_told_what_came_after_and_nothing_before() -> None:
    """From any commit on, at whichever process; 0 is the whole history."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        for step in (world.pay, world.reserve, world.book):
            await step(order_id)
        for seen in range(4):
            async with world.process(seed=seen).order("t", order_id, told_to=seen) as stream:
                assert stream is not None
                assert [one.id for one in await take(stream, 4 - seen)] == [str(n) for n in range(seen + 1, 5)]

    run_virtual(scenario)


@pytest.mark.parametrize("cut_after", range(1, 8))
def test_no_cut_loses_or_repeats_a_change(cut_after: int) -> None:
    """The connection breaks after so many events; whatever the client had, the two streams together are the history."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        seen: list[str] = []
        async with world.running(), anyio.create_task_group() as group:
            group.start_soon(world.complete, order_id)
            while len(seen) < 7:
                async with world.desk.order("t", order_id, told_to=int(seen[-1]) if seen else 0) as stream:
                    assert stream is not None
                    wanted = min(cut_after, 7 - len(seen))
                    seen += [str(one.id) for one in await take(stream, wanted)]
        assert seen == [str(n) for n in range(1, 8)]

    run_virtual(scenario)


def test_a_finished_order_ends_the_stream() -> None:
    """`end` is the last event, without an id of its own; who comes back with the last id is told not to."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        async with world.running():
            async with world.desk.order("t", order_id, told_to=0) as stream:
                assert stream is not None
                last = await world.complete(order_id)
                frames = [told(frame) for frame in await drained(stream) if frame.event in {"status", "end"}]
            assert [one.id for one in frames] == [*map(str, range(1, last + 1)), None]
            assert (frames[-1].event, frames[-1].data["status"]) == ("end", "COMPLETED")
            assert stream.closed_for == "end"
            async with world.desk.order("t", order_id, told_to=last) as again:
                assert again is None
            async with world.desk.order("t", order_id, told_to=None) as new:
                assert new is not None
                assert [told(frame).event for frame in await drained(new)] == ["retry", "status", "end"]
        assert world.desk.streams == world.desk.watched == 0

    run_virtual(scenario)


def test_a_refund_that_is_under_way_keeps_the_stream_open() -> None:
    """The order is completed, and something is still to come."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        last = await world.complete(order_id)
        await world.happen(
            order_id,
            "refund",
            decisions.request_refund,
            refund_id="r",
            lines=(Pieces(line=1, quantity=1),),
            reason=None,
        )
        async with world.running(), world.desk.order("t", order_id, told_to=last) as stream:
            assert stream is not None
            assert [one.id for one in await take(stream)] == [str(last + 1)]
            await nothing(stream, for_s=60)

    run_virtual(scenario)


def test_a_return_that_is_under_way_keeps_the_stream_open() -> None:
    """Until somebody has looked at what came, or nothing comes any more."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        last = await world.complete(order_id)
        await world.happen(
            order_id,
            "return",
            decisions.request_return,
            return_id="r",
            lines=(Pieces(line=1, quantity=1),),
            reason="other",
            approved=True,
        )
        async with world.running(), world.desk.order("t", order_id, told_to=last) as stream:
            assert stream is not None
            (told,) = await take(stream)
            assert [one["status"] for one in told.data["order"]["returns"]] == ["APPROVED"]
            await nothing(stream, for_s=60)
            await world.happen(order_id, "kept", decisions.cancel_return, return_id="r")
            assert [one.event for one in await take(stream, 2)] == ["status", "end"]

    run_virtual(scenario)


def test_an_id_from_the_future_and_an_order_that_is_not_there_are_refused() -> None:
    """Before anything is sent, and no place is kept."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        with pytest.raises(CommitAhead) as ahead:
            async with world.desk.order("t", order_id, told_to=2):
                pass
        assert (ahead.value.head_commit, ahead.value.head_version) == (1, 1)
        with pytest.raises(UnknownOrder):
            async with world.desk.order("t", NOWHERE, told_to=None):
                pass
        assert world.desk.streams == world.desk.watched == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_silence_is_broken_before_a_load_balancer_cuts_it() -> None:
    """A comment at least every 15 s, through a quarter of an hour; then the stream ends by itself, with a hint when to come back."""

    async def scenario() -> None:
        world = LiveWorld(life_spread=0)
        order_id = await world.place()
        began_s = anyio.current_time()
        gaps, spoke_s, last = [], began_s, None
        async with world.running(), world.desk.order("t", order_id, told_to=1) as stream:
            assert stream is not None
            while (frame := await stream.next()) is not None:
                gaps.append(anyio.current_time() - spoke_s)
                spoke_s, last = anyio.current_time(), frame
        assert max(gaps) <= 15
        assert anyio.current_time() - began_s == 900
        assert last is not None
        assert last.sent.startswith(b"retry: ")
        assert stream.closed_for == "life"

    run_virtual(scenario)


@pytest.mark.thorough
def test_streams_that_began_together_end_apart() -> None:
    """Or they would all come back at once, for ever."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        ends: list[float] = []

        async def client() -> None:
            async with world.desk.order("t", order_id, told_to=1) as stream:
                assert stream is not None
                await drained(stream)
                ends.append(anyio.current_time())

        async with world.running(), anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client)
            await anyio.sleep(1_000)
        assert max(ends) - min(ends) > 90

    run_virtual(scenario)


def test_a_stop_ends_every_stream_at_once_with_a_hint() -> None:
    """The server has seconds to stop; a client comes back to another process with its last id. No new one is let in."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        ended: list[str | None] = []

        async def client() -> None:
            async with world.desk.order("t", order_id, told_to=1) as stream:
                assert stream is not None
                frames = await drained(stream)
                assert frames[-1].event == "retry"
                ended.append(stream.closed_for)

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(client)
            async with world.running():
                await anyio.sleep(33)
            stopped_s = anyio.current_time()
        assert anyio.current_time() == stopped_s
        assert ended == ["drain"] * 5
        with pytest.raises(Exception, match="about to stop"):
            async with world.desk.order("t", order_id, told_to=1):
                pass
        assert world.measures.refused == ["stopping"]

    run_virtual(scenario)


def test_a_stop_is_heard_while_the_log_cannot_be_read() -> None:
    """A stream that waits for its next try does not hold up the end."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        ended: list[str | None] = []

        async def client() -> None:
            async with world.desk.order("t", order_id, told_to=1) as stream:
                assert stream is not None
                await drained(stream)
                ended.append(stream.closed_for)

        async with anyio.create_task_group() as group:
            async with world.running():
                group.start_soon(client)
                await anyio.sleep(1)
                world.tail.failure = Throttled("Query", tries=3)
                await world.pay(order_id)
                await anyio.sleep(100)
            stopped_s = anyio.current_time()
        assert anyio.current_time() == stopped_s
        assert ended == ["drain"]

    run_virtual(scenario)


@pytest.mark.thorough
def test_trouble_is_sat_out_and_nothing_is_lost() -> None:
    """Views and log fail for ten minutes; the client hears comments only, then everything that happened. Tries grow rare meanwhile."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        async with world.running(), world.desk.order("t", order_id, told_to=1) as stream:
            assert stream is not None
            await nothing(stream, for_s=10)
            world.statuses.failure, world.tail.failure = ViewsUnavailable("down"), Throttled("Query", tries=3)
            await world.pay(order_id)
            await nothing(stream, for_s=300)
            looks = len(world.measures.failed)
            assert 10 <= looks <= 35
            world.statuses.failure = None
            await nothing(stream, for_s=300)
            assert len(world.measures.failed) - looks <= 20
            world.tail.failure = None
            await world.reserve(order_id)
            assert [one.id for one in await take(stream, 2)] == ["2", "3"]

    run_virtual(scenario)


def test_views_that_stand_still_delay_a_change_by_a_minute_at_most() -> None:
    """The projector is down; the log is looked at too, if seldom."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        async with world.running(), world.desk.order("t", order_id, told_to=1) as stream:
            assert stream is not None
            await nothing(stream, for_s=100)
            began_s, reads = anyio.current_time(), len(world.tail.reads)
            assert reads <= 3
            await world.pay(order_id, seen=False)
            assert [one.id for one in await take(stream)] == ["2"]
            assert anyio.current_time() - began_s <= 60

    run_virtual(scenario)


def test_an_order_that_cannot_be_read_says_so_and_ends() -> None:
    """Coming back at once does not help: the hint is a minute."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()
        async with world.running(), world.desk.order("t", order_id, told_to=1) as stream:
            assert stream is not None
            await nothing(stream, for_s=1)
            world.tail.failure = CorruptCommit("main/order-x", 2, "it was changed")
            await world.pay(order_id)
            frames = await drained(stream)
        assert frames[-2].sent == b"retry: 60000\n\n"
        assert told(frames[-1]).data == {"code": "unreadable_order"}
        assert stream.closed_for == "failed"
        assert world.measures.closed == [("order", "failed")]

    run_virtual(scenario)
