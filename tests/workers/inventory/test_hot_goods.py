"""One article that everybody wants, on a table that refuses a transaction while another is at work on its items, as DynamoDB does."""

from collections import Counter
from collections.abc import Callable
from random import Random

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from workers.inventory.locations import locations_in
from workers.inventory.parts import whole_of
from workers.inventory.patience import TRIES_MAX
from workers.inventory.stock import Reserved, Short, StockContended
from workers.inventory.table_stock import TableStock
from workers.inventory.turns import Turns
from workers.tables.errors import TableContended
from workers.tables.memory import MemoryTable

HANDLERS = 40
TRANSACTION_S = 0.006
CALL_S = 0.003


class BusyTable(MemoryTable):
    """Writes take their time, and a second one on the same item is refused meanwhile (TransactionConflict), as long as one of the two is
    a transaction. `watch` looks at the table after each write."""

    def __init__(self, watch: Callable[[MemoryTable], None] = lambda _table: None) -> None:
        super().__init__()
        self.conflicts = 0
        self.tries: Counter[str] = Counter()
        self._watch = watch
        self._at_work: set[tuple[str, ...]] = set()

    async def transact(self, operations):
        items = {tuple(operation.key.values()) for operation in operations}
        await self._alone(items, lambda: super(BusyTable, self).transact(operations))

    async def change(self, change):
        await self._alone({tuple(change.key.values())}, lambda: super(BusyTable, self).change(change))

    async def put_new(self, put):
        return await self._alone({tuple(put.key.values())}, lambda: super(BusyTable, self).put_new(put))

    async def _alone(self, items, write):
        await anyio.sleep(CALL_S)
        self.tries[anyio.get_current_task().name] += 1
        if items & self._at_work:
            self.conflicts += 1
            raise TableContended("TransactionConflict")
        self._at_work |= items
        try:
            await anyio.sleep(TRANSACTION_S)
            return await write()
        finally:
            self._at_work -= items
            self._watch(self)


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


def sound(table: MemoryTable) -> None:
    """At any moment: each level adds up, nothing is below zero, and what is reserved is what reservations hold."""
    levels = all_levels(table)
    held = Counter()
    for item in table._items.values():
        if "quantities" in item and str(item["key"]).startswith("reservation/"):
            held.update(whole_of(item).held)
    for place, level in levels.items():
        assert level.adds_up, (place, level)
        assert level.reserved == held[place], (place, level, held[place])


WORKERS = 64
LIFE_TRIES_MAX = 3 * TRIES_MAX
"""Writes of one order's whole life, refused ones among them: what three patient calls may take at most."""


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2, 8])
def test_64_at_once_reserve_send_and_give_back_one_hot_article(processes: int) -> None:
    """Nobody gives up, nothing is sold twice, and at no moment is anything amiss: five in a row for each, of whom a third send their
    goods, a third give back a part, and a third all; some take a second hot article with it, and some what there is.
    """

    async def scenario() -> tuple[BusyTable, Counter[str]]:
        table, told = BusyTable(sound), Counter[str]()
        locations = locations_in("main,north")
        stocks = [TableStock(table, random=Random(number), locations=locations) for number in range(processes)]
        for name in locations.names:
            await stocks[0].receive(f"r-{name}", {"HOT": 75, "WARM": 100}, location=name)

        async def worker(number: int) -> None:
            stock = stocks[number % processes]
            for turn in range(5):
                order = f"o-{number}-{turn}"
                wanted = {"HOT": 2, **({"WARM": 1} if number % 4 == 0 else {})}
                answer = await stock.reserve(order, wanted, partial=number % 5 == 0)
                told[type(answer).__name__] += 1
                if not isinstance(answer, Reserved):
                    told["given up"] += await stock.release(order)
                    continue
                match (number + turn) % 3:
                    case 0:
                        await stock.commit(order, "s", answer.held)
                        told["sent"] += sum(goods["HOT"] for goods in answer.held.values() if "HOT" in goods)
                    case 1:
                        (location, goods), *_ = answer.held.items()
                        await stock.release_part(order, "p", {location: {next(iter(goods)): 1}})
                        await stock.release(order)
                    case _:
                        await stock.release(order)

        async with anyio.create_task_group() as group:
            for number in range(WORKERS):
                group.start_soon(worker, number, name=f"worker {number}")
        return table, told

    table, told = run_virtual(scenario)
    levels = all_levels(table)
    hot = [level for place, level in levels.items() if place.sku == "HOT"]
    assert sum(level.committed for level in hot) == told["sent"] > 0
    assert sum(level.available + level.committed for level in hot) == 150
    assert {level.reserved for level in levels.values()} == {0}
    assert min(told["Reserved"], told["Short"], told["PartlyReserved"]) > 0
    tries = [table.tries[f"worker {number}"] for number in range(WORKERS)]
    assert max(tries) <= 5 * LIFE_TRIES_MAX, sorted(tries)
    assert max(tries) <= 8 * min(tries), sorted(tries)


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
