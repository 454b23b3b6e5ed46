"""The run: start every role, feed, follow each order to its end, sum up; then, unless asked to exit, go on serving."""

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Final

import aiohttp
import anyio
import orjson

from projections.stream.low_water import caught_up_to_ms
from projections.views import order_status
from projections.views.view import Generation
from workers.core import Core
from workers.demo.feed import Fed, Feeder
from workers.demo.outcome import Summary
from workers.demo.screen import Screen, Standing
from workers.departments import stock_of
from workers.intake.generator import GeneratorSettings, OrderGenerator
from workers.notification.listing import notifications_of
from workers.subscriptions import RELAY_SUBSCRIPTION
from workers.wiring import Running

LOOK_EVERY_S: Final = 0.5
ORDERS_LOOKED_AT_PER_S: Final = 300
ORDERS_PER_LOOK: Final = 500
# Everything that came a second time: messages delivered again or received twice at once, commits that reached a view again,
# decisions whose outcome stood in the log.
DUPLICATES: Final = (
    "orderstore_queue_redelivered",
    "orderstore_duplicates_dropped",
    "orderstore_view_duplicates_dropped",
    "orderstore_decisions_repeated",
)
ENDS: Final = frozenset({"COMPLETED", "CANCELLED", "REJECTED"})
LOADS_AT_ONCE: Final = 32
FEEDS_AT_ONCE: Final = 16
STOCK_PER_SKU: Final = 1_000_000
# An order that has not ended after so long without any progress anywhere is stuck: the run says so instead of hanging.
PATIENCE_S: Final = 180.0
# Shares of rare lines are raised, so that a short run shows some of each.
RARITIES_SCALE: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What to feed. The same seed feeds the same orders, with the same keys."""

    orders: int
    seed: int
    base_url: str
    token: str


class Demo:
    """One run over a service that is up."""

    def __init__(self, running: Running, settings: DemoSettings, screen: Screen) -> None:
        self._running = running
        self._settings = settings
        self._screen = screen
        self._generator = OrderGenerator(GeneratorSettings(seed=settings.seed, rarities_scale=RARITIES_SCALE))
        self._fed: dict[str, Fed] = {}
        self._open: set[str] = set()
        self._by_state: Counter[str] = Counter()
        self._last_recorded_ms = 0
        self._started_at = monotonic()

    async def run(self) -> Summary:
        """Feed and follow. Returns when every order has ended and every queue is empty, or nothing moves any more."""
        await self._receive_stock()
        self._started_at = monotonic()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=FEEDS_AT_ONCE)) as session:
            feeder = Feeder(
                session, base_url=self._settings.base_url, token=self._settings.token, concurrency=FEEDS_AT_ONCE
            )
            with self._screen:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._follow, name="follow")
                    await feeder.feed(self._generator.orders(self._settings.orders), self._on_fed)
        seconds = monotonic() - self._started_at
        return await self._sum_up(seconds)

    def _on_fed(self, fed: Fed) -> None:
        self._fed[fed.order_id] = fed
        self._open.add(fed.order_id)

    async def _receive_stock(self) -> None:
        """Goods in for the whole catalogue, once per state directory: a repeat finds its receipts and adds nothing."""
        stock = stock_of(self._core)
        skus = [item.sku for item in self._generator.catalogue]
        await stock.receive("demo-catalogue", dict.fromkeys(skus, STOCK_PER_SKU))

    async def _follow(self) -> None:
        last_change_at, last = monotonic(), None
        while True:
            await self._look()
            idle = await self._all_published() and await self._queues_idle()
            standing = self._standing()
            self._screen.show(standing)
            if len(self._fed) == self._settings.orders and not self._open and idle:
                return
            moved = (standing.fed, standing.events, sorted(standing.by_state.items()))
            if moved != last:
                last_change_at, last = monotonic(), moved
            if monotonic() - last_change_at > PATIENCE_S:
                return
            # A look reads every open order: many open orders are looked at less often, so that looking costs a fixed share.
            await anyio.sleep(max(LOOK_EVERY_S, len(self._open) / ORDERS_LOOKED_AT_PER_S))

    async def _look(self) -> None:
        """Read the status view of every order that had not ended at the last look."""
        statuses = await self._statuses(sorted(self._open))
        ended_before = {status: count for status, count in self._by_state.items() if status in ENDS}
        self._by_state = Counter(ended_before)
        self._by_state.update(statuses.values())
        self._open -= {order_id for order_id, status in statuses.items() if status in ENDS}

    async def _statuses(self, order_ids: list[str]) -> dict[str, str]:
        """By order, as the view has it now; an order that the view does not know yet is missing."""
        views, tenant = self._core.views, self._core.settings.tenant
        current = (await views.generations([order_status.NAME]))[order_status.NAME].current
        generation = Generation(order_status.NAME, current)
        found: dict[str, str] = {}
        for start in range(0, len(order_ids), ORDERS_PER_LOOK):
            keys = {
                generation.key(tenant, order_id): order_id for order_id in order_ids[start : start + ORDERS_PER_LOOK]
            }
            for key, stored in (await views.get(list(keys))).items():
                document = orjson.loads(stored.document)
                found[keys[key]] = document["status"]
                self._last_recorded_ms = max(self._last_recorded_ms, document["lastRecordedAtMs"])
        return found

    async def _all_published(self) -> bool:
        """Whether the relay is past the last event: before that an empty queue may only be one that has not been told yet."""
        mark_ms = await caught_up_to_ms(self._core.leases, RELAY_SUBSCRIPTION)
        return mark_ms is not None and mark_ms > self._last_recorded_ms

    async def _queues_idle(self) -> bool:
        for queue in self._running.queues:
            depths = await queue.depths()
            if depths.visible or depths.in_flight or depths.delayed:
                return False
        return True

    def _standing(self) -> Standing:
        return Standing(
            total=self._settings.orders,
            fed=len(self._fed),
            ended=len(self._fed) - len(self._open),
            by_state=Counter(self._by_state),
            events=int(self._core.metrics.total("orderstore_events_appended")),
            seconds=monotonic() - self._started_at,
        )

    async def _sum_up(self, seconds: float) -> Summary:
        summary = Summary(seconds=round(seconds, 3))
        limiter = anyio.CapacityLimiter(LOADS_AT_ONCE)
        dynamodb, table = self._core.clients.dynamodb, self._core.settings.table("notifications")

        async def judge(fed: Fed) -> None:
            async with limiter:
                history = await self._core.orders.load(fed.order_id)
                summary.add(fed, history)
                notifications = await notifications_of(dynamodb, table, fed.order_id)
                summary.notifications += len(
                    notifications
                )  # awaited apart: `+=` would read the old sum before the await

        async with anyio.create_task_group() as group:
            for fed in self._fed.values():
                group.start_soon(judge, fed, name=f"judge {fed.order_id}")
        summary.unexpected.sort()
        for queue in self._running.queues:
            summary.dead_letters[queue.name] = (await queue.depths()).dead_letters
        metrics = self._core.metrics
        summary.duplicates_seen = int(sum(metrics.total(name) for name in DUPLICATES))
        summary.duplicates_dropped = summary.duplicates_seen - summary.doubled
        summary.orders_per_second = round(summary.orders / max(seconds, 0.001), 2)
        return summary

    @property
    def _core(self) -> Core:
        return self._running.core
