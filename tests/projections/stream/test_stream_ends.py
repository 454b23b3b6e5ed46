"""Clocks, crashes and good ends: what the next worker finds, and what it costs."""

from dataclasses import replace
from random import Random

import anyio
import pytest

from projections.stream import LeaseLost, MemoryLeaseStore, StreamReader, StreamSettings
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.world import FAST, both_own, until, world
from tests.virtual_time import run_virtual


@pytest.mark.thorough
def test_wall_clocks_that_differ_by_hours_do_not_matter_to_the_leases() -> None:
    """Only counters and monotonic clocks decide."""

    async def scenario() -> None:
        stream = FakeStream(shards=4)
        async with world(stream, heals=False) as here:
            here.tasks.start_soon(here.write_for, 60)
            first = await here.start(skew_ms=-3 * 3_600_000)
            second = await here.start(skew_ms=5 * 3_600_000)
            await both_own(first, second, 2)
            await here.settled(within_s=120)
            await anyio.sleep(300)
            assert here.projection.holes == []
            assert here.projection.duplicates == 0
            assert "lease_lost" not in first.watch.counts | second.watch.counts

    run_virtual(scenario)


def test_a_crash_between_effect_and_checkpoint_repeats_the_records() -> None:
    """At least once, never at most once: the checkpoint only follows."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            first = await here.start()
            await anyio.sleep(20)
            first.machine.cut_off = True  # no checkpoint gets out any more
            for _ in range(5):
                stream.put("order-1")
            await here.settled(within_s=5)
            await first.kill()
            await here.start()
            await until(lambda: here.projection.duplicates == 5, within_s=60)
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_crash_before_the_effect_loses_nothing() -> None:
    """Nothing is stored as applied that was only read."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            first = await here.start()
            await anyio.sleep(20)
            here.projection.apply_s = 1_000
            stream.put("order-1")
            await anyio.sleep(10)
            await first.kill()
            here.projection.apply_s = 0
            await here.start()
            await here.settled()
            assert here.projection.duplicates == 0

    run_virtual(scenario)


def test_stopping_stores_progress_and_frees_the_leases_within_its_bound() -> None:
    """The next start goes on at once and repeats nothing."""

    async def scenario() -> None:
        stream = FakeStream(shards=3)
        async with world(stream, heals=False) as here:
            first = await here.start()
            await here.write_for(20)
            await here.settled()
            began_s = anyio.current_time()
            await first.stop()
            assert anyio.current_time() - began_s < FAST.stop_timeout_s
            rows = await here.store.rows("views")
            assert {row.owner for row in rows} == {None}
            assert first.watch.counts["lease_released"] == 3
            second = await here.start()
            assert second.watch.owned == 3
            await here.write_for(10)
            await here.settled()
            assert here.projection.duplicates == 0

    run_virtual(scenario)


def test_stopping_while_the_leases_are_out_of_reach_ends_in_time_all_the_same() -> None:
    """A bounded farewell."""

    async def scenario() -> None:
        stream = FakeStream(shards=3)
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(10)
            worker.machine.frozen = anyio.Event()
            began_s = anyio.current_time()
            await worker.stop()
            assert anyio.current_time() - began_s <= 2 * FAST.stop_timeout_s + 1

    run_virtual(scenario)


@pytest.mark.thorough
def test_checkpoints_are_written_at_most_once_a_second_for_a_busy_shard() -> None:
    """A write for each page would cost more than the reading."""

    async def scenario() -> None:
        stream = FakeStream(page_max=1)
        async with world(stream, heals=False) as here:
            await here.start()
            await anyio.sleep(20)
            (before,) = (await here.leases()).values()
            await here.write_for(100, rate=10)
            (after,) = (await here.leases()).values()
            assert after.counter - before.counter <= 125
            assert after.counter - before.counter >= 90

    run_virtual(scenario)


@pytest.mark.thorough
def test_an_idle_shard_costs_only_its_renewals() -> None:
    """The low-water mark rides on them."""

    async def scenario() -> None:
        async with world(FakeStream()) as here:
            await here.start()
            await anyio.sleep(20)
            (before,) = (await here.leases()).values()
            await anyio.sleep(1_000)
            (after,) = (await here.leases()).values()
            assert after.counter - before.counter <= 1_000 / FAST.renew_interval_s + 1
            assert after.caught_up_to_ms - before.caught_up_to_ms > 980_000

    run_virtual(scenario)


def test_a_lease_row_that_was_deleted_by_hand_comes_back() -> None:
    """The owner stops at its next write; the shard is leased anew and read from the start: repeated, not lost."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await here.write_for(10)
            row = next(iter((await here.leases()).values()))
            await here.store.remove(row)
            await until(lambda: worker.watch.counts.get("lease_lost") == 1, within_s=20)
            await here.write_for(20)
            await here.settled()
            assert worker.watch.owned == 2

    run_virtual(scenario)


@pytest.mark.thorough
def test_finished_leases_do_not_pile_up() -> None:
    """A day of roll-overs leaves about as many rows as the stream lists shards."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start(settings=StreamSettings(discovery_interval_s=100))
            for _ in range(30):
                stream.put("order-1")
                stream.roll_over()
                await anyio.sleep(60)
                stream.trim(older_than_s=300)
            await here.settled()
            rows = await here.leases()
            assert set(stream.shards) <= set(rows)
            # A row goes at the second listing without its shard: 200 s at most, in which three more shards end.
            assert len(rows) <= len(stream.shards) + 4
            assert worker.watch.gaps == []
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_reader_runs_once() -> None:
    """Its owner id must not come back."""

    async def scenario() -> None:
        async with world(FakeStream()) as here:
            reader = StreamReader(
                subscription="views",
                source=here.stream.source("task/x"),
                leases=MemoryLeaseStore(),
                subscriber=here.projection,
                owner="task/x",
                now_ms=lambda: 0,
                random=Random(0),
            )
            with anyio.move_on_after(5):
                await reader.run()
            with pytest.raises(RuntimeError):
                await reader.run()

    run_virtual(scenario)


def test_the_memory_store_refuses_a_stale_writer() -> None:
    """The reference for the rule that fences checkpoints."""

    async def scenario() -> None:
        async with world(FakeStream()) as here:
            worker = await here.start()
            await worker.stop()
            (row,) = (await here.leases()).values()
            await here.store.replace(row, replace(row, owner="a", counter=row.counter + 1))
            with pytest.raises(LeaseLost) as lost:
                await here.store.replace(row, replace(row, owner="b", counter=row.counter + 1))
            assert lost.value.winner is not None
            assert lost.value.winner.owner == "a"

    run_virtual(scenario)
