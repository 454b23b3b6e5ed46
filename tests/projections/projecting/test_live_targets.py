"""Whoever begins to write uses no targets older than two seconds; and what a projector is asked for key by key."""

from collections.abc import Mapping, Sequence

import anyio
import pytest

from projections.projecting.errors import LogBehindStream
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import TARGETS_KEPT_S, LiveTargets, targets_of
from projections.view_store.memory import MemoryViewStore
from projections.views import VIEWS
from projections.views.view import Generation, Generations
from tests.projections.histories import TENANT, happy_commits, order_number, record_of, records_of
from tests.projections.read_side import CountingObserver, ReadSide
from tests.virtual_time import run_virtual

VIEW = VIEWS[0]
BOTH = Generations(current=1, building=2)


class SlowPointers(MemoryViewStore):
    """Reads at once, and answers late: what arrives is old."""

    def __init__(self) -> None:
        super().__init__()
        self.late_s = 0.0
        self.asked = 0

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        self.asked += 1
        found = await super().generations(views)
        await anyio.sleep(self.late_s)
        return found


def numbers(targets) -> list[int]:
    return [target.generation.number for target in targets]


def test_a_generation_that_is_announced_is_written_by_whoever_begins_two_seconds_later() -> None:
    """Asked at any moment after that, by any number at once; and one read serves them all."""

    async def scenario() -> None:
        views = SlowPointers()
        live = LiveTargets(views, [VIEW])
        assert numbers(await live.now()) == [1]
        await views.change_generations(VIEW.name, before=Generations(), after=BOTH)
        await anyio.sleep(TARGETS_KEPT_S + 0.001)
        asked, found = views.asked, []

        async def ask() -> None:
            found.append(numbers(await live.now()))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)
        assert found == [[1, 2]] * 10
        assert views.asked == asked + 1

    run_virtual(scenario)


def test_an_answer_that_was_long_on_its_way_serves_nobody_who_began_later() -> None:
    """Read before the announcement, answered ten seconds after: only who asked before it may go by that."""

    async def scenario() -> None:
        views = SlowPointers()
        views.late_s = 10.0
        live = LiveTargets(views, [VIEW])
        found: list[list[int]] = []

        async def ask() -> None:
            found.append(numbers(await live.now()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(1)
            await views.change_generations(VIEW.name, before=Generations(), after=BOTH)
            await anyio.sleep(TARGETS_KEPT_S + 1)
            tasks.start_soon(ask)
        assert found == [[1], [1, 2]]

    run_virtual(scenario)


def test_only_the_generation_that_readers_use_is_told_of() -> None:
    """Two generations are written; a hole in the one that is only being filled is no gap of the stream, and nothing counts twice."""

    async def scenario() -> None:
        side = ReadSide()
        generations = {VIEW.name: BOTH}
        observer = CountingObserver()
        projector = ViewProjector(side.store, side.views, targets_of([VIEW], generations), observer=observer)
        commits = happy_commits()
        await side.append(commits)
        await ViewProjector(side.store, side.views, targets_of([VIEW], {VIEW.name: Generations()})).apply(
            records_of(commits[:5])
        )

        await projector.apply([record_of(commits[5])])

        assert observer.counts[f"applied {VIEW.name}"] == 3, (
            "6 to 8, since the log was read; not again the 8 of the other"
        )
        assert observer.counts[f"missing {VIEW.name}"] == 0
        assert observer.counts[f"writes {VIEW.name}"] == 1
        order = commits[0].stream.removeprefix(f"{TENANT}/order-")
        keys = [Generation(VIEW.name, number).key(TENANT, order) for number in (1, 2)]
        stored = await side.views.get(keys)
        assert [stored[key].commit for key in keys] == [8, 8]

    run_virtual(scenario)


def test_keys_are_orders_and_repair_brings_each_up() -> None:
    """Those with something recorded since; a back-fill is no more than that."""

    async def scenario() -> None:
        side = ReadSide()
        for index in range(3):
            await side.append(happy_commits(order_number(index), start_ms=1_000_000 * (index + 1)))
        keys = [key async for key in side.projector.keys(2_000_000)]
        assert keys == [f"{TENANT}/order-{order_number(index)}" for index in (1, 2)]

        await side.projector.repair(keys, since_ms=2_000_000)

        assert await side.status(order_number(0)) is None
        assert (await side.status(order_number(2)))["commit"] == 8
        await side.projector.repair([f"{TENANT}/order-{order_number(0)}"], since_ms=0)
        await side.assert_equal()

    run_virtual(scenario)


def test_a_key_is_resumed_through_the_end_of_the_log() -> None:
    """From the record that failed on, and what was held back behind it."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:2])

        await side.projector.resume(commits[0].stream, first=record_of(commits[2]).keys)

        await side.assert_equal()

    run_virtual(scenario)


def test_a_log_that_lacks_the_record_that_is_owed_is_not_called_resumed() -> None:
    """The stream showed commit 3; a consistent read ends at 2: that is somebody's hand, and no success."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits[:2])
        with pytest.raises(LogBehindStream, match="commit 3 was seen"):
            await side.projector.resume(commits[0].stream, first=record_of(commits[2]).keys)

    run_virtual(scenario)
