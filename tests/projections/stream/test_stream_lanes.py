"""Orders of one shard side by side, each in its own order; a slow or failing one holds up only what shares its call."""

from dataclasses import replace

import anyio
import pytest

from projections.stream.leases import AT_TRIM_HORIZON
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.lanes_watched import lanes_of
from tests.projections.stream.world import FAST, until, world
from tests.virtual_time import run_virtual


def test_a_slow_order_does_not_hold_up_the_others_and_keeps_its_own_order() -> None:
    """What came after it in the shard is done long before it; nothing of one order overlaps."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            await here.start()
            await anyio.sleep(10)
            projection.slow = {"order-0": 5.0}
            stream.put("order-0")
            await anyio.sleep(1)
            began_s = anyio.current_time()
            here.tasks.start_soon(here.write_for, 20)
            stream.put("order-1")
            await until(lambda: "order-1" in projection.last, within_s=3)
            assert anyio.current_time() - began_s < 3
            assert "order-0" not in projection.last
            await here.settled()
            assert projection.holes == projection.overlaps == []
            assert projection.duplicates == 0
            assert projection.most_at_once > 1

    run_virtual(scenario)


def test_without_lanes_a_shard_is_applied_one_call_after_the_other() -> None:
    """The caller who says nothing of orders gets the shard's order."""

    async def scenario() -> None:
        stream = FakeStream(page_max=1)
        async with world(stream) as here:
            projection = lanes_of(here)
            here.lane_of = None
            projection.slow = {"order-3": 1.0}
            await here.start()
            await here.write_for(20)
            await here.settled()
            assert projection.most_at_once == 1
            assert projection.holes == []

    run_virtual(scenario)


def test_a_poisoned_order_waits_and_the_checkpoint_waits_with_it_while_the_others_go_on() -> None:
    """The low-water mark: what is stored is the record before the first that is not durable. A crash repeats, and loses nothing."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            first = await here.start()
            await anyio.sleep(10)
            last_before = stream.put("order-1")
            await here.settled()
            await anyio.sleep(2)
            projection.poisoned = {"order-0"}
            stream.put("order-0")
            await anyio.sleep(1)
            for number in range(1, 40):
                stream.put(f"order-{number}")
                await anyio.sleep(0.2)
            await until(lambda: projection.last.get("order-39") == 1, within_s=20)
            assert [key for key in projection.missing() if not key.startswith("order-0:")] == []
            (row,) = (await here.leases()).values()
            assert row.checkpoint == last_before.sequence_number
            await first.kill()
            projection.poisoned = set()
            await here.start()
            await here.settled()
            await anyio.sleep(10)
            assert projection.duplicates >= 39
            (row,) = (await here.leases()).values()
            assert row.checkpoint == stream.table[-1].sequence_number

    run_virtual(scenario)


@pytest.mark.thorough
def test_reading_stops_at_the_bound_of_what_is_under_way() -> None:
    """A subscriber that stands still does not fill the memory; the checkpoint stays where it was."""

    async def scenario() -> None:
        stream = FakeStream(page_max=10)
        async with world(stream) as here:
            projection = lanes_of(here)
            projection.poisoned = {f"order-{number}" for number in range(50)}
            worker = await here.start(settings=replace(FAST, records_in_flight_max=40))
            for number in range(400):
                stream.put(f"order-{number % 50}")
            await anyio.sleep(120)
            assert worker.watch.records_read_count == 40
            (row,) = (await here.leases()).values()
            assert row.checkpoint == AT_TRIM_HORIZON
            projection.poisoned = set()
            await here.settled()
            assert projection.holes == []

    run_virtual(scenario)


def test_a_small_page_is_one_call_and_a_large_one_is_spread() -> None:
    """Calls cost the same whatever they carry; so few records stay together, many use all lanes."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            await here.start()
            await anyio.sleep(10)
            for number in range(20):
                stream.put(f"order-{number}")
            await here.settled()
            assert projection.batches == [20]
            for number in range(800):
                stream.put(f"order-{number}")
            await here.settled()
            assert projection.batches[1:] == [100] * 8
            assert projection.most_at_once == 8

    run_virtual(scenario)


def test_a_shard_is_over_only_when_its_last_record_is_durable() -> None:
    """The children wait for what is still under way in the parent."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            worker = await here.start()
            await anyio.sleep(10)
            projection.slow = {"order-0": 8.0}
            stream.put("order-0")
            stream.roll_over()
            stream.put("order-0")
            stream.put("order-1")
            await anyio.sleep(6)
            assert "shard_finished" not in worker.watch.counts
            assert projection.last == {}
            await here.settled()
            assert projection.holes == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_shard_that_is_handed_over_ends_what_is_under_way_first() -> None:
    """Nothing is done twice because a second worker came."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        async with world(stream) as here:
            projection = lanes_of(here)
            first = await here.start()
            await until(lambda: first.watch.owned == 2, within_s=20)
            projection.slow = {f"order-{number}": 2.0 for number in range(20)}
            here.tasks.start_soon(here.write_for, 60)
            second = await here.start()
            await until(lambda: first.watch.owned == second.watch.owned == 1, within_s=30)
            await here.settled()
            assert projection.duplicates == 0
            assert projection.holes == projection.overlaps == []

    run_virtual(scenario)
