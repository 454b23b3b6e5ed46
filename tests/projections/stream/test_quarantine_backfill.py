"""A back-fill goes on when one key cannot be repaired, and leaves parked keys to those who release them."""

from random import Random

import anyio
import pytest

from projections.stream.pacing import Backoff
from projections.stream.parking import Parked
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine import NotParkedYet, Quarantine
from projections.stream.quarantine.rules import QuarantineSettings
from tests.projections.stream.ledger import (
    PATIENCE_S,
    Down,
    Ledger,
    NewerPoison,
    ParkingWatch,
    Poison,
    judge,
    key_of,
    keys_of,
    record,
)
from tests.projections.stream.stream_state import wall_ms
from tests.virtual_time import run_virtual


class World:
    """A log of many keys, and a worker that is to back-fill them."""

    def __init__(self, keys: int, *, settings: QuarantineSettings | None = None) -> None:
        self.ledger = Ledger()
        self.lot = MemoryParkingLot()
        self.watch = ParkingWatch()
        for key in range(keys):
            self.ledger.append(f"k{key:03}", 3)
        self.settings = settings
        self.worker = self.another_worker()

    def another_worker(self) -> Quarantine:
        return Quarantine(
            self.ledger,
            subscription="relay",
            lot=self.lot,
            key_of=key_of,
            judge=judge,
            now_ms=wall_ms,
            random=Random(6),
            settings=self.settings,
            observer=self.watch,
        )

    async def row(self, key: str) -> Parked:
        row = await self.lot.get("relay", key)
        assert row is not None
        return row


def test_the_keys_that_cannot_be_repaired_are_parked_and_all_others_are_repaired() -> None:
    """What is owed of them is noted as the time that the back-fill began at: no record is known."""

    async def scenario() -> None:
        world = World(230)
        bad = ("k000", "k049", "k120", "k229")
        world.ledger.poison |= {(key, 2): Poison for key in bad}
        await world.worker.backfill(1_234)
        assert world.ledger.missing() == [f"{key} {number}" for key in bad for number in (2, 3)]
        for key in bad:
            row = await world.row(key)
            assert (row.first, row.owed_since_ms, row.held) == (None, 1_234, 0)
        assert max(world.ledger.calls) == QuarantineSettings().repair_keys

    run_virtual(scenario)


def test_what_the_stream_brings_of_a_key_that_a_back_fill_parked_is_held_from_its_first_record_on() -> None:
    """Its shard may lag behind what the back-fill reads: the earlier record is owed as well."""

    async def scenario() -> None:
        world = World(1)
        world.ledger.poison["k000", 1] = Poison
        await world.worker.backfill(0)
        records = world.ledger.append("k000", 2)
        await world.worker.apply(records[:1])
        await world.worker.apply(records[1:])
        row = await world.row("k000")
        assert (row.first, row.last, row.owed_since_ms) == (keys_of("k000", 4), keys_of("k000", 5), 0)
        assert row.failed is None, "what came first is not what failed"

    run_virtual(scenario)


def test_a_parked_key_is_left_out_and_that_is_noted_on_its_row() -> None:
    """The earliest of several back-fills is what is owed."""

    async def scenario() -> None:
        world = World(3)
        world.ledger.poison["k001", 4] = Poison
        await world.worker.apply(world.ledger.append("k001"))
        world.ledger.mend("k001")
        for since_ms in (700, 500, 600):
            await world.worker.backfill(since_ms)
        row = await world.row("k001")
        assert (row.first, row.owed_since_ms) == (keys_of("k001", 4), 500)
        assert set(world.ledger.applied) == {"k000", "k002"}

    run_virtual(scenario)


def test_a_back_fill_is_patient_without_beginning_anew() -> None:
    """A newer event: every other key is repaired once, this one is tried until it works, or is parked when patience ends."""

    async def scenario() -> None:
        for mended in (True, False):
            world = World(120)
            world.ledger.poison["k060", 1] = NewerPoison
            began_s = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(world.worker.backfill, 0)
                await anyio.sleep(PATIENCE_S / 2)
                assert world.ledger.missing() == ["k060 1", "k060 2", "k060 3"]
                if mended:
                    world.ledger.mend("k060")
            assert (world.ledger.missing() == []) is mended
            assert ("k060" in await world.lot.standings("relay")) is not mended
            assert anyio.current_time() - began_s < PATIENCE_S + 60
            assert world.ledger.applied["k000"] == [1, 2, 3]

    run_virtual(scenario)


