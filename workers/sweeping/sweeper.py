"""The sweeper: reads the beginnings of the due lists, again and again, and sees to each order that stands there.

Bounded in orders, in time and in how many at once. Lists are read in any order, and another one in each turn and in each instance. An order
at which nothing was to be done (the list is a moment behind the log), or that could not be swept, is left alone for a while, so that it
stands in nobody's way; each of its later deadlines is another one.
"""

from collections import OrderedDict
from collections.abc import Callable
from random import Random
from typing import Final

import anyio
from anyio.abc import TaskStatus

from workers.sweeping.observe import SweepObserver
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import DueLists, DueOrder

EVERY_S: Final = 30.0
"""Between two turns. Source: domain reference 5.4, eShop's CheckUpdateTime."""
TURN_WITHIN_S: Final = 60.0
PAGE: Final = 50
ORDERS_MAX: Final = 1_000
"""Orders that are looked at in one turn; when there are more, the next turn follows soon."""
AT_ONCE: Final = 8
SOON_S: Final = 1.0
NOTHING_AGAIN_S: Final = 300.0
FAILED_AGAIN_S: Final = 60.0
LEFT_ALONE_MAX: Final = 20_000


class Sweeper:
    """Runs until cancelled. Trouble is told and tried again; it never ends the process. `now_ms` is the wall clock."""

    def __init__(
        self,
        lists: DueLists,
        sweep: OrderSweep,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: SweepObserver,
        every_s: float = EVERY_S,
    ) -> None:
        self._lists = lists
        self._sweep = sweep
        self._now_ms = now_ms
        self._random = random
        self._observer = observer
        self._every_s = every_s
        self._left_alone: OrderedDict[DueOrder, float] = OrderedDict()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Turn after turn. Ready at once: what is late makes no process unready."""
        task_status.started()
        while True:
            full = await self.turn()
            await anyio.sleep(SOON_S if full else self._every_s * self._random.uniform(0.7, 1.3))

    async def turn(self) -> bool:
        """See to what is due; whether there is more of it than one turn does."""
        shards = list(range(self._lists.shards))
        self._random.shuffle(shards)
        looked_at, now_ms = 0, self._now_ms()
        found_ms = [now_ms]
        with anyio.move_on_after(TURN_WITHIN_S) as scope:
            for shard in shards:
                after: str | None = None
                while looked_at < ORDERS_MAX:
                    try:
                        page = await self._lists.due(shard, now_ms=now_ms, limit=PAGE, after=after)
                    except Exception as error:  # noqa: BLE001 - ListsUnavailable, or a fault of the view: the other lists are swept
                        self._observer.lists_failed(error)
                        break
                    fresh = [order for order in page.orders if self._may_look_at(order)]
                    found_ms.extend(order.due_at_ms for order in fresh)
                    looked_at += len(fresh)
                    if fresh:  # in nearly every list nothing is due
                        await self._all(fresh)
                    after = page.next
                    if after is None:
                        break
        self._observer.turned(looked_at=looked_at, lag_s=(now_ms - min(found_ms)) / 1_000)
        return looked_at >= ORDERS_MAX or scope.cancelled_caught

    async def _all(self, orders: list[DueOrder]) -> None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as group:
            for order in orders:
                group.start_soon(self._one, order, limiter, name=f"sweep {order.order_id}")

    async def _one(self, order: DueOrder, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            try:
                done = await self._sweep.sweep(order.order_id)
            except Exception as error:  # noqa: BLE001 - whatever it is: the others are swept, and this one is tried again
                self._observer.failed(order.order_id, error)
                self._leave_alone(order, FAILED_AGAIN_S)
                return
        if not done:
            self._leave_alone(order, NOTHING_AGAIN_S)

    def _may_look_at(self, order: DueOrder) -> bool:
        until_s = self._left_alone.get(order)
        if until_s is not None and until_s > anyio.current_time():
            return False
        self._left_alone.pop(order, None)
        return True

    def _leave_alone(self, order: DueOrder, for_s: float) -> None:
        self._left_alone[order] = anyio.current_time() + for_s * self._random.uniform(0.8, 1.2)
        while len(self._left_alone) > LEFT_ALONE_MAX:
            self._left_alone.popitem(last=False)
