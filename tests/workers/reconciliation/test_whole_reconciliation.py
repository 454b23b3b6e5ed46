"""Views and invoices held to the log: each discrepancy an event of its order, once, and a figure; once a day, by one instance."""

from collections.abc import AsyncIterator
from datetime import date
from random import Random
from typing import Any

import anyio
import pytest

from orderstore.domain import events as e
from orderstore.store.errors import CorruptCommit
from orderstore.store.memory import MemoryEventStore
from projections.comparing.compare import Report as Compared
from projections.comparing.compare import compare_orders
from projections.view_store.memory import MemoryViewStore
from tests.ordering import ACTOR, TENANT, orders_over, request
from tests.projections.lagging import project, targets_in
from tests.virtual_time import run_virtual
from workers.metrics.sweeping import WholeMetrics
from workers.metrics.table import Metrics
from workers.reconciliation import whole
from workers.reconciliation.daily import CLAIM_S, DoneDays
from workers.reconciliation.whole import Discrepancy, Report, WholeReconciliation
from workers.reconciliation.whole_daily import DailyWhole
from workers.sweepers import sampled
from workers.tables.errors import TableUnavailable
from workers.tables.memory import MemoryTable

DAY = date(2026, 3, 1)
MORNING_MS = 1_772_420_400_000  # 2026-03-02T03:00:00Z


def finding(order_id: str | None, **changes: Any) -> Discrepancy:
    values = {"area": "view", "kind": "behind", "subject": "order_status", "order_id": order_id, "ours": 3, "theirs": 2}
    return Discrepancy(**{**values, **changes})


def looking(*found: Discrepancy):
    async def look() -> AsyncIterator[Discrepancy]:
        for one in found:
            await anyio.lowlevel.checkpoint()
            yield one

    return look


async def two_orders(store: MemoryEventStore | None = None):
    orders = orders_over(store)
    ids = []
    for key in ("a", "b"):
        placed = await orders.place(request(), actor=ACTOR, idempotency_key=key)
        ids.append(placed.history.events[0].order_id)
    return orders, ids


async def noted(orders, order_id: str) -> list[e.DiscrepancyFound]:
    return [
        recorded.event
        for recorded in (await orders.load(order_id)).events
        if isinstance(recorded.event, e.DiscrepancyFound)
    ]


def test_a_discrepancy_is_an_event_of_its_order_once_however_often_it_is_found() -> None:
    """Run after run, and in two instances at the same time; another finding is another event."""

    async def scenario() -> None:
        orders, (first, second) = await two_orders()
        found = (finding(first), finding(first, subject="invoices"), finding(second, area="invoice", kind="no_trigger"))
        one, other = (WholeReconciliation(orders, looking(*found)) for _ in range(2))
        async with anyio.create_task_group() as group:
            group.start_soon(one.reconcile)
            group.start_soon(other.reconcile)
        report = await one.reconcile()

        assert [told.noted for told in report.found] == [True] * 3
        assert await noted(orders, first) == [
            e.DiscrepancyFound(area="view", kind="behind", subject=name, ours=3, theirs=2)
            for name in ("order_status", "invoices")
        ]
        assert [(event.area, event.kind) for event in await noted(orders, second)] == [("invoice", "no_trigger")]
        by = (await orders.load(first)).events[-1]
        assert (by.actor.type, by.actor.id, by.source) == ("service", "reconciliation", "reconciliation")

    run_virtual(scenario)


def test_what_no_order_can_tell_is_counted_and_told_all_the_same() -> None:
    """A gap in a series, an order that is not there, and one that cannot be read: the others are noted."""

    async def scenario() -> None:
        store = Unreadable()
        orders, (first, second) = await two_orders(store)
        store.broken = f"{TENANT}/order-{second}"
        gone = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
        found = [finding(one) for one in ("INV-2026", None, gone, second, first)]
        report = await WholeReconciliation(orders, looking(*found)).reconcile()

        assert [told.noted for told in report.found] == [False] * 4 + [True]

    run_virtual(scenario)


class Unreadable(MemoryEventStore):
    broken = ""

    async def read(self, stream, *, after=0):
        if stream == self.broken:
            raise CorruptCommit(stream, 1, "made up")
        return await super().read(stream, after=after)


