"""Workers share the shards, hand them over, and die at the worst moments; only one of them can ever store progress."""

from dataclasses import replace
from functools import partial
from random import Random

import anyio
import pytest

from projections.stream import LeaseLost
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.world import FAST, both_own, until, world
from tests.virtual_time import run_virtual


def test_a_second_worker_gets_its_share_and_gives_it_back_when_it_leaves() -> None:
    """Shares are given up in good order: nothing is repeated, nothing waits for a lease to expire."""

    async def scenario() -> None:
        stream = FakeStream(shards=6)
        async with world(stream, heals=False) as here:
            here.tasks.start_soon(here.write_for, 120)
            first = await here.start()
            await until(lambda: first.watch.owned == 6, within_s=20)
            second = await here.start()
            await both_own(first, second, 3)
            assert first.watch.counts["lease_released"] == 3
            await second.stop()
            await until(lambda: first.watch.owned == 6, within_s=FAST.renew_interval_s * 2)
            await here.settled(within_s=200)
            assert here.projection.holes == []
            assert here.projection.duplicates == 0
            assert "lease_lost" not in first.watch.counts | second.watch.counts

    run_virtual(scenario)


@pytest.mark.thorough
def test_three_workers_come_to_an_even_share_of_four_shards() -> None:
    """Nobody stays without a shard while another has two to spare."""

    async def scenario() -> None:
        async with world(FakeStream(shards=4)) as here:
            workers = [await here.start() for _ in range(3)]
            await until(lambda: sorted(worker.watch.owned for worker in workers) == [1, 1, 2], within_s=60)
            taken = sum(worker.watch.counts["lease_taken"] for worker in workers)
            await anyio.sleep(300)
            assert sum(worker.watch.counts["lease_taken"] for worker in workers) == taken  # and it stays so

    run_virtual(scenario)


def test_a_killed_worker_is_replaced_after_its_leases_expired_and_reading_resumes() -> None:
    """Nothing is cleaned up; what was applied but not stored comes again, and nothing else."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        async with world(stream, heals=False) as here:
            here.tasks.start_soon(here.write_for, 90)
            first = await here.start()
            await anyio.sleep(20)
            await first.kill()
            owners = {row.owner for row in (await here.leases()).values()}
            assert owners == {"task/1"}
            second = await here.start()
            await until(lambda: second.watch.owned == 2, within_s=FAST.lease_duration_s + 2 * FAST.renew_interval_s)
            await here.settled()
            assert here.projection.holes == []
            assert second.watch.gaps == []
            rows = await here.store.rows("views")
            assert [row.shard for row in rows if row.shard.startswith("worker/")] == ["worker/task/2"]

    run_virtual(scenario)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(8))
def test_workers_that_are_killed_and_started_at_random_lose_nothing(seed: int) -> None:
    """Some end in good order, some die; the stream rolls over meanwhile."""

    async def scenario() -> None:
        random = Random(seed)
        stream = FakeStream(seed=seed, shards=3)
        async with world(stream, heals=False) as here:
            here.tasks.start_soon(here.write_for, 240)
            workers = [await here.start(), await here.start()]
            for _ in range(12):
                await anyio.sleep(random.uniform(3, 30))
                stream.roll_over(random.choice(stream.open_shards()))
                victim = workers.pop(random.randrange(len(workers)))
                await (victim.kill() if random.random() < 0.6 else victim.stop())
                workers.append(await here.start())
            await here.settled(within_s=300)
            assert here.projection.holes == []
            assert [gap for worker in workers for gap in worker.watch.gaps] == []

    run_virtual(scenario)


def test_a_worker_cut_off_from_the_leases_stops_reading_before_another_may_take_over() -> None:
    """It cannot renew, so by its own clock it stops; its successor waits a whole lease's duration by its own."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            first = await here.start()
            await anyio.sleep(20)
            second = await here.start()
            first.machine.cut_off = True
            await until(lambda: second.watch.owned == 1, within_s=60)
            assert first.watch.owned == 0
            assert first.watch.counts["lease_lost"] == 1
            await here.write_for(10)
            await here.settled()
            assert here.projection.holes == []

    run_virtual(scenario)


def test_the_checkpoint_of_a_stolen_lease_is_refused() -> None:
    """A worker's last writes are held up on their way until another worker owns the shard: they change nothing any more."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            first = await here.start()
            await anyio.sleep(20)
            first.machine.frozen = anyio.Event()
            second = await here.start()
            stream.put("order-1")
            await until(lambda: second.watch.owned == 1, within_s=60)
            stream.put("order-1")
            await here.settled()
            await anyio.sleep(10)
            (before,) = (await here.leases()).values()
            late = [(current, updated) for current, updated in first.machine.held_up if current.shard == before.shard]
            assert any(updated.checkpoint == stream.table[0].sequence_number for _, updated in late)
            for current, updated in late:
                with pytest.raises(LeaseLost) as lost:
                    await here.store.replace(current, updated)
                assert lost.value.winner == before
            assert before.owner == "task/2"
            assert before.checkpoint == stream.table[-1].sequence_number
            assert first.watch.counts["lease_lost"] == 1
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_theft_in_the_middle_of_a_page_ends_the_page() -> None:
    """Whoever changes the row, the owner finds out at its next write and stops."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await anyio.sleep(20)
            here.projection.apply_s = 30
            stream.put("order-1")
            await anyio.sleep(2)
            (row,) = (await here.leases()).values()
            await here.store.replace(row, replace(row, owner="thief", counter=row.counter + 1))
            await until(lambda: worker.watch.owned == 0, within_s=FAST.renew_interval_s + 1)
            (row,) = (await here.leases()).values()
            assert row.owner == "thief"
            assert here.projection.last == {}

    run_virtual(scenario)


@pytest.mark.thorough
def test_lease_writes_whose_answers_are_lost_are_not_taken_for_a_theft() -> None:
    """The row that is found later is this worker's own earlier write."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await anyio.sleep(20)
            here.tasks.start_soon(partial(here.write_for, 45, rate=10))
            for _ in range(30):
                worker.machine.lose_answers = 1
                await anyio.sleep(1.5)
            await here.settled()
            assert "lease_lost" not in worker.watch.counts
            assert here.projection.duplicates == 0

    run_virtual(scenario)
