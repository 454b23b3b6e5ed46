"""A small world for the workers: the log in memory, a relay that forgets nothing, every handler, and faults at chosen calls."""

import itertools
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from orderstore import codec, contract
from orderstore.objects import MemoryObjectStore
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.registry import BY_NAME, CONSUMERS
from orderstore.requests import CancelOrder, HoldOrder, PlaceOrder, ReleaseHold, RequestRefund
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from tests.ordering import PlainVault
from tests.workers.drawing import drawing_over
from workers.billing.handler import BillingHandler
from workers.inventory.handler import InventoryHandler
from workers.inventory.locations import ONE_LOCATION, Locations
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.notification.email_channel import EmailChannel
from workers.notification.handler import NotificationHandler
from workers.notification.mail import MemoryMailbox
from workers.notification.records import TableNotifications
from workers.notification.routes import Route, Routes
from workers.notification.suppression import Suppressions
from workers.notification.telling import Telling
from workers.notification.texts import Texts
from workers.payment.attempts import TableAttempts
from workers.payment.disputes import DisputeDesk
from workers.payment.handler import PaymentHandler
from workers.payment.hints import hint_body
from workers.payment.sandbox import SandboxDisputes, SandboxPayments
from workers.runtime.outcome import Done, Poison
from workers.runtime.queue import Message
from workers.sandbox.ledger import TableLedger
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.tables.memory import MemoryTable

CUSTOMER = Actor("customer", "customer-1")
OPERATOR = Actor("operator", "ops")
TEXTS = Texts()
LAPTOP_AND_MICE = (("LAPTOP-001", 1, "850"), ("MOUSE-002", 2, "25"))


class Crash(Exception):
    """The process died here."""


