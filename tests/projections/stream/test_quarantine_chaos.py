"""By seed: workers that die at any await, a lot that fails, back-fills, retries and mendings at any time. In the end nothing is missing,
and at no time was a record applied before the one in front of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import anyio
import pytest

from projections.parked_orders.unparking import Released, Unparking
from projections.stream.parking import LotUnavailable, ParkedChanged, every_row
from projections.stream.quarantine import Quarantine, QuarantineError
from projections.stream.quarantine.rules import QuarantineSettings
from projections.stream.source import Record
from tests.projections.stream.ledger import (
    BY_ANN,
    Down,
    FaultyLot,
    Ledger,
    ParkingWatch,
    Poison,
    judge,
    key_of,
)
from tests.projections.stream.stream_state import wall_ms
from tests.virtual_time import run_seeded

TROUBLES = (Down, LotUnavailable, QuarantineError, ParkedChanged)
QUICK = range(2)
MANY = [pytest.param(seed, marks=pytest.mark.thorough if seed < 20 else pytest.mark.long) for seed in range(2, 500)]
SETTINGS = QuarantineSettings(repair_keys=4, parked_max=50, parkings_max=50, call_budget_s=5)


class Chaos:
    """Shards that change hands between a few processes, each of which has its own idea of what is parked."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.ledger = Ledger(random=Random(seed + 1), down=random.choice((0.0, 0.05, 0.2)), pause_s=0.05)
        trouble = random.choice((0.0, 0.05, 0.2))
        self.lot = FaultyLot(Random(seed + 2), trouble=trouble, pause_s=random.choice((0.01, 0.5)))
        self.watch = ParkingWatch()
        self.processes = [self.process() for _ in range(3)]
        self.shards: list[list[Record]] = [[] for _ in range(random.randint(1, 3))]
        self.passed = [0] * len(self.shards)  # the checkpoints
        self.lanes_max = random.randint(1, 3)
        self.writing = True

    def process(self) -> Quarantine:
        return Quarantine(
            self.ledger,
            subscription="relay",
            lot=self.lot,
            key_of=key_of,
            judge=judge,
            now_ms=wall_ms,
            random=Random(self.random.random()),
            settings=SETTINGS,
            observer=self.watch,
        )

    async def write(self) -> None:
        """For some minutes, records of some keys; a few of them poison."""
        ends_at_s = anyio.current_time() + 120
        while anyio.current_time() < ends_at_s:
            key = self.random.randrange(9)
            count = self.random.randint(1, 3)
            records = self.ledger.append(f"k{key}", count)
            for one in records:
                if key < 4 and self.random.random() < 0.1:
                    self.ledger.poison[key_of(one), int(one.keys["commit"]["N"])] = Poison
            self.shards[key % len(self.shards)] += records
            await anyio.sleep(self.random.expovariate(2))
        self.writing = False

    def over(self, shard: int) -> bool:
        return not self.writing and self.passed[shard] == len(self.shards[shard])

    async def read(self, shard: int) -> None:
        """One lease after the other, each ended at any await; the next owner begins at the checkpoint, at once."""
        while not self.over(shard):
            number = self.random.randrange(len(self.processes))
            with anyio.move_on_after(self.random.uniform(0.1, 25)):
                await self.reign(shard, self.processes[number])
            if self.random.random() < 0.3:
                self.processes[number] = self.process()

    async def reign(self, shard: int, owner: Quarantine) -> None:
        while not self.over(shard):
            start = self.passed[shard]
            page = self.shards[shard][start : start + self.random.randint(1, 12)]
            lanes: list[list[Record]] = [[] for _ in range(self.lanes_max)]
            for one in page:
                lanes[hash(key_of(one)) % self.lanes_max].append(one)
            async with anyio.create_task_group() as tasks:
                for lane in filter(None, lanes):
                    tasks.start_soon(self.surely, partial(owner.apply, lane))
            self.passed[shard] = start + len(page)
            await anyio.sleep(self.random.uniform(0, 0.5))

    async def surely(self, call: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                with anyio.fail_after(20):
                    await call()
            except (*TROUBLES, TimeoutError):
                await anyio.sleep(self.random.uniform(0.1, 2))
            else:
                return

    async def meddle(self) -> None:
        """Somebody mends records, retries keys that are mended and keys that are not; a back-fill runs; a command is interrupted."""
        while True:
            await anyio.sleep(self.random.uniform(0.5, 8))
            with anyio.move_on_after(self.random.uniform(0.1, 60)):
                try:
                    if self.random.random() < 0.3:
                        await self.random.choice(self.processes).backfill(0)
                    if self.random.random() < 0.5 and self.ledger.poison:
                        self.ledger.mend(self.random.choice(sorted(self.ledger.poison))[0])
                    await self.retry_one()
                except TROUBLES:
                    pass

    async def retry_one(self) -> None:
        rows = await every_row(self.lot, "relay")
        if rows:
            unparking = Unparking(self.lot, self.ledger, self.ledger, judge=judge)
            await unparking.retry(self.random.choice(rows), BY_ANN)

    async def release_all(self) -> None:
        self.ledger.poison.clear()
        self.ledger.down = self.lot.trouble = 0.0
        unparking = Unparking(self.lot, self.ledger, self.ledger, judge=judge)
        for row in await every_row(self.lot, "relay"):
            assert isinstance(await unparking.retry(row, BY_ANN), Released)


@pytest.mark.parametrize("seed", [*QUICK, *MANY])
def test_nothing_is_lost_and_nothing_overtakes(seed: int) -> None:
    """Whatever dies, fails and is meddled with."""
    print(f"seed {seed}")  # noqa: T201 - shown when it fails

    async def scenario() -> Chaos:
        chaos = Chaos(seed)
        with anyio.fail_after(6 * 3_600):
            async with anyio.create_task_group() as around:
                around.start_soon(chaos.meddle)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(chaos.write)
                    for shard in range(len(chaos.shards)):
                        tasks.start_soon(chaos.read, shard)
                around.cancel_scope.cancel()
            assert chaos.ledger.too_early == []
            poisoned = {key for key, _ in chaos.ledger.poison}
            rows = {row.key for row in await MemoryRows(chaos).rows()}
            assert poisoned <= rows, "what cannot be applied is parked"
            assert {gone.partition(" ")[0] for gone in chaos.ledger.missing()} <= rows, "and nothing else is missing"
            await chaos.release_all()
        return chaos

    chaos = run_seeded(seed, scenario)
    assert chaos.ledger.too_early == []
    assert chaos.ledger.missing() == []


class MemoryRows:
    """The rows, without the trouble of the way to them."""

    def __init__(self, chaos: Chaos) -> None:
        self._lot = chaos.lot

    async def rows(self):
        self._lot.trouble = 0.0
        return await every_row(self._lot, "relay")
