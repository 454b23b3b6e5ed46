"""The one watcher: few looks, shared, paced; places are bounded and given back."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

import anyio
import pytest

from projections.live.observe import SilentLiveObserver
from projections.live.pace import pause_s, trouble_pause_s
from projections.live.settings import LiveSettings
from projections.live.slots import Refused
from projections.live.stream import Stream
from projections.live.watching import KEYS_PER_LOOK, Key, Watching
from tests.projections.live.world import LiveWorld, drained, take
from tests.virtual_time import run_virtual


class Levels:
    """What looks see; each call is remembered."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.calls: list[list[str]] = []
        self.asked = anyio.Event()

    async def look(self, ids: Sequence[str]) -> Mapping[str, int]:
        self.calls.append(list(ids))
        self.asked.set()
        await anyio.sleep(0.01)
        return {one: self.now[one] for one in ids if one in self.now}


def watching(levels: Levels) -> Watching:
    return Watching({"order": levels.look}, settings=LiveSettings(), random=Random(7), observer=SilentLiveObserver())


def test_the_pause_follows_the_quiet() -> None:
    """Half a second after a move, five seconds after a minute without one; what has ended is looked at every two minutes."""
    settings = LiveSettings()

    assert [pause_s(quiet, calm=False, settings=settings) for quiet in (0, 5, 20, 50, 1e9)] == [0.5, 0.5, 2, 5, 5]
    assert pause_s(0, calm=True, settings=settings) == 120
    assert [trouble_pause_s(failures, settings) for failures in (1, 2, 3, 4, 5, 10**6)] == [2, 4, 8, 16, 30, 30]


def test_many_clients_of_one_order_are_one_look() -> None:
    """Two hundred watch one order for ten minutes: it is looked at some 120 times, as for one."""

    async def scenario() -> None:
        levels = Levels()
        watcher = watching(levels)
        async with anyio.create_task_group() as group:
            await group.start(watcher.run)
            watches = []
            for _ in range(200):
                watches.append(watcher.watch())
                watches[-1].__enter__().follow(Key("order", "a"), 0)
            await anyio.sleep(600)
            group.cancel_scope.cancel()
        assert 100 <= len(levels.calls) <= 200
        assert all(call == ["a"] for call in levels.calls)

    run_virtual(scenario)


@pytest.mark.thorough
def test_many_orders_share_a_call() -> None:
    """A thousand orders, a hundred to a call: two hundred keys a second are two or three calls."""

    async def scenario() -> None:
        levels = Levels()
        watcher = watching(levels)
        async with anyio.create_task_group() as group:
            await group.start(watcher.run)
            with watcher.watch() as watch:
                for number in range(1_000):
                    watch.follow(Key("order", str(number)), 0)
                await anyio.sleep(300)
                calls, keys = len(levels.calls), sum(map(len, levels.calls))
            await anyio.sleep(300)
            assert len(levels.calls) == calls, "nobody waits, nobody looks"
            group.cancel_scope.cancel()
        assert max(map(len, levels.calls)) <= KEYS_PER_LOOK
        assert keys / 300 < 320
        assert calls / 300 < 8

    run_virtual(scenario)


def test_whoever_waits_is_rung_and_nobody_else() -> None:
    """Also for a move that was seen before one began to wait; a level that was seen already rings nobody."""

    async def scenario() -> None:
        levels = Levels()
        watcher = watching(levels)
        async with anyio.create_task_group() as group:
            await group.start(watcher.run)
            with watcher.watch() as one, watcher.watch() as other:
                one.follow(Key("order", "a"), 0)
                other.follow(Key("order", "b"), 0)
                levels.now["a"] = 3
                with anyio.fail_after(2):
                    await one.wait()
                assert one.moved == (Key("order", "a"),)
                with watcher.watch() as late:
                    late.follow(Key("order", "a"), 2)
                    with anyio.fail_after(0):
                        await late.wait()
                one.follow(Key("order", "a"), 3)
                for watch in (one, other):
                    with anyio.move_on_after(60) as scope:
                        await watch.wait()
                    assert scope.cancelled_caught
            group.cancel_scope.cancel()

    run_virtual(scenario)


