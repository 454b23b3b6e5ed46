"""One article that everybody wants, on a table that refuses a transaction while another is at work on its items, as DynamoDB does."""

from collections import Counter
from random import Random

import anyio
import pytest

from tests.virtual_time import run_virtual
from workers.inventory.stock import Reserved, Short, StockContended
from workers.inventory.table_stock import TableStock
from workers.inventory.turns import Turns
from workers.tables.errors import TableContended
from workers.tables.memory import MemoryTable

HANDLERS = 40
TRANSACTION_S = 0.006
CALL_S = 0.003


class BusyTable(MemoryTable):
    """Transactions take their time, and a second one on the same item is refused meanwhile (TransactionConflict)."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 0
        self._at_work: set[tuple[str, ...]] = set()

    async def transact(self, operations):
        await anyio.sleep(CALL_S)
        items = {tuple(operation.key.values()) for operation in operations}
        if items & self._at_work:
            self.conflicts += 1
            raise TableContended("TransactionConflict")
        self._at_work |= items
        try:
            await anyio.sleep(TRANSACTION_S)
            await super().transact(operations)
        finally:
            self._at_work -= items


async def sell(*, orders: int, pieces: int, processes: int, wanted: tuple[str, ...] = ("HOT",)):
    """Everybody wants a piece at once; answers by kind, and the table."""
    table, answers = BusyTable(), Counter()
    await TableStock(table, random=Random(0)).receive("goods-in", dict.fromkeys(wanted, pieces))
    table.conflicts = 0
    stocks = [TableStock(table, random=Random(number + 1)) for number in range(processes)]
    left = iter(range(orders))

    async def handler(stock: TableStock) -> None:
        for number in left:
            try:
                answer = await stock.reserve(f"order-{number}", dict.fromkeys(wanted, 1))
            except StockContended as error:
                answer = error
            answers[type(answer)] += 1

    async with anyio.create_task_group() as group:
        for number in range(HANDLERS * processes):
            group.start_soon(handler, stocks[number % processes])
    levels = await stocks[0].levels(wanted)
    return answers, table, levels


@pytest.mark.parametrize("processes", [1, 2])
def test_nobody_who_wants_the_hot_article_uses_up_their_tries(processes: int) -> None:
    """Exactly the pieces that there were are sold, everybody gets an answer at the first asking, and most transactions are not refused."""
    answers, table, (level,) = run_virtual(lambda: sell(orders=600, pieces=400, processes=processes))
    assert answers == {Reserved: 400, Short: 200}
    assert level is not None
    assert (level.on_hand, level.available, level.reserved) == (400, 0, 400)
    assert table.conflicts < 600  # without turns each order meets several


def test_orders_of_many_hot_articles_do_not_wait_for_one_another_in_a_circle() -> None:
    """Turns at several articles are taken in one order."""
    answers, _, levels = run_virtual(lambda: sell(orders=120, pieces=120, processes=2, wanted=("C", "A", "B")))
    assert answers == {Reserved: 120}
    assert {level.available for level in levels} == {0}


def test_turns_at_the_same_things_in_another_order_do_not_wait_for_one_another() -> None:
    """Whoever asks for B and A waits where the others wait for A and B."""

    async def take_both() -> int:
        turns, done = Turns(), []

        async def take(*things: str) -> None:
            async with turns.at(things):
                await anyio.sleep(1)
                done.append(things)

        with anyio.move_on_after(10):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(take, "A", "B")
                    group.start_soon(take, "B", "A")
        return len(done)

    assert run_virtual(take_both) == 6


def test_a_turn_that_is_cut_off_is_given_back() -> None:
    """Whoever is cancelled while it waits, or at its turn, leaves no line behind that others would wait in for ever."""

    async def cut() -> int:
        turns, reached = Turns(), []

        async def take(thing: str) -> None:
            async with turns.at([thing, "B"]):
                reached.append(thing)
                await anyio.sleep(1)

        with anyio.move_on_after(0.5):
            async with anyio.create_task_group() as group:
                for thing in ("A", "A", "C"):
                    group.start_soon(take, thing)
        assert len(reached) == 1
        async with anyio.create_task_group() as group:
            group.start_soon(take, "A")
            group.start_soon(take, "A")
        assert reached[1:] == ["A", "A"]
        return len(turns)

    assert run_virtual(cut) == 0
