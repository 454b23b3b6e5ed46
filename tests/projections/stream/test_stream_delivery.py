"""Every record arrives, and an item's records arrive in order, whatever the stream does."""

import anyio
import pytest

from projections.stream import StreamSettings
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.world import FAST, world
from tests.virtual_time import run_virtual


def test_records_arrive_in_order_and_once() -> None:
    """Without a fault nothing is repeated either."""

    async def scenario() -> None:
        async with world(FakeStream(), heals=False) as here:
            worker = await here.start()
            await here.write_for(60)
            await here.settled()
            assert here.projection.holes == []
            assert here.projection.duplicates == 0
            assert worker.watch.gaps == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_shards_that_roll_over_split_and_merge_lose_nothing_and_keep_the_order() -> None:
    """An item's later records are in the children: they are read after the parents, both parents of a merge included."""

    async def scenario() -> None:
        stream = FakeStream(seed=3, shards=2)
        async with world(stream, heals=False) as here:
            worker = await here.start()
            here.tasks.start_soon(here.write_for, 90)
            for step in range(18):
                await anyio.sleep(5)
                shards = stream.open_shards()
                if step % 3 == 0:
                    stream.roll_over()
                elif step % 3 == 1:
                    stream.split(shards[0])
                else:
                    stream.merge(shards[0], shards[1])
            await here.settled()
            assert here.projection.holes == []
            assert worker.watch.gaps == []

    run_virtual(scenario)


def test_a_merged_shard_waits_for_both_parents() -> None:
    """One parent that is still being read keeps the child back."""

    async def scenario() -> None:
        stream = FakeStream(shards=2, page_max=1)
        left, right = stream.open_shards()
        for number in range(60):
            stream.put(f"order-{number % 6}")
        stream.merge(left, right)
        for number in range(60):
            stream.put(f"order-{number % 6}")
        async with world(stream, heals=False) as here:
            await here.start()
            await here.settled()
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_parent_that_is_still_open_in_the_listing_is_read_before_its_child() -> None:
    """The listing may show a child before it shows the parent as closed."""

    async def scenario() -> None:
        stream = FakeStream(page_max=2)
        parent = stream.open_shards()[0]
        for _ in range(20):
            stream.put("order-1")
        stream.roll_over(parent)
        stream.put("order-1")
        parent.closed = False  # the child is listed and has records, the parent does not end yet
        async with world(stream, heals=False) as here:
            await here.start()
            await anyio.sleep(30)
            assert here.projection.last == {"order-1": 20}
            parent.closed = True
            await here.settled()
            assert here.projection.holes == []

    run_virtual(scenario)


def test_children_that_are_listed_late_are_found_at_once_when_they_come() -> None:
    """Right after a shard's end its child may be missing from the listing several times; a timer alone would take a minute."""

    async def scenario() -> None:
        stream = FakeStream(seed=5, faults=Faults(late_child_s=4))
        async with world(stream, heals=False) as here:
            await here.start(settings=StreamSettings(discovery_interval_s=100))
            for _ in range(10):
                stream.put("order-1")
                stream.roll_over()
                stream.put("order-1")
                await here.settled(within_s=12)
            assert here.projection.holes == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_child_that_stays_away_longer_than_the_quick_looks_is_found_by_the_timer() -> None:
    """Quick listings are bounded; the timer goes on."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start(settings=StreamSettings(discovery_interval_s=100))
            await anyio.sleep(40)  # the bootstrap is over
            stream.roll_over()
            child = stream.open_shards()[0]
            child.listed_from_s = anyio.current_time() + 300
            stream.put("order-1")
            before = stream.listings
            await anyio.sleep(60)
            assert stream.listings - before <= FAST.child_retries_max + 3
            await here.settled(within_s=600)
            assert worker.watch.gaps == []

    run_virtual(scenario)


def test_a_listing_that_shows_a_child_before_its_parent_is_looked_at_twice() -> None:
    """A moment's inconsistency is no gap, and the child still waits for its parent."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await anyio.sleep(20)
            stream.roll_over()
            middle = stream.open_shards()[0]
            middle.listed_from_s = anyio.current_time() + 0.5
            for _ in range(5):
                stream.put("order-1")
            stream.roll_over()
            stream.put("order-1")
            await here.settled()
            assert worker.watch.gaps == []
            assert here.projection.holes == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_more_shards_than_a_page_of_the_listing_are_all_read() -> None:
    """One worker reads some hundreds of shards at once."""

    async def scenario() -> None:
        stream = FakeStream(shards=150)
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await here.write_for(20, rate=30, keys=500)
            await here.settled()
            assert worker.watch.owned == 150
            assert here.projection.holes == []

    run_virtual(scenario)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_and_order_is_kept_under_all_faults_at_once(seed: int) -> None:
    """Roll-overs, splits, merges, late children, throttling, failures, lost answers, expiry and empty pages, by seed."""

    async def scenario() -> None:
        faults = Faults(
            throttle=0.1,
            unavailable=0.05,
            lost_answer=0.05,
            expire=0.05,
            empty_page=0.3,
            listing_failure=0.2,
            late_child_s=3,
        )
        stream = FakeStream(seed=seed, shards=2, faults=faults, page_max=7)
        async with world(stream, heals=False) as here:
            worker = await here.start()
            here.projection.fail_after_effect = 3
            here.tasks.start_soon(here.write_for, 120)
            for _ in range(24):
                await anyio.sleep(5)
                shards = stream.open_shards()
                choice = stream.random.randrange(3)
                if choice == 0:
                    stream.roll_over(stream.random.choice(shards))
                elif choice == 1 and len(shards) < 6:
                    stream.split(stream.random.choice(shards))
                elif len(shards) > 1:
                    stream.merge(*stream.random.sample(shards, 2))
            await here.settled(within_s=600)
            assert here.projection.holes == []
            assert worker.watch.gaps == []

    run_virtual(scenario)
