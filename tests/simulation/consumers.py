"""The consumers of the queues as production composes them, and the sender of webhooks beside them."""

from collections.abc import Callable
from typing import Any, Final

import anyio

from orderstore.archive.writer import Archiver
from orderstore.history import History
from orderstore.invoicing.sellers import demonstration
from orderstore.snapshots.shelf import SnapshotShelf
from tests.simulation.around import locations_of
from tests.simulation.processes import SERIES, TEXTS, Process, orders_of
from tests.simulation.wire import Wire
from tests.workers.drawing import drawing_over
from tests.workers.world import a_key
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.archive.remembering import remembering
from workers.billing.handler import BillingHandler
from workers.classify import classify, is_outage
from workers.inbox.writing import InboxWriter
from workers.intake.handler import IntakeHandler
from workers.intake.observe import SilentIntakeObserver
from workers.intake.placing import Placing
from workers.intake.queue.requests import RequestHandler
from workers.inventory.handler import InventoryHandler
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.notification.email_channel import EmailChannel
from workers.notification.handler import NotificationHandler
from workers.notification.inbox import InboxChannel
from workers.notification.records import TableNotifications
from workers.notification.routes import Route, Routes
from workers.notification.suppression import Suppressions
from workers.notification.telling import Telling
from workers.payment.attempts import TableAttempts
from workers.payment.disputes import DisputeDesk
from workers.payment.handler import PaymentHandler
from workers.payment.hints import Hint, hint_body
from workers.payment.sandbox import SandboxDisputes, SandboxPayments
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.consume import ConsumeLoop
from workers.runtime.outcome import Handler, Outcome
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings
from workers.sandbox.ledger import TableLedger
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.webhooks.attempting import Attempts
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.endpoints import Endpoints, KnownEndpoints
from workers.webhooks.handler import WebhookHandler
from workers.webhooks.observe import SilentWebhookObserver

# Short, so that what is deferred or slow outlives a visibility timeout.
CONSUME: Final = ConsumeSettings(
    visibility_timeout_s=36,
    handler_deadline_s=6,
    heartbeat_interval_s=8,
    wait_s=20,
    defer_hold_s_max=36_000.0,
    retry_cap_s=60.0,
    concurrency=4,
)
BREAKER: Final = BreakerSettings(answer_within_s=5.4)
LOOK_EVERY_S: Final = 15.0
INBOX_KEPT_DAYS: Final = 400
ACTION_S: Final = 100
"""How long a customer has to do what the bank asks for."""
DELAY_S: Final = 90.0
"""How long a parcel stays here that the carrier has no room for."""


NO_FILES: Final[Any] = None
"""Files are not in the simulation: requests only."""


async def workers(process: Process, wire: Wire) -> None:
    """A consume loop for each queue, and the sender of webhooks."""
    outside = process.run.outside
    handlers = _handlers(process, wire)
    sender: Dispatcher | None = None
    if "webhooks" in outside.queues:
        handlers["webhooks"], sender = _webhooks(process, wire)
    loops = [
        ConsumeLoop(
            wire.port("queue", outside.queues[name]),
            Guarded(_Slow(process, handler), is_outage=is_outage, source=process.random, settings=BREAKER),
            CONSUME,
            now_ms=process.now_ms,
            source=process.random,
            classify=classify,
        )
        for name, handler in handlers.items()
    ]

    def stop() -> None:
        for loop in loops:
            loop.stop()
        if sender is not None:
            sender.stop()

    process.stop = stop
    async with anyio.create_task_group() as tasks:
        if sender is not None:
            tasks.start_soon(sender.run, name=f"{wire.name} webhook sender")
        for loop in loops:
            tasks.start_soon(loop.run)


class _Slow:
    """A handler that stands still for a moment first."""

    def __init__(self, process: Process, handler: Handler) -> None:
        self._process, self._handler = process, handler

    async def __call__(self, message: Message) -> Outcome:
        """Wait as the faults say, then handle."""
        faults, random = self._process.run.faults, self._process.random
        if faults.slow_handler and random.random() < faults.slow_handler:
            await anyio.sleep(random.uniform(0, faults.slow_handler_s))
        return await self._handler(message)


