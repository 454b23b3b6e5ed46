"""Stock that obeys an order's test hooks: `reserved` needs no goods, `out_of_stock` finds none."""

from collections.abc import Mapping, Sequence
from typing import Literal

from orderstore.domain.events import MissingStock, OrderCreated
from workers.inventory.reservation import MISSING_TOLD_MAX
from workers.inventory.stock import Answer, Level, Reserved, Short, Stock


class SandboxStocks:
    """`workers/departments.py` passes `stock_for` to the handler where test hooks are allowed."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    def stock_for(self, order: OrderCreated) -> Stock:
        """The real stock, behind the order's hook if it has one."""
        hook = None if order.hooks is None else order.hooks.inventory_outcome
        return self._stock if hook is None else _HookedStock(self._stock, hook)


class _HookedStock(Stock):
    def __init__(self, stock: Stock, outcome: Literal["reserved", "out_of_stock"]) -> None:
        self._stock = stock
        self._outcome = outcome

    async def reserve(self, reservation_id: str, quantities: Mapping[str, int]) -> Answer:
        if self._outcome == "out_of_stock":
            wanted = list(quantities.items())[:MISSING_TOLD_MAX]
            return Short(tuple(MissingStock(sku=sku, wanted=pieces, available=0) for sku, pieces in wanted))
        # A reservation of nothing: it can be released, and released first, like any other.
        answer = await self._stock.reserve(reservation_id, {})
        return Reserved(tuple(quantities)) if isinstance(answer, Reserved) else answer

    async def release(self, reservation_id: str) -> bool:
        return await self._stock.release(reservation_id)

    async def receive(self, receipt_id: str, quantities: Mapping[str, int]) -> None:
        await self._stock.receive(receipt_id, quantities)

    async def levels(self, skus: Sequence[str]) -> tuple[Level | None, ...]:
        return await self._stock.levels(skus)
