"""Archivers that die anywhere, race, and are cancelled: in the end each commit is in the archive exactly once."""

from contextlib import suppress
from random import Random

import anyio
import pytest

from orderstore.archive.errors import ArchiveContended
from orderstore.archive.limits import Limits
from orderstore.archive.positions import MemoryPositions, Position
from tests.moments import moments
from tests.orderstore.archive.archives import Crash, Faults, SlowRows, World, stream_of, wanted
from tests.virtual_time import run_virtual

ORDERS = 5


class RowByRow(MemoryPositions):
    """Each row is a call of its own, at which a process may die."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()

    async def advance(self, positions) -> None:
        for stream, position in positions.items():
            await self.faults.wrap("rows", _Row(super().advance)).put({stream: position})


class _Row:
    def __init__(self, put) -> None:
        self.put = put


async def _begun(faults: Faults) -> World:
    """Two manifests are there, the second one written by somebody who died before the positions knew."""
    world = World(positions=RowByRow())
    for order in range(ORDERS):
        await world.grow(order, *[200] * (order + 1))
    await world.archiver().archive(wanted(0, 1))
    await world.grow(0, 50)
    with suppress(Crash):
        await world.archiver(faults=Faults(at=7, after=True)).archive(wanted(0))
    await world.grow(1, 50)
    world.positions.faults = faults
    return world


async def _archive(world: World, faults: Faults | None = None) -> None:
    await world.archiver(faults=faults).archive(wanted(*range(ORDERS)))


def test_the_scene_has_what_is_wanted_of_it() -> None:
    """A manifest that the positions do not know, several segments to be written, and rows that are moved one by one."""

    async def scenario() -> None:
        faults = Faults()
        world = await _begun(faults)
        applied = await world.positions.applied()
        assert applied is not None
        assert (applied.manifest, await world.manifests()) == (1, 2)
        await _archive(world, faults)
        assert await world.manifests() >= 5
        assert {"rows.put", "objects.put_new", "objects.get", "log.pages", "positions.mark_applied"} <= set(
            faults.names
        )

    run_virtual(scenario)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_at_any_call_leaves_an_archive_that_the_next_one_completes(after: bool) -> None:
    """Whatever the first one had done: the second archives the rest, each commit once."""  # A08

    async def measure() -> list[str]:
        faults = Faults()
        await _archive(await _begun(faults), faults)
        return faults.names

    async def scenario(number: int) -> None:
        faults = Faults(at=number, after=after)
        world = await _begun(faults)
        with pytest.raises((Crash, ExceptionGroup)):
            await _archive(world, faults)
        world.positions.faults = Faults()
        await world.grow(3, 70)

        await _archive(world)

        assert await world.archived() == await world.history()
        assert await world.faults(expected=await world.positions.applied()) == []
        assert await world.orphans() <= 1

    names = run_virtual(measure)
    assert len(names) > 30
    for number in moments(len(names)):
        try:
            run_virtual(scenario, number)
        except AssertionError as error:
            raise AssertionError(f"{'after' if after else 'before'} call {number}, {names[number - 1]}") from error


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_with_another_at_work_is_the_same(after: bool) -> None:
    """One dies at each of its calls while another archives the same orders; neither leaves anything out, or in twice."""

    async def scenario(number: int) -> int:
        random = Random(number)
        faults = Faults(at=number, after=after)
        world = await _begun(faults)
        other = world.archiver(slow=random)

        async def dies() -> None:
            with suppress(Crash, ArchiveContended):
                try:
                    await _archive(world, faults)
                except ExceptionGroup as group:
                    if group.split(Crash)[1] is not None:
                        raise

        async def lives() -> None:
            world.positions.faults = Faults() if number % 2 else world.positions.faults
            with suppress(Crash, ArchiveContended):
                await other.archive(wanted(*range(ORDERS)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dies)
            tasks.start_soon(lives)
        world.positions.faults = Faults()
        await _archive(world)
        assert await world.archived() == await world.history()
        assert await world.faults(expected=await world.positions.applied()) == []
        return len(faults.names)

    calls, number = 1, 0
    while number < calls:
        number += 1
        calls = max(calls, run_virtual(scenario, number))
        assert number < 500


async def _race(seed: int) -> None:
    """Three processes get every hint twice, in any order, while the orders grow; each is cut off at any moment and starts again."""
    random = Random(seed)
    world = World(
        limits=Limits(segment_raw_bytes=random.choice([300, 2_000, 50_000]), segment_orders=random.choice([1, 3, 50])),
        positions=SlowRows(random),
    )
    hints: list[tuple[int, int]] = []
    closed = anyio.Event()

    async def shop() -> None:
        for _ in range(30):
            order = random.randrange(6)
            commit = await world.grow(order, random.randrange(1, 400))
            hints.extend([(order, commit.number)] * 2)
            await anyio.sleep(random.uniform(0, 0.1))

    async def process() -> None:
        archiver = world.archiver(slow=random)
        while True:
            mine = [hints.pop(random.randrange(len(hints))) for _ in range(min(len(hints), random.randrange(1, 8)))]
            if not mine:
                if closed.is_set():
                    return
                await anyio.sleep(0.05)
                continue
            asked: dict[str, int | None] = {}
            for order, number in mine:
                asked[stream_of(order)] = max(number, asked.get(stream_of(order)) or 0)
            with anyio.move_on_after(random.choice([0.05, 0.1, 0.2, 0.5, 60])) as patience:
                try:
                    outcome = await archiver.archive(asked)
                except ArchiveContended:
                    hints.extend(mine)
                    continue
                assert outcome.faults == {}
                assert all(outcome.through[stream_of(order)] >= number for order, number in mine)
                await _is_archived(world, stream_of(mine[0][0]), mine[0][1])
            if patience.cancelled_caught:
                hints.extend(mine)
                if random.random() < 0.5:
                    archiver = world.archiver(slow=random)  # the process died

    async with anyio.create_task_group() as processes:
        for _ in range(3):
            processes.start_soon(process)
        await shop()
        closed.set()
    assert await world.archived() == await world.history()
    assert await world.faults(expected=await world.positions.applied()) == []


async def _is_archived(world: World, stream: str, number: int) -> None:
    """Nobody is told that something is archived before it is, durably: the positions follow the manifests, never the other way."""
    position = (await MemoryPositions.get(world.positions, [stream]))[stream]
    assert isinstance(position, Position)
    assert position.through >= number
    archived = await world.archived()
    assert [commit.number for commit in archived[stream]] == list(range(1, len(archived[stream]) + 1))
    assert len(archived[stream]) >= number


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 100), marks=pytest.mark.thorough)], ids=str)
def test_racing_archivers_archive_each_commit_once(seeds: range) -> None:
    """Duplicates, reorderings, cancellations and deaths, by seed."""
    for seed in seeds:
        try:
            run_virtual(_race, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