def test_a_view_that_is_broken_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are noted, and the rest is counted."""

    async def scenario() -> None:
        monkeypatch.setattr(whole, "FOUND_MAX", 4)
        orders, (first, _) = await two_orders()
        found = [finding(first, ours=number) for number in range(9)]
        report = await WholeReconciliation(orders, looking(*found)).reconcile()
        assert (len(report.found), report.more, len(await noted(orders, first))) == (4, 5, 4)

        metrics = Metrics()
        WholeMetrics(metrics).reconciled("2026-03-01", report)
        text = metrics.render()[0].decode()
        assert 'orderstore_discrepancies_total{area="view",kind="behind"} 4.0' in text
        assert 'orderstore_discrepancies_total{area="any",kind="more"} 5.0' in text

    run_virtual(scenario)


def test_documents_of_some_orders_are_compared_and_no_others() -> None:
    """One order's document is missing, another's is there: only what is asked for is looked at."""

    async def scenario() -> None:
        store, views = MemoryEventStore(), MemoryViewStore()
        _, (first, second) = await two_orders(store)
        await project(store, views, f"{TENANT}/order-{first}", targets_in(1))

        async def streams(*ids: str) -> AsyncIterator[str]:
            for order_id in ids:
                await anyio.lowlevel.checkpoint()
                yield f"{TENANT}/order-{order_id}"

        for ids, missing in (((first,), 0), ((second,), 3), ((first, second), 3)):
            report = Compared()
            await compare_orders(store, views, targets_in(1), streams(*ids), report=report)
            assert report.orders == len(ids)
            assert [found.kind for found in report.differences] == ["missing"] * missing

    run_virtual(scenario)


def test_each_day_looks_at_another_share_of_the_orders() -> None:
    """A twentieth: about so many, and after some weeks nearly all of them."""

    async def scenario() -> None:
        async def streams() -> AsyncIterator[str]:
            for number in range(2_000):
                yield f"main/order-{number}"

        seen: set[str] = set()
        for day in range(60):
            found = [stream async for stream in sampled(streams(), share=0.05, day=f"day-{day}")]
            assert 50 < len(found) < 160
            seen |= set(found)
        assert len(seen) > 1_800
        assert [one async for one in sampled(streams(), share=0, day="d")] == []
        assert len([one async for one in sampled(streams(), share=1, day="d")]) == 2_000

    run_virtual(scenario)


class Reconciling:
    """Counts runs; the first `fails` of them end in trouble."""

    def __init__(self, *, fails: int = 0) -> None:
        self.runs = 0
        self.fails = fails

    async def reconcile(self) -> Report:
        self.runs += 1
        await anyio.sleep(60)
        if self.runs <= self.fails:
            raise ConnectionError("down")
        return Report(found=())


class Told:
    def __init__(self) -> None:
        self.days: list[str] = []
        self.failures: list[str] = []

    def reconciled(self, day: str, report: Report) -> None:
        self.days.append(day)

    def failed(self, day: str, error: Exception) -> None:
        self.failures.append(type(error).__name__)


def daily(reconciling: Reconciling, table: MemoryTable, told: Told, seed: int = 1) -> DailyWhole:
    def now_ms() -> int:
        return MORNING_MS + round(anyio.current_time() * 1_000)

    return DailyWhole(
        reconciling, DoneDays(table, now_ms=now_ms, job="all"), now_ms=now_ms, random=Random(seed), observer=told
    )


def test_one_of_two_instances_does_it_once_a_day() -> None:
    """Three days: three runs, whoever comes first."""

    async def scenario() -> None:
        reconciling, table, told = Reconciling(), MemoryTable(), Told()
        with anyio.move_on_after(3 * 86_400 - 3_600):
            async with anyio.create_task_group() as group:
                for seed in (1, 2):
                    await group.start(daily(reconciling, table, told, seed).run)
        assert told.days == ["2026-03-01", "2026-03-02", "2026-03-03"]
        assert reconciling.runs == 3

    run_virtual(scenario)


def test_a_run_that_fails_is_told_and_tried_again_the_same_day() -> None:
    """It ends nothing; an instance that died over it is waited for, and then its day is taken."""

    async def scenario() -> None:
        reconciling, table, told = Reconciling(fails=2), MemoryTable(), Told()
        one = daily(reconciling, table, told)
        for _ in range(3):
            await one.catch_up()
        assert (told.failures, told.days) == (["ConnectionError"] * 2, ["2026-03-01"])

        table = MemoryTable()
        with anyio.move_on_after(5):
            await daily(Reconciling(), table, told).catch_up()
        other = Reconciling()
        await daily(other, table, told).catch_up()
        assert other.runs == 0
        await anyio.sleep(CLAIM_S)
        await daily(other, table, told).catch_up()
        assert other.runs == 1

    run_virtual(scenario)


def test_a_table_that_is_down_ends_nothing() -> None:
    """The day is looked at again."""

    async def scenario() -> None:
        told = Told()
        table = MemoryTable()

        async def down(*_arguments: object) -> None:
            raise TableUnavailable("down")

        table.get = down  # type: ignore[method-assign,assignment]  # it is down
        await daily(Reconciling(), table, told).catch_up()
        assert told.failures == ["TableUnavailable"]

    run_virtual(scenario)