class Faults:
    """Counts the calls to every port, and at the n-th (1-based) dies before or after it, or lets `meanwhile` happen first."""

    def __init__(
        self, *, at: int | None = None, after: bool = False, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.calls = 0
        self.names: list[str] = []
        self.at = at
        self.after = after
        self.meanwhile = meanwhile
        self.armed = True

    def wrap(self, name: str, port: Any) -> Any:
        return _Faulty(name, port, self)


class _Faulty:
    def __init__(self, name: str, port: Any, faults: Faults) -> None:
        self._name, self._port, self._faults = name, port, faults

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        if method in ("subscribe", "scan", "streams", "stored", "entries", "subjects", "name"):
            return real

        async def called(*arguments: Any, **named: Any) -> Any:
            faults = self._faults
            if not faults.armed:
                return await real(*arguments, **named)
            faults.calls += 1
            number = faults.calls
            faults.names.append(f"{self._name}.{method}")
            if number == faults.at and faults.meanwhile is not None:
                faults.armed = False
                await faults.meanwhile()
                faults.armed = True
                return await real(*arguments, **named)
            if number == faults.at and not faults.after:
                raise Crash(f"before call {number}: {self._name}.{method}")
            answer = await real(*arguments, **named)
            if number == faults.at and faults.after:
                raise Crash(f"after call {number}: {self._name}.{method}")
            return answer

        return called


async def a_key(subject: str) -> bytes:
    """The key of the suppression list's hashes."""
    return subject.encode()


class Reports:
    """A WorkerObserver that counts."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *details: self.counts.update([(name, *details)])


class World:
    """Everything that one order meets. `deliver()` hands out messages until none is left."""

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        sandbox: bool = True,
        capture: Any = "on_dispatch",
        locations: Locations = ONE_LOCATION,
        **carrier: Any,
    ) -> None:
        """`carrier` is how the sandbox's is set."""
        self.faults = faults or Faults()
        self.time_ms = 1_772_366_400_000
        self.reports = Reports()
        self.mailbox = MemoryMailbox()
        self.messages: deque[tuple[str, Message]] = deque()
        self.history: list[tuple[str, Message]] = []
        self.in_flight: tuple[str, Message] | None = None
        self.hints: list[tuple[str, int]] = []
        self.errors: list[Exception] = []
        self.poisoned: list[Poison] = []
        self.wants: Callable[[str, str], bool] = lambda queue, event_type: True
        self._ids = itertools.count(1)
        store = MemoryEventStore()
        self.log = store
        store.subscribe(self._relay)
        self.tables = {
            name: MemoryTable() for name in ("payments", "inventory", "notifications", "suppressions", "sandbox")
        }
        table = {name: self.faults.wrap(name, table) for name, table in self.tables.items()}
        self.vault = PlainVault()
        self.objects = MemoryObjectStore()
        self.transactor = Transactor(self.faults.wrap("log", store), now_ms=self.now_ms)
        self.orders = Orders(self.transactor, tenant="test", vault=self.vault, hooks_allowed=True, now_ms=self.now_ms)
        self.ledger = TableLedger(table["sandbox"], now_ms=self.now_ms)
        self.attempts = TableAttempts(table["payments"], now_ms=self.now_ms)
        self.stock = TableStock(table["inventory"], random=random.Random(1), locations=locations)
        self.carrier = SandboxCarrier(self.ledger, now_ms=self.now_ms, **carrier)
        self.suppressions = Suppressions(table["suppressions"], key_for=a_key, now_ms=self.now_ms)
        self.handlers = self._make_handlers(table["notifications"], sandbox=sandbox, capture=capture)
        self.elsewhere = self._make_handlers(table["notifications"], sandbox=sandbox, capture=capture)
        """The same departments in another process: they share the ports, and no memory."""

    def _make_handlers(self, notifications: Any, *, sandbox: bool, capture: Any) -> dict[str, Any]:
        common: dict[str, Any] = {"sandbox": sandbox, "observer": self.reports}
        return {
            "payment": PaymentHandler(
                self.orders,
                gateway_for=SandboxPayments(self.ledger).gateway_for,
                attempts=self.attempts,
                hint=self.hint,
                now_ms=self.now_ms,
                disputes=DisputeDesk(self.orders, SandboxDisputes(self.ledger), observer=self.reports),  # type: ignore[arg-type]  # it answers every method
                capture=capture,
                **common,
            ),
            "inventory": InventoryHandler(
                self.orders, stock_for=SandboxStocks(self.stock).stock_for, now_ms=self.now_ms, **common
            ),
            "shipping": ShippingHandler(self.orders, carrier=self.carrier, now_ms=self.now_ms, **common),
            "billing": BillingHandler(
                self.orders,
                drawing=drawing_over(self.vault, self.faults.wrap("objects", self.objects)),
                now_ms=self.now_ms,
                **common,
            ),
            "notification": self.notifying(notifications, **common),
        }

    def notifying(self, notifications: Any, *, routes: Sequence[Route] = (), **common: Any) -> NotificationHandler:
        """The notification department: mail, and what `routes` adds."""
        records = TableNotifications(notifications, now_ms=self.now_ms)
        mail = EmailChannel(self.faults.wrap("mail", self.mailbox), suppressions=self.suppressions)
        return NotificationHandler(
            self.orders,
            records=records,
            routes=Routes([Route(mail), *routes], TEXTS),
            telling=Telling(
                records,
                TEXTS,
                open_contact=self.vault.open,
                now_ms=self.now_ms,
                observer=common.get("observer"),
            ),
            **common,
        )

    def now_ms(self) -> int:
        return self.time_ms

    async def place(self, *items: tuple[str, int, str], **fields: Any) -> str:
        """Place an order whose goods are in stock, and return its id. The client's own calls meet no faults."""
        self.faults.armed = False
        lines = items or LAPTOP_AND_MICE
        if fields.pop("stocked", True):
            await self.stock.receive("opening", {sku: 100 for sku, _, _ in lines})
        body = {
            "items": [{"sku": sku, "quantity": quantity, "price": price} for sku, quantity, price in lines],
            "currency": "USD",
            "customerId": "customer-1",
            "customerEmail": "ada@example.com",
            "customerName": "Ada",
            **fields,
        }
        placed = await self.orders.place(PlaceOrder.model_validate(body), actor=CUSTOMER, idempotency_key=None)
        self.faults.armed = True
        order_id: str = placed.history.events[0].order_id
        return order_id

    async def cancel(self, order_id: str) -> None:
        armed, self.faults.armed = self.faults.armed, False
        await self.orders.cancel(order_id, CancelOrder(), actor=CUSTOMER)
        self.faults.armed = armed

    async def hold(self, order_id: str, hold_id: str) -> None:
        armed, self.faults.armed = self.faults.armed, False
        asked = HoldOrder.model_validate({"holdId": hold_id, "reason": "fraud_review"})
        await self.orders.hold(order_id, asked, actor=OPERATOR, idempotency_key=hold_id)
        self.faults.armed = armed

    async def release(self, order_id: str, hold_id: str) -> None:
        armed, self.faults.armed = self.faults.armed, False
        await self.orders.release_hold(order_id, hold_id, ReleaseHold(), actor=OPERATOR)
        self.faults.armed = armed

    async def refund(self, order_id: str, line: int, quantity: int) -> None:
        self.faults.armed = False
        request = RequestRefund.model_validate({"lines": [{"line": line, "quantity": quantity}]})
        await self.orders.request_refund(order_id, request, actor=CUSTOMER, idempotency_key=None)
        self.faults.armed = True

    def _relay(self, commit: Any) -> None:
        for recorded in codec.decode(commit):
            public = contract.publish(recorded)
            for queue in CONSUMERS if public is not None else ():
                if queue in BY_NAME[recorded.name].consumers:
                    self.send(queue, public.body.decode())

    async def hint(self, queue: str, history: Any, *, delay_s: int = 0) -> None:
        """What is to be looked at later is looked at with everything else."""
        self.hints.append((queue, delay_s))
        self.send(queue, hint_body(history))

    def send(self, queue: str, body: str) -> None:
        message = Message(
            id=f"message-{next(self._ids)}", receipt="r", body=body, attributes={}, receive_count=1, sent_at_ms=0
        )
        self.messages.append((queue, message))
        self.history.append((queue, message))

    async def deliver(self, *, copies: int = 1, rounds_max: int = 500) -> None:
        """Hand out every message (each `copies` times) until none is left; a failed one is delivered again."""
        waiting: deque[tuple[str, Message]] = deque()
        for _ in range(rounds_max):
            if not self.messages and not waiting:
                return
            if not self.messages:
                self.time_ms += 61_000  # what was deferred, or died in the middle, is looked at again later
                self.messages, waiting = waiting, deque()
            queue, message = self.messages.popleft()
            if not self.wants(queue, orjson.loads(message.body).get("eventType", "")):
                continue
            for _copy in range(copies):
                if not await self._hand(queue, message):
                    waiting.append((queue, message))
        raise AssertionError(f"still not at rest after {rounds_max} deliveries: {self.errors[-3:]}")

    async def _hand(self, queue: str, message: Message) -> bool:
        self.in_flight = (queue, message)
        try:
            outcome = await self.handlers[queue](message)
        except Exception as error:  # noqa: BLE001 - the loop retries whatever it is
            self.errors.append(error)
            return False
        if isinstance(outcome, Poison):
            self.poisoned.append(outcome)
        return isinstance(outcome, Done | Poison)

    async def events(self, order_id: str) -> list[str]:
        self.faults.armed = False
        history = await self.orders.load(order_id)
        return [recorded.name for recorded in history.events]

    async def status(self, order_id: str) -> str:
        self.faults.armed = False
        return type((await self.orders.load(order_id)).state).__name__

    async def effects(self) -> list[str]:
        """Everything that the providers ever did, sorted."""
        self.faults.armed = False
        return sorted([entry.kind async for entry in self.ledger.entries()])

    async def notifications(self) -> Counter[str]:
        return Counter([row["state"] async for row in self.tables["notifications"].scan()])

    async def stock_is_sound(self, *skus: str) -> tuple[int, ...]:
        """The pieces of each SKU that are set aside or have left, after the invariant was checked."""
        self.faults.armed = False
        levels = [level for level in await self.stock.levels(skus) if level is not None]
        assert len(levels) == len(skus)
        assert all(level.adds_up for level in levels)
        return tuple(level.reserved + level.committed for level in levels)
