"""The processes of the service as production composes them, over ports that may fail: readers of the stream, consumers of the queues."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from orderstore.archive.writer import Archiver
from orderstore.orders import Orders
from orderstore.transact import Transactor
from projections.commits import order_of_record
from projections.parked_orders.judging import judge
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import LiveTargets
from projections.publishing.relay import Relay
from projections.stream import GapCause, StreamReader, StreamSettings
from projections.stream.observe import SilentObserver
from projections.stream.quarantine import Quarantine
from projections.stream.subscriber import KeyedSubscriber
from projections.views import VIEWS
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.outside import Source
from tests.simulation.wire import Wire
from tests.workers.world import a_key
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.billing.handler import BillingHandler
from workers.classify import classify, is_outage
from workers.inventory.handler import InventoryHandler
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.notification.email_channel import EmailChannel
from workers.notification.handler import NotificationHandler
from workers.notification.records import TableNotifications
from workers.notification.routes import Route, Routes
from workers.notification.suppression import Suppressions
from workers.notification.telling import Telling
from workers.notification.texts import Texts
from workers.payment.attempts import TableAttempts
from workers.payment.handler import PaymentHandler
from workers.payment.sandbox import SandboxPayments
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.consume import ConsumeLoop
from workers.runtime.outcome import Handler, Outcome
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings
from workers.sandbox.ledger import TableLedger
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier

if TYPE_CHECKING:
    from tests.simulation.run import Run

TENANT = "sim"
SERIES = "SIM"
# A shard that waits for its parents must be read before the margin of its back-fill is over.
STREAM = StreamSettings(discovery_interval_s=5, gap_margin_s=10, retention_s=30, orphan_patience_s=4)
# Short, so that what is deferred or slow outlives a visibility timeout.
CONSUME = ConsumeSettings(
    visibility_timeout_s=36,
    handler_deadline_s=6,
    heartbeat_interval_s=8,
    wait_s=5,
    defer_hold_s_max=36_000.0,
    retry_cap_s=60.0,
    concurrency=4,
)
BREAKER = BreakerSettings(answer_within_s=5.4)
RESTART_S = (0.2, 8.0)
TEXTS = Texts()

Main = Callable[["Process", Wire], Awaitable[None]]


class Process:
    """One process that is started again whenever it ends, until the run is over."""

    def __init__(self, run: "Run", name: str, main: Main) -> None:
        self._run = run
        self._main = main
        self._boots = 0
        self.name = name
        self.random = Random(f"process {run.seed} {name}")
        self.skew_ms = round(self.random.uniform(-1, 1) * run.faults.skew_s * 1_000)
        self.wire: Wire | None = None
        self.scope = anyio.CancelScope()
        self.stop: Callable[[], None] = lambda: None

    def now_ms(self) -> int:
        """The wall clock of its machine."""
        return wall_ms() + self.skew_ms

    def kill(self, why: str) -> None:
        """SIGKILL: no clean-up reaches anything."""
        if self.wire is not None and not self.wire.dead:
            self._run.note(self.wire.name, why)
            self.wire.dead = True
            self.wire.thaw()
            self.scope.cancel()

    async def live(self) -> None:
        """Start, and start again."""
        while True:
            self._boots += 1
            self.wire = wire = Wire(self._run, f"{self.name}/{self._boots}", self.random)
            self.stop = lambda: None
            try:
                with anyio.CancelScope() as self.scope:
                    wire.on_crash = self.scope.cancel
                    await self._main(self, wire)
            except Exception as error:  # noqa: BLE001 - nothing may end a process of the service but a signal
                if not wire.dead:
                    self._run.broken(f"{wire.name} ended by itself: {error!r}")
            wire.dead = True
            if self._run.ending:
                return
            await anyio.sleep(self.random.uniform(*RESTART_S))


def orders_of(process: Process, wire: Wire) -> Orders:
    """The order service as this process reaches it."""
    transactor = Transactor(wire.port("log", process._run.outside.log), now_ms=process.now_ms)
    return Orders(
        transactor, tenant=TENANT, vault=process._run.outside.vault, hooks_allowed=True, now_ms=process.now_ms
    )


async def readers(process: Process, wire: Wire) -> None:
    """The projector and the relay: two subscriptions of the stream."""
    outside, random = process._run.outside, process.random
    log, lot = wire.port("log", outside.log), wire.port("lot", outside.lot)
    views = wire.port("views", outside.views)
    relay = Relay(log, wire.port("topic", outside.topic), now_ms=process.now_ms, random=random)
    subscribers: dict[str, KeyedSubscriber] = {
        "views": ViewProjector(log, views, LiveTargets(views, VIEWS)),
        "relay": relay,
    }
    async with anyio.create_task_group() as tasks:
        scope = tasks.cancel_scope
        process.stop = scope.cancel
        for subscription, subscriber in subscribers.items():
            quarantine = Quarantine(
                subscriber,
                subscription=subscription,
                lot=lot,
                key_of=order_of_record,
                judge=judge,
                now_ms=process.now_ms,
                random=random,
            )
            reader = StreamReader(
                subscription=subscription,
                source=wire.port("stream", Source(outside.stream, f"{subscription} {wire.name}")),
                leases=wire.port("leases", outside.leases),
                subscriber=quarantine,
                owner=f"{subscription}-{wire.name}",
                now_ms=process.now_ms,
                random=random,
                lane_of=order_of_record,
                settings=STREAM,
                observer=_Gaps(process._run, subscription),
            )
            tasks.start_soon(reader.run, name=f"{wire.name} {subscription}")


class _Gaps(SilentObserver):
    """Tells the run of gaps: what a relay publishes from the table is what was recorded since, whatever of an order is still to be read."""

    def __init__(self, run: "Run", subscription: str) -> None:
        self._run = run
        self._subscription = subscription

    def gap(self, *, shard: str, cause: GapCause, since_ms: int) -> None:
        """See `StreamObserver`."""
        self._run.note(self._subscription, f"gap in {shard[-4:]}: {cause.value}")
        self._run.disordered = self._run.disordered or self._subscription == "relay"


async def workers(process: Process, wire: Wire) -> None:
    """A consume loop for each queue."""
    outside = process._run.outside
    loops = [
        ConsumeLoop(
            wire.port("queue", outside.queues[name]),
            Guarded(_Slow(process, handler), is_outage=is_outage, source=process.random, settings=BREAKER),
            CONSUME,
            now_ms=process.now_ms,
            source=process.random,
            classify=classify,
        )
        for name, handler in _handlers(process, wire).items()
    ]

    def stop() -> None:
        for loop in loops:
            loop.stop()

    process.stop = stop
    async with anyio.create_task_group() as tasks:
        for loop in loops:
            tasks.start_soon(loop.run)


class _Slow:
    """A handler that stands still for a moment first."""

    def __init__(self, process: Process, handler: Handler) -> None:
        self._process, self._handler = process, handler

    async def __call__(self, message: Message) -> Outcome:
        """Wait as the faults say, then handle."""
        faults, random = self._process._run.faults, self._process.random
        if faults.slow_handler and random.random() < faults.slow_handler:
            await anyio.sleep(random.uniform(0, faults.slow_handler_s))
        return await self._handler(message)


def _handlers(process: Process, wire: Wire) -> dict[str, Any]:
    outside = process._run.outside
    table = {name: wire.port("table", kept) for name, kept in outside.tables.items()}
    orders = orders_of(process, wire)
    ledger = TableLedger(table["sandbox"], now_ms=process.now_ms)
    stock = TableStock(table["inventory"], random=process.random)
    archiver = Archiver(
        wire.port("log", outside.log),
        wire.port("objects", outside.objects),
        wire.port("table", outside.positions),
        now_ms=process.now_ms,
        random=process.random,
    )
    records = TableNotifications(table["notifications"], now_ms=process.now_ms)
    suppressions = Suppressions(table["suppressions"], key_for=a_key, now_ms=process.now_ms)
    return {
        "payment": PaymentHandler(
            orders,
            gateway_for=SandboxPayments(ledger).gateway_for,
            attempts=TableAttempts(table["payments"], now_ms=process.now_ms),
            capture=process._run.capture,
            sandbox=True,
        ),
        "inventory": InventoryHandler(orders, stock_for=SandboxStocks(stock).stock_for, sandbox=True),
        "shipping": ShippingHandler(
            orders,
            carrier=SandboxCarrier(ledger, now_ms=process.now_ms, transit_s=process._run.transit_s),
            sandbox=True,
        ),
        "billing": BillingHandler(
            orders, vault=outside.vault, series_prefix=SERIES, now_ms=process.now_ms, sandbox=True
        ),
        "notification": NotificationHandler(
            orders,
            records=records,
            routes=Routes([Route(EmailChannel(wire.port("mail", outside.mailbox), suppressions=suppressions))], TEXTS),
            telling=Telling(records, TEXTS, open_contact=outside.vault.open, now_ms=process.now_ms),
            sandbox=True,
        ),
        "archive": ArchiveHandler(Batcher(archiver.archive, linger_s=1.0, messages_max=2, now_ms=process.now_ms)),
    }