def _reached(wire: Wire, kind: str, gateway_for: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda order: wire.port(kind, gateway_for(order))


def _hinting(queues: Any, wire: Wire) -> Hint:
    async def hint(queue: str, history: History, *, delay_s: int = 0) -> None:
        await wire.port("queue", queues[queue]).send(hint_body(history), delay_s=delay_s)

    return hint


def _handlers(process: Process, wire: Wire) -> dict[str, Handler]:
    outside = process.run.outside
    table = {name: wire.port("table", kept) for name, kept in outside.tables.items()}
    orders = orders_of(process, wire)
    log, objects = wire.port("log", outside.log), wire.port("objects", outside.objects)
    ledger = TableLedger(outside.tables["sandbox"], now_ms=process.now_ms)  # the provider's own, beyond its API
    stock = TableStock(table["inventory"], random=process.random, locations=locations_of(process.run.habits))
    books = SandboxDisputes(ledger)
    archiver = Archiver(
        log, objects, wire.port("table", outside.positions), now_ms=process.now_ms, random=process.random
    )
    carrier = SandboxCarrier(ledger, now_ms=process.now_ms, transit_s=process.run.transit_s, delay_s=DELAY_S)
    return {
        "payment": PaymentHandler(
            orders,
            gateway_for=_reached(wire, "gateway", SandboxPayments(ledger).gateway_for),
            attempts=TableAttempts(table["payments"], now_ms=process.now_ms),
            hint=_hinting(outside.queues, wire),
            now_ms=process.now_ms,
            disputes=DisputeDesk(orders, wire.port("gateway", books)),
            capture=process.run.capture,
            action_s=ACTION_S,
            sandbox=True,
        ),
        "inventory": InventoryHandler(
            orders, stock_for=SandboxStocks(stock).stock_for, now_ms=process.now_ms, sandbox=True
        ),
        "shipping": ShippingHandler(
            orders,
            carrier=wire.port("carrier", carrier),
            now_ms=process.now_ms,
            delay_consent_s=process.run.consent_s,
            sandbox=True,
        ),
        "billing": BillingHandler(
            orders,
            drawing=drawing_over(outside.vault, objects, sellers=demonstration(invoices=SERIES, credit_notes="CREDIT")),
            now_ms=process.now_ms,
            sandbox=True,
        ),
        "notification": _notifications(process, wire, table),
        "archive": ArchiveHandler(
            Batcher(
                remembering(archiver.archive, log, SnapshotShelf(objects)),
                linger_s=1.0,
                messages_max=2,
                now_ms=process.now_ms,
            )
        ),
        "intake": IntakeHandler(
            requests=RequestHandler(
                Placing(orders), reports=wire.port("bus", outside.bus), observer=SilentIntakeObserver()
            ),
            uploads=NO_FILES,
            ranges=NO_FILES,
        ),
    }


def _notifications(process: Process, wire: Wire, table: dict[str, Any]) -> Handler:
    outside = process.run.outside
    records = TableNotifications(table["notifications"], now_ms=process.now_ms)
    suppressions = Suppressions(table["suppressions"], key_for=a_key, now_ms=process.now_ms)
    inbox = InboxWriter(
        wire.port("table", outside.inboxes), now_ms=process.now_ms, random=process.random, kept_days=INBOX_KEPT_DAYS
    )
    return NotificationHandler(
        orders_of(process, wire),
        records=records,
        routes=Routes(
            [
                Route(EmailChannel(wire.port("mail", outside.mailbox), suppressions=suppressions)),
                Route(InboxChannel(inbox)),
            ],
            TEXTS,
        ),
        telling=Telling(records, TEXTS, open_contact=outside.vault.open, now_ms=process.now_ms),
        sandbox=True,
    )


def _webhooks(process: Process, wire: Wire) -> tuple[Handler, Dispatcher]:
    outside, now_ms, random = process.run.outside, process.now_ms, process.random
    endpoints = Endpoints(wire.port("table", outside.endpoints))
    deliveries = Deliveries(wire.port("table", outside.deliveries), now_ms=now_ms)
    known, observer = KnownEndpoints(endpoints), SilentWebhookObserver()
    attempts = Attempts(
        deliveries,
        endpoints,
        outside.secrets,
        wire.port("endpoint", outside.subscriber),
        now_ms=now_ms,
        random=random,
        observer=observer,
    )
    dispatcher = Dispatcher(
        deliveries, known, attempts, now_ms=now_ms, random=random, observer=observer, look_every_s=LOOK_EVERY_S
    )
    return WebhookHandler(deliveries, known, dispatcher, now_ms=now_ms, observer=observer), dispatcher
