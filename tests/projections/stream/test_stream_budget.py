"""Memory is bounded for a worker, however many shards it reads, and no shard can stop another by what it holds."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.stream import Page, Record
from projections.stream.budget import RecordBudget
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.lanes_watched import key_of, lanes_of
from tests.projections.stream.world import FAST, World, until, world
from tests.virtual_time import run_virtual

TIGHT = replace(
    FAST,
    reads_per_second_max=1,
    idle_initial_s=1,
    idle_max_s=4,
    worker_records_max=300,
    shard_records_floor=2,
    page_records_max=100,
)


class Memory:
    """What the subscriber has made durable and what the source has handed out: the difference is in memory."""

    def __init__(self, here: World) -> None:
        self.read = 0
        self.applied = 0
        self.most = 0
        self.largest_page = 0
        apply, self._here = here.projection.apply, here
        here.projection.apply = self._applying(apply)  # type: ignore[method-assign]  # for this world alone

    def _applying(self, apply):
        async def counted(records: Sequence[Record]) -> None:
            await apply(records)
            self.applied += len(records)

        return counted

    def watch(self, worker) -> None:
        read = worker.machine.source.read

        async def counted(iterator: str, limit: int) -> Page:
            page = await read(iterator, limit)
            self.read += len(page.records)
            self.largest_page = max(self.largest_page, len(page.records))
            self.most = max(self.most, self.read - self.applied)
            return page

        worker.machine.source.read = counted


def keys_of_every_shard(stream: FakeStream) -> list[str]:
    """One key that each open shard gets."""
    found: dict[str, str] = {}
    number = 0
    while len(found) < len(stream.open_shards()):
        key = f"order-{number}"
        found.setdefault(stream._shard_of(key).id, key)
        number += 1
    return list(found.values())


@pytest.mark.thorough
@pytest.mark.parametrize("shards", [30, pytest.param(200, marks=pytest.mark.thorough)])
def test_a_worker_with_many_shards_holds_a_bounded_number_of_records(shards: int) -> None:
    """The subscriber stands still while thousands of records wait: what was read stays within the bound, and all arrive when it moves."""

    async def scenario() -> None:
        stream = FakeStream(shards=shards)
        async with world(stream) as here:
            memory = Memory(here)
            worker = await here.start(settings=TIGHT)
            memory.watch(worker)
            await until(lambda: worker.watch.owned == shards, within_s=60)
            await anyio.sleep(2)
            here.projection.fail_applies = 1_000_000
            for key in keys_of_every_shard(stream):
                for _ in range(30):
                    stream.put(key)
            await anyio.sleep(20)
            assert TIGHT.worker_records_max <= memory.most
            assert memory.most <= TIGHT.worker_records_max + shards * TIGHT.shard_records_floor
            here.projection.fail_applies = 0
            await here.settled(within_s=600)
            assert memory.most <= TIGHT.worker_records_max + shards * TIGHT.shard_records_floor
            assert memory.largest_page > TIGHT.shard_records_floor

    run_virtual(scenario)


@pytest.mark.thorough
def test_shards_whose_orders_cannot_be_applied_do_not_stop_the_others() -> None:
    """Two hundred orders that fail for ever fill the budget; every other order arrives all the same."""

    async def scenario() -> None:
        stream = FakeStream(shards=20)
        async with world(stream) as here:
            projection = lanes_of(here)
            settings = replace(TIGHT, worker_records_max=50)
            worker = await here.start(settings=settings)
            await until(lambda: worker.watch.owned == 20, within_s=60)
            every = keys_of_every_shard(stream)
            stuck, free = every[:10], every[10:]
            projection.poisoned = set(stuck)
            for key in stuck:
                for _ in range(50):
                    stream.put(key)
            await anyio.sleep(60)
            for key in free:
                for _ in range(50):
                    stream.put(key)
            await until(
                lambda: all(projection.last.get(key) == 50 for key in free), within_s=300, otherwise=projection.missing
            )
            assert not any(projection.last.get(key) for key in stuck)
            projection.poisoned = set()
            await here.settled(within_s=300)

    run_virtual(scenario)


def test_what_a_worker_no_longer_reads_counts_no_more() -> None:
    """Leases lost, gaps and pages dropped half-way: when all has arrived the budget is as at the start."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        stream.faults = replace(stream.faults, lost_answer=0.1, expire=0.1, throttle=0.1, unavailable=0.05, rewind=0.3)
        async with world(stream) as here:
            here.lane_of = key_of
            budgets: list[RecordBudget] = []
            worker = await here.start(settings=TIGHT, budgets=budgets)
            for second in range(4):
                await here.write_for(20, seed=second)  # every shard has been read when the trim comes
                here.projection.fail_applies = 1_000_000
                await here.write_for(5, rate=20, seed=second)
                assert budgets[0].used > 0
                if second % 2:
                    worker.machine.cut_off = True  # leases run out over what is under way
                    await anyio.sleep(20)
                    worker.machine.cut_off = False
                else:
                    calm, stream.faults = stream.faults, replace(stream.faults, throttle=1.0)
                    await here.write_for(5, rate=20)
                    for shard in stream.open_shards():
                        shard.trimmed = len(shard.records)
                    stream.faults = calm
                    await anyio.sleep(5)
                here.projection.fail_applies = 0
                await anyio.sleep(10)
                stream.roll_over()
            stream.faults = replace(stream.faults, lost_answer=0, expire=0, throttle=0, unavailable=0, rewind=0)
            await here.settled(within_s=600)
            await anyio.sleep(60)
            assert worker.watch.counts["lease_lost"] > 0
            assert worker.watch.gaps
            (budget,) = budgets
            await until(lambda: budget.used == 0, within_s=30, otherwise=lambda: budget.used)

    run_virtual(scenario)


@given(
    most=st.integers(1, 40),
    floor=st.integers(1, 10),
    shards=st.integers(1, 8),
    wanted=st.integers(1, 30),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_taken_and_given_back_the_bound_holds_and_somebody_can_always_go_on(
    most: int, floor: int, shards: int, wanted: int, seed: int
) -> None:
    """Shards read, finish and drop in any order. In no state does everybody wait: who holds nothing may read, who holds something ends."""
    random = Random(seed)
    budget = RecordBudget(most=most, floor=floor)
    holding = [0] * shards
    for _ in range(200):
        shard = random.randrange(shards)
        if random.random() < 0.6:
            granted = budget.take(wanted, holding=holding[shard])
            read = random.randint(0, granted)
            budget.give_back(granted - read)
            assert granted > 0 or holding[shard], "a shard without records may always read"
            assert granted <= wanted
            holding[shard] += read
        elif holding[shard]:
            done = random.randint(1, holding[shard])
            holding[shard] -= done
            budget.give_back(done)
        assert budget.used == sum(holding) <= most + shards * min(floor, most)
    for shard in range(shards):
        budget.give_back(holding[shard])
    assert budget.used == 0
    assert budget.take(most, holding=1) == most
