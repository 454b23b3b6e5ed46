"""A rebuild keeps below the units that it was given, over any stretch of time, and counts what it uses."""

from random import Random

import anyio
import pytest

from projections.rebuild.metering import BURST_S, Meter, MeteredViews, UnitLimiter, write_units
from projections.rebuild.runner import Wanted
from projections.view_store import Addition, Write
from projections.view_store.items import SLOTS
from projections.views import VIEWS
from projections.views.view import Generation
from tests.projections.rebuild.world import World
from tests.virtual_time import run_virtual

STATUS = next(view for view in VIEWS if view.name == "order_status")
SALES = next(view for view in VIEWS if view.sums is not None)
SECOND = Generation(SALES.name, 2)


@pytest.mark.parametrize("seed", range(10))
def test_no_stretch_of_time_carries_more_than_the_limit_and_one_spending(seed: int) -> None:
    """Spenders side by side, small and large: between any two moments there pass at most rate x time, a burst, and one page."""

    async def scenario() -> None:
        random = Random(seed)
        limiter = UnitLimiter(per_s=10.0)
        spent: list[tuple[float, float]] = []

        async def spend() -> None:
            for _ in range(20):
                units = random.choice([0.5, 1.0, 7.0, 256.0])
                await limiter.spend(units)
                spent.append((anyio.current_time(), units))
                await anyio.sleep(random.uniform(0, 2))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(spend)

        assert limiter.spent == sum(units for _, units in spent)
        for first, (began_s, _) in enumerate(spent):
            passed = 0.0
            for at_s, units in spent[first:]:
                assert passed <= 10.0 * (at_s - began_s) + 10.0 * BURST_S + 256.0 + 1e-6
                passed += units

    run_virtual(scenario)


def test_a_limiter_that_was_idle_saves_up_no_more_than_a_burst() -> None:
    """An hour of nothing is no hour's worth of units at once."""

    async def scenario() -> None:
        limiter = UnitLimiter(per_s=10.0)
        await limiter.spend(1)
        await anyio.sleep(3_600)
        began_s = anyio.current_time()
        for _ in range(30):
            await limiter.spend(1)
        assert anyio.current_time() - began_s >= 1.8

    run_virtual(scenario)


def test_without_a_limit_nothing_waits_and_all_is_counted() -> None:
    """Only counted."""

    async def scenario() -> None:
        limiter = UnitLimiter(None)
        for _ in range(1_000):
            await limiter.spend(100)
        assert (anyio.current_time(), limiter.spent) == (anyio.current_time(), 100_000)

    run_virtual(scenario)


@pytest.mark.parametrize("per_s", [0, -1.0])
def test_a_limit_of_nothing_is_refused(per_s: float) -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="more than 0"):
        UnitLimiter(per_s)


def test_a_rebuild_takes_as_long_as_its_limit_says() -> None:
    """Forty documents of which each costs at least a unit, at two units a second: not before twenty seconds less a burst."""

    async def scenario() -> None:
        world = World(1, STATUS)
        world.views.faults = 0.0
        await world.fill(range(40))

        row = await world.rebuilder("a").run(STATUS, Wanted(write_units=2.0))

        assert 40 <= row.documents <= 80  # an order that a page cuts in two is written twice
        assert row.write_units >= 40
        assert row.running_s >= (row.write_units - 100) / 2.0  # the last batch may be owed
        assert row.running_s >= 5

    run_virtual(scenario)


def test_comparing_totals_is_counted_and_waits_for_the_limit() -> None:
    """Four walks over the table, the documents once for the comparison (twice as many) and once for the sums, every row of totals twice."""

    async def scenario() -> None:
        world = World(1, SALES)
        world.views.faults = 0.0
        await world.fill(range(40))
        filled = await world.rebuilder("a").run(SALES, Wanted(switch=False))
        scanned: list[float] = []

        async def consumed(units: float) -> None:
            scanned.append(units)

        names = [name async for name in world.views.sum_keys(SECOND.sums_prefix, consumed=consumed)]
        compared_at_s = anyio.current_time()

        row = await world.rebuilder("a").run(SALES, Wanted(switch=False, read_units=5.0))

        units = row.read_units - filled.read_units
        assert units == 4 * scanned[0] + 3 * 40 + 2 * len(names) * SLOTS
        largest = max(scanned[0], 100.0, len(names) * SLOTS)
        assert anyio.current_time() - compared_at_s >= (units - largest) / 5.0 - BURST_S

    run_virtual(scenario)


def test_a_walk_costs_what_the_table_scans_whatever_it_finds() -> None:
    """Of a table full of other views' documents there is little to find, and all to pay."""

    async def scenario() -> None:
        world = World(1, STATUS)
        await world.fill(range(40))
        meter = Meter()

        found = [key async for key in MeteredViews(world.views, meter).keys("g9/nothing/")]

        assert found == []
        assert meter.reads.spent >= 40 * 200 / 4096
        before = meter.reads.spent
        assert [name async for name in MeteredViews(world.views, meter).sum_keys("g9/nothing#")] == []
        assert meter.reads.spent == 2 * before

    run_virtual(scenario)


def test_a_write_counts_in_the_index_and_twice_in_a_transaction() -> None:
    """AWS, "Read and write operations": per KB begun; the index is an item of its own; a transaction doubles."""
    plain = {"key": "g1/v/t/o", "expected_commit": None, "commit": 1, "schema": 1, "document": b"{}"}
    assert write_units(Write(**plain)) == 1
    assert write_units(Write(**plain, list_key="g1/v/t/l", list_sort="1")) == 2
    sums = (Addition("g1/v#sums/t/a", {"n": 1}), Addition("g1/v#sums/t/b", {"n": 1}))
    assert write_units(Write(**plain, contribution="x", additions=sums)) == 2 * (1 + 2)
