"""The promises of stock, on memory and on DynamoDB's emulator."""

import random
from typing import Any

import anyio
import pytest

from orderstore.domain.events import MissingStock
from tests.workers.inventory.stocks import put_old, reserved
from tests.workers.service_tables import KINDS, open_table
from workers.inventory.stock import Level, Short, UsedOtherwise, Withdrawn
from workers.inventory.table_stock import TableStock
from workers.tables.memory import MemoryTable


@pytest.fixture(params=KINDS)
async def stock(request):
    async with open_table(request.param, "inventory", request) as table:
        yield TableStock(table, random=random.Random(3))


def many(count: int, pieces: int = 2) -> dict[str, int]:
    return {f"SKU-{number:04d}": pieces for number in range(count)}


async def levels(stock: TableStock, skus: Any) -> list[tuple[int, int, int]]:
    found = await stock.levels(list(skus))
    for level in found:
        assert level is not None
        assert level.adds_up
    return [(level.on_hand, level.available, level.reserved) for level in found if level is not None]


async def test_goods_in_counts_once_per_receipt(stock) -> None:
    """A repeat adds nothing, other goods under the same receipt are refused, unknown SKUs are untracked."""
    await stock.receive("r1", {"A": 5, "B": 1})
    await stock.receive("r1", {"A": 5, "B": 1})
    await stock.receive("r2", {"A": 2})
    with pytest.raises(UsedOtherwise):
        await stock.receive("r1", {"A": 6, "B": 1})
    with pytest.raises(ValueError, match="one piece or more"):
        await stock.receive("r3", {"A": 0})

    assert await stock.levels(["A", "B", "C"]) == (Level(7, 7, 0), Level(1, 1, 0), None)


async def test_all_lines_are_set_aside_and_a_repeat_answers_the_same(stock) -> None:
    """Available goes down, reserved goes up, once."""  # E018, E019
    await stock.receive("r", {"A": 5, "B": 5})

    assert await stock.reserve("order", {"A": 2, "B": 5}) == reserved({"A": 2, "B": 5})
    assert await stock.reserve("order", {"A": 2, "B": 5}) == reserved({"A": 2, "B": 5})

    assert await levels(stock, "AB") == [(5, 3, 2), (5, 0, 5)]


async def test_one_short_sku_sets_nothing_aside_for_ever(stock) -> None:
    """All or nothing; and goods that come later do not change an answer that was given."""  # E021
    await stock.receive("r", {"A": 5, "B": 1})
    short = Short((MissingStock(sku="B", wanted=2, available=1), MissingStock(sku="C", wanted=1, available=0)))

    assert await stock.reserve("order", {"A": 2, "B": 2, "C": 1}) == short
    await stock.receive("more", {"B": 10, "C": 10})
    assert await stock.reserve("order", {"A": 2, "B": 2, "C": 1}) == short

    assert await levels(stock, "ABC") == [(5, 5, 0), (11, 11, 0), (10, 10, 0)]
    assert await stock.release("order") is False


async def test_a_release_puts_everything_back_once(stock) -> None:
    """And says for ever that there had been something."""
    await stock.receive("r", {"A": 5})
    await stock.reserve("order", {"A": 3})

    assert await stock.release("order") is True
    assert await stock.release("order") is True
    assert await stock.reserve("order", {"A": 3}) == Withdrawn()

    assert await levels(stock, "A") == [(5, 5, 0)]


async def test_a_release_that_comes_first_wins_for_ever(stock) -> None:
    """A late or redriven reservation sets nothing aside."""
    await stock.receive("r", {"A": 5})

    assert await stock.release("order") is False
    assert await stock.reserve("order", {"A": 3}) == Withdrawn()
    assert await stock.release("order") is False

    assert await levels(stock, "A") == [(5, 5, 0)]


@pytest.mark.parametrize("count", [90, 91, 250, 1114])
async def test_orders_of_any_length_are_set_aside_whole_and_put_back_whole(stock, count: int) -> None:
    """More SKUs than one transaction takes: the longest order of the real data has 1,114 lines."""
    wanted = many(count)
    await stock.receive("r", many(count, 3))

    assert await stock.reserve("order", wanted) == reserved(wanted)
    assert await levels(stock, wanted) == [(3, 1, 2)] * count
    assert await stock.release("order") is True
    assert await levels(stock, wanted) == [(3, 3, 0)] * count


async def test_a_long_order_with_a_short_last_sku_sets_nothing_aside(stock) -> None:
    """What was held on the way is back before the answer is given."""
    wanted = many(250)
    await stock.receive("r", many(249))

    answer = await stock.reserve("order", wanted)

    assert answer == Short((MissingStock(sku="SKU-0249", wanted=2, available=0),))
    assert await levels(stock, list(wanted)[:-1]) == [(2, 2, 0)] * 249


