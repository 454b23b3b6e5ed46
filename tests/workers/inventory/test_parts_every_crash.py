"""Parcels, partial releases and backorders that are cut off at any call, or meet the release of everything in the middle."""

import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from tests.workers.inventory.test_parts_of_reservations import TWO
from tests.workers.world import Crash, Faults
from workers.inventory.stock import Filled, Level, NotHeld, PartlyReserved, Withdrawn
from workers.inventory.table_stock import TableStock
from workers.tables.memory import MemoryTable

Act = Callable[[TableStock, list[str]], Awaitable[Any]]
SIZES: Final = (1, 130)


async def commit(stock: TableStock, skus: list[str]) -> None:
    await stock.commit("order", "s", {name: dict.fromkeys(skus, 1) for name in TWO.names})


async def part(stock: TableStock, skus: list[str]) -> None:
    await stock.release_part("order", "p", {"main": dict.fromkeys(skus, 1)}, unwanted=dict.fromkeys(skus, 1))


async def fill(stock: TableStock, skus: list[str]) -> Any:
    return await stock.fill("order", "f")


async def forgo(stock: TableStock, skus: list[str]) -> Any:
    await stock.fill("order", "f")
    await stock.forgo("order", "f", dict.fromkeys(skus, 1))


async def reserve(stock: TableStock, skus: list[str]) -> Any:
    return await stock.reserve("late", dict.fromkeys(skus, 3), partial=True)


# Of each article 2 pieces are held and 2 are missing; one more has come in since. What each act leaves at the two locations.
AFTER: Final[dict[str, tuple[Act, Level, Level]]] = {
    "commit": (commit, Level(2, 1, 0, 1), Level(1, 0, 0, 1)),
    "part": (part, Level(2, 2, 0), Level(1, 0, 1)),
    "fill": (fill, Level(2, 0, 2), Level(1, 0, 1)),
    "forgo": (forgo, Level(2, 1, 1), Level(1, 0, 1)),
    "reserve": (reserve, Level(2, 0, 2), Level(1, 0, 1)),
}


async def held_in_part(table: Any, faults: Faults, skus: list[str]) -> TableStock:
    faults.armed = False
    stock = TableStock(table, random=random.Random(1), locations=TWO)
    for name in TWO.names:
        await stock.receive(f"r-{name}", dict.fromkeys(skus, 1), location=name)
    answer = await stock.reserve("order", dict.fromkeys(skus, 4), partial=True)
    assert isinstance(answer, PartlyReserved)
    await stock.receive("more", dict.fromkeys(skus, 1))
    faults.armed = True
    return TableStock(faults.wrap("table", table), random=random.Random(1), locations=TWO)


def skus_of(count: int) -> list[str]:
    return [f"SKU-{number:04d}" for number in range(count)]


@pytest.mark.thorough
@pytest.mark.parametrize("act", AFTER)
@pytest.mark.parametrize("count", SIZES)
def test_whatever_is_cut_off_at_any_call_is_finished_by_the_next(count: int, act: str) -> None:
    """Once each, in one row or in several; and the release that follows puts back the rest, to the piece."""
    skus = skus_of(count)
    do, main, north = AFTER[act]

    async def scenario(faults: Faults) -> Any:
        table = MemoryTable()
        stock = await held_in_part(table, faults, skus)
        with contextlib.suppress(Crash):
            await do(stock, skus)
        faults.armed = False
        answer = await do(stock, skus)
        assert await do(stock, skus) == answer
        for place, level in all_levels(table).items():
            assert level == (main if place.location == "main" else north), place
        assert await stock.release("order") is True
        assert await stock.release("late") is (act == "reserve")
        assert {level.reserved for level in all_levels(table).values()} == {0}
        assert all(level.adds_up for level in all_levels(table).values())
        return answer

    measure = Faults()
    expected = run_virtual(scenario, measure)
    for number in moments(measure.calls):
        for after in (False, True):
            assert run_virtual(scenario, Faults(at=number, after=after)) == expected, (number, after)


@pytest.mark.parametrize("act", AFTER)
@pytest.mark.parametrize("count", SIZES)
def test_a_release_in_the_middle_leaves_nothing_aside(count: int, act: str) -> None:
    """What has left has left; what had not is back, and is refused to whoever would send it still. Every level adds up."""
    skus = skus_of(count)
    do, _, _ = AFTER[act]

    async def scenario(number: int) -> None:
        table, faults = MemoryTable(), Faults(at=number)
        stock = await held_in_part(table, faults, skus)

        async def release() -> None:
            await stock.release("order")
            await stock.release("late")

        faults.meanwhile = release
        with contextlib.suppress(NotHeld):
            assert isinstance(await do(stock, skus), Withdrawn | Filled | PartlyReserved | None)
        faults.armed = False
        await release()
        levels = all_levels(table).values()
        assert all(level.adds_up for level in levels)
        assert {level.reserved for level in levels} == {0}
        if act != "commit":
            assert {level.committed for level in levels} == {0}

    measure = Faults()

    async def measured() -> None:
        stock = await held_in_part(MemoryTable(), measure, skus)
        await do(stock, skus)

    run_virtual(measured)
    for number in moments(measure.calls):
        run_virtual(scenario, number)


@pytest.mark.parametrize("count", SIZES)
def test_a_release_of_what_was_changed_in_part_is_finished_wherever_it_was_cut_off(count: int) -> None:
    """By a release, and by a fill or a parcel that come too late and change nothing."""
    skus = skus_of(count)

    async def scenario(faults: Faults) -> None:
        table = MemoryTable()
        stock = await held_in_part(table, faults, skus)
        faults.armed = False
        await part(stock, skus)
        faults.armed = True
        with contextlib.suppress(Crash):
            await stock.release("order")
        faults.armed = False
        await stock.fill("order", "late")
        with contextlib.suppress(NotHeld):
            await stock.commit("order", "late", {"north": {skus[-1]: 1}})
        assert await stock.release("order") is True
        assert await stock.fill("order", "later") == Withdrawn()
        levels = all_levels(table)
        assert {level.reserved for level in levels.values()} == {0}
        assert all(level.adds_up for level in levels.values())

    measure = Faults()
    run_virtual(scenario, measure)
    for number in moments(measure.calls):
        for after in (False, True):
            run_virtual(scenario, Faults(at=number, after=after))


@pytest.mark.parametrize("count", SIZES)
def test_a_parcel_that_leaves_in_the_middle_of_a_release_is_not_given_back_with_it(count: int) -> None:
    """The row is as it was read no more: it is looked at again, and the rest of it goes back."""
    skus = skus_of(count)

    async def scenario(faults: Faults) -> None:
        table = MemoryTable()
        stock = await held_in_part(table, faults, skus)

        async def parcel() -> None:
            with contextlib.suppress(NotHeld):
                await stock.commit("order", "s", {"north": {skus[-1]: 1}})

        faults.meanwhile = parcel
        assert await stock.release("order") is True
        levels = all_levels(table)
        assert {level.reserved for level in levels.values()} == {0}
        assert all(level.adds_up for level in levels.values())

    measure = Faults()
    run_virtual(scenario, measure)
    for number in moments(measure.calls):
        run_virtual(scenario, Faults(at=number))
