"""The whole way of an order in memory: API, log, projector, relay, topic, queues, four workers; on virtual time, nothing mocked."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import anyio
import httpx
from anyio.abc import TaskGroup

from orderstore.contract import PublicEvent
from orderstore.domain.state import Completed, State
from orderstore.history import History
from orderstore.orders import Orders
from orderstore.registry import consumed_by
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from orderstore.transact import Transactor
from projections.projecting.projector import ViewProjector
from projections.publishing.publisher import Failed
from projections.publishing.relay import Relay
from projections.view_store.memory import MemoryViewStore
from tests.ordering import PlainVault
from tests.projections.histories import record_of
from tests.projections.http.api import ARTICLE, TENANT, WRITER, bearer, running
from tests.projections.read_side import TARGETS
from tests.workers.drawing import drawing_over
from workers.billing.handler import BillingHandler
from workers.inventory.handler import InventoryHandler
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.logged import LoggedHandler, LoggedPublisher
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.table import Metrics
from workers.payment.attempts import TableAttempts
from workers.payment.handler import PaymentHandler
from workers.payment.sandbox import SandboxPayments
from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.settings import ConsumeSettings
from workers.sandbox.ledger import TableLedger
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.tables.memory import MemoryTable
from workers.tracing.port import Tracing

EPOCH_MS = 1_767_225_600_000
QUEUES = ("payment", "inventory", "shipping", "billing")
MINUTES_MAX = 1_000


async def nobody(queue: str, history: History, *, delay_s: int = 0) -> None:
    """No order here is paid in a second attempt, or by a customer who is asked."""
    raise AssertionError(f"{queue} is told of {history.stream}")


def now_ms() -> int:
    return EPOCH_MS + int(anyio.current_time() * 1000)


class Topic:
    """A topic with the queues' filter policies and raw delivery; `copies` of each message are delivered."""

    def __init__(self, queues: dict[str, MemoryQueue], *, copies: int) -> None:
        self.published: list[PublicEvent] = []
        self._queues = queues
        self._copies = copies

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        for event in batch:
            self.published.append(event)
            for name, queue in self._queues.items():
                if event.attributes["eventType"] in consumed_by(name):
                    for _ in range(self._copies):
                        await queue.send(event.body.decode(), attributes=event.attributes)
        return ()


class Shop:
    """Made by `open_shop`."""

    def __init__(self, tracing: Tracing, *, copies: int) -> None:
        self.store = MemoryEventStore(on_append=[self._appended])
        self.queues = {name: MemoryQueue(name, now_ms=now_ms) for name in QUEUES}
        self.topic = Topic(self.queues, copies=copies)
        self.vault = PlainVault()
        self.orders = Orders(
            Transactor(tracing.log(self.store, table="shop-events"), now_ms=now_ms),
            tenant=TENANT,
            vault=self.vault,
            hooks_allowed=True,
            now_ms=now_ms,
        )
        self.stock = TableStock(MemoryTable(), random=Random(1))
        self.ledger = TableLedger(MemoryTable(), now_ms=now_ms)
        observer = tracing.projections(ProjectionMetrics(Metrics()))
        self._projector = ViewProjector(self.store, MemoryViewStore(), TARGETS, observer=observer)
        self._publisher = tracing.publisher(LoggedPublisher(self.topic), topic="shop-order-events")
        self._relay = Relay(self.store, self._publisher, now_ms=now_ms, random=Random(2))
        self._tracing = tracing
        self._appended_yet: deque[Commit] = deque()
        self.client: httpx.AsyncClient

    def _appended(self, commit: Commit) -> None:
        self._appended_yet.append(commit)

    async def feed(self) -> None:
        """What the table's stream does: hand over what was appended."""
        while True:
            records = [record_of(self._appended_yet.popleft()) for _ in range(len(self._appended_yet))]
            if records:
                await self._projector.apply(records)
                await self._relay.apply(records)
            await anyio.sleep(0.2)

    def loops(self) -> list[ConsumeLoop]:
        sandbox = True
        handlers = {
            "payment": PaymentHandler(
                self.orders,
                gateway_for=SandboxPayments(self.ledger).gateway_for,
                attempts=TableAttempts(MemoryTable(), now_ms=now_ms),
                hint=nobody,
                now_ms=now_ms,
                sandbox=sandbox,
            ),
            "inventory": InventoryHandler(
                self.orders, stock_for=SandboxStocks(self.stock).stock_for, now_ms=now_ms, sandbox=sandbox
            ),
            "shipping": ShippingHandler(
                self.orders, carrier=SandboxCarrier(self.ledger, now_ms=now_ms), now_ms=now_ms, sandbox=sandbox
            ),
            "billing": BillingHandler(
                self.orders,
                drawing=drawing_over(self.vault),
                now_ms=now_ms,
                sandbox=sandbox,
            ),
        }
        return [
            ConsumeLoop(
                self._tracing.queue(self.queues[name], name=f"shop-{name}"),
                self._tracing.handler(LoggedHandler(handler, queue=name), queue=f"shop-{name}"),
                ConsumeSettings(),
                now_ms=now_ms,
                source=Random(3),
            )
            for name, handler in handlers.items()
        ]

    async def place(self, **headers: str) -> str:
        """Place an order through the API, and return its id."""
        answer = await self.client.post("/orders", json=ARTICLE, headers={**bearer(WRITER), **headers})
        assert answer.status_code == 202, answer.text
        order_id: str = answer.json()["orderId"]
        return order_id

    async def publish_again(self, stream: str) -> None:
        """As after a crash of the relay: another one, that remembers nothing."""
        relay = Relay(self.store, self._publisher, now_ms=now_ms, random=Random(2))
        await relay.repair([stream], since_ms=0)

    async def ends(self, order_id: str) -> State:
        """Wait until the order is complete and nothing goes on any more."""
        for _minute in range(MINUTES_MAX):
            await anyio.sleep(60)
            state = (await self.orders.load(order_id)).state
            if isinstance(state, Completed):
                await anyio.sleep(600)
                return state
        raise AssertionError(f"the order is {type(state).__name__} after {MINUTES_MAX} minutes")


@asynccontextmanager
async def open_shop(tracing: Tracing, *, copies: int = 1) -> AsyncIterator[Shop]:
    """Everything running, with the article's goods in stock."""
    shop = Shop(tracing, copies=copies)
    await shop.stock.receive("opening", {item["sku"]: 100 for item in ARTICLE["items"]})
    async with running(orders=shop.orders) as api:
        transport = httpx.ASGITransport(app=tracing.app(api.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as shop.client:
            tasks: TaskGroup
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(shop.feed)
                loops = shop.loops()
                for loop in loops:
                    await tasks.start(loop.run)
                yield shop
                tasks.cancel_scope.cancel()