async def test_64_orders_for_one_hot_sku_get_exactly_what_there_is(stock) -> None:
    """Never one piece too many, never one left that somebody was refused."""  # E019
    await stock.receive("r", {"HOT": 40, "B": 1000})
    answers = []

    async def order(number: int) -> None:
        answers.append(await stock.reserve(f"order-{number}", {"HOT": 1, "B": 2}))

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(order, number)

    assert answers.count(reserved({"HOT": 1, "B": 2})) == 40
    assert sum(isinstance(answer, Short) for answer in answers) == 24
    assert await levels(stock, ["HOT", "B"]) == [(40, 0, 40), (1000, 920, 80)]


async def test_reserving_and_releasing_one_order_at_once_leaves_nothing_aside(stock) -> None:
    """Sixteen of each, long enough for many transactions: the release wins."""
    wanted = many(200)
    await stock.receive("r", wanted)

    async with anyio.create_task_group() as tasks:
        for _ in range(16):
            tasks.start_soon(stock.reserve, "order", wanted)
            tasks.start_soon(stock.release, "order")

    assert await stock.reserve("order", wanted) == Withdrawn()
    assert await levels(stock, wanted) == [(2, 2, 0)] * 200


async def test_skus_that_need_no_stock_are_named(request) -> None:
    """With `accept`, services and fees hold up no order, short or long."""
    for count in (2, 200):
        async with open_table("memory", "inventory", request) as table:
            stock = TableStock(table, random=random.Random(3), untracked="accept")
            await stock.receive("r", many(count - 1))
            last = f"SKU-{count - 1:04d}"

            assert await stock.reserve("order", many(count)) == reserved(many(count - 1), last)
            assert await stock.reserve("order", many(count)) == reserved(many(count - 1), last)
            assert await levels(stock, many(count - 1)) == [(2, 0, 2)] * (count - 1)


async def test_an_ordinary_reservation_is_one_item_beside_its_goods_and_both_ways_are_one_transaction() -> None:
    """What is not written needs not be paid, read or repaired: two SKUs are three items to take and three to put back."""
    table = MemoryTable()
    stock = TableStock(table, random=random.Random(1))
    await stock.receive("opening", {"A": 5, "B": 5})
    sizes: list[int] = []
    real = table.transact

    async def transact(operations: Any) -> None:
        sizes.append(len(operations))
        await real(operations)

    table.transact = transact  # type: ignore[method-assign]  # it counts
    assert await stock.reserve("order-1", {"A": 1, "B": 2}) == reserved({"A": 1, "B": 2})
    assert await stock.release("order-1") is True
    assert sizes == [3, 3]
    assert [level.available for level in await stock.levels(["A", "B"]) if level] == [5, 5]
    assert len([row async for row in table.scan() if row["key"].startswith("reservation/")]) == 1


@pytest.mark.parametrize("begun", [False, True], ids=["reserved", "and its release was begun"])
@pytest.mark.parametrize("chunked", [False, True], ids=["in its head", "in a chunk"])
async def test_reservations_of_both_old_forms_are_put_back_by_this_build(chunked: bool, begun: bool) -> None:
    """While a release is rolled out both forms are in the table, and an older worker may have moved a head before it gave up on it."""
    table = MemoryTable()
    stock = TableStock(table, random=random.Random(1))
    await put_old(table, chunked=chunked, begun=begun)
    if not begun:
        assert await stock.reserve("order-1", {"A": 2}) == reserved({"A": 2})
    assert await stock.release("order-1") is True
    assert await stock.release("order-1") is True
    assert await stock.reserve("order-1", {"A": 2}) == Withdrawn()
    assert await stock.levels(["A"]) == (Level(on_hand=5, available=5, reserved=0),)


async def test_two_releases_at_once_put_the_goods_back_once() -> None:
    """Both have seen the same head; another order's goods are not given back with them."""
    table = MemoryTable()
    stock = TableStock(table, random=random.Random(1))
    await stock.receive("opening", {"A": 5})
    for order in ("order-1", "order-2"):
        assert await stock.reserve(order, {"A": 2}) == reserved({"A": 2})
    answers: list[bool] = []

    async def release() -> None:
        answers.append(await stock.release("order-1"))

    async with anyio.create_task_group() as group:
        group.start_soon(release)
        group.start_soon(release)
    assert answers == [True, True]
    assert await stock.levels(["A"]) == (Level(on_hand=5, available=3, reserved=2),)
