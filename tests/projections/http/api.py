"""The API over the real write side and the memory log, with views that really project. Nothing of it is mocked."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from random import Random
from typing import Any

import httpx
import structlog
from fastapi import FastAPI
from structlog.testing import LogCapture

from orderstore.orders import Orders
from orderstore.recorded import Actor, Cause
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from projections.answers.business_report import BusinessQueries
from projections.answers.exceptions import ExceptionQueries
from projections.answers.fresh_reads import FreshReads
from projections.answers.orders import ViewQueries, current_generations, open_queries
from projections.answers.ports import Document, ExceptionKind, OrderDocuments, Page
from projections.answers.publication import Publication, RecentPublication
from projections.answers.sales import SalesQueries
from projections.http.auth import BearerTokens, Token, sha256_of
from projections.http.services import Services
from projections.projecting.targets import current_targets
from projections.stream.parking.memory import MemoryParkingLot
from projections.view_store.memory import MemoryViewStore
from tests.ordering import PlainVault
from tests.projections.http.shared_app import app_over
from tests.projections.lagging import project

TENANT = "acme"
ADMIN, READER, WRITER, SCRAPER = "admin-secret", "reader-secret", "writer-secret", "scraper-secret"
OPERATOR, REVIEWER = "operator-secret", "reviewer-secret"
TOKENS = (
    Token("admin", sha256_of(ADMIN), frozenset({"admin"})),
    Token("reader", sha256_of(READER), frozenset({"orders:read"})),
    Token("writer", sha256_of(WRITER), frozenset({"orders:write"})),
    Token("scraper", sha256_of(SCRAPER), frozenset({"metrics:read"})),
    Token("warehouse", sha256_of(OPERATOR), frozenset({"orders:operate"})),
    Token("fraud-watch", sha256_of(REVIEWER), frozenset({"orders:review"})),
)

# The article's request (E039): one laptop at 850 and two mice at 25 are 900.00 USD.
ARTICLE: dict[str, Any] = {
    "customerEmail": "jane@example.com",
    "currency": "USD",
    "items": [{"sku": "LAPTOP-001", "quantity": 1, "price": 850}, {"sku": "MOUSE-002", "quantity": 2, "price": 25}],
}


class Clock:
    """A wall clock that moves a millisecond with each look, so that no two commits share one."""

    def __init__(self) -> None:
        self.ms = 1_750_000_000_000

    def __call__(self) -> int:
        self.ms += 1
        return self.ms


class LiveViews:
    """The real queries over a memory view store; each appended order is folded before it is asked for, unless `held`."""

    def __init__(self, log: MemoryEventStore) -> None:
        self.held = False
        self.lot = MemoryParkingLot()
        self.now_ms = Clock().ms
        self.clock: Callable[[], int] = Clock()
        self.failure: Exception | None = None
        self._log = log
        self._store = MemoryViewStore()
        self._waiting: dict[str, None] = {}
        log.subscribe(lambda commit: self._waiting.setdefault(commit.stream))

    async def order_status(self, order_id: str) -> Mapping[str, Any] | None:
        return await (await self._queries()).order_status(order_id)

    async def order_and_invoices(self, order_id: str) -> OrderDocuments:
        return await (await self._queries()).order_and_invoices(order_id)

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        return await (await self._queries()).orders_of_customer(customer_id, cursor, limit)

    async def exceptions(self, kind: ExceptionKind, cursor: str | None, limit: int) -> Page:
        queries = await self._queries()
        generations = current_generations(self._store)
        reader = ExceptionQueries(
            self._store, self.lot, tenant=TENANT, generations=generations, queries=queries, now_ms=lambda: self.now_ms
        )
        return await reader.exceptions(kind, cursor, limit)

    async def sales(self, first: date, last: date, currencies: Sequence[str]) -> Sequence[Document]:
        await self._queries()
        reader = SalesQueries(self._store, tenant=TENANT, generations=current_generations(self._store))
        return await reader.sales(first, last, currencies)

    async def business(self, days: int, currencies: Sequence[str]) -> Document:
        await self._queries()
        reader = BusinessQueries(
            self._store, self, tenant=TENANT, generations=current_generations(self._store), now_ms=self.clock
        )
        return await reader.business(days, currencies)

    async def invoice(self, number: str) -> Mapping[str, Any] | None:
        return await (await self._queries()).invoice(number)

    async def _queries(self) -> ViewQueries:
        if self.failure is not None:
            raise self.failure
        if not self.held:
            await self._catch_up()
        return await open_queries(self._store, tenant=TENANT)

    async def _catch_up(self) -> None:
        for stream in tuple(self._waiting):
            del self._waiting[stream]
            await project(self._log, self._store, stream, await current_targets(self._store))


class Measures:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self.accepted: list[bool] = []
        self.commit_reads: list[tuple[str, float]] = []
        self.failed_reads: list[str] = []
        self.ignored_traces = 0

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        assert duration_s >= 0
        self.requests.append((method, route, status))

    def order_accepted(self, *, replayed: bool) -> None:
        self.accepted.append(replayed)

    def trace_context_ignored(self) -> None:
        self.ignored_traces += 1

    def commit_read(self, *, source: str, waited_s: float) -> None:
        assert waited_s >= 0
        self.commit_reads.append((source, waited_s))

    def read_failed(self, *, what: str, error: Exception) -> None:
        self.failed_reads.append(what)


@dataclass(kw_only=True)
class Api:
    """Everything that a test may look behind."""

    app: FastAPI
    client: httpx.AsyncClient
    services: Services
    orders: Orders
    store: MemoryEventStore
    views: LiveViews
    measures: Measures
    logs: LogCapture
    clock: Clock
    parts: dict[str, bool] = field(default_factory=lambda: {"store": True, "views": True})
    published_through_ms: int | None = None

    async def post(self, path: str, body: Any = None, *, token: str | None = WRITER, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers={**bearer(token), **named})

    async def send(
        self, content: bytes | AsyncIterator[bytes], *, path: str = "/orders", **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        known = {"Content-Type": "application/json", **bearer(WRITER), **named}
        return await self.client.post(path, content=content, headers=known)

    async def get(self, path: str, *, token: str | None = READER, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params or None, headers=bearer(token))

    async def place(self, **changes: Any) -> str:
        """The id of a new order."""
        response = await self.post("/orders", {**ARTICLE, **changes})
        assert response.status_code == 202, response.text
        order_id: str = response.json()["orderId"]
        return order_id

    async def record(self, order_id: str, decide: Any, *, purpose: str, **inputs: Any) -> None:
        """What a worker would append."""
        history = await self.orders.load(order_id)
        cause = Cause(
            causation_id=history.events[0].event_id,
            purpose=purpose,
            correlation_id=order_id,
            actor=Actor("service", "payment"),
            source="payment",
        )
        await self.orders.record(history, partial(decide, **inputs), cause=cause)

    async def stored(self) -> list[str]:
        """The streams of the log."""
        return [stream async for stream in self.store.streams()]


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def running(
    *, hooks_allowed: bool = False, store: MemoryEventStore | None = None, **changes: Any
) -> AsyncIterator[Api]:
    """An API with an empty log; `changes` replace fields of its Services."""
    measures, logs, clock = Measures(), LogCapture(), Clock()
    store = MemoryEventStore() if store is None else store
    views = LiveViews(store)
    views.clock = clock
    orders = Orders(
        Transactor(store, now_ms=clock), tenant=TENANT, vault=PlainVault(), hooks_allowed=hooks_allowed, now_ms=clock
    )
    made: list[Api] = []

    async def mark() -> int | None:
        return made[0].published_through_ms

    async def publication() -> Publication:
        return await RecentPublication(mark, views.lot, subscription="relay", tenant=TENANT).get()

    services = Services(
        orders=orders,
        views=views,
        fresh=FreshReads(views, orders, random=Random(1), observer=measures),
        exceptions=views,
        sales=views,
        business=views,
        authentication=BearerTokens(TOKENS),
        readiness=lambda: made[0].parts,
        metrics=lambda: (b"orders_total 1\n", "text/plain; version=0.0.4; charset=utf-8"),
        publication=publication,
        tenant=TENANT,
        logger=structlog.wrap_logger(None, processors=[logs], wrapper_class=structlog.make_filtering_bound_logger(0)),
        observer=measures,
    )
    services = replace(services, **changes)
    app = app_over(services)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        api = Api(
            app=app,
            client=client,
            services=services,
            orders=orders,
            store=store,
            views=views,
            measures=measures,
            logs=logs,
            clock=clock,
        )
        made.append(api)
        yield api
