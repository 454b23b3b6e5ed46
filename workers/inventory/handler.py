"""The inventory worker's handler: reserve what an order wants, put it back when the order is undone."""

from collections import Counter
from functools import partial

from orderstore.domain import decisions, next_steps
from orderstore.domain.events import (
    InventoryFailed,
    InventoryReleased,
    InventoryReserved,
    OrderCancellationRequested,
    OrderCreated,
)
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.envelope import Envelope
from workers.inventory.stock import Reserved, Short, Stock, StockFor, Withdrawn
from workers.observe import WorkerObserver
from workers.reaction import Reaction
from workers.runtime.outcome import Outcome


class InventoryHandler(Reaction):
    """Reserves and releases. The reservation's id is the order's: there is never a second one."""

    def __init__(
        self, orders: Orders, *, stock_for: StockFor, sandbox: bool, observer: WorkerObserver | None = None
    ) -> None:
        super().__init__(orders, worker="inventory", sandbox=sandbox, observer=observer)
        self._stock_for = stock_for

    def _may_want(self, state: State) -> bool:
        return next_steps.inventory_step(state) is not None

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        order = placed(history).order
        stock = self._stock_for(order)
        match next_steps.inventory_step(history.state):
            case None:
                return None
            case next_steps.Reserve():
                return await self._reserve(history, order, stock)
            case next_steps.Release():
                return await self._release(history, order, stock)
            case (
                next_steps.CommitStock()
                | next_steps.ReleasePieces()
                | next_steps.FillBackorder()
                | next_steps.Restock()
            ):
                return None

    async def _reserve(self, history: History, order: OrderCreated, stock: Stock) -> History:
        cause = self._caused_by(history, OrderCreated, "inventory-outcome")
        match await stock.reserve(order.order_id, quantities_of(order)):
            case Reserved(untracked_skus):
                self._observer.reservation("reserved")
                reserved = InventoryReserved(reservation_id=order.order_id, untracked_skus=untracked_skus)
                decide = partial(decisions.reserve_inventory, outcome=reserved)
                return await self._orders.record(history, decide, cause=cause)
            case Short(missing):
                self._observer.reservation("short")
                failed = InventoryFailed(missing=missing)
                return await self._orders.record(
                    history, partial(decisions.fail_inventory, outcome=failed), cause=cause
                )
            case Withdrawn():
                self._observer.reservation("withdrawn")
                return await self._orders.load(order.order_id)  # it was cancelled: look again

    async def _release(self, history: History, order: OrderCreated, stock: Stock) -> History:
        given_back = await stock.release(order.order_id)
        self._observer.reservation("released")
        released = InventoryReleased(reservation_id=order.order_id if given_back else None)
        decide = partial(decisions.release_inventory, outcome=released)
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, OrderCancellationRequested, "inventory-release")
        )


def quantities_of(order: OrderCreated) -> dict[str, int]:
    """Pieces by SKU: the same SKU may stand on several lines."""
    quantities: Counter[str] = Counter()
    for line in order.lines:
        quantities[line.sku] += line.quantity
    return dict(quantities)
