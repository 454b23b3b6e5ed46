"""The processes of the service, which die and are started again, and the readers of the stream as production composes them."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from orderstore.domain.allowances import DEFAULTS
from orderstore.domain.events import Allowances
from orderstore.orders import Orders
from orderstore.snapshots.shelf import SnapshotShelf
from orderstore.snapshots.standing import read_standing
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
from workers.notification.texts import Texts

if TYPE_CHECKING:
    from tests.simulation.run import Run

TENANT = "sim"
SERIES = "SIM"
# A shard that waits for its parents must be read before the margin of its back-fill is over.
STREAM = StreamSettings(discovery_interval_s=5, gap_margin_s=10, retention_s=30, orphan_patience_s=4, idle_max_s=4.0)
RESTART_S = (0.2, 8.0)
IMPATIENT = Allowances(outcomes_s=25, dispatch_s=30, delivery_s=45, undo_s=20, refund_s=20)
TEXTS = Texts()

Main = Callable[["Process", Wire], Awaitable[None]]


class Process:
    """One process that is started again whenever it ends, until the run is over."""

    def __init__(self, run: "Run", name: str, main: Main) -> None:
        self.run = run
        self._main = main
        self._boots = 0
        self.name = name
        self.random = Random(f"process {run.seed} {name}")
        self.skew_ms = 0
        self.set_clock()
        self.wire: Wire | None = None
        self.scope = anyio.CancelScope()
        self.stop: Callable[[], None] = lambda: None
        self._retired = False

    def now_ms(self) -> int:
        """The wall clock of its machine."""
        return wall_ms() + self.skew_ms

    def set_clock(self) -> None:
        """Its clock is set, as well as clocks are set here."""
        self.skew_ms = round(self.random.uniform(-1, 1) * self.run.faults.skew_s * 1_000)

    def kill(self, why: str) -> None:
        """SIGKILL: no clean-up reaches anything."""
        if self.wire is not None and not self.wire.dead:
            self.run.note(self.wire.name, why)
            self.wire.dead = True
            self.wire.thaw()
            self.scope.cancel()

    def retire(self) -> None:
        """There is to be one less of its kind: it stops in good order, and nobody starts it again."""
        self._retired = True
        self.stop()

    async def live(self) -> None:
        """Start, and start again."""
        while not self._retired:
            self._boots += 1
            self.wire = wire = Wire(self.run, f"{self.name}/{self._boots}", self.random)
            self.stop = lambda: None
            try:
                with anyio.CancelScope() as self.scope:
                    wire.on_crash = self.scope.cancel
                    await self._main(self, wire)
            except Exception as error:  # noqa: BLE001 - nothing may end a process of the service but a signal
                if not wire.dead:
                    self.run.broken(f"{wire.name} ended by itself: {error!r}")
            wire.dead = True
            if self.run.ending:
                return
            await anyio.sleep(self.random.uniform(*RESTART_S))


def orders_of(process: Process, wire: Wire) -> Orders:
    """The order service as this process reaches it."""
    outside = process.run.outside
    log, shelf = wire.port("log", outside.log), SnapshotShelf(wire.port("objects", outside.objects))
    return Orders(
        Transactor(log, now_ms=process.now_ms),
        tenant=TENANT,
        vault=outside.vault,
        hooks_allowed=True,
        now_ms=process.now_ms,
        look=partial(read_standing, log, shelf),
        allowances=IMPATIENT if process.run.habits.impatient else DEFAULTS,
    )


async def readers(process: Process, wire: Wire) -> None:
    """The projector and the relay: two subscriptions of the stream."""
    outside, random = process.run.outside, process.random
    log, lot = wire.port("log", outside.log), wire.port("lot", outside.lot)
    views = wire.port("views", outside.views)
    relay = _WatchedRelay(process.run, log, wire.port("topic", outside.topic), now_ms=process.now_ms, random=random)
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
                observer=_Gaps(process.run, subscription),
            )
            tasks.start_soon(reader.run, name=f"{wire.name} {subscription}")


class _WatchedRelay(Relay):
    """Tells the run while it publishes what a gap hid: from the table, whatever of an order is still to be read from the stream."""

    def __init__(self, run: "Run", *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._run = run

    async def repair(self, keys: Sequence[str], *, since_ms: int) -> None:
        """See `KeyedSubscriber`."""
        self._run.healing.update(keys)
        await super().repair(keys, since_ms=since_ms)


class _Gaps(SilentObserver):
    """Notes gaps in the trace."""

    def __init__(self, run: "Run", subscription: str) -> None:
        self.run = run
        self._subscription = subscription

    def gap(self, *, shard: str, cause: GapCause, since_ms: int) -> None:
        """See `StreamObserver`."""
        del since_ms
        self.run.note(self._subscription, f"gap in {shard[-4:]}: {cause.value}")
