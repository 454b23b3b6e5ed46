"""Live streams over the real log, the real views and real inboxes, all in memory; projections happen when a test says so."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Any

import anyio

from orderstore.domain import billing, decisions
from orderstore.recorded import Actor, Recorded
from orderstore.store.memory import MemoryEventStore
from projections.answers.orders import ViewQueries, current_generations
from projections.answers.ports import Document, Page
from projections.live.desk import LiveDesk
from projections.live.frames import Frame
from projections.live.settings import LiveSettings
from projections.live.stream import Stream
from projections.live.tail import LogTail
from projections.projecting.targets import current_targets
from projections.view_store.memory import MemoryViewStore
from tests.builders import BOOKED, DELIVERED, DISPATCHED, PAID_AT_ONCE, RESERVED
from tests.ordering import TENANT, TickingClock, cause, orders_over, request
from tests.projections.lagging import project
from workers.inbox.memory import MemoryInboxTable
from workers.inbox.notes import NewNote, owner_for
from workers.inbox.reading import Inboxes
from workers.inbox.writing import InboxWriter

CUSTOMER = "C-1"


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a client has it."""

    event: str
    id: str | None
    data: Mapping[str, Any]


def told(frame: Frame) -> Told:
    """Read a frame as a browser does."""
    fields: dict[str, str] = {}
    lines = frame.sent.decode().split("\n")
    assert lines[-2:] == ["", ""], "a frame ends with an empty line"
    for line in lines[:-2]:
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
    return Told(fields.get("event", frame.event), fields.get("id"), json.loads(fields.get("data", "{}")))


class Measures:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, str]] = []
        self.opened = 0
        self.refused: list[str] = []
        self.sent: list[str] = []
        self.looks: list[tuple[str, int, int]] = []
        self.failed: list[str] = []

    def stream_opened(self, *, kind: str) -> None:
        self.opened += 1

    def stream_closed(self, *, kind: str, why: str) -> None:
        self.closed.append((kind, why))

    def stream_refused(self, *, why: str) -> None:
        self.refused.append(why)

    def event_sent(self, *, event: str) -> None:
        self.sent.append(event)

    def looked(self, *, what: str, keys: int, moved: int) -> None:
        self.looks.append((what, keys, moved))

    def look_failed(self, *, what: str, error: Exception) -> None:
        self.failed.append(f"{what}:{type(error).__name__}")


class Statuses:
    """The real queries, which can be made to fail."""

    def __init__(self, queries: ViewQueries) -> None:
        self._queries = queries
        self.failure: Exception | None = None
        self.hidden: set[str] = set()
        self.lists = 0

    async def order_statuses(self, order_ids: Sequence[str]) -> Mapping[str, Document]:
        if self.failure is not None:
            raise self.failure
        return await self._queries.order_statuses(order_ids)

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        self.lists += 1
        if self.failure is not None:
            raise self.failure
        page = await self._queries.orders_of_customer(customer_id, cursor, limit)
        return replace(page, items=tuple(item for item in page.items if item["orderId"] not in self.hidden))


class Tail(LogTail):
    """The real end of the log; something may happen just before or after a read, or in its place."""

    before: Any = None
    after_read: Any = None
    failure: Exception | None = None
    failing: Mapping[str, Exception] = MappingProxyType({})
    reads: list[tuple[str, int]]

    async def after(self, order_id: str, commit: int) -> tuple[Recorded, ...]:
        self.reads.append((order_id, commit))
        if (failure := self.failing.get(order_id, self.failure)) is not None:
            raise failure
        if (happens := self.before) is not None:
            self.before = None
            await happens()
        found = await super().after(order_id, commit)
        if (happens := self.after_read) is not None:
            self.after_read = None
            await happens()
        return found


