"""Everything at once, by seed: whatever the stream does and whoever dies, nothing is missing in the end."""

from random import Random

import anyio
import pytest

from projections.stream import GapCause, StreamSettings
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.faults import drawn, drawn_with_losses
from tests.projections.stream.world import FAST, World, until, world
from tests.virtual_time import run_seeded, run_virtual

# A stream that keeps its records for half a minute, and readers that know it.
HASTY = StreamSettings(discovery_interval_s=5, gap_margin_s=10, retention_s=30, orphan_patience_s=4)
QUICK = range(1)
MANY = [pytest.param(seed, marks=pytest.mark.thorough if seed < 8 else pytest.mark.long) for seed in range(1, 400)]


async def churn(here: World, random: Random, *, rounds: int) -> None:
    """Three workers, of which one ends every few seconds, in good order or not, and another begins."""
    workers = [await here.start(wait=False) for _ in range(3)]
    for _ in range(rounds):
        await anyio.sleep(random.uniform(2, 20))
        victim = workers.pop(random.randrange(len(workers)))
        await (victim.kill() if random.random() < 0.5 else victim.stop())
        workers.append(await here.start(wait=False))


def run_chaos(seed: int, faults: Faults, *, heals: bool) -> tuple[World, FakeStream]:
    print(f"seed {seed}: {faults}")  # noqa: T201 - shown when it fails

    async def scenario() -> tuple[World, FakeStream]:
        random = Random(seed)
        stream = FakeStream(seed=seed, shards=random.randint(1, 4), faults=faults, page_max=random.choice((1, 3, 50)))
        async with world(stream, heals=heals) as here:
            if heals:
                here.settings = HASTY
            here.projection.apply_s = random.choice((0.0, 0.05, 0.4))
            async with anyio.create_task_group() as load:
                load.start_soon(stream.unrest)
                load.start_soon(here.write_for, 90)
                await churn(here, random, rounds=8)
                load.cancel_scope.cancel()
            await here.settled(within_s=7_200)  # a page of one record, a third of the reads failing: slow is no loss
            return here, stream

    return run_seeded(seed, scenario)


@pytest.mark.parametrize("seed", [*QUICK, *MANY])
def test_the_stream_alone_brings_every_record_in_order_while_workers_come_and_go(seed: int) -> None:
    """No fault here loses a record, so no back-fill may be needed: the table is not asked for anything."""  # fault 21, 23, 28
    faults = drawn(seed)
    here, _ = run_chaos(seed, faults, heals=False)
    assert here.projection.holes == []
    # Only a service that failed before a shard's first record, and may have been made anew, is a reason to ask the table.
    doubtful = faults.unavailable or faults.lost_answer
    assert set(here.causes) <= ({GapCause.UNPROVEN_START} if doubtful else set())


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [*QUICK, *MANY])
def test_the_table_heals_what_trims_disorder_and_replaced_streams_lose(seed: int) -> None:
    """Here the stream does lose records: each loss is noticed, and the table gives what is missing."""  # fault 20, 22, 26
    run_chaos(seed, drawn_with_losses(seed), heals=True)


def test_a_shard_that_another_worker_has_leased_from_a_younger_listing_is_no_gap() -> None:
    """It is not in this worker's own listing yet: that proves nothing of the shard, only something of the listing."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            first = await here.start()
            await anyio.sleep(30)
            second = await here.start()
            await anyio.sleep(10)
            stream.roll_over()
            child = stream.open_shards()[0].id
            await until(lambda: child in first.watch.taken, within_s=10)
            await first.stop()
            await until(lambda: child in second.watch.taken, within_s=FAST.discovery_interval_s / 2)
            stream.put("order-1")
            await here.settled()
            assert here.causes == []

    run_virtual(scenario)
