"""Levels against reservations against orders: what drifted is found, what only moves is not, and a repair keeps the invariant."""

import random
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from tests.workers.world import World
from workers.inventory.locations import locations_in
from workers.inventory.stock import Level, Place
from workers.inventory.table_stock import TableStock
from workers.metrics.stock import StockMetrics
from workers.metrics.table import Metrics
from workers.reconciliation import stock as module
from workers.reconciliation.daily import DoneDays
from workers.reconciliation.stock import Finding, Report, StockReconciliation, TooManyDoubts
from workers.reconciliation.stock_daily import DailyStock
from workers.reconciliation.stock_orders import order_wants
from workers.reconciliation.stock_repair import repair
from workers.tables.errors import TableUnavailable
from workers.tables.memory import MemoryTable

SKUS = [f"SKU-{number:03d}" for number in range(120)]


class Store:
    """A table with one long and two short reservations at two locations; `wants` is what the log says of orders."""

    def __init__(self, **wants: str) -> None:
        self.table = MemoryTable()
        self.stock = TableStock(self.table, random=random.Random(1), locations=locations_in("main,north"))
        self.wants = wants

    async def filled(self) -> "Store":
        await self.stock.receive("r1", dict.fromkeys(SKUS, 10))
        await self.stock.receive("r2", {SKUS[0]: 5}, location="north")
        await self.stock.reserve("long", dict.fromkeys(SKUS, 2))
        await self.stock.reserve("short", {SKUS[0]: 11, SKUS[1]: 1})
        await self.stock.reserve("waits", {SKUS[2]: 12, SKUS[3]: 1}, partial=True)
        await self.stock.commit("long", "s", {"main": {SKUS[0]: 1}})
        return self

    async def reconciled(self, **options: Any) -> Report:
        return await StockReconciliation(self.table, self._of_order, **options).reconcile()

    async def _of_order(self, order: str) -> Any:
        return self.wants.get(order, "goods")

    def spoil(self, key: str, **numbers: Any) -> None:
        self.table._items[(key,)].update(numbers)


def told(report: Report) -> list[tuple[Any, ...]]:
    return [(one.kind, one.sku, one.location, one.ours, one.theirs) for one in report.findings]


@pytest.mark.parametrize("places_max", [200_000, 10])
def test_books_that_fit_are_found_to_fit(places_max: int) -> None:
    """Whether all of it is summed at once or in many parts, and at once: nothing has to be looked at again."""

    async def scenario() -> None:
        store = await Store().filled()
        report = await store.reconciled(places_max=places_max)
        assert (report.findings, report.unsettled, report.levels) == ((), (), 121)
        assert report.holding == 5  # the long one in three rows

    run_virtual(scenario)


@pytest.mark.parametrize("places_max", [200_000, 10])
def test_every_kind_of_drift_is_found_and_repaired(places_max: int) -> None:
    """Too much reserved, too little, a level without its reservation, a sum that is none, ended and unknown orders, a row of nobody."""

    async def scenario() -> None:
        store = await Store(short="nothing", waits="unknown").filled()
        store.spoil(f"sku/{SKUS[5]}", reserved=5, available=5)
        store.spoil(f"sku/{SKUS[6]}", reserved=1, available=9)
        store.spoil(f"sku/{SKUS[7]}", on_hand=99)
        store.spoil(f"sku/{SKUS[8]}", reserved="2")
        report = await store.reconciled(places_max=places_max)
        assert sorted(told(report)) == sorted(
            [
                ("reserved_differs", SKUS[5], "main", 2, 5),
                ("reserved_differs", SKUS[6], "main", 2, 1),
                ("does_not_add_up", SKUS[7], "main", 10, 99),
                ("unreadable", SKUS[8], "main", 0, 0),
                ("order_ended", SKUS[0], "main", 8, 0),
                ("order_ended", SKUS[0], "north", 3, 0),
                ("order_ended", SKUS[1], "main", 1, 0),
                ("order_unknown", SKUS[2], "main", 8, 0),
                ("order_unknown", SKUS[3], "main", 1, 0),
            ]
        )

        repairs = await repair(store.table, store.stock, report)
        assert [one.finding.kind for one in repairs if not one.done] == ["unreadable"]
        store.spoil(f"sku/{SKUS[8]}", reserved=2)
        again = await store.reconciled()
        assert again.findings == ()
        levels = all_levels(store.table)
        assert all(level.adds_up for level in levels.values())
        assert levels[Place("main", SKUS[5])] == levels[Place("main", SKUS[6])] == Level(10, 8, 2)
        assert levels[Place("main", SKUS[1])] == Level(10, 8, 2)

    run_virtual(scenario)


