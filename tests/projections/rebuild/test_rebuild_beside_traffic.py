"""Whatever happens beside a rebuild and to it, each generation ends equal to the log, and readers never miss an order."""

from contextlib import suppress
from functools import partial

import anyio
import pytest

from projections.rebuild.errors import AnotherRuns, Stopped
from projections.rebuild.keeper import OWNER_DEAD_AFTER_S, ask_for_pause
from projections.rebuild.runner import Wanted
from projections.rebuild.switching import discard, switch
from projections.view_store import ViewStoreError
from projections.views import VIEWS
from projections.views.view import Generations, View
from tests.projections.histories import happy_commits, order_number, records_of
from tests.projections.rebuild.world import World
from tests.seeds import seeds
from tests.virtual_time import run_seeded

BY_NAME = {view.name: view for view in VIEWS}
# One that counts and one that does not; `make test` has all.
everything = pytest.mark.parametrize(
    "view",
    [
        view if view.name in ("order_status", "daily_sales") else pytest.param(view, marks=pytest.mark.thorough)
        for view in VIEWS
    ],
    ids=lambda view: view.name,
)


@everything
@pytest.mark.parametrize("seed", seeds(1, range(6)))
def test_a_rebuild_beside_live_traffic_and_faults_ends_equal_and_is_switched_to(view: View, seed: int) -> None:
    """Orders come and go on while it fills; projectors crash, are slow, hear of it late; the book and the documents fail now and then."""

    async def scenario() -> None:
        world = World(seed, view)
        await world.fill(range(12), commits=4)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.traffic, range(18), seconds=25))
            await anyio.sleep(world.random.uniform(0, 10))
            limit = world.random.choice([None, 15.0])
            row = await world.rebuilder("first").run(view, Wanted(segments=3, read_units=limit, write_units=limit))

        assert row.state == "switched", row
        assert await world.generations() == Generations(current=2, former=1)
        await world.assert_all_equal()

    run_seeded(seed, scenario)


@pytest.mark.thorough
@everything
@pytest.mark.parametrize("seed", seeds(1, range(6)))
def test_a_rebuild_that_dies_anywhere_is_taken_up_by_another(view: View, seed: int) -> None:
    """Killed at any moment, three times: the next owner waits for its time, goes on from the row, and the end is the same."""

    async def scenario() -> None:
        world = World(seed, view)
        await world.fill(range(15), commits=5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.traffic, range(20), seconds=60))
            for number in range(3):
                owner = f"owner-{number}"
                if (await world.generations()).former is not None:
                    break  # one of them came to its end before it was killed
                with anyio.move_on_after(world.random.uniform(0.1, 30)):
                    async with anyio.create_task_group() as process:
                        process.start_soon(partial(die_after, world, owner, world.random.uniform(0, 12)))
                        with suppress(ViewStoreError, TimeoutError):
                            await world.rebuilder(owner).run(view, Wanted(write_units=20))
                        process.cancel_scope.cancel()
            if (await world.generations()).former is None:
                row = await world.rebuilder("last").run(view, Wanted())
                assert row.state == "switched", row

        assert await world.generations() == Generations(current=2, former=1)
        await world.assert_all_equal()

    run_seeded(seed, scenario)


async def die_after(world: World, owner: str, seconds: float) -> None:
    """From then on nothing that this owner writes into the book arrives."""
    await anyio.sleep(seconds)
    world.book.dead.add(owner)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", seeds(1, range(4)))
def test_a_pause_is_seen_within_two_seconds_and_nothing_is_read_twice_when_it_goes_on(seed: int) -> None:
    """Paused by somebody else at any moment of the filling: the counts of both stretches together are those of one."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(seed, view)
        world.views.faults = 0.0
        await world.fill(range(40))
        first: list[float] = []

        async def pause() -> None:
            await anyio.sleep(world.random.uniform(6, 14))
            first.append(anyio.current_time())
            await ask_for_pause(world.book, view.name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pause)
            with pytest.raises(Stopped):
                await world.rebuilder("first").run(view, Wanted(read_units=1.0, segments=2))
        assert anyio.current_time() - first[0] <= 2.0
        left = await world.book.read(view.name)
        assert left is not None
        assert (left.state, left.owner) == ("paused", None)
        assert 0 < left.commits < 40 * 8

        row = await world.rebuilder("second").run(view, Wanted())

        assert (row.state, row.orders, row.commits) == ("switched", 40, 40 * 8)
        await world.assert_all_equal()

    run_seeded(seed, scenario)


def test_two_operators_cannot_run_one_rebuild_twice() -> None:
    """The second is refused while the first lives, and told what to do; the first is not disturbed."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(1, view)
        world.views.faults = 0.0
        await world.fill(range(5))
        async with anyio.create_task_group() as tasks:
            results: list[object] = []

            async def first() -> None:
                results.append(await world.rebuilder("first").run(view, Wanted()))

            tasks.start_soon(first)
            await anyio.sleep(2)
            with pytest.raises(AnotherRuns, match=r"first is at work on it.*views pause order_status"):
                await world.rebuilder("second").run(view, Wanted())
        assert results[0].state == "switched"

    run_seeded(1, scenario)


