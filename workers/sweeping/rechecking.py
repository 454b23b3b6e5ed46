"""Orders that wait for goods are looked at again and again: goods come in without any order hearing of it.

Once an hour, the whole list, the longest waiting first, a page and a pause at a time. A hint to an order for which nothing has come costs
its worker one look; several instances look more often, and nothing is done twice.
"""

from random import Random
from typing import Final

import anyio
from anyio.abc import TaskStatus

from orderstore.orders import Orders
from workers.sweeping.observe import SweepObserver
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import WaitingForGoods

EVERY_S: Final = 3_600.0
PAGE: Final = 50
PAUSE_S: Final = 1.0
STOCK: Final = ("inventory",)
ORDERS_MAX: Final = 20_000
"""Of one walk; whoever waits behind them waits for those before."""


class Rechecking:
    """Runs until cancelled. Trouble is told, and never ends the process."""

    def __init__(
        self, waiting: WaitingForGoods, orders: Orders, sweep: OrderSweep, *, random: Random, observer: SweepObserver
    ) -> None:
        self._waiting = waiting
        self._orders = orders
        self._sweep = sweep
        self._random = random
        self._observer = observer

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Walk, wait, walk. Ready at once."""
        task_status.started()
        while True:
            await anyio.sleep(EVERY_S * self._random.uniform(0.5, 1.0))
            await self.walk()

    async def walk(self) -> int:
        """Have stock look at every order that waits for goods; how many there were."""
        after: str | None = None
        seen = 0
        while seen < ORDERS_MAX:
            try:
                page = await self._waiting.waiting(limit=PAGE, after=after)
            except Exception as error:  # noqa: BLE001 - ListsUnavailable, or a fault of the view: the next walk tries again
                self._observer.lists_failed(error)
                return seen
            for order in page.orders:
                seen += 1
                try:
                    history = await self._orders.load(order.order_id)
                    await self._sweep.wake(history, departments=STOCK)
                except Exception as error:  # noqa: BLE001 - whatever it is: the others are looked at, and this one in an hour
                    self._observer.failed(order.order_id, error)
            after = page.next
            if after is None:
                return seen
            await anyio.sleep(PAUSE_S)
        return seen
