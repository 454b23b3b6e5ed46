"""The reader with the quarantine around its subscriber, on a stream that rolls over and splits while workers come and go."""

from dataclasses import replace
from random import Random

import anyio
import pytest

from projections.parked_orders.judging import PATIENCE_MAX_S
from projections.parked_orders.unparking import Released, Unparking
from projections.stream.parking import every_row
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine import Quarantine
from projections.stream.quarantine.rules import Judge
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.faults import drawn
from tests.projections.stream.ledger import BY_ANN, Ledger, NewerPoison, ParkingWatch, Poison, judge, key_of, keys_of
from tests.projections.stream.stream_state import wall_ms
from tests.projections.stream.world import World, until, world
from tests.seeds import seeds
from tests.virtual_time import run_seeded

SEEDS = seeds(1, range(25))
KEYS = 12
BAD = ("order-2", "order-7")


class Run:
    """One table, its stream, and workers each with a quarantine of its own."""

    def __init__(self, here: World, seed: int) -> None:
        self.here = here
        self.random = Random(seed)
        self.ledger = Ledger(random=Random(seed + 1), pause_s=0.01)
        self.lot = MemoryParkingLot()
        self.watch = ParkingWatch()
        here.lane_of = key_of

    async def worker(self, judge: Judge = judge):
        quarantine = Quarantine(
            self.ledger,
            subscription="relay",
            lot=self.lot,
            key_of=key_of,
            judge=judge,
            now_ms=wall_ms,
            random=Random(self.random.random()),
            observer=self.watch,
        )
        return await self.here.start(projection=quarantine, wait=False)  # type: ignore[arg-type]  # the part of it that is used

    def put(self, key: str) -> None:
        for one in self.ledger.append(key):
            self.here.stream.put_item(key, keys=one.keys, image={**one.keys, "at": {"N": str(wall_ms())}})

    async def write_for(self, seconds: float) -> None:
        ends_at_s = anyio.current_time() + seconds
        while anyio.current_time() < ends_at_s:
            self.put(f"order-{self.random.randrange(KEYS)}")
            await anyio.sleep(self.random.expovariate(4))

    async def churn(self, rounds: int) -> None:
        workers = [await self.worker() for _ in range(2)]
        for _ in range(rounds):
            await anyio.sleep(self.random.uniform(3, 20))
            victim = workers.pop(self.random.randrange(len(workers)))
            await (victim.kill() if self.random.random() < 0.5 else victim.stop())
            workers.append(await self.worker())


@pytest.mark.parametrize("seed", SEEDS)
def test_poisoned_keys_wait_through_roll_overs_and_changes_of_hands(seed: int) -> None:
    """Fault 24: everything else is applied, theirs is held in every child shard by every worker, and comes in order once it is mended."""
    print(f"seed {seed}: {drawn(seed)}")  # noqa: T201 - shown when it fails

    async def scenario() -> None:
        stream = FakeStream(seed=seed, shards=2, faults=drawn(seed), page_max=20)
        async with world(stream) as here:
            run = Run(here, seed)
            for key in BAD:
                run.ledger.poison[key, 3] = Poison
            async with anyio.create_task_group() as load:
                load.start_soon(stream.unrest)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(run.write_for, 90)
                    tasks.start_soon(run.churn, 8)
                load.cancel_scope.cancel()
            for key in (*BAD, *BAD):
                run.put(key)

            def others() -> list[str]:
                return [gone for gone in run.ledger.missing() if gone.partition(" ")[0] not in BAD]

            await until(lambda: not others(), within_s=300, otherwise=others)
            await anyio.sleep(60)
            assert all(max(run.ledger.applied[key]) == 2 for key in BAD)
            rows = await every_row(run.lot, "relay")
            assert {row.key for row in rows} == set(BAD)
            assert all(row.held >= run.ledger.log[row.key] - 3 or row.owed_since_ms is not None for row in rows)
            assert len(here.stream.shards) > 2, "the stream rolled over"

            run.ledger.poison.clear()
            unparking = Unparking(run.lot, run.ledger, run.ledger, judge=judge)
            for row in rows:
                assert isinstance(await unparking.retry(row, BY_ANN), Released)
            for key in BAD:
                run.put(key)
            await until(lambda: not run.ledger.missing(), within_s=120, otherwise=run.ledger.missing)
            assert run.ledger.too_early == []
            assert await run.lot.standings("relay") == {}

    run_seeded(seed, scenario)


def test_a_day_of_failures_parks_within_seconds_and_the_lag_stays_bounded() -> None:
    """Long before the stream's 24 hours are over: the shard of a poisoned record is held up for less than half a minute."""

    async def scenario() -> None:
        stream = FakeStream(seed=1)
        async with world(stream) as here:
            run = Run(here, 1)
            run.ledger.poison["order-2", 1] = Poison
            worker = await run.worker()
            await anyio.sleep(30)
            began_s = anyio.current_time()
            run.put("order-2")
            run.put("order-3")
            await until(lambda: not [gone for gone in run.ledger.missing() if "order-3" in gone], within_s=30)
            await until(lambda: bool(run.watch.parkings), within_s=30)
            row = await run.lot.get("relay", "order-2")
            assert row is not None
            assert row.first == keys_of("order-2", 1)
            await anyio.sleep(20)
            assert max(worker.watch.waited_ms) < 30_000
            assert anyio.current_time() - began_s < 60

    run_seeded(1, scenario)


@pytest.mark.thorough
def test_an_order_that_is_given_patience_does_not_stop_its_shard() -> None:
    """As much patience as any error has, on a shard that is written two hundred times a second: all others go on within seconds."""

    async def scenario() -> None:
        stream = FakeStream(seed=1)
        async with world(stream) as here:
            run = Run(here, 1)
            run.ledger.pause_s = 0
            run.ledger.poison["bad", 1] = NewerPoison
            await run.worker(lambda error: replace(judge(error), patience_s=PATIENCE_MAX_S))
            await anyio.sleep(20)
            run.put("bad")
            behind: list[int] = []
            for second in range(60):
                for number in range(200):
                    run.put(f"order-{second}-{number}")
                await anyio.sleep(1)
                behind.append(len(run.ledger.log) - len(run.ledger.applied))
            assert await run.lot.get("relay", "bad") is not None
            assert max(behind) < 200 * 30, behind
            assert behind[-1] < 200 * 10, behind

    run_seeded(1, scenario)
