"""Orders held to stock, and stock to orders: what differs is said in the order, once; what only moves, or a worker puts right, is not."""

import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from orderstore.domain.events import DiscrepancyFound
from orderstore.history import History
from orderstore.orders import placed
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.inventory.stock import GoodsAt
from workers.reconciliation.stock import Finding, StockReconciliation
from workers.reconciliation.stock_of_orders import StockOfOrders
from workers.reconciliation.stock_orders import note_finding, order_wants
from workers.reconciliation.whole import Discrepancy, WholeReconciliation, note

HOUR_MS = 3_600_000


class Looking:
    """A world, and what is found in it two hours later."""

    def __init__(self) -> None:
        self.world = World()
        self.woken: list[str] = []
        self.works = False

    async def confirmed(self) -> str:
        """Set aside, and the shipping worker is slow."""
        self.world.wants = lambda queue, _type: queue in ("payment", "inventory")
        order_id = await self.world.place(("A", 5, "10"))
        self.world.faults.armed = False
        await self.world.deliver()
        return order_id

    async def wake(self, history: History) -> None:
        self.woken.append(placed(history).order.order_id)
        if self.works:
            message = next(entry[1] for entry in self.world.history if entry[0] == "inventory")
            await self.world.handlers["inventory"](message)

    def stock_of_orders(self, holding: Any = None) -> StockOfOrders:
        return StockOfOrders(
            orders=self.world.orders,
            holding=holding or self.world.stock.holding,
            wake=self.wake,
            now_ms=lambda: self.world.time_ms,
        )

    def found(self, holding: Any = None) -> AsyncIterator[Discrepancy]:
        return self.stock_of_orders(holding).look(self.world.log.streams())

    async def told(self, holding: Any = None) -> list[tuple[str, int, int]]:
        return [(one.kind, one.ours, one.theirs) async for one in self.found(holding)]


def test_orders_that_fit_are_found_to_fit() -> None:
    """Set aside, cancelled, done: and an order that something has just happened to is left alone."""

    async def scenario() -> None:
        looking = Looking()
        order_id = await looking.confirmed()
        await looking.world.stock.release(order_id)
        assert await looking.told() == []  # it may be on its way
        looking = Looking()
        await looking.confirmed()
        looking.world.wants = lambda _queue, _type: True
        await looking.world.place(("A", 3, "10"))
        await looking.world.cancel(await looking.world.place(("A", 3, "10")))
        await looking.world.deliver()
        looking.world.time_ms += 2 * HOUR_MS
        assert await looking.told() == []
        assert looking.woken == []

    run_virtual(scenario)


def test_what_the_log_says_is_held_and_is_not_is_said_once() -> None:
    """By the first run; and the next one adds nothing."""

    async def scenario() -> None:
        looking = Looking()
        order_id = await looking.confirmed()
        await looking.world.stock.release(order_id)
        looking.world.time_ms += 2 * HOUR_MS
        for _ in range(2):
            report = await WholeReconciliation(looking.world.orders, looking.found).reconcile()
            assert [(one.discrepancy.kind, one.noted) for one in report.found] == [("not_held", True)]
            looking.world.time_ms += 2 * HOUR_MS
        history = await looking.world.orders.load(order_id)
        said = [recorded.event for recorded in history.events if isinstance(recorded.event, DiscrepancyFound)]
        assert said == [DiscrepancyFound(area="stock", kind="not_held", subject="A at main", ours=5, theirs=0)]

    run_virtual(scenario)


def test_stock_that_holds_too_much_is_found() -> None:
    """Pieces of which the log knows nothing."""

    async def scenario() -> None:
        looking = Looking()
        order_id = await looking.confirmed()
        looking.world.tables["inventory"]._items[(f"reservation/{order_id}",)]["quantities"] = {"A": 7, "B": 1}
        looking.world.time_ms += 2 * HOUR_MS
        assert await looking.told() == [("held_too_much", 5, 7), ("held_too_much", 0, 1)]

    run_virtual(scenario)


