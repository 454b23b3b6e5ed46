"""Orders held to stock: what the log says of their goods against what is set aside for them. The other way round, from stock's rows to the
orders, is `stock`.

    not_committed   a parcel has left, and stock has not heard of it (subject: the parcel)
    not_held        the log says that more pieces are set aside than stock holds (subject: the article and where)
    held_too_much   stock holds more of them

A worker may be between its write in stock and its append, and a message may have been lost: so of an order that nothing has happened to for
a while, whoever still has something to do is woken, and it is looked at once more a little later before it counts.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio

from orderstore.codec import MalformedCommit
from orderstore.domain.ids import order_of
from orderstore.domain.next_steps import inventory_step
from orderstore.domain.parcels import LEFT, counted, shipments_in, shipped
from orderstore.domain.parts import EditStatus
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.inventory.editing import reservation_of_edit
from workers.inventory.levels import places_in
from workers.inventory.stock import GoodsAt
from workers.reconciliation.stock_orders import HOLDS, WHOLE, booked, subject_of
from workers.reconciliation.whole import Discrepancy

QUIET_S: Final = 3_600.0
LOOK_AGAIN_S: Final = 60.0
DOUBTS_MAX: Final = 10_000
_UNREADABLE: Final = (UnknownOrder, MalformedCommit, CorruptCommit, StreamTooLong, ImpossibleTransition)

Holding = Callable[[str], Awaitable[GoodsAt]]
"""What is set aside for an order."""
Wake = Callable[[History], Awaitable[object]]
"""Has the inventory worker look at an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOfOrders:
    """`now_ms` is the wall clock. Memory: an id for each order that does not fit."""

    orders: Orders
    holding: Holding
    wake: Wake
    now_ms: Callable[[], int]
    look_again_s: float = LOOK_AGAIN_S

    async def look(self, streams: AsyncIterator[str]) -> AsyncIterator[Discrepancy]:
        """What does not fit, of the orders of these streams. Raises StoreError, TableError."""
        doubts: list[str] = []
        async for stream in streams:
            if len(doubts) >= DOUBTS_MAX:
                break  # these are for today
            order_id = _order_in(stream)
            history = None if order_id is None else await self._readable(order_id)
            if order_id is None or history is None or not self._is_quiet(history):
                continue
            if await self._judged(order_id, history):
                doubts.append(order_id)
                if inventory_step(history.state) is not None:
                    await self.wake(history)
        if doubts:
            await anyio.sleep(self.look_again_s)
        for order_id in doubts:
            history = await self._readable(order_id)
            for found in () if history is None else await self._judged(order_id, history):
                yield found

    async def _judged(self, order_id: str, history: History) -> list[Discrepancy]:
        order = placed(history)
        if order.inventory.status not in HOLDS:
            return []
        found = [
            Discrepancy(
                area="stock",
                kind="not_committed",
                subject=parcel.shipment_id,
                order_id=order_id,
                ours=counted(shipped(order, parcel)).total(),
            )
            for parcel in shipments_in(order, LEFT)
            if parcel.shipment_id not in order.inventory.committed
        ]
        said = booked(history).held
        if not said and order.inventory.status in WHOLE:
            return found  # all of it has left: of what is held still, the rows tell
        there = Counter(places_in(await self.holding(order_id)))
        for edit in order.edits:
            if edit.status is EditStatus.APPLIED:
                there.update(places_in(await self.holding(reservation_of_edit(order_id, edit.edit_id))))
        for place in sorted(said | there):
            if said[place] != there[place]:
                kind = "not_held" if said[place] > there[place] else "held_too_much"
                found.append(
                    Discrepancy(
                        area="stock",
                        kind=kind,
                        subject=subject_of(place),
                        order_id=order_id,
                        ours=said[place],
                        theirs=there[place],
                    )
                )
        return found

    def _is_quiet(self, history: History) -> bool:
        return history.events[-1].recorded_at_ms < self.now_ms() - QUIET_S * 1_000

    async def _readable(self, order_id: str) -> History | None:
        """None for an order that cannot be read as it is stored: others name it."""
        try:
            return await self.orders.load(order_id)
        except _UNREADABLE:
            return None


def _order_in(stream: str) -> str | None:
    try:
        return order_of(stream)[1]
    except ValueError:
        return None
