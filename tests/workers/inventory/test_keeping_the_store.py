"""What people do with goods: counted, carried, damaged, written off, taken back, and the books that are closed. Each once."""

import random
from typing import Any

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from tests.workers.inventory.test_parts_of_reservations import TWO
from tests.workers.service_tables import KINDS, open_table
from workers.inventory.stock import Level, NotThere, Place, UsedOtherwise
from workers.inventory.table_stock import TableStock
from workers.tables.memory import MemoryTable
from workers.tables.port import PutNew

A, NORTH = Place("main", "A"), Place("north", "A")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_year_of_one_article(kind: str, request: Any) -> None:
    """Each step is done twice and happens once."""
    async with open_table(kind, "inventory", request) as table:
        stock = TableStock(table, random=random.Random(1), locations=TWO)
        for _ in range(2):
            await stock.receive("r", {"A": 10})
            await stock.move("m", "A", 4, source="main", target="north")
        assert await stock.everywhere(["A"]) == ({"main": Level(6, 6, 0), "north": Level(4, 4, 0)},)
        await stock.reserve("order", {"A": 5})
        for _ in range(2):
            await stock.commit("order", "s", {"main": {"A": 2}})
            await stock.mark_damaged("d", A, 1)
        assert await stock.levels(["A"]) == (Level(6, 0, 3, 2, 1),)
        for _ in range(2):
            await stock.count("c", A, 5)  # two of six have left; one more was found
        assert await stock.levels(["A"]) == (Level(7, 1, 3, 2, 1),)
        assert [await stock.close("A") for _ in range(2)] == [2, 0]
        for _ in range(2):
            await stock.write_off("w", A, 1)
            await stock.restock("b", sellable={"main": {"A": 1}}, damaged={"main": {"A": 1}, "north": {"A": 1}})
        assert await stock.everywhere(["A"]) == ({"main": Level(6, 2, 3, 0, 1), "north": Level(5, 4, 0, 0, 1)},)


async def test_nobody_takes_what_is_not_there() -> None:
    """Neither carried nor damaged nor written off, nor counted away from those who were promised it; and the id stays free."""
    table = MemoryTable()
    stock = TableStock(table, random=random.Random(1), locations=TWO)
    await stock.receive("r", {"A": 5})
    await stock.reserve("order", {"A": 3})
    for act in (
        stock.move("x", "A", 3, source="main", target="north"),
        stock.move("x", "A", 1, source="north", target="main"),
        stock.mark_damaged("x", A, 3),
        stock.write_off("x", A, 1),
        stock.count("x", A, 2),
    ):
        with pytest.raises(NotThere):
            await act
    assert all_levels(table) == {A: Level(5, 2, 3)}
    await stock.count("x", A, 3)
    assert all_levels(table) == {A: Level(3, 0, 3)}


async def test_an_id_means_one_thing() -> None:
    """Under the same id something else is refused, and nothing happens."""
    stock = TableStock(MemoryTable(), random=random.Random(1), locations=TWO)
    await stock.receive("r", {"A": 9})
    await stock.move("id", "A", 1, source="main", target="north")
    await stock.count("id", A, 8)
    await stock.mark_damaged("id", A, 2)
    await stock.write_off("id", A, 1)
    await stock.restock("id", sellable={"main": {"A": 1}}, damaged={})
    before = await stock.everywhere(["A"])
    for act in (
        stock.receive("r", {"A": 9}, location="north"),
        stock.move("id", "A", 1, source="north", target="main"),
        stock.count("id", A, 7),
        stock.mark_damaged("id", NORTH, 1),
        stock.write_off("id", A, 2),
        stock.restock("id", sellable={}, damaged={"main": {"A": 1}}),
    ):
        with pytest.raises(UsedOtherwise):
            await act
    assert await stock.everywhere(["A"]) == before


async def test_a_count_makes_an_article_tracked() -> None:
    """Also one of which there is none."""
    stock = TableStock(MemoryTable(), random=random.Random(1))
    await stock.count("c1", A, 0)
    await stock.count("c2", Place("main", "B"), 4)
    assert await stock.levels(["A", "B"]) == (Level(0, 0, 0), Level(4, 4, 0))


async def test_a_level_of_an_older_build_is_counted_and_closed() -> None:
    """What it does not have is 0."""
    table = MemoryTable()
    await table.put_new(PutNew({"key": "sku/A"}, {"on_hand": 5, "available": 3, "reserved": 2}))
    stock = TableStock(table, random=random.Random(1))
    with pytest.raises(NotThere):
        await stock.write_off("w", A, 1)
    assert await stock.close("A") == 0
    await stock.count("c", A, 2)
    assert await stock.levels(["A"]) == (Level(2, 0, 2),)


def test_counting_while_goods_move_counts_what_is_there() -> None:
    """Whoever moves them in between, the level adds up, and nothing that was set aside is lost."""

    async def scenario(seed: int) -> None:
        table = MemoryTable()
        stock = TableStock(table, random=random.Random(seed))
        await stock.receive("r", {"A": 50})
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(stock.reserve, f"o-{number}", {"A": 1})
                if number % 5 == 0:
                    group.start_soon(stock.count, f"c-{number}", A, 40)
                    group.start_soon(stock.close, "A")
        assert all_levels(table) == {A: Level(40, 20, 20)}

    for seed in range(5):
        run_virtual(scenario, seed)
