"""Stock that obeys an order's test hooks: `reserved` needs no goods, `out_of_stock` finds none, now and later."""

from collections.abc import Sequence
from typing import Literal

from orderstore.domain.events import MissingStock, OrderCreated
from workers.inventory.reservation import MISSING_TOLD_MAX
from workers.inventory.stock import (
    MAIN,
    Answer,
    Filled,
    Goods,
    GoodsAt,
    Level,
    PartlyReserved,
    Reserved,
    Short,
    Stock,
    Withdrawn,
)


class SandboxStocks:
    """`workers/departments.py` passes `stock_for` to the handler where test hooks are allowed."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    def stock_for(self, order: OrderCreated) -> Stock:
        """The real stock, behind the order's hook if it has one."""
        hook = None if order.hooks is None else order.hooks.inventory_outcome
        return self._stock if hook is None else _HookedStock(self._stock, hook)


class _HookedStock(Stock):
    """Its reservations are of nothing, so that nothing of them leaves, is missing or comes back either."""

    def __init__(self, stock: Stock, outcome: Literal["reserved", "out_of_stock"]) -> None:
        self._stock = stock
        self._outcome = outcome

    async def reserve(
        self, reservation_id: str, quantities: Goods, *, partial: bool = False, destination: str | None = None
    ) -> Answer:
        if self._outcome == "out_of_stock" and not partial:
            wanted = list(quantities.items())[:MISSING_TOLD_MAX]
            return Short(tuple(MissingStock(sku=sku, wanted=pieces, available=0) for sku, pieces in wanted))
        # A reservation of nothing: it can be released, and released first, like any other.
        answer = await self._stock.reserve(reservation_id, {}, partial=partial, destination=destination)
        if not isinstance(answer, Reserved):
            return answer
        if self._outcome == "out_of_stock":  # what becomes of the order is for its terms to say
            return PartlyReserved(held={}, missing=quantities)
        return Reserved(tuple(quantities))

    async def fill(self, reservation_id: str, fill_id: str, *, destination: str | None = None) -> Filled | Withdrawn:
        return await self._stock.fill(reservation_id, fill_id, destination=destination)

    async def commit(self, reservation_id: str, shipment_id: str, pieces: GoodsAt) -> None:  # noqa: ARG002 - the port's
        await self._stock.commit(reservation_id, shipment_id, {})

    async def release_part(
        self,
        reservation_id: str,
        release_id: str,
        pieces: GoodsAt,  # noqa: ARG002 - the port's
        *,
        unwanted: Goods | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        await self._stock.release_part(reservation_id, release_id, {})

    async def forgo(self, reservation_id: str, fill_id: str, unwanted: Goods) -> None:  # noqa: ARG002 - the port's
        await self._stock.forgo(reservation_id, fill_id, {})

    async def release(self, reservation_id: str) -> bool:
        return await self._stock.release(reservation_id)

    async def restock(self, return_id: str, *, sellable: GoodsAt, damaged: GoodsAt) -> None:  # noqa: ARG002 - the port's
        await self._stock.restock(return_id, sellable={}, damaged={})

    async def receive(self, receipt_id: str, quantities: Goods, *, location: str = MAIN) -> None:
        await self._stock.receive(receipt_id, quantities, location=location)

    async def levels(self, skus: Sequence[str], *, location: str = MAIN) -> tuple[Level | None, ...]:
        return await self._stock.levels(skus, location=location)
