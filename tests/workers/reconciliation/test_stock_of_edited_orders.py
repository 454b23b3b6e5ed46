"""Orders that took more pieces, held to stock: the goods of an edit lie in a reservation of their own, which is looked at by itself."""

from collections.abc import AsyncIterator
from typing import Any

from orderstore.history import History
from tests.virtual_time import run_virtual
from tests.workers.editing import ask, stocked
from tests.workers.world import World
from workers.inventory.editing import owner_of, reservation_of_edit
from workers.inventory.stock import GoodsAt
from workers.reconciliation.stock_of_orders import StockOfOrders
from workers.reconciliation.stock_orders import order_wants

DAY_MS = 86_400_000


async def edited(world: World) -> tuple[str, str]:
    """A held order, and its edit, which nobody has heard of yet; the reservation of the edit."""
    order_id = await stocked(world)
    await world.hold(order_id, "wait")
    await world.deliver()
    edit_id = await ask(world, order_id)
    return order_id, reservation_of_edit(order_id, edit_id)


async def nobody(_history: History) -> None:
    """Has nothing to do."""


async def told(world: World, holding: Any) -> list[tuple[str, str, int, int]]:
    """What is found a day later."""
    looking = StockOfOrders(orders=world.orders, holding=holding, wake=nobody, now_ms=lambda: world.time_ms + DAY_MS)
    found: AsyncIterator[Any] = looking.look(world.log.streams())
    return [(one.kind, one.subject, one.ours, one.theirs) async for one in found]


def test_a_reservation_says_whose_it_is() -> None:
    """The order's own, or that of one of its edits."""
    assert owner_of("order-1") == ("order-1", None)
    assert owner_of(reservation_of_edit("order-1", "edit-1")) == ("order-1", "edit-1")


def test_what_an_edit_has_set_aside_is_the_order_s_once_it_is_applied() -> None:
    """Nothing differs then; what stock does not hold of it is told."""

    async def scenario() -> None:
        world = World()
        _, reservation = await edited(world)
        await world.deliver()
        assert await told(world, world.stock.holding) == []

        async def without(reservation_id: str) -> GoodsAt:
            return {} if reservation_id == reservation else await world.stock.holding(reservation_id)

        assert await told(world, without) == [("not_held", "LAMP-003 at main", 2, 0)]

    run_virtual(scenario)


def test_the_row_of_an_edit_is_wanted_as_long_as_it_may_hold_something() -> None:
    """Open, applied: it holds goods. Declined and put back, or with the order ended: nothing; and nobody knows another one."""

    async def scenario() -> None:
        world = World()
        order_id, reservation = await edited(world)
        assert await order_wants(world.orders, reservation) == "goods"
        await world.deliver()
        assert await order_wants(world.orders, reservation) == "goods"
        await world.release(order_id, "wait")
        await world.deliver()
        assert await order_wants(world.orders, reservation) == "nothing"

        other = World()
        order_id, reservation = await edited(other)
        await other.cancel(order_id)
        assert await order_wants(other.orders, reservation) == "goods"
        await other.deliver()
        assert await order_wants(other.orders, reservation) == "nothing"
        assert await order_wants(other.orders, reservation_of_edit(order_id, "never")) == "nothing"
        assert await order_wants(other.orders, reservation_of_edit("no-order", "e")) == "unknown"

    run_virtual(scenario)
