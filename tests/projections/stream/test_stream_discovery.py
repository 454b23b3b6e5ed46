"""What finding shards costs: few calls of the two operations whose limits a whole account shares, and no child that is not found."""

from dataclasses import replace

import anyio
import pytest

from projections.stream import GapCause, StreamSettings
from projections.stream.dynamo_source import STREAMS_LISTED_EVERY_S
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.world import FAST, both_own, caught_up, until, world
from tests.virtual_time import run_virtual

MINUTE = StreamSettings(discovery_interval_s=60)


def calls(stream: FakeStream, before: dict[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in stream.api.calls.items()}


@pytest.mark.parametrize(("shards", "ends"), [(1, 20), pytest.param(150, 4, marks=pytest.mark.thorough)])
def test_a_shard_s_end_costs_one_small_question(shards: int, ends: int) -> None:
    """A roll-over every 30 s: at most one question for children each. The timer alone lists shards, and hardly ever streams."""

    async def scenario() -> None:
        stream = FakeStream(shards=shards)
        async with world(stream, heals=False) as here:
            await here.start(settings=MINUTE)
            await anyio.sleep(40)  # the bootstrap is over
            before = dict(stream.api.calls)
            for _ in range(ends):
                stream.roll_over(stream.open_shards()[0])
                stream.put("order-1")
                await anyio.sleep(30)
            await here.settled()
            made = calls(stream, before)
            pages = 1 + shards // 100
            listings = ends * 30 / (60 * 0.8) + 1
            assert ends * 0.8 <= made["describe_children"] <= ends  # now and then the timer is quicker
            assert here.projection.holes == []
            assert made["describe_stream"] - made["describe_children"] <= listings * pages
            assert made["list_streams"] <= ends * 30 / STREAMS_LISTED_EVERY_S + 1

    run_virtual(scenario)


def test_many_ends_at_once_cost_one_listing() -> None:
    """Asking for the children of each of fifty shards would be fifty calls, and ten a second are allowed."""

    async def scenario() -> None:
        stream = FakeStream(shards=50)
        async with world(stream, heals=False) as here:
            worker = await here.start(settings=MINUTE)
            await until(lambda: worker.watch.owned == 50, within_s=60)
            before = dict(stream.api.calls)
            stream.roll_over()
            await until(lambda: len(worker.watch.taken) == 100, within_s=30)
            assert calls(stream, before)["describe_stream"] <= 12
            assert worker.watch.counts.get("unavailable coordinate", 0) == 0

    run_virtual(scenario)


@pytest.mark.parametrize("filter_is", ["known", "refused", "ignored", "empty"])
@pytest.mark.parametrize("late_child_s", [0.0, 4.0])
def test_children_are_found_soon_whatever_the_service_makes_of_the_question(
    filter_is: str, late_child_s: float
) -> None:
    """A service that refuses it is asked once; one that answers with nothing, or with everything, is not believed."""

    async def scenario() -> None:
        stream = FakeStream(seed=5, shards=2, faults=Faults(late_child_s=late_child_s))
        stream.api.filter_is = filter_is
        async with world(stream, heals=False) as here:
            await here.start(settings=StreamSettings(discovery_interval_s=100))
            await anyio.sleep(20)
            for _ in range(8):
                stream.put("order-1")
                if late_child_s or len(stream.shards) > 6:
                    stream.roll_over()
                else:
                    stream.split(stream.open_shards()[0])
                stream.put("order-1")
                stream.put("order-2")
                await here.settled(within_s=12)
            assert here.projection.holes == []
            if filter_is == "refused":
                assert stream.api.calls["describe_children"] == 1

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_shard_that_came_and_ended_since_a_worker_s_listing_is_not_taken_for_gone() -> None:
    """Its row is the only witness of children that nobody lists yet: tidied away, what they hold would be missed, or read twice."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        async with world(stream, heals=False) as here:
            first = await here.start(settings=StreamSettings(discovery_interval_s=100))
            second = await here.start(settings=StreamSettings(discovery_interval_s=100))
            await both_own(first, second, 1)
            await anyio.sleep(20)
            parent = stream.shards[first.watch.taken[-1]]
            stream.roll_over(parent)
            (child,) = [shard for shard in stream.open_shards() if shard.parents == (parent.id,)]
            await until(lambda: child.id in {*first.watch.taken, *second.watch.taken}, within_s=10)
            for number in range(10):
                stream.put(f"order-{number}")
            await here.settled()
            assert child.records
            stream.roll_over(child)
            (grandchild,) = [shard for shard in stream.open_shards() if shard.parents == (child.id,)]
            grandchild.listed_from_s = anyio.current_time() + 30
            for _ in range(100):
                await anyio.sleep(0.2)
                assert child.id in await here.leases()
            await here.write_for(20)
            await here.settled()
            assert here.projection.duplicates == 0
            assert here.causes == []

    run_virtual(scenario)


def test_a_question_for_children_that_fails_is_asked_again() -> None:
    """Trouble with one call delays a child and loses none."""

    async def scenario() -> None:
        stream = FakeStream(seed=2)
        async with world(stream, heals=False) as here:
            await here.start(settings=StreamSettings(discovery_interval_s=100))
            await anyio.sleep(20)
            for _ in range(6):
                stream.faults = replace(stream.faults, listing_failure=1.0)
                stream.roll_over()
                await anyio.sleep(3)
                stream.faults = replace(stream.faults, listing_failure=0.0)
                stream.put("order-1")
                await here.settled(within_s=25)
            assert here.projection.holes == []

    run_virtual(scenario)


def test_the_streams_of_the_table_are_listed_when_the_known_one_is_not_enabled_any_more() -> None:
    """A disabled stream goes on to answer: by its state the reader knows that there may be another. What neither held the table gives."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            worker = await here.start()
            await anyio.sleep(5)
            for _ in range(3):
                stream.put("order-1")
            stream.faults = replace(stream.faults, throttle=1.0)  # nobody reads these from the old stream
            for _ in range(3):
                stream.put("order-1")
            stream.disable()
            stream.put("order-1")  # in no stream
            stream.enable()
            stream.put("order-1")
            stream.faults = replace(stream.faults, throttle=0.0)
            old = {shard.id for shard in stream.api.streams[0].shards.values()}
            enabled_at_s = anyio.current_time()
            await until(lambda: bool(worker.watch.gaps), within_s=2 * FAST.discovery_interval_s)
            await here.settled()
            assert {cause for cause, _ in worker.watch.gaps} == {GapCause.STREAM_REPLACED}
            await here.write_for(20)
            await here.settled()
            read_late = {shard for at_s, shard in stream.reads if at_s > enabled_at_s + 2 * FAST.discovery_interval_s}
            assert not read_late & old
            assert {row.stream for row in (await here.leases()).values()} == {stream.arn}

    run_virtual(scenario)
