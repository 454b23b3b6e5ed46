"""Goods came in: whoever waits for them is looked at now, nobody else, and never more than may be."""

from functools import partial

import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from tests.virtual_time import run_virtual
from tests.workers.sweeping.sweep_world import SweepWorld
from tests.workers.sweeping.test_sweeping import MISSING, PAID
from workers.sweeping.ports import DuePage, ListsUnavailable
from workers.sweeping.waking import wake_waiting


async def waiting(world: SweepWorld, number: int) -> str:
    """An order that waits for the goods of its first lines."""
    order_id = await world.place(
        number,
        terms=e.Terms(missing_stock="backorder"),
        allowances=e.Allowances(outcomes_s=10**6, undo_s=10**6),
    )
    there = (e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1))
    partly = e.InventoryPartiallyReserved(
        reservation_id="r", allocations=(e.Allocation(location="main", lines=there),), missing=MISSING
    )
    await world.happen(
        order_id, partial(d.complete_payment, outcome=PAID), partial(d.partly_reserve_inventory, outcome=partly)
    )
    return order_id


def test_only_who_waits_for_these_goods_is_woken() -> None:
    """By the article that is missing, or all of them."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await waiting(world, 1)
        order = (await world.orders.load(order_id)).state.order  # type: ignore[union-attr]  # it is placed
        missing = {order.lines[part.line].sku for part in MISSING}
        for skus, woken in ((missing, [order_id]), ({"OTHER"}, []), (None, [order_id]), (set(), [])):
            world.seen.hints.clear()
            found = await wake_waiting(world.lists, world.orders, world.sweep(), skus=skus)
            assert (found.orders, found.looked_at, found.more) == (woken, 1, False)
            assert world.seen.hints == [("inventory", one) for one in woken]

    run_virtual(scenario)


def test_no_more_are_looked_at_than_may_be() -> None:
    """The longest waiting first; that there are more is told."""

    async def scenario() -> None:
        world = SweepWorld()
        ids = [await waiting(world, number) for number in range(1, 4)]
        found = await wake_waiting(world.lists, world.orders, world.sweep(), skus=None, looked_at_max=2)
        assert (found.orders, found.looked_at, found.more) == (ids[:2], 2, True)
        found = await wake_waiting(world.lists, world.orders, world.sweep(), skus=None, looked_at_max=3)
        assert (found.orders, found.more) == (ids, False)

    run_virtual(scenario)


def test_a_list_that_cannot_be_read_is_said() -> None:
    """Nobody was woken, and whoever asked knows."""

    class Broken:
        async def waiting(self, *, limit: int, after: str | None) -> DuePage:
            raise ListsUnavailable(f"{limit} {after}")

    async def scenario() -> None:
        world = SweepWorld()
        with pytest.raises(ListsUnavailable):
            await wake_waiting(Broken(), world.orders, world.sweep(), skus=None)

    run_virtual(scenario)
