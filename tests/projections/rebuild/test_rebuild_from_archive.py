"""A rebuild from the archive ends with what the log has, whatever the archive and the live view lack."""

from dataclasses import replace
from functools import partial
from random import Random

import anyio
import pytest

from orderstore.archive.positions import MemoryPositions
from orderstore.archive.writer import Archiver
from orderstore.store.chain import seal
from projections.rebuild.errors import NotNow, Stopped
from projections.rebuild.keeper import ask_for_pause
from projections.rebuild.runner import Wanted
from projections.rebuild.state import Rebuild
from projections.views import VIEWS
from projections.views.view import Generation, View
from tests.projections.histories import TENANT, happy_commits, order_number
from tests.projections.rebuild.world import World
from tests.virtual_time import run_virtual

STATUS = next(view for view in VIEWS if view.name == "order_status")
everything = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)


def stream(index: int) -> str:
    return f"{TENANT}/order-{order_number(index)}"


async def append(world: World, orders: range, *, first: int = 0, last: int | None = None) -> None:
    """Commits of these orders into the log alone: no projector hears of them."""
    for index in orders:
        for commit in happy_commits(order_number(index))[first:last]:
            await world.store.append(commit)


async def archive(world: World, orders: range) -> None:
    """All that the log has of these orders by now."""
    archiver = Archiver(world.store, world.objects, MemoryPositions(), now_ms=world.now_ms, random=Random(1))
    await archiver.archive({stream(index): None for index in orders})


def calm(view: View = STATUS) -> World:
    world = World(1, view)
    world.views.faults = 0.0
    return world


@everything
def test_what_neither_the_archive_nor_the_live_view_has_is_read_from_the_log(view: View) -> None:
    """The live view is empty; of twelve orders the archive has the beginnings of ten: all of the log is there, and only then a switch."""

    async def scenario() -> None:
        world = calm(view)
        await append(world, range(12), last=4)
        await archive(world, range(10))
        await append(world, range(12), first=4)

        row = await world.rebuilder("a").run(view, Wanted(source="archive"))

        assert row.state == "switched"
        assert (row.orders, row.commits) == (10, 40), "of the archive"
        await world.assert_all_equal_in(2)

    run_virtual(scenario)


def test_a_live_view_that_stands_still_hides_nothing() -> None:
    """Its documents and the archive end at the same commit, the log goes on: comparing the two alone would find nothing."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(6), commits=3)
        await archive(world, range(6))
        await append(world, range(6), first=3)

        row = await world.rebuilder("a").run(STATUS, Wanted(source="archive", segments=2))

        assert row.state == "switched"
        await world.assert_all_equal_in(2)

    run_virtual(scenario)


def test_an_archive_of_everything_costs_no_second_write() -> None:
    """What is there already is looked at, and left alone."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(20))
        await archive(world, range(20))

        row = await world.rebuilder("a").run(STATUS, Wanted(source="archive"))

        assert (row.state, row.documents) == ("switched", 20)
        assert row.verdict is not None
        assert (row.verdict.equal, row.verdict.brought_up) == (20, 0)

    run_virtual(scenario)


def test_documents_of_an_older_release_are_folded_anew() -> None:
    """A projector that was not deployed yet wrote the new generation before the archive was read: at the log's end, in the old words."""

    async def scenario() -> None:
        world = calm()
        await append(world, range(3))
        await archive(world, range(0))
        newer = replace(STATUS, schema=STATUS.schema + 1)

        older = calm()
        await older.fill(range(3))

        def older_release_writes(row: Rebuild) -> None:
            if row.settled and not world.documents(2):
                for name, write in older.documents(1).items():
                    key = Generation(STATUS.name, 2).prefix + name
                    world.views._documents[key] = replace(write, key=key)

        row = await world.rebuilder("a", progress=older_release_writes).run(newer, Wanted(source="archive"))

        assert row.state == "switched"
        assert {write.schema for write in world.documents(2).values()} == {newer.schema}

    run_virtual(scenario)


def test_an_order_that_the_log_shows_and_nobody_can_read_is_named() -> None:
    """Not in the archive, and not decodable: it hides no other, and is not passed over in silence."""

    async def scenario() -> None:
        world = calm()
        await append(world, range(3))
        await archive(world, range(3))
        first, *_ = happy_commits(order_number(9))
        await world.store.append(first)
        await world.store.append(
            seal(
                stream=first.stream,
                number=2,
                recorded_at_ms=first.recorded_at_ms,
                body=b'{"events": 7}',
                previous=first,
            )
        )

        row = await world.rebuilder("a").run(STATUS, Wanted(source="archive"))

        assert row.state == "switched"
        assert {one.stream for one in row.troubled} == {stream(9)}
        await world.assert_all_equal_in(2, but={stream(9)})

    run_virtual(scenario)


def test_a_pause_while_the_log_is_read_goes_on_there() -> None:
    """The archive is not read a second time, and of the log only what is left; the limits hold for it."""

    async def scenario() -> None:
        world = calm()
        await append(world, range(40))
        await archive(world, range(20))

        async def pause_once(row: Rebuild) -> None:
            await ask_for_pause(world.book, row.view)

        asked: list[Rebuild] = []

        def watch(row: Rebuild) -> None:
            if not asked and any(segment.commits for segment in row.log_segments):
                asked.append(row)
                tasks.start_soon(pause_once, row)

        async with anyio.create_task_group() as tasks:
            wanted = Wanted(source="archive", read_units=4.0, segments=2)
            with pytest.raises(Stopped):
                await world.rebuilder("first", progress=watch).run(STATUS, wanted)
        left = await world.book.read(STATUS.name)
        assert left is not None
        assert left.segments_done == 1
        assert 0 < sum(segment.commits for segment in left.log_segments) < 40 * 8
        with pytest.raises(NotNow, match="in 2 segments"):
            await world.rebuilder("second").run(STATUS, Wanted(segments=3))

        row = await world.rebuilder("second").run(STATUS, Wanted())

        assert (row.state, row.orders) == ("switched", 20)
        assert row.write_units == 2 * row.documents == 80, "each once, in the table and in its index; none was refused"
        assert sum(segment.commits for segment in row.log_segments) == 40 * 8
        await world.assert_all_equal_in(2)

    run_virtual(scenario)


def test_a_generation_that_was_taken_away_under_it_is_filled_anew_from_both() -> None:
    """What was read while it was announced says nothing of one that was not: archive and log are read again."""

    async def scenario() -> None:
        world = calm()
        await append(world, range(6))
        await archive(world, range(4))
        await world.rebuilder("a").run(STATUS, Wanted(source="archive", switch=False))
        announced = await world.generations()
        await world.views.change_generations(STATUS.name, before=announced, after=replace(announced, building=None))
        await world.views.delete([Generation(STATUS.name, 2).prefix + name for name in world.documents(2)])

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert row.state == "switched"
        await world.assert_all_equal_in(row.generation)

    run_virtual(scenario)


@everything
def test_projectors_at_work_beside_it_are_not_in_the_way(view: View) -> None:
    """Orders that come while the archive is read are written by both, and are equal in the end."""

    async def scenario() -> None:
        world = calm(view)
        await world.fill(range(8), commits=5)
        await archive(world, range(6))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.traffic, range(12), seconds=20))
            row = await world.rebuilder("a").run(view, Wanted(source="archive", read_units=20.0))

        assert row.state == "switched"
        await world.assert_all_equal()

    run_virtual(scenario)
