"""What goods cost in DynamoDB, in write units: nobody makes a reservation dearer without seeing it here.

A started KB is a write unit, in a transaction two; items of a reservation of two articles are far below one.
Source: docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html (capacity).
"""

from typing import Any

import pytest

from tests.virtual_time import run_virtual
from tests.workers.inventory.test_parts_of_reservations import TWO, stock_on
from workers.inventory.locations import ONE_LOCATION, Locations
from workers.inventory.table_stock import TableStock
from workers.tables.memory import MemoryTable

ALL = {"main": {"A": 1, "B": 2}}
NORTH = {"north": {"A": 1, "B": 2}}


class Meter(MemoryTable):
    """Counts what each call would be charged, for items of up to 1 KB to write and 4 KB to read."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.reads = 0
        self.writes = 0

    async def get(self, key: Any) -> Any:
        self._count("get", reads=1)
        return await super().get(key)

    async def get_many(self, keys: Any) -> Any:
        self._count("get_many", reads=len(keys))
        return await super().get_many(keys)

    async def put_new(self, put: Any) -> Any:
        self._count("put_new", writes=1)
        return await super().put_new(put)

    async def change(self, change: Any) -> None:
        self._count("change", writes=1)
        await super().change(change)

    async def transact(self, operations: Any) -> None:
        self._count("transact", writes=2 * len(operations))
        await super().transact(operations)

    def _count(self, call: str, *, reads: int = 0, writes: int = 0) -> None:
        self.calls.append(call)
        self.reads += reads
        self.writes += writes

    async def cost_of(self, act: Any) -> tuple[tuple[str, ...], int, int]:
        self.calls, self.reads, self.writes = [], 0, 0
        await act
        return tuple(self.calls), self.reads, self.writes


async def _metered(locations: Locations, *, untracked: Any = "refuse") -> tuple[Meter, TableStock]:
    meter = Meter()
    stock = stock_on(meter, locations, untracked)
    if untracked == "refuse":
        for name in locations.names:
            await stock.receive(f"r-{name}", {"A": 9, "B": 9}, location=name)
    return meter, stock


def test_two_articles_cost_six_write_units_a_step() -> None:
    """Reserve, release, commit: the reservation and two levels in one transaction each. Dispatch writes no second time: the books of an
    article are closed once a day, whatever was sent."""

    async def scenario() -> None:
        meter, stock = await _metered(ONE_LOCATION)
        assert await meter.cost_of(stock.reserve("o-1", ALL["main"])) == (("get_many", "transact"), 3, 6)
        assert await meter.cost_of(stock.release("o-1")) == (("get", "transact"), 1, 6)
        await stock.reserve("o-2", ALL["main"])
        assert await meter.cost_of(stock.commit("o-2", "s", ALL)) == (("get", "transact"), 1, 6)
        assert await meter.cost_of(stock.commit("o-2", "s", ALL)) == (("get",), 1, 0)
        assert await meter.cost_of(stock.release("o-2")) == (("get", "change"), 1, 1)
        assert await meter.cost_of(stock.close("A")) == (("get_many", "get_many", "change"), 2, 1)
        assert await meter.cost_of(stock.close("A")) == (("get_many", "get_many"), 2, 0)

    run_virtual(scenario)


def test_a_second_location_costs_reads_and_no_writes() -> None:
    """An order that one location can serve is one transaction as before."""

    async def scenario() -> None:
        meter, stock = await _metered(TWO)
        north = stock.reserve("o-1", {"A": 1, "B": 2}, destination="SE")
        assert await meter.cost_of(north) == (("get_many", "transact"), 5, 6)
        assert await meter.cost_of(stock.commit("o-1", "s", NORTH)) == (("get", "transact"), 1, 6)

    run_virtual(scenario)


@pytest.mark.parametrize("partial", [False, True])
def test_what_sets_nothing_aside_is_one_write_unit(partial: bool) -> None:
    """A refusal, a wait for everything, a reservation that needs no stock: one row, and no transaction."""

    async def scenario() -> None:
        meter, stock = await _metered(ONE_LOCATION)
        cost = await meter.cost_of(stock.reserve("short", {"C": 1, "D": 1}, partial=partial))
        assert cost == (("get_many", "put_new"), 3, 1)
        meter, stock = await _metered(ONE_LOCATION, untracked="accept")
        assert await meter.cost_of(stock.reserve("fees", {"C": 1}, partial=partial)) == (("get_many", "put_new"), 2, 1)
        assert await meter.cost_of(stock.release("fees")) == (("get", "change"), 1, 1)
        assert await meter.cost_of(stock.release("first")) == (("get", "put_new"), 1, 1)

    run_virtual(scenario)


def test_a_backorder_and_a_change_of_mind_cost_what_they_move() -> None:
    """The reservation and the levels of the articles that come in, or go back: two articles six, one four."""

    async def scenario() -> None:
        meter, stock = await _metered(ONE_LOCATION)
        assert (await meter.cost_of(stock.reserve("o", {"A": 10, "B": 1}, partial=True)))[2] == 6
        assert await meter.cost_of(stock.fill("o", "f1")) == (("get", "get_many", "get"), 3, 0)
        await stock.receive("more", {"A": 1})
        assert (await meter.cost_of(stock.fill("o", "f1")))[2] == 4
        assert (await meter.cost_of(stock.release_part("o", "c", {"main": {"B": 1}})))[2] == 4

    run_virtual(scenario)