def test_what_an_unreadable_reservation_holds_is_given_to_nobody() -> None:
    """Its goods look as if they were reserved for no reason."""

    async def scenario() -> None:
        store = await Store().filled()
        store.spoil("reservation/long/1", state="of a later build")
        report = await store.reconciled()
        kinds = [one.kind for one in report.findings]
        assert kinds.count("unreadable") == 1
        assert kinds.count("reserved_differs") > 0
        before = all_levels(store.table)
        assert {one.done for one in await repair(store.table, store.stock, report)} == {False}
        assert all_levels(store.table) == before

    run_virtual(scenario)


def test_what_nobody_can_know_is_left_to_a_person() -> None:
    """An article that is short of what was promised, and one below zero: told, and not touched."""

    async def scenario() -> None:
        store = await Store().filled()
        store.spoil(f"sku/{SKUS[5]}", available=0, reserved=0, on_hand=0)
        store.spoil(f"sku/{SKUS[6]}", available=-1, reserved=2, on_hand=0)
        report = await store.reconciled()
        before = all_levels(store.table)
        repairs = await repair(store.table, store.stock, report)
        assert [(one.finding.sku, one.done) for one in repairs] == [(SKUS[5], False), (SKUS[6], False)]
        assert all("count" in one.told for one in repairs)
        assert all_levels(store.table) == before

    run_virtual(scenario)


class Moving(MemoryTable):
    """Somebody reserves and releases while the table is read: in the middle of each scan, for the first so many."""

    scans = 0

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Any = None
        self.times = 0

    async def scan(self):
        self.scans += 1
        number = 0
        async for item in super().scan():
            yield item
            number += 1
            if number == 5 and self.meanwhile is not None and self.scans <= self.times:
                await self.meanwhile(self.scans)


@pytest.mark.parametrize("drifted", [False, True])
@pytest.mark.parametrize("times", [1, 2, 9])
def test_goods_that_move_while_they_are_summed_are_no_discrepancy(times: int, drifted: bool) -> None:
    """An article that stood still in one of the looks is judged by it; one that never did is named, and not judged."""

    async def scenario() -> None:
        store = Store()
        store.table = table = Moving()
        store.stock = TableStock(table, random=random.Random(1))
        await store.stock.receive("r", {"A": 50, "B": 50, "C": 50, "D": 50, "E": 50, "F": 50})
        await store.stock.reserve("first", {"F": 1})
        if drifted:
            store.spoil("sku/F", reserved=4, available=46)

        async def meanwhile(scan: int) -> None:
            await store.stock.reserve(f"o-{scan}", {"A": 1, "F": 1})

        table.meanwhile, table.times = meanwhile, times
        report = await store.reconciled()
        if times < 9:
            expected = [("reserved_differs", "F", "main", 1 + times, 4 + times)] if drifted else []
            assert told(report) == expected
            assert report.unsettled == ()
        else:
            assert report.findings == ()
            assert Place("main", "F") in report.unsettled

    run_virtual(scenario)


def test_a_level_that_moved_and_is_as_before_did_not_stand_still() -> None:
    """One order gives a piece back while another takes one: the numbers are the same, and the sum was of neither moment."""

    async def scenario() -> None:
        store = Store()
        store.table = table = Moving()
        store.stock = TableStock(table, random=random.Random(1))
        await store.stock.receive("r", dict.fromkeys("ABCDEF", 50))
        await store.stock.reserve("o-0", {"F": 1})

        async def meanwhile(scan: int) -> None:
            await store.stock.release(f"o-{scan - 1}")
            await store.stock.reserve(f"o-{scan}", {"F": 1})

        table.meanwhile, table.times = meanwhile, 9
        report = await store.reconciled()
        assert report.findings == ()
        assert report.unsettled == (Place("main", "F"),)

    run_virtual(scenario)


