"""The composition root: settings in, a service out. Everything that holds a connection is opened here, once, and closed here.

Read it from the bottom: `open_service` opens the `Core` (the log, its keys, the views) and puts the parts of the asked-for
roles on top of it: the API, the two stream subscriptions, a consumer for each queue, the day's signed root.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

from orderstore.archive.dynamo_positions import DynamoPositions
from orderstore.archive.writer import Archiver
from orderstore.audit.root_maker import RootMaker
from orderstore.registry import CONSUMERS
from projections.commits import order_of_record
from projections.publishing.unpublished import Unpublished
from projections.stream.dynamo_source import DynamoStreamSource
from projections.stream.gate import Holding
from projections.stream.reader import StreamReader
from projections.stream.settings import StreamSettings
from projections.stream.subscriber import Subscriber
from workers.anchoring import Anchoring
from workers.api import api
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.archive.remembering import remembering
from workers.classify import classify
from workers.core import CONNECTIONS_BESIDE, Core, now_ms, open_core
from workers.dead_letters.desk import Desk
from workers.dead_letters.opening import desk_of
from workers.departments import Departments
from workers.guarding import guarded
from workers.logged import LoggedHandler
from workers.metrics.anchoring import AnchoringMetrics
from workers.metrics.archive import ArchiveMetrics
from workers.metrics.business import WorkerMetrics
from workers.metrics.page import metrics_app
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.streams import StreamMetrics
from workers.metrics.table import Metrics
from workers.payments import daily_reconciliation
from workers.queues import Consumer, watching
from workers.runtime.outcome import Handler
from workers.runtime.sqs import SqsQueue
from workers.service import Cancellable, HttpServer, Part, Service, listen
from workers.settings import Role, Settings
from workers.subscriptions import RELAY_SUBSCRIPTION, VIEWS_SUBSCRIPTION, overdue_watch, parking_watch, quarantined

SUBSCRIPTIONS: Final[Mapping[Role, str]] = {"projector": VIEWS_SUBSCRIPTION, "relay": RELAY_SUBSCRIPTION}
CONNECTIONS_MAX: Final = 512
POLLS_PER_QUEUE: Final = 4
STREAM_IDLE_INITIAL_S: Final = 0.25

RESTORING: Final = (
    "a restore into this environment is not finished: nothing is published before (orderstore archive restore)"
)

Readiness = Callable[[], Mapping[str, bool]]


def departments(core: Core) -> Departments:
    """The handlers of the five queues, with the ports that they act through."""
    return Departments(
        core.settings,
        core.clients,
        orders=core.orders,
        sealer=core.sealer,
        observer=WorkerMetrics(core.metrics),
        now_ms=now_ms,
        random=core.random,
        stripe=core.stripe,
    )


def dead_letters(core: Core) -> Desk:
    """Where people work with the dead letters of all queues."""
    return desk_of(core, told=departments(core).told)


def archiver_of(core: Core) -> Archiver:
    """What copies the log into the archive."""
    return Archiver(
        core.store,
        core.objects,
        positions_of(core),
        now_ms=now_ms,
        random=core.random,
        observer=ArchiveMetrics(core.metrics),
    )


def positions_of(core: Core) -> DynamoPositions:
    """How far each order is archived."""
    return DynamoPositions(core.clients.dynamodb, table=core.settings.table("archive"), random=core.random)


def archive(core: Core) -> Handler:
    """The handler of the archive's queue. A batch is full before every handler waits for it, or none would ever be."""
    batcher = Batcher(
        remembering(archiver_of(core).archive, core.store, core.shelf),
        linger_s=core.settings.archive_linger_s,
        messages_max=max(1, core.settings.archive_concurrency // 2),
        now_ms=now_ms,
        observer=ArchiveMetrics(core.metrics),
    )
    return ArchiveHandler(batcher)


def daily_root(core: Core) -> Anchoring:
    """What signs a root over the log, once a day."""
    maker = RootMaker(
        core.store,
        core.locked,
        core.signer,
        log=core.settings.table("events"),
        now_ms=now_ms,
        is_whole=partial(nothing_is_being_restored, core),
    )
    return Anchoring(maker, now_ms=now_ms, random=core.random, observer=AnchoringMetrics(core.metrics))


async def consumers(core: Core, roles: Sequence[Role]) -> list[Consumer]:
    """A consume loop for each role that has a queue."""
    found = []
    handlers = departments(core)
    for name in (role for role in roles if role in CONSUMERS):
        queue, settings = await core.queues.open(name)
        found.append(
            Consumer(
                queue,
                guarded(
                    LoggedHandler(archive(core) if name == "archive" else handlers.handler(name), queue=name),
                    queue=name,
                    settings=core.settings,
                    metrics=core.metrics,
                    random=core.random,
                ),
                settings,
                classify=classify,
                metrics=core.metrics,
                now_ms=now_ms,
                random=core.random,
            )
        )
    return found


async def subscribers(core: Core, roles: Sequence[Role]) -> dict[str, Subscriber]:
    """What the stream's two subscriptions do with its records."""
    found: dict[str, Subscriber] = {
        name: quarantined(core, name) for role, name in SUBSCRIPTIONS.items() if role in roles
    }
    if (relay := SUBSCRIPTIONS["relay"]) in found:
        found[relay] = Holding(found[relay], may_begin=partial(nothing_is_being_restored, core), why=RESTORING)
    return found


def publication_watch(core: Core) -> Unpublished:
    """What tells the age of the oldest unpublished event, in the projector's process: the relay's may be dead."""
    return Unpublished(
        core.store,
        core.leases,
        core.parked,
        publishing=SUBSCRIPTIONS["relay"],
        projecting=SUBSCRIPTIONS["projector"],
        now_ms=now_ms,
        observer=ProjectionMetrics(core.metrics),
    )


async def nothing_is_being_restored(core: Core) -> bool:
    """Whether the log is in one piece: no restore into this environment has begun, or it is complete."""
    restoration = await positions_of(core).restoration()
    return restoration is None or restoration.state == "done"


def reader(core: Core, subscription: str, subscriber: Subscriber) -> StreamReader:
    """A stream reader for one subscription. Its owner id is new at every start, as leases demand."""
    settings = core.settings
    return StreamReader(
        subscription=subscription,
        source=DynamoStreamSource(core.clients.streams, settings.table("events")),
        leases=core.leases,
        subscriber=subscriber,
        owner=f"{subscription}-{uuid4()}",
        now_ms=now_ms,
        random=core.random,
        lane_of=order_of_record,
        settings=StreamSettings(
            lease_duration_s=settings.lease_duration_s,
            renew_interval_s=settings.lease_duration_s / 3,
            idle_initial_s=min(settings.stream_idle_s, STREAM_IDLE_INITIAL_S),
            idle_max_s=settings.stream_idle_s,
            gap_margin_s=settings.clock_skew_margin_s,
        ),
        observer=StreamMetrics(core.metrics, subscription),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An opened service: run it, then leave the context."""

    core: Core
    service: Service
    queues: Sequence[SqsQueue]
    http_port: int


@asynccontextmanager
async def open_service(settings: Settings, roles: Sequence[Role], metrics: Metrics) -> AsyncIterator[Running]:
    """Everything that the roles need, opened and checked; nothing consumes before `service.run`.

    Raises SettingsError, OpenService, PortTaken, QueueMismatch.
    """
    async with open_core(settings, metrics, connections=connections_for(settings, roles)) as core:
        service: Service

        def readiness() -> dict[str, bool]:
            return service.readiness()

        server = (
            await api(core, readiness, desk=dead_letters(core)) if "api" in roles else _metrics_server(core, readiness)
        )
        with closing(server):
            consuming = await consumers(core, roles)
            queues = [consumer.queue for consumer in consuming]
            # The server first: whether the process lives and what it lacks is answered also while something else cannot start yet.
            parts: list[Part] = [server]
            subscribing = await subscribers(core, roles)
            if "projector" in roles:
                watch, views = publication_watch(core), SUBSCRIPTIONS["projector"]
                subscribing[views] = watch.noting(subscribing[views])
                parts.append(Cancellable("publication watch", watch.run))
                parts.append(Cancellable("overdue watch", overdue_watch(core).run))
            parts.extend(
                Cancellable(f"{subscription} reader", reader(core, subscription, subscriber).run)
                for subscription, subscriber in subscribing.items()
            )
            parts.extend(Cancellable(f"{name} parking watch", parking_watch(core, name).watch) for name in subscribing)
            parts.extend(consuming)
            if "archive" in roles:
                parts.append(Cancellable("daily root", daily_root(core).run))
            if "payment" in roles and (daily := daily_reconciliation(core)) is not None:
                parts.append(Cancellable("daily reconciliation", daily.run))
            parts.append(Cancellable("queue watch", watching(queues, metrics)))
            service = Service(parts)
            yield Running(core=core, service=service, queues=queues, http_port=server.port)


def connections_for(settings: Settings, roles: Sequence[Role]) -> int:
    """Enough for everything that can be under way at once: a smaller pool makes acks wait behind polls, and good messages
    end in the dead letters."""
    handlers = sum(settings.concurrency(role) + POLLS_PER_QUEUE for role in roles if role in CONSUMERS)
    return min(handlers + CONNECTIONS_BESIDE, CONNECTIONS_MAX)


def _metrics_server(core: Core, readiness: Readiness) -> HttpServer:
    listener = listen(core.settings.metrics_host, core.settings.metrics_port)
    return HttpServer(metrics_app(core.metrics, readiness), name="metrics", listener=listener)
