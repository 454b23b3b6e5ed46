"""Goods came in: whoever waits for them is looked at now, and not when the hourly walk comes by. A bounded look through one list."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from orderstore.orders import Orders, placed
from workers.inventory.lines import goods_of
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import WaitingForGoods
from workers.sweeping.rechecking import PAGE, STOCK

LOOKED_AT_MAX: Final = 500
"""After a booking: whoever waits behind them is looked at within the hour, or by `orderstore stock wake`."""


@dataclass(slots=True)
class Woken:
    """The orders that stock was told to look at, how many wait that were looked at, and whether more wait than may be looked at."""

    orders: list[str] = field(default_factory=list)
    looked_at: int = 0
    more: bool = False


async def wake_waiting(
    waiting: WaitingForGoods,
    orders: Orders,
    sweep: OrderSweep,
    *,
    skus: Collection[str] | None,
    looked_at_max: int = LOOKED_AT_MAX,
) -> Woken:
    """Have stock look at every order that waits for one of these articles, or for any (None), the longest waiting first.

    Raises ListsUnavailable, StoreError.
    """
    found = Woken()
    after: str | None = None
    while True:
        page = await waiting.waiting(limit=min(PAGE, looked_at_max - found.looked_at), after=after)
        for one in page.orders:
            found.looked_at += 1
            history = await orders.load(one.order_id)
            order = placed(history)
            missing = goods_of(order.order, order.inventory.missing)
            if (skus is None or missing.keys() & set(skus)) and await sweep.wake(history, departments=STOCK):
                found.orders.append(one.order_id)
        after = page.next
        if after is None or found.looked_at >= looked_at_max:
            found.more = after is not None
            return found