def test_an_order_that_ends_while_it_is_looked_at_is_no_discrepancy() -> None:
    """Its goods are given back in the minute that follows its last word."""

    async def scenario() -> None:
        store = await Store(short="nothing").filled()

        class Slow(StockReconciliation):
            async def _look_again(self, doubts: list[Place], ended: Mapping[str, Any]) -> Any:
                await store.stock.release("short")
                return await super()._look_again(doubts, ended)

        assert (await Slow(store.table, store._of_order).reconcile()).findings == ()

    run_virtual(scenario)


def test_a_repair_of_what_has_moved_meanwhile_changes_nothing() -> None:
    """Nor does a second one."""

    async def scenario() -> None:
        store = await Store().filled()
        store.spoil(f"sku/{SKUS[5]}", reserved=5, available=5)
        report = await store.reconciled()
        await store.stock.reserve("late", {SKUS[5]: 1})
        assert [one.done for one in await repair(store.table, store.stock, report)] == [False]
        report = await store.reconciled()
        assert [one.done for one in await repair(store.table, store.stock, report)] == [True]
        assert [one.done for one in await repair(store.table, store.stock, report)] == [False]
        assert all_levels(store.table)[Place("main", SKUS[5])] == Level(10, 7, 3)

    run_virtual(scenario)


def test_a_table_of_which_nothing_fits_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reservations of another shop, or none at all."""
    monkeypatch.setattr(module, "DOUBTS_MAX", 100)

    async def scenario() -> None:
        store = await Store().filled()
        for key in [key for key in store.table._items if key[0].startswith("reservation/")]:
            del store.table._items[key]
        with pytest.raises(TooManyDoubts):
            await store.reconciled()

    run_virtual(scenario)


def test_what_the_log_says_of_an_order() -> None:
    """Wanted while it is under way, not wanted once it was cancelled, unknown where the log has no such order."""

    async def scenario() -> None:
        world = World()
        under_way = await world.place()
        cancelled = await world.place()
        await world.cancel(cancelled)
        assert await order_wants(world.orders, under_way) == "goods"
        world.wants = lambda queue, _type: queue in ("payment", "inventory")
        await world.deliver()
        assert await order_wants(world.orders, under_way) == "goods"
        done = await world.place()
        world.wants = lambda _queue, _type: True
        await world.deliver()
        assert await world.status(done) == "Completed"
        assert await order_wants(world.orders, done) == "nothing"
        assert await order_wants(world.orders, cancelled) == "nothing"
        assert await order_wants(world.orders, "00000000-0000-4000-8000-000000000000") == "unknown"
        report = await StockReconciliation(
            world.tables["inventory"], lambda one: order_wants(world.orders, one)
        ).reconcile()
        assert report.findings == ()

    run_virtual(scenario)


def test_once_a_day_the_books_are_closed_and_the_levels_compared() -> None:
    """By one of two instances; and again when it failed."""

    async def scenario() -> None:
        store = await Store().filled()
        store.spoil(f"sku/{SKUS[5]}", reserved=5, available=5)
        metrics, now_ms = Metrics(), 1_772_366_400_000

        class Failing(StockReconciliation):
            fails = True

            async def reconcile(self) -> Report:
                if Failing.fails:
                    Failing.fails = False
                    raise TableUnavailable("Scan")
                return await super().reconcile()

        noted = []

        async def note(finding: Finding) -> bool:
            noted.append(finding.kind)
            return True

        def instance() -> DailyStock:
            return DailyStock(
                store.table,
                store.stock,
                Failing(store.table, store._of_order),
                DoneDays(store.table, now_ms=lambda: now_ms, key="key"),
                note=note,
                now_ms=lambda: now_ms,
                random=random.Random(1),
                observer=StockMetrics(metrics),
            )

        for _ in range(4):
            await instance().catch_up()
        shown = metrics.registry.get_sample_value
        assert shown("orderstore_stock_reconciliation_failures_total") == 1
        assert shown("orderstore_stock_levels_reconciled_total") == 121
        assert shown("orderstore_stock_discrepancies_total", {"kind": "reserved_differs"}) == 1
        assert noted == ["reserved_differs"]
        assert shown("orderstore_stock_pieces_closed_total") == 1
        assert shown("orderstore_stock_unsettled") == 0
        level = all_levels(store.table)[Place("main", SKUS[0])]
        assert (level.committed, level.adds_up) == (0, True)
        assert await DoneDays(store.table, now_ms=lambda: now_ms, key="key").is_done(date(2026, 2, 28))

    run_virtual(scenario)
