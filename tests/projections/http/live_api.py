"""The API with live streams and inboxes: the same log and views, and a table of inboxes in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio

from orderstore.store.memory import MemoryEventStore
from projections.answers.ports import Document, Page
from projections.http.auth import BearerTokens, Token, sha256_of
from projections.live.desk import LiveDesk
from projections.live.settings import LiveSettings
from projections.live.tail import LogTail
from tests.projections.http.api import TENANT, TOKENS, Api, running
from tests.projections.live.world import Measures
from workers.inbox.memory import MemoryInboxTable
from workers.inbox.notes import NewNote, owner_for
from workers.inbox.reading import Inboxes
from workers.inbox.writing import InboxWriter

APP, FOLLOWER = "app-secret", "follower-secret"
NOTED_AT_MS = 1_780_000_000_000


class Statuses:
    """The API's own views, asked for many orders."""

    def __init__(self) -> None:
        self.views: Any = None

    async def order_statuses(self, order_ids: Sequence[str]) -> Mapping[str, Document]:
        found = {order_id: await self.views.order_status(order_id) for order_id in order_ids}
        return {order_id: document for order_id, document in found.items() if document is not None}

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        page: Page = await self.views.orders_of_customer(customer_id, cursor, limit)
        return page


class FailingTable(MemoryInboxTable):
    """Inboxes that fail as they are told to."""

    failure: Exception | None = None

    async def newest(self, owner: str, *, before: str, limit: int) -> Any:
        if self.failure is not None:
            raise self.failure
        return await super().newest(owner, before=before, limit=limit)

    async def mark_read(self, owner: str, note_id: str, *, now_ms: int) -> Any:
        if self.failure is not None:
            raise self.failure
        return await super().mark_read(owner, note_id, now_ms=now_ms)


class LiveApi:
    """The API, and what stands behind its streams."""

    def __init__(self, api: Api, desk: LiveDesk, writer: InboxWriter, table: FailingTable, measures: Measures) -> None:
        self.api = api
        self.desk = desk
        self.writer = writer
        self.table = table
        self.measures = measures

    async def note(self, number: int, *, customer: str = "C-1") -> str:
        """A note comes in; its id."""
        event_id = f"6f0c0ac4-5a7c-5b11-8f2e-{number:012d}"
        note_id = f"{NOTED_AT_MS + number:013d}-{event_id}"
        await self.writer.add(
            NewNote(
                owner=owner_for(TENANT, customer),
                note_id=note_id,
                order_id="6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",
                event_id=event_id,
                event_type="PaymentCompleted",
                template="payment_completed.v1",
                title=f"note {number}",
                text="paid",
            )
        )
        return note_id


@asynccontextmanager
async def running_live(*, watching: bool = True, **settings: Any) -> AsyncIterator[LiveApi]:
    """An API with an empty log and empty inboxes, whose watcher looks if it is asked to; `settings` are those of the streams."""
    store, statuses, measures = MemoryEventStore(), Statuses(), Measures()
    table = FailingTable()
    now = iter(range(NOTED_AT_MS, 2**60))
    writer = InboxWriter(table, now_ms=lambda: next(now), random=Random(1), kept_days=90)
    desk = LiveDesk(
        statuses=statuses,
        tail=LogTail(store, tenant=TENANT),
        inbox=Inboxes(table, tenant=TENANT, now_ms=lambda: NOTED_AT_MS + 1_000),
        random=Random(1),
        settings=LiveSettings(**settings),
        observer=measures,
    )
    tokens = (
        *TOKENS,
        Token("app", sha256_of(APP), frozenset({"inbox"})),
        Token("follower", sha256_of(FOLLOWER), frozenset({"orders:read", "inbox"})),
    )
    async with running(store=store, live=desk, authentication=BearerTokens(tokens)) as api:
        statuses.views = api.views
        async with anyio.create_task_group() as group:
            if watching:
                await group.start(desk.run)
            yield LiveApi(api, desk, writer, table, measures)
            group.cancel_scope.cancel()


def events_in(text: str) -> list[dict[str, str]]:
    """A stream as a browser reads it: fields by name; comments are dropped."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            found.append(dict(line.split(": ", 1) for line in lines))
    return found