def test_two_that_begin_in_the_same_moment_make_one_generation() -> None:
    """One of them wins the row; the other one changes nothing."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(2, view)
        world.views.faults = 0.0
        await world.fill(range(5))
        refused: list[str] = []

        async def run(owner: str) -> None:
            try:
                await world.rebuilder(owner).run(view, Wanted())
            except AnotherRuns:
                refused.append(owner)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, "a")
            tasks.start_soon(run, "b")
        assert len(refused) == 1
        assert await world.generations() == Generations(current=2, former=1)

    run_seeded(2, scenario)


def test_a_dead_owner_is_taken_over_only_after_his_time() -> None:
    """On the clock of whoever looks; the wait is announced."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(3, view)
        world.views.faults = 0.0
        await world.fill(range(5))
        with anyio.move_on_after(2):
            async with anyio.create_task_group() as process:
                process.start_soon(die_after, world, "dead", 1)
                with suppress(TimeoutError):
                    await world.rebuilder("dead").run(view, Wanted())
        began_at_s = anyio.current_time()
        told: list[str] = []

        row = await world.rebuilder("heir", waiting=told.append).run(view, Wanted())

        assert row.state == "switched"
        assert told == ["dead"]
        assert anyio.current_time() - began_at_s >= OWNER_DEAD_AFTER_S

    run_seeded(3, scenario)


@pytest.mark.thorough
@everything
@pytest.mark.parametrize("seed", seeds(1, range(4)))
def test_switching_there_and_back_and_discarding_beside_traffic_loses_nothing(view: View, seed: int) -> None:
    """To and fro while orders flow; then the other one is taken away, with its totals, and what is left is whole."""

    async def scenario() -> None:
        world = World(seed, view)
        await world.fill(range(8), commits=5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.traffic, range(14), seconds=60))
            await world.rebuilder("first").run(view, Wanted())
            for to in (1, 2, 1):
                await anyio.sleep(world.random.uniform(0, 5))
                await switch(world.views, world.book, view.name, to=to, now_ms=world.now_ms)
                assert (await world.generations()).current == to
        assert await world.generations() == Generations(current=1, former=2)
        await world.assert_all_equal()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.traffic, range(14, 18), seconds=20))
            await discard(
                world.views, world.book, view.name, owner="first", now_ms=world.now_ms, settle_s=30, readers_forget_s=5
            )

        assert await world.generations() == Generations(current=1)
        assert world.documents(2) == {}
        assert [name async for name in world.views.sum_keys(f"g2/{view.name}#")] == []
        await world.assert_all_equal()

    run_seeded(seed, scenario)


def test_a_generations_number_is_never_given_twice() -> None:
    """Built and given up, then built again: what a projector that slept wrote into the first is not in the second."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(5, view)
        await world.fill(range(4))
        options = {"owner": "a", "now_ms": world.now_ms, "settle_s": 5.0}
        row = await world.rebuilder("a").run(view, Wanted(switch=False))
        assert (row.state, row.generation) == ("ready", 2)
        await discard(world.views, world.book, view.name, **options)
        assert await world.generations() == Generations()

        row = await world.rebuilder("a").run(view, Wanted())

        assert row.generation == 3
        assert await world.generations() == Generations(current=3, former=1)

    run_seeded(5, scenario)


def test_a_projector_that_has_not_heard_of_it_yet_costs_no_order() -> None:
    """It asked a moment before the announcement, and goes by that for two seconds: an order that comes at the end of them is not lost.

    The comparison would heal it too, if it came later: so nothing must have been compared by then.
    """

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(1, view)
        world.views.faults = 0.0
        await world.fill(range(3))
        stale = world.projector()
        await stale.apply([])  # it asks, and remembers for two seconds

        async def late() -> None:
            await anyio.sleep(1.9)
            commits = happy_commits(order_number(9))
            for commit in commits:
                await world.store.append(commit)
            await stale.apply(records_of(commits))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late)
            row = await world.rebuilder("first").run(view, Wanted())

        assert row.state == "switched"
        await world.assert_all_equal()
        assert len(world.documents(2)) == 4

    run_seeded(1, scenario)


@pytest.mark.parametrize("seed", seeds(2, range(5)))
def test_what_a_position_says_is_done_is_durable(seed: int) -> None:
    """Nothing flows, so comparing has nothing to bring up: unless a killed process had noted a page before it was written."""

    async def scenario() -> None:
        view = BY_NAME["order_status"]
        world = World(seed, view)
        world.views.faults = 0.0
        await world.fill(range(30))
        with anyio.move_on_after(40):
            async with anyio.create_task_group() as process:
                process.start_soon(die_after, world, "dead", world.random.uniform(8, 20))
                with suppress(TimeoutError):
                    await world.rebuilder("dead").run(view, Wanted(write_units=1, segments=2))

        row = await world.rebuilder("heir").run(view, Wanted())

        assert (row.state, row.orders) == ("switched", 30)
        assert row.verdict is not None
        assert (row.verdict.equal, row.verdict.brought_up) == (30, 0)

    run_seeded(seed, scenario)