def test_a_thing_that_is_left_while_it_is_looked_at_harms_nothing() -> None:
    """The client left between the question and the answer."""

    async def scenario() -> None:
        levels = Levels()
        watcher = watching(levels)
        async with anyio.create_task_group() as group:
            await group.start(watcher.run)
            for _ in range(50):
                with watcher.watch() as watch:
                    watch.follow(Key("order", "a"), 0)
                    await levels.asked.wait()
                levels.asked = anyio.Event()
                levels.now["a"] = levels.now.get("a", 0) + 1
            assert watcher.things == 0
            group.cancel_scope.cancel()

    run_virtual(scenario)


def test_places_are_bounded_for_the_process_and_for_each_token_and_given_back() -> None:
    """One client's mistake does not shut out the others; whoever leaves makes room at once."""

    async def scenario() -> None:
        world = LiveWorld(streams_max=3, streams_per_token_max=2)
        order_id = await world.place()

        def open_one(token: str) -> AbstractAsyncContextManager[Stream | None]:
            return world.desk.order(token, order_id, told_to=None)

        async with open_one("a"), open_one("a"):
            with pytest.raises(Refused, match="this token has 2"):
                async with open_one("a"):
                    pass
            async with open_one("b"):
                with pytest.raises(Refused, match="this process serves 3"):
                    async with open_one("c"):
                        pass
            async with open_one("c"):
                assert world.desk.streams == 3
        assert (world.desk.streams, world.desk.watched) == (0, 0)
        assert world.measures.refused == ["token_full", "process_full"]

    run_virtual(scenario)


def test_a_client_that_goes_leaves_nothing_behind() -> None:
    """Cancelled at any moment: before the first read, in it, while it waits."""

    async def scenario() -> None:
        world = LiveWorld()
        order_id = await world.place()

        async def client() -> None:
            async with world.desk.customer("t", "C-1", position=None) as stream:
                await drained(stream)

        async def follow() -> None:
            async with world.desk.order("t", order_id, told_to=None) as stream:
                assert stream is not None
                await take(stream, 100, within_s=1_000)

        for work in (client, follow):
            for pause in (0, 0.001, 0.3, 1.0, 20.0):
                async with world.running(world.process()):
                    with anyio.move_on_after(pause):
                        await work()
                    assert (world.desk.streams, world.desk.watched) == (0, 0)

    run_virtual(scenario)


class Stubborn(Levels):
    """A look that fails in a way that nobody foresaw, while `error` is set."""

    error: Exception | None = None

    async def look(self, ids: Sequence[str]) -> Mapping[str, int]:
        if self.error is not None:
            raise self.error
        return await super().look(ids)


def test_an_error_that_nobody_foresaw_does_not_end_the_watch() -> None:
    """It runs beside the API: if it ended, so would every request of the process. It is told of, and looked again more and more seldom."""

    async def scenario() -> None:
        failed: list[Exception] = []

        class Noting(SilentLiveObserver):
            def look_failed(self, *, what: str, error: Exception) -> None:
                failed.append(error)

        levels = Stubborn()
        levels.error = PermissionError("a right was taken away")
        watcher = Watching({"order": levels.look}, settings=LiveSettings(), random=Random(7), observer=Noting())
        async with anyio.create_task_group() as group:
            await group.start(watcher.run)
            with watcher.watch() as watch:
                watch.follow(Key("order", "a"), 1)
                await anyio.sleep(600)
                assert 10 < len(failed) < 60
                assert not watcher.stopped
                levels.error = None
                levels.now["a"] = 2
                with anyio.fail_after(LiveSettings().trouble_pause_max_s + 1):
                    await watch.wait()
                assert watch.moved == (Key("order", "a"),)
            group.cancel_scope.cancel()

    run_virtual(scenario)