def test_trouble_elsewhere_ends_the_back_fill_and_parks_nothing() -> None:
    """The reader begins it again."""

    async def scenario() -> None:
        world = World(60)
        world.ledger.down = 1.0
        with pytest.raises(Down):
            await world.worker.backfill(0)
        assert await world.lot.standings("relay") == {}

    run_virtual(scenario)


@pytest.mark.parametrize("error", [Poison, NewerPoison])
def test_a_back_fill_that_fails_everywhere_stands_still_until_it_is_mended(error: type[Poison]) -> None:
    """Not a thousand keys parked by one broken build, nor a thousand remembered; and it is not begun anew: nothing is repaired twice."""

    async def scenario() -> None:
        world = World(100, settings=QuarantineSettings(parked_max=7, parkings_max=7, repair_keys=5, repairs_at_once=2))
        world.ledger.poison |= {(f"k{key:03}", 1): error for key in range(10, 100)}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.worker.backfill, 0)
            await anyio.sleep(1_800)
            assert len(await world.lot.standings("relay")) == 7
            assert world.watch.refused
            tried = len(world.ledger.calls)
            assert tried < 5_000
            world.ledger.poison.clear()
        assert len(world.ledger.missing()) == 7 * 3
        assert max(map(len, world.ledger.applied.values())) == 3

    run_virtual(scenario)


def test_a_back_fill_waits_under_the_brake_instead_of_beginning_anew() -> None:
    """Thirty orders that cannot be published, twenty of which may be parked in ten minutes: no other is published over and over."""

    async def scenario() -> None:
        world = World(300)
        bad = [f"k{key:03}" for key in range(0, 300, 10)]
        world.ledger.poison |= {(key, 2): Poison for key in bad}
        began_s = anyio.current_time()
        await world.worker.backfill(0)
        assert set(await world.lot.standings("relay")) == set(bad)
        assert 600 <= anyio.current_time() - began_s < 700
        often = max(world.ledger.applied[key].count(1) for key in world.ledger.log if key not in bad)
        assert often <= 8, "only the search among the fifty of a batch may repeat"

    run_virtual(scenario)


def test_a_shard_and_a_back_fill_that_meet_the_same_bad_key_park_it_when_its_patience_ends() -> None:
    """Neither takes the other's failures for another place of the key's history: the gap is healed, and the shard goes on."""

    async def scenario() -> None:
        world = World(3)
        world.ledger.poison["k001", 3] = NewerPoison
        began_s = anyio.current_time()

        async def lane() -> None:
            backoff = Backoff(initial_s=0.2, maximum_s=20.0, random=Random(2))
            while True:
                try:
                    await world.worker.apply([record("k001", 3)])
                except NotParkedYet:
                    await backoff.pause()
                else:
                    return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane)
            tasks.start_soon(world.worker.backfill, 0)
        row = await world.row("k001")
        assert (row.first, row.owed_since_ms) == (keys_of("k001", 3), 0)
        assert anyio.current_time() - began_s < PATIENCE_S + 60

    run_virtual(scenario)


def test_a_back_fill_that_parks_returns_only_when_every_worker_knows() -> None:
    """Before that the gap may not be passed: a worker with an older list would apply what comes behind it."""

    async def scenario() -> None:
        world = World(3)
        other = world.another_worker()
        world.ledger.poison["k001", 2] = Poison
        following = world.ledger.append("k001")
        began_s = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.worker.backfill, 0)
            await anyio.sleep(0.3)
            await other.apply(world.ledger.append("zzz"))
            assert "k001" not in await world.lot.standings("relay")
        assert "k001" in await world.lot.standings("relay")
        assert anyio.current_time() - began_s >= QuarantineSettings().settle_s
        await other.apply(following)
        assert world.ledger.too_early == []

        began_s = anyio.current_time()
        await world.another_worker().backfill(0)  # it hears of it only now, and so may others
        assert anyio.current_time() - began_s >= QuarantineSettings().settle_s

    run_virtual(scenario)