class LiveWorld:
    """One process that serves live streams, and what goes on in the orders meanwhile."""

    def __init__(self, **settings: Any) -> None:
        self.log = MemoryEventStore()
        self.views = MemoryViewStore()
        self.orders = orders_over(self.log)
        self.statuses = Statuses(ViewQueries(self.views, tenant=TENANT, generations=current_generations(self.views)))
        self.tail = Tail(self.log, tenant=TENANT)
        self.tail.reads = []
        self.clock = TickingClock()
        self.table = MemoryInboxTable()
        self.writer = InboxWriter(self.table, now_ms=self.clock, random=Random(1), kept_days=90)
        self.inboxes = Inboxes(self.table, tenant=TENANT, now_ms=self.clock)
        self.measures = Measures()
        self.settings = LiveSettings(**settings)
        self.desk = self.process()

    def process(self, seed: int = 1) -> LiveDesk:
        """Another process over the same data."""
        return LiveDesk(
            statuses=self.statuses,
            tail=self.tail,
            inbox=self.inboxes,
            random=Random(seed),
            settings=self.settings,
            observer=self.measures,
        )

    async def place(self, *, seen: bool = True, customer: str | None = CUSTOMER) -> str:
        """A new order; `seen`: the views have it."""
        accepted = await self.orders.place(
            request(customerId=customer), actor=Actor("customer", "shop"), idempotency_key=None
        )
        order_id = accepted.history.events[0].order_id
        if seen:
            await self.project(order_id)
        return order_id

    async def happen(self, order_id: str, purpose: str, decide: Any, *, seen: bool = True, **inputs: Any) -> int:
        """A worker's outcome; the number of its commit."""
        history = await self.orders.load(order_id)
        after = await self.orders.record(history, partial(decide, **inputs), cause=cause(purpose, order_id))
        if seen:
            await self.project(order_id)
        return after.events[-1].commit

    async def pay(self, order_id: str, *, seen: bool = True) -> int:
        return await self.happen(order_id, "pay", decisions.complete_payment, outcome=PAID_AT_ONCE, seen=seen)

    async def reserve(self, order_id: str, *, seen: bool = True) -> int:
        return await self.happen(order_id, "reserve", decisions.reserve_inventory, outcome=RESERVED, seen=seen)

    async def book(self, order_id: str, *, seen: bool = True) -> int:
        return await self.happen(order_id, "book", decisions.create_shipment, outcome=BOOKED, seen=seen)

    async def dispatch(self, order_id: str, *, seen: bool = True) -> int:
        return await self.happen(order_id, "dispatch", decisions.dispatch_shipment, outcome=DISPATCHED, seen=seen)

    async def complete(self, order_id: str) -> int:
        """Everything that is left, up to the end."""
        from tests.builders import NOON

        await self.pay(order_id)
        await self.reserve(order_id)
        await self.book(order_id)
        await self.dispatch(order_id)
        await self.happen(
            order_id,
            "invoice",
            billing.issue_invoice,
            series="INV",
            number=1,
            issued_at=NOON,
            supplied_at=NOON,
        )
        return await self.happen(order_id, "deliver", decisions.deliver_shipment, outcome=DELIVERED)

    async def project(self, order_id: str, *, up_to: int | None = None) -> None:
        """The projector comes along."""
        targets = await current_targets(self.views)
        await project(self.log, self.views, f"{TENANT}/order-{order_id}", targets, up_to=up_to)

    async def note(self, number: int, *, customer: str = CUSTOMER) -> str:
        """A note comes in; its id."""
        note_id = f"{1_780_000_000_000 + number:013d}-6f0c0ac4-5a7c-5b11-8f2e-{number:012d}"
        added = await self.writer.add(
            NewNote(
                owner=owner_for(TENANT, customer),
                note_id=note_id,
                order_id="6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",
                event_id=note_id[14:],
                event_type="PaymentCompleted",
                template="payment_completed.v1",
                title=f"note {number}",
                text="paid",
            )
        )
        assert added == "added"
        return note_id

    @asynccontextmanager
    async def running(self, desk: LiveDesk | None = None) -> AsyncIterator[None]:
        """The watcher looks."""
        async with anyio.create_task_group() as group:
            await group.start((desk or self.desk).run)
            yield
            group.cancel_scope.cancel()


async def take(stream: Stream, count: int = 1, *, within_s: float = 60) -> list[Told]:
    """The next events, hints and comments left out. Fails when they do not come in time."""
    found: list[Told] = []
    with anyio.fail_after(within_s):
        while len(found) < count:
            frame = await stream.next()
            assert frame is not None, f"the stream ended ({stream.closed_for}) after {found}"
            if frame.event not in {"beat", "retry"}:
                found.append(told(frame))
    return found


async def drained(stream: Stream, *, within_s: float = 3_600) -> list[Frame]:
    """Everything up to the end."""
    found = []
    with anyio.fail_after(within_s):
        while (frame := await stream.next()) is not None:
            found.append(frame)
    return found


async def nothing(stream: Stream, *, for_s: float) -> None:
    """Only comments come for so long."""
    with anyio.move_on_after(for_s):
        while (frame := await stream.next()) is not None:
            assert frame.event in {"beat", "retry"}, told(frame)
