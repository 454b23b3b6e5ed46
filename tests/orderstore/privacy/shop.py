"""A shop with real seals: log, keys, locked objects and the workers' part of an order in memory, with faults at chosen calls."""

import random
from functools import partial
from typing import Any

from orderstore.audit.signing import MemorySigner
from orderstore.domain import billing, decisions
from orderstore.domain.ids import order_of, stream_of
from orderstore.objects import MemoryObjectStore
from orderstore.orders import Orders, placed
from orderstore.privacy.buyers import seal_buyer
from orderstore.privacy.erasure import Eraser, Request
from orderstore.privacy.keys import CACHE_TTL_S, CachedKeyRing
from orderstore.privacy.memory_keys import MemoryKeyRing
from orderstore.privacy.sealing import Sealer
from orderstore.recorded import Actor
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from tests.builders import BOOKED, CAPTURED, DELIVERED, DISPATCHED, NOON, PAID, RESERVED
from tests.ordering import TickingClock, cause, request
from tests.workers.world import Faults

TENANT = "main"
OPERATOR = Actor("operator", "dpo")
SHOP = Actor("customer", "shop")
NAME, EMAIL = "Wilhelmina Quackenbush", "wilhelmina@mail.example"


class Shop:
    """`faults` strike the ports of the erasure; the shop's own work meets none while they are disarmed."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.faults.armed = False
        self.clock = TickingClock()
        self.log = MemoryEventStore()
        self.ring = MemoryKeyRing(random.Random(7).randbytes, now_ms=self.clock)
        self.locked_objects = MemoryObjectStore()
        store = self.faults.wrap("log", self.log)
        self.keys = CachedKeyRing(self.faults.wrap("keys", self.ring))
        self.sealer = Sealer(self.keys, random_bytes=random.Random(8).randbytes)
        self.orders = Orders(
            Transactor(store, now_ms=self.clock),
            tenant=TENANT,
            vault=self.sealer,
            hooks_allowed=True,
            now_ms=self.clock,
        )
        self.eraser = Eraser(
            self.orders,
            self.log,
            tenant=TENANT,
            keys=self.keys,
            vault=self.sealer,
            signer=self.faults.wrap("signer", MemorySigner()),
            locked=self.faults.wrap("locked", self.locked_objects),
            cache_ttl_s=CACHE_TTL_S,
            fiscal_retention_years=10,
            now_ms=self.clock,
        )

    async def place(self, customer: str | None = "c-1", **changes: Any) -> str:
        given = {"customerEmail": EMAIL, "customerName": NAME, **changes}
        accepted = await self.orders.place(request(customerId=customer, **given), actor=SHOP, idempotency_key=None)
        return order_of(accepted.history.stream)[1]

    async def record(self, order_id: str, purpose: str, decide: Any) -> None:
        await self.orders.record(await self.orders.load(order_id), decide, cause=cause(purpose))

    async def fulfil(self, order_id: str, *, number: int = 1) -> None:
        """Everything until the order is complete, invoiced as billing does it."""
        for purpose, decide in {
            "payment": partial(decisions.complete_payment, outcome=PAID),
            "inventory": partial(decisions.reserve_inventory, outcome=RESERVED),
            "booking": partial(decisions.create_shipment, outcome=BOOKED),
            "dispatch": partial(decisions.dispatch_shipment, outcome=DISPATCHED),
            "capture": partial(decisions.capture_payment, outcome=CAPTURED),
        }.items():
            await self.record(order_id, purpose, decide)
        history = await self.orders.load(order_id)
        buyer = await seal_buyer(self.sealer, placed(history).order, history.stream, year=NOON.year)
        issue = partial(
            billing.issue_invoice, series="INV-2026", number=number, issued_at=NOON, supplied_at=NOON, buyer=buyer
        )
        await self.record(order_id, "invoice", issue)
        await self.record(order_id, "delivery", partial(decisions.deliver_shipment, outcome=DELIVERED))

    async def events(self, order_id: str) -> list[str]:
        return [recorded.name for recorded in (await self.orders.load(order_id)).events]

    async def bodies(self) -> bytes:
        """All that the log holds."""
        return b"\n".join(
            [commit.body async for stream in self.log.streams() for commit in await self.log.read(stream)]
        )

    def asking(self, *order_ids: str, subject: str = "customer:c-1", **changes: Any) -> Request:
        given = {"reason": "asked by letter, ticket 4711", "actor": OPERATOR, **changes}
        return Request(subject=subject, order_ids=order_ids, **given)


def stream(order_id: str) -> str:
    return stream_of(TENANT, order_id)