def test_goods_that_came_for_an_order_and_were_never_said_to_are_found() -> None:
    """All of it waits, and who set the goods aside died for good."""

    async def scenario() -> None:
        looking = Looking()
        world = looking.world
        order_id = await world.place(("A", 5, "10"), stocked=False, terms={"missingStock": "backorder"})
        world.faults.armed = False
        await world.deliver()
        await world.stock.receive("r", {"A": 2})
        await world.stock.fill(order_id, "by hand")
        world.time_ms += 2 * HOUR_MS
        assert await looking.told() == [("held_too_much", 0, 2)]

    run_virtual(scenario)


@pytest.mark.parametrize("works", [True, False], ids=["the worker does it", "nobody does"])
def test_a_parcel_of_which_stock_has_not_heard_is_put_right_or_said(works: bool) -> None:
    """Its message was lost, or it left before stock was told of parcels at all: the worker is woken first."""

    async def scenario() -> None:
        looking = Looking()
        looking.works = works
        order_id = await looking.confirmed()
        looking.world.messages.extend(entry for entry in looking.world.history if entry[0] == "shipping")
        looking.world.wants = lambda queue, _type: queue != "inventory"
        await looking.world.deliver()
        looking.world.time_ms += 2 * HOUR_MS
        assert await looking.told() == ([] if works else [("not_committed", 5, 0)])
        assert looking.woken == [order_id]
        levels = await looking.world.stock.levels(["A"])
        assert [level.committed for level in levels if level is not None] == [5 if works else 0]

    run_virtual(scenario)


def test_what_moves_while_it_is_looked_at_is_no_discrepancy() -> None:
    """The second look finds that it fits."""

    async def scenario() -> None:
        looking = Looking()
        await looking.confirmed()
        looking.world.time_ms += 2 * HOUR_MS
        answers: list[GoodsAt] = [{"main": {"A": 4}}, {"main": {"A": 5}}]

        async def holding(_order_id: str) -> GoodsAt:
            return answers.pop(0)

        assert await looking.told(holding) == []
        assert answers == []

    run_virtual(scenario)


def test_what_an_order_holds_after_all_of_it_has_left_is_found_by_the_rows() -> None:
    """And said in the order; a finding that is about no order is not."""

    async def scenario() -> None:
        looking = Looking()
        world = looking.world
        order_id = await world.place(("A", 5, "10"))
        await world.deliver()
        assert await order_wants(world.orders, order_id) == "nothing"
        world.tables["inventory"]._items[(f"reservation/{order_id}",)]["quantities"] = {"A": 2}
        world.tables["inventory"]._items[("sku/A",)].update(reserved=2, available=93)
        wants = partial(order_wants, world.orders)
        (finding,) = (await StockReconciliation(world.tables["inventory"], wants).reconcile()).findings
        assert (finding.kind, finding.ours) == ("order_ended", 2)
        for _ in range(2):
            assert await note_finding(world.orders, finding)
        history = await world.orders.load(order_id)
        said = [recorded.event for recorded in history.events if isinstance(recorded.event, DiscrepancyFound)]
        assert said == [DiscrepancyFound(area="stock", kind="order_ended", subject="A at main", ours=0, theirs=2)]

        unreadable = Finding(
            kind="unreadable", sku="", location="", ours=0, theirs=0, subject=f"reservation/{order_id}/0"
        )
        assert await note_finding(world.orders, unreadable)
        for nobodys in (
            Finding(kind="reserved_differs", sku="A", location="main", ours=1, theirs=2),
            Finding(kind="unreadable", sku="A", location="main", ours=0, theirs=0, subject="sku/A"),
            Finding(kind="order_unknown", sku="A", location="main", ours=1, theirs=0, subject=str(random.random())),
        ):
            assert not await note_finding(world.orders, nobodys)
        unknown = Discrepancy(
            area="stock", kind="k", subject="s", order_id="00000000-0000-4000-8000-000000000000", ours=1
        )
        assert not await note(world.orders, unknown)

    run_virtual(scenario)
