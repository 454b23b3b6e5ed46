"""The webhooks in memory on virtual time: real handler, dispatcher, attempts and desk; a faulty network stands in for the sender."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson

from orderstore.orders import Orders
from orderstore.privacy.keys import CachedKeyRing
from orderstore.privacy.memory_keys import MemoryKeyRing
from orderstore.privacy.sealing import Sealer
from orderstore.recorded import Actor
from orderstore.store.memory import MemoryEventStore
from tests.ordering import orders_over
from workers.runtime.queue import Message
from workers.tables.memory import MemoryTable
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.attempting import Attempts
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.delivery import Delivery, delivery_id
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.endpoints import Endpoints, KnownEndpoints
from workers.webhooks.handler import WebhookHandler
from workers.webhooks.observe import SilentWebhookObserver
from workers.webhooks.replaying import Replayer
from workers.webhooks.secrets import Secrets
from workers.webhooks.sending import Answer, Sender

NOON_MS = 1_780_000_000_000
OPERATOR = Actor("operator", "olga")
WHY: dict[str, Any] = {"actor": OPERATOR, "reason": "a test"}
Behaviour = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request as it left. `at_s`: after the start of the world."""

    at_s: float
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def answering(status: int, *, after_s: float = 0.05, retry_after: str | None = None, body: bytes = b"ok") -> Behaviour:
    async def behave() -> Answer:
        await anyio.sleep(after_s)
        return Answer(status=status, retry_after=retry_after, body=body)

    return behave


def failing(error: Exception, *, after_s: float = 0.05) -> Behaviour:
    async def behave() -> Answer:
        await anyio.sleep(after_s)
        raise error

    return behave


async def hanging() -> Answer:
    await anyio.sleep_forever()
    raise AssertionError


@dataclass(slots=True)
class Network(Sender):
    """By host: how it behaves now. Everything that left is in `sent`."""

    started_at: float
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    under_way: dict[str, int] = field(default_factory=dict)
    most_at_once: dict[str, int] = field(default_factory=dict)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        host = url.split("/")[2]
        self.sent.append(Sent(at_s=anyio.current_time() - self.started_at, url=url, headers=dict(headers), body=body))
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.most_at_once[host] = max(self.most_at_once.get(host, 0), self.under_way[host])
        try:
            return await self.behaviours.get(host, answering(200))()
        finally:
            self.under_way[host] -= 1

    def to(self, host: str) -> list[Sent]:
        return [one for one in self.sent if one.url.split("/")[2] == host]


class Noted(SilentWebhookObserver):
    """What was told."""

    def __init__(self) -> None:
        self.facts: list[tuple[Any, ...]] = []
        self.oldest = 0.0

    def ended(self, state: str) -> None:
        self.facts.append(("ended", state))

    def outrun(self) -> None:
        self.facts.append(("outrun",))

    def disabled(self, endpoint: str, cause: str) -> None:
        self.facts.append(("disabled", cause))

    def throttled(self, endpoint: str, *, for_s: float) -> None:
        self.facts.append(("throttled",))

    def oldest_due(self, age_s: float) -> None:
        self.oldest = max(self.oldest, age_s)

    def trouble(self, error: Exception) -> None:
        self.facts.append(("trouble", type(error).__name__))


class World:
    """To be made inside virtual time. `seed` spreads jitter; a `patient` one looks only every half hour whether others left something."""

    def __init__(
        self,
        *,
        seed: int = 1,
        patient: bool = False,
        log: MemoryEventStore | None = None,
        orders: Orders | None = None,
        wrap: Callable[[str, Any], Any] = lambda _name, table: table,
    ) -> None:
        self.look_every_s, self.kept_s = (1_800.0, 1_800.0) if patient else (15.0, 10.0)
        self.random = random.Random(seed)
        self.started_at = anyio.current_time()
        self.network = Network(self.started_at)
        self.noted = Noted()
        self.log = log or MemoryEventStore()
        self.orders = orders or orders_over(self.log)
        self.endpoints = Endpoints(wrap("endpoints", MemoryTable()))
        self.deliveries = Deliveries(wrap("deliveries", MemoryTable()), now_ms=self.now_ms)
        keys = CachedKeyRing(MemoryKeyRing(random.Random(7).randbytes, now_ms=self.now_ms))
        sealer = Sealer(keys, random_bytes=random.Random(8).randbytes)
        self.secrets = Secrets(sealer, random_bytes=random.Random(9).randbytes, now_ms=self.now_ms)
        self.desk = WebhooksDesk(
            self.endpoints,
            self.deliveries,
            self.secrets,
            Replayer(self.deliveries, self.log, self.orders),
            policy=AddressPolicy(),
            tenant="main",
            now_ms=self.now_ms,
        )

    def now_ms(self) -> int:
        return NOON_MS + round((anyio.current_time() - self.started_at) * 1000)

    def process(self) -> tuple[WebhookHandler, Dispatcher]:
        """One more process of the role."""
        known = KnownEndpoints(self.endpoints, kept_s=self.kept_s)
        attempts = Attempts(
            self.deliveries,
            self.endpoints,
            self.secrets,
            self.network,
            now_ms=self.now_ms,
            random=self.random,
            observer=self.noted,
        )
        dispatcher = Dispatcher(
            self.deliveries,
            known,
            attempts,
            now_ms=self.now_ms,
            random=self.random,
            observer=self.noted,
            look_every_s=self.look_every_s,
        )
        handler = WebhookHandler(self.deliveries, known, dispatcher, now_ms=self.now_ms, observer=self.noted)
        return handler, dispatcher

    @asynccontextmanager
    async def running(self, processes: int = 1) -> AsyncIterator[WebhookHandler]:
        """So many processes at work; the handler of the first."""
        made = [self.process() for _ in range(processes)]
        async with anyio.create_task_group() as tasks:
            for _, dispatcher in made:
                await tasks.start(dispatcher.run)
            yield made[0][0]
            tasks.cancel_scope.cancel()

    async def endpoint(self, host: str = "one.example", **changes: Any) -> str:
        """A new endpoint; its id. Its secret is in `shown`."""
        values = {"url": f"https://{host}/hook", "event_types": (), "description": "", **WHY, **changes}
        made = await self.desk.add(**values)
        self.shown = made["secret"]
        return str(made["id"])

    async def delivery(self, endpoint: str, event: str = "e-1") -> Delivery:
        found = await self.deliveries.get(delivery_id(endpoint, event))
        assert found is not None
        return found


def message(event: str = "e-1", event_type: str = "OrderCancelled", **changes: Any) -> Message:
    """What the topic delivers."""
    envelope = {
        "eventId": event,
        "eventType": event_type,
        "eventVersion": "1.0",
        "source": "order",
        "occurredAt": "2026-05-28T20:26:40.000000Z",
        "orderId": "o-1",
        "tenant": "main",
        "version": 3,
        "correlationId": "c-1",
        "causationId": "e-0",
        "actor": {"type": "operator", "id": "olga"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {"reason": "customer", "compensations": []},
        **changes,
    }
    return Message(
        id=f"m-{event}",
        receipt="r",
        body=orjson.dumps(envelope).decode(),
        attributes={"eventType": event_type, "commit": "2"},
        receive_count=1,
        sent_at_ms=NOON_MS,
    )
