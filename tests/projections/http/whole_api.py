"""Every operation that the API has, over ports in memory: orders, views, live streams, inboxes, webhook endpoints, payment hooks, dead
letters. Nothing waits for long, so that whatever is asked is answered soon."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import httpx

from projections.answers.fresh_reads import FreshReads
from projections.http.auth import BearerTokens, Token, sha256_of
from tests.projections.http.api import ADMIN, TOKENS, Api
from tests.projections.http.changed import Changed, changed
from tests.projections.http.live_api import LiveApi, running_live
from tests.projections.http.shared_app import app_over
from tests.projections.http.stories import invoiced
from tests.workers.dead_letters.desks import DeskWorld
from tests.workers.webhooks.world import World as Webhooks
from tests.workers.webhooks.world import message
from workers.payment.webhooks import StripeHooks

HOOK_SECRET = "whsec_of_a_test"
STREAM_LIFE_S = 0.01
READ_WAIT_S = 0.01
CUSTOMER = "C-1"
HELD_BY = "review-4711"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Ids of what is there from the start: an order that was just placed, one that is held, one that was invoiced, and so on."""

    placed: str
    held: str
    invoiced: str
    note: str
    endpoint: str
    event: str
    letter: str
    changed: Changed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeApi:
    """The API, and what stands behind each part of it."""

    api: Api
    live: LiveApi
    webhooks: Webhooks
    letters: DeskWorld
    hints: list[str]
    known: Known

    async def kept(self) -> dict[str, str]:
        """All that is stored anywhere, as text: what was refused must leave every byte as it was."""
        api = self.api
        await api.views.order_status(self.known.placed)  # the views follow when they are asked
        views: Any = api.views._store
        queues = [*self.letters.dead.values(), *self.letters.queues.values()]
        parts: dict[str, Any] = {
            "log": api.store._commits,
            "counters": api.store._counters,
            "views": views._documents,
            "sums": views._totals,
            "inboxes": self.live.table._items,
            "endpoints": self.webhooks.endpoints._table._items,  # type: ignore[attr-defined]  # the memory table's
            "deliveries": self.webhooks.deliveries._table._items,  # type: ignore[attr-defined]  # the memory table's
            "letters": [(queue.name, kept.id, kept.body) for queue in queues for kept in queue._stored.values()],
            "records": self.letters.locked._contents,
            "hints": self.hints,
        }
        return {name: repr(part) for name, part in parts.items()}


@asynccontextmanager
async def running_whole(*, changes: bool = True) -> AsyncIterator[WholeApi]:
    """An API with one of everything, and with orders for each change of mind (`changes`). `ADMIN` may do all of it; the other tokens are
    those of `tests.projections.http.api`."""
    webhooks, letters = Webhooks(), DeskWorld()
    hints: list[str] = []

    async def send(hint: str) -> None:
        hints.append(hint)

    async with running_live(watching=False, life_s=STREAM_LIFE_S) as live:
        api = live.api
        api.services = replace(
            api.services,
            fresh=FreshReads(api.views, api.orders, random=Random(1), read_wait_s=READ_WAIT_S),
            webhooks=webhooks.desk,
            dead_letters=letters.desk,
            payment_hooks=StripeHooks(api.orders, secrets=[HOOK_SECRET], send=send),
            authentication=BearerTokens([*TOKENS[1:], Token("admin", sha256_of(ADMIN), frozenset({"admin"}))]),
        )
        api.app = app_over(api.services)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=api.app), base_url="http://api.test"
        ) as api.client:
            known = await _begun(live, webhooks, letters, changes=changes)
            yield WholeApi(api=api, live=live, webhooks=webhooks, letters=letters, hints=hints, known=known)


async def _begun(live: LiveApi, webhooks: Webhooks, letters: DeskWorld, *, changes: bool) -> Known:
    """Something of each kind."""
    api = live.api
    held = await api.place(customerId=CUSTOMER)
    await api.post(f"/orders/{held}/holds", {"reason": "stock", "holdId": HELD_BY})
    endpoint = await webhooks.endpoint()
    handler, _ = webhooks.process()
    await handler(message())
    _, letter = await letters.buried_order()
    return Known(
        placed=await api.place(customerId=CUSTOMER),
        held=held,
        invoiced=await invoiced(api, customerId=CUSTOMER),
        note=await live.note(1),
        endpoint=endpoint,
        event="e-1",
        letter=letter,
        changed=await changed(api) if changes else None,
    )
