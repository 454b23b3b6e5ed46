"""Orders of one shard side by side, each in its own order; a slow or failing one holds up only what shares its call."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import anyio
import pytest

from projections.stream import Record
from projections.stream.lanes import InFlight
from projections.stream.leases import AT_TRIM_HORIZON
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.world import FAST, Projection, World, until, world
from tests.virtual_time import run_seeded, run_virtual


def key_of(record: Record) -> str:
    return record.keys["key"]["S"]


class Lanes(Projection):
    """Watches who is being applied at the same time; some keys take long, some fail for ever."""

    def __init__(self, stream: FakeStream) -> None:
        super().__init__(stream)
        self.applying: dict[str, int] = defaultdict(int)
        self.calls = 0
        self.most_at_once = 0
        self.overlaps: list[str] = []
        self.slow: dict[str, float] = {}
        self.poisoned: set[str] = set()
        self.batches: list[int] = []

    async def apply(self, records: Sequence[Record]) -> None:
        keys = {key_of(record) for record in records}
        self.overlaps += [key for key in keys if self.applying[key]]
        for key in keys:
            self.applying[key] += 1
        self.calls += 1
        self.most_at_once = max(self.most_at_once, self.calls)
        self.batches.append(len(records))
        try:
            await anyio.sleep(0.01 + max((self.slow.get(key, 0.0) for key in keys), default=0.0))
            if keys & self.poisoned:
                raise RuntimeError("this order cannot be applied")
            await super().apply(records)
        finally:
            self.calls -= 1
            for key in keys:
                self.applying[key] -= 1


def lanes_of(here: World) -> Lanes:
    here.projection = Lanes(here.stream)
    here.projection.heals = False
    here.lane_of = key_of
    return here.projection


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
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(3, 100))]
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
