"""Lanes through hand-overs, gaps, expired iterators and faults; and what is durable."""

from collections import defaultdict
from dataclasses import replace
from random import Random

import anyio
import pytest

from projections.stream import Record
from projections.stream.lanes import InFlight
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.lanes_watched import lanes_of
from tests.projections.stream.world import until, world
from tests.virtual_time import run_seeded, run_virtual


def test_only_one_worker_of_a_subscription_reads_a_shard_while_it_is_handed_over() -> None:
    """Two readers are all that the service allows, and the other subscription is the second."""

    async def scenario() -> None:
        stream = FakeStream(shards=4)
        async with world(stream) as here:
            here.tasks.start_soon(here.write_for, 120)
            workers = [await here.start()]
            for _ in range(3):
                await anyio.sleep(15)
                workers.append(await here.start())
            await anyio.sleep(15)
            await workers.pop().stop()
            await here.settled(within_s=200)
            order: dict[str, list[str]] = defaultdict(list)
            for _, shard, reader in stream.api.read_by:
                if not order[shard] or order[shard][-1] != reader:
                    order[shard].append(reader)
            assert max(map(len, order.values())) > 1
            for readers in order.values():
                assert all(count <= 2 for count in map(readers.count, readers))
            assert here.projection.holes == []

    run_virtual(scenario)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(3, 20))]
)
def test_lanes_keep_each_order_s_order_under_faults(seed: int) -> None:
    """Slow orders, failing calls, roll-overs, rewinds and a worker that dies, by seed."""

    async def scenario() -> None:
        random = Random(seed)
        faults = Faults(roll_over_every_s=6, split=0.2, unavailable=0.05, rewind=0.3, short_page=0.3, throttle=0.05)
        stream = FakeStream(seed=seed, shards=2, faults=faults, page_max=20)
        async with world(stream) as here:
            projection = lanes_of(here)
            projection.slow = {f"order-{number}": random.choice((0.0, 0.3, 3.0)) for number in range(20)}
            worker = await here.start()
            async with anyio.create_task_group() as load:
                load.start_soon(stream.unrest)
                load.start_soon(here.write_for, 60)
                for _ in range(3):
                    await anyio.sleep(random.uniform(5, 25))
                    projection.poisoned = {f"order-{random.randrange(20)}"}
                    await anyio.sleep(5)
                    await (worker.kill() if random.random() < 0.5 else worker.stop())
                    projection.poisoned = set()
                    worker = await here.start()
                load.cancel_scope.cancel()
            await here.settled(within_s=600)
            assert projection.holes == []

    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    run_seeded(seed, scenario)


def test_what_is_durable_is_what_lies_before_the_first_record_that_is_not() -> None:
    """In whatever order the calls end."""
    for seed in range(200):
        random = Random(seed)
        in_flight = InFlight()
        records = [
            Record(sequence_number=str(number), event_name="INSERT", keys={}, image=None, created_at_ms=number)
            for number in range(1, 20)
        ]
        entries = [in_flight.add(record, number) for number, record in enumerate(records)]
        done: set[int] = set()
        for entry in random.sample(entries, len(entries)):
            moved_to = in_flight.finish([entry])
            done.add(int(entry.record.sequence_number))
            durable = next((number - 1 for number in range(1, 20) if number not in done), 19)
            assert moved_to is None or moved_to.sequence_number == str(durable), seed
            oldest = in_flight.oldest
            assert (oldest is None) == (durable == 19), seed
            assert oldest is None or oldest.sequence_number == str(durable + 1), seed


def test_an_iterator_that_expires_is_renewed_behind_what_was_read_not_behind_what_is_durable() -> None:
    """Else everything that is under way would be applied a second time."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            worker = await here.start()
            await anyio.sleep(10)
            projection.slow = {"order-0": 20.0}
            stream.put("order-0")
            await anyio.sleep(2)
            for number in range(1, 5):
                stream.put(f"order-{number}")
            await anyio.sleep(2)
            stream.faults = replace(stream.faults, expire=1.0)
            await anyio.sleep(2)
            stream.faults = replace(stream.faults, expire=0.0)
            await here.settled()
            assert worker.watch.counts["iterator_expired"] > 0
            assert projection.duplicates == 0

    run_virtual(scenario)


def test_a_gap_ends_what_is_under_way_for_the_table_brings_it() -> None:
    """A call that hangs on a record is not waited for once the record's place in the stream is gone."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            projection = lanes_of(here)
            projection.heals = True
            worker = await here.start()
            await anyio.sleep(10)
            projection.slow = {"order-0": 50.0}
            stream.put("order-0")
            await anyio.sleep(2)
            assert projection.calls == 1
            stream.restart_empty()
            stream.put("order-1")
            await until(lambda: len(worker.watch.gaps) == 1, within_s=30)
            await anyio.sleep(5)
            assert projection.calls == 0
            await here.settled(within_s=10)

    run_virtual(scenario)
