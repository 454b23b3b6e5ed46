"""A reservation that is cut off at any call: whoever comes next finishes it, and the books balance."""

import contextlib
import random

import pytest

from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import reserved
from tests.workers.world import Crash, Faults
from workers.inventory.stock import Reserved, Short, Withdrawn
from workers.inventory.table_stock import TableStock
from workers.tables.errors import TableContended
from workers.tables.memory import MemoryTable

SIZES = (1, 3, 200)


def wanted_of(count: int) -> dict[str, int]:
    return {f"SKU-{number:04d}": 2 for number in range(count)}


async def _stock(faults: Faults, count: int, *, short: bool) -> TableStock:
    """Stock for one order of `count` SKUs; when `short`, the last is there when it is looked at and gone when it is taken."""
    table = MemoryTable()
    await TableStock(table, random=random.Random(1)).receive("r", wanted_of(count))
    return TableStock(
        _LastSkuTaken(faults.wrap("table", table), count) if short else faults.wrap("table", table),
        random=random.Random(1),
    )


class _LastSkuTaken:
    """Somebody takes a piece of the last SKU just before the first transaction that wants it."""

    def __init__(self, table, count: int) -> None:
        self._table, self._last, self._taken = table, f"SKU-{count - 1:04d}", False

    def __getattr__(self, name):
        return getattr(self._table, name)

    async def transact(self, operations):
        if not self._taken and any(operation.key["key"] == f"sku/{self._last}" for operation in operations):
            self._taken = True
            other = TableStock(self._table._port, random=random.Random(2))
            assert await other.reserve("other", {self._last: 1}) == reserved({self._last: 1})
        await self._table.transact(operations)


async def _balanced(stock: TableStock, count: int) -> list[int]:
    aside = []
    for level in await stock.levels(list(wanted_of(count))):
        assert level is not None
        assert level.adds_up
        assert level.on_hand == 2
        aside.append(level.reserved)
    return aside


async def _reserve(faults: Faults, count: int, *, short: bool) -> object:
    stock = await _stock(faults, count, short=short)
    with contextlib.suppress(Crash):
        await stock.reserve("order", wanted_of(count))
    faults.armed = False
    answer = await stock.reserve("order", wanted_of(count))
    assert await stock.reserve("order", wanted_of(count)) == answer
    aside = await _balanced(stock, count)
    if isinstance(answer, Reserved):
        assert aside == [2] * count
    else:
        assert isinstance(answer, Short)
        assert aside == [0] * (count - 1) + [1]
    assert await stock.release("order") is isinstance(answer, Reserved)
    assert await _balanced(stock, count) == [0] * (count - 1) + [1 if short else 0]
    return answer


@pytest.mark.parametrize("short", [False, True], ids=["enough", "short"])
@pytest.mark.parametrize("count", SIZES)
def test_a_reservation_cut_off_at_any_call_is_finished_by_the_next(count: int, short: bool) -> None:
    """One outcome, and nothing half set aside."""
    measure = Faults()
    expected = run_virtual(lambda: _reserve(measure, count, short=short))
    assert isinstance(expected, Short if short else Reserved)

    for number in moments(measure.calls):
        for after in (False, True):
            found = run_virtual(lambda: _reserve(Faults(at=number, after=after), count, short=short))  # noqa: B023
            assert found == expected, (number, after, measure.names[number - 1])


@pytest.mark.parametrize("short", [False, True], ids=["enough", "short"])
@pytest.mark.parametrize("count", SIZES)
def test_a_release_in_the_middle_of_a_reservation_leaves_nothing_aside(count: int, short: bool) -> None:
    """At every call of the reservation the release comes in, is itself cut off or not, and wins."""
    measure = Faults()
    run_virtual(lambda: _reserve(measure, count, short=short))

    async def released_at(number: int) -> None:
        faults = Faults(at=number)
        stock = await _stock(faults, count, short=short)

        async def release() -> None:
            await stock.release("order")

        faults.meanwhile = release
        answer = await stock.reserve("order", wanted_of(count))
        faults.armed = False
        await stock.release("order")
        assert isinstance(answer, Withdrawn | Short | Reserved)
        assert isinstance(await stock.reserve("order", wanted_of(count)), Withdrawn | Short)
        assert sum(await _balanced(stock, count)) in ((0, 1) if short else (0,))

    for number in moments(measure.calls):
        run_virtual(released_at, number)


@pytest.mark.parametrize("count", SIZES)
def test_a_release_cut_off_at_any_call_is_finished_by_the_next(count: int) -> None:
    """Whether the next is a release or a late reservation."""

    async def release(faults: Faults, *, then_reserve: bool) -> None:
        faults.armed = False
        stock = await _stock(faults, count, short=False)
        await stock.reserve("order", wanted_of(count))
        faults.armed = True
        with contextlib.suppress(Crash):
            await stock.release("order")
        faults.armed = False
        if then_reserve:
            answer = await stock.reserve("order", wanted_of(count))
            assert isinstance(answer, Reserved if faults.at == 1 or not faults.calls else Withdrawn | Reserved)
        assert await stock.release("order") is True
        assert await _balanced(stock, count) == [0] * count

    measure = Faults()
    run_virtual(lambda: release(measure, then_reserve=False))
    for number in moments(measure.calls):
        for after in (False, True):
            for then_reserve in (False, True):
                run_virtual(lambda: release(Faults(at=number, after=after), then_reserve=then_reserve))  # noqa: B023


@pytest.mark.parametrize("short", [False, True], ids=["enough", "short"])
@pytest.mark.parametrize("count", SIZES)
def test_a_release_alone_clears_up_after_a_reservation_that_died_anywhere(count: int, short: bool) -> None:
    """The order was cancelled after the crash, so nobody ever reserves again."""

    async def cleared(faults: Faults) -> None:
        stock = await _stock(faults, count, short=short)
        with contextlib.suppress(Crash):
            await stock.reserve("order", wanted_of(count))
        faults.armed = False
        await stock.release("order")
        aside = await _balanced(stock, count)
        assert aside[:-1] == [0] * (count - 1)
        assert aside[-1] in ((0, 1) if short else (0,))  # the other's piece, if the crash came after it was taken
        assert isinstance(await stock.reserve("order", wanted_of(count)), Withdrawn | Short)

    measure = Faults()
    run_virtual(cleared, measure)
    for number in moments(measure.calls):
        for after in (False, True):
            run_virtual(cleared, Faults(at=number, after=after))


def test_contended_goods_are_tried_again_with_growing_pauses() -> None:
    """Another transaction on the same SKU passes; one that never passes is given up after a bounded time."""

    class Contended(MemoryTable):
        def __init__(self, times: int) -> None:
            super().__init__()
            self.times = times

        async def transact(self, operations):
            if self.times > 0:
                self.times -= 1
                raise TableContended("TransactionConflict")
            await super().transact(operations)

    async def reserve(times: int) -> object:
        table = Contended(0)
        stock = TableStock(table, random=random.Random(4))
        await stock.receive("r", {"A": 1})
        table.times = times
        return await stock.reserve("order", {"A": 1})

    assert run_virtual(reserve, 5) == reserved({"A": 1})
    with pytest.raises(Exception, match="at work elsewhere"):
        run_virtual(reserve, 10_000)
