"""After a restore: what the stream tells of history is passed over, and what comes after it is not."""

from functools import partial
from random import Random

import anyio
import pytest

from projections.stream import MemoryLeaseStore, StreamReader
from projections.stream.passing_over import StreamStuck, pass_over
from tests.projections.stream.fake_stream import FakeStream, Faults, wall_ms
from tests.projections.stream.world import FAST, Projection
from tests.seeds import seeds
from tests.virtual_time import run_virtual


class Scene:
    def __init__(self, **options: object) -> None:
        self.stream = FakeStream(**options)
        self.leases = MemoryLeaseStore()
        self.world = Projection(self.stream)
        self.world.heals = True

    async def pass_over(self, **options: float) -> int:
        return await pass_over(
            "relay",
            source=self.stream.source("reader"),
            leases=self.leases,
            owner=f"restore-{self.stream.random.random()}",
            now_ms=wall_ms,
            random=Random(1),
            settings=FAST,
            **options,
        )

    async def live(self, seconds: float) -> None:
        """The relay starts, and delivers what it finds."""
        reader = StreamReader(
            subscription="relay",
            source=self.stream.source("reader"),
            leases=self.leases,
            subscriber=self.world,
            owner=f"relay-{self.stream.random.random()}",
            now_ms=wall_ms,
            random=Random(2),
            settings=FAST,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.run)
            await anyio.sleep(seconds)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seed", seeds(1, range(5)))
def test_what_stood_there_is_never_delivered_and_what_follows_is(seed: int) -> None:
    """Several shards that roll over and split meanwhile, on a service that misbehaves: not one record of history, every one after."""

    async def scenario() -> None:
        faults = Faults(throttle=0.1, unavailable=0.1, expire=0.1, empty_page=0.3, late_child_s=2.0)
        scene = Scene(seed=seed, shards=3, faults=faults, page_max=7)
        for number in range(200):
            scene.stream.put(f"old-{number % 40}")
            if number == 90:
                scene.stream.roll_over()
            if number == 150:
                scene.stream.split(scene.stream.open_shards()[0])

        assert await scene.pass_over() >= 200
        for number in range(30):
            scene.stream.put(f"new-{number}")
        await scene.live(120)

        assert scene.world.backfills == []
        assert set(scene.world.seen) == {f"new-{number}" for number in range(30)}

    run_virtual(scenario)


def test_an_empty_stream_is_passed_over_too() -> None:
    """The relay that starts there back-fills nothing: its subscription has run."""

    async def scenario() -> None:
        scene = Scene()
        assert await scene.pass_over() == 0
        scene.stream.put("new")
        await scene.live(60)
        assert (set(scene.world.seen), scene.world.backfills) == ({"new"}, [])

    run_virtual(scenario)


def test_without_passing_over_a_first_start_would_publish_all_of_it() -> None:
    """Why this is needed at all: a subscription that has never run back-fills from the beginning of time."""

    async def scenario() -> None:
        scene = Scene()
        scene.stream.put("old")
        await scene.live(60)
        assert set(scene.world.seen) == {"old"}
        assert scene.world.backfills == [0]

    run_virtual(scenario)


@pytest.mark.thorough
def test_interrupted_it_begins_again() -> None:
    """Cut off at any moment: the next run comes to the same end."""

    async def scenario() -> None:
        for patience_s in (0.1, 0.5, 1.0, 2.0, 4.0):
            scene = Scene(shards=2, page_max=3)
            for number in range(50):
                scene.stream.put(f"old-{number % 7}")
            with anyio.move_on_after(patience_s):
                await scene.pass_over()
            await anyio.sleep(20)  # the leases of the dead one expire
            await scene.pass_over()
            scene.stream.put("new")
            await scene.live(60)
            assert set(scene.world.seen) == {"new"}

    run_virtual(scenario)


def test_a_stream_that_does_not_move_is_given_up() -> None:
    """It says so and can be started again; it does not report an end that it has not seen."""

    async def scenario() -> None:
        scene = Scene()
        scene.stream.put("old")
        scene.stream.down = True
        with pytest.raises(StreamStuck, match="nothing moved for 120 s"):
            await scene.pass_over()
        scene.stream.down = False
        assert await scene.pass_over() == 1

    run_virtual(scenario)


def test_a_record_that_shows_late_is_waited_for() -> None:
    """A write that was acknowledged just before may show in the stream a moment later."""

    async def scenario() -> None:
        scene = Scene()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(scene.pass_over, settle_s=5))
            await anyio.sleep(3)
            scene.stream.put("old, shown late")
        await scene.live(60)
        assert scene.world.seen == {}

    run_virtual(scenario)
