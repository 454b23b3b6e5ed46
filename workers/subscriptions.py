"""The two subscriptions to the log's stream, put together: what each does with the orders' records, also for who takes a parked order
up, and what reads and watches them in the processes of `projector` and `relay`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final
from uuid import uuid4

from projections.answers.business_watch import BusinessWatch
from projections.answers.exceptions import ExceptionQueries
from projections.answers.orders import ViewQueries, current_generations
from projections.answers.overdue_watch import OverdueWatch
from projections.commits import order_of_record
from projections.observe import Subscription
from projections.parked_orders.judging import judge
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import LiveTargets
from projections.publishing.relay import Relay
from projections.publishing.sns import SnsPublisher
from projections.publishing.unpublished import Unpublished
from projections.stream.dynamo_source import DynamoStreamSource
from projections.stream.gate import Holding
from projections.stream.quarantine import Quarantine
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.reader import StreamReader
from projections.stream.settings import StreamSettings
from projections.stream.subscriber import KeyedSubscriber, Subscriber
from projections.views import VIEWS
from workers.archive.opening import RESTORING, nothing_is_being_restored
from workers.core import Core, now_ms
from workers.logged import LoggedPublisher
from workers.metrics.figures import BusinessMetrics
from workers.metrics.parking import ParkingMetrics
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.streams import StreamMetrics
from workers.service import Cancellable, Part
from workers.settings import Role

VIEWS_SUBSCRIPTION: Final[Subscription] = "views"
RELAY_SUBSCRIPTION: Final[Subscription] = "relay"
STREAM_IDLE_INITIAL_S: Final = 0.25


def stream_parts(core: Core, roles: Sequence[Role]) -> list[Part]:
    """What reads the stream for these roles, and what watches how far they are."""
    parts: list[Part] = []
    subscribers: dict[str, Subscriber] = {}
    if "projector" in roles:
        publication = publication_watch(core)
        subscribers[VIEWS_SUBSCRIPTION] = publication.noting(subscriber(core, VIEWS_SUBSCRIPTION))
        parts.append(Cancellable("publication watch", publication.run))
        parts.append(Cancellable("overdue watch", overdue_watch(core).run))
        parts.append(Cancellable("business watch", business_watch(core).run))
    if "relay" in roles:
        subscribers[RELAY_SUBSCRIPTION] = subscriber(core, RELAY_SUBSCRIPTION)
    parts.extend(Cancellable(f"{name} reader", reader(core, name, found).run) for name, found in subscribers.items())
    parts.extend(Cancellable(f"{name} parking watch", parking_watch(core, name).watch) for name in subscribers)
    return parts


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


def subscriber(core: Core, subscription: str) -> Subscriber:
    """What a process does with the records; the relay waits while a restore is not finished. Raises KeyError."""
    found = quarantined(core, subscription)
    if subscription != RELAY_SUBSCRIPTION:
        return found
    return Holding(found, may_begin=partial(nothing_is_being_restored, core), why=RESTORING)


def keyed_subscriber(core: Core, subscription: str) -> KeyedSubscriber:
    """The projector of the views, or the relay. Raises KeyError."""
    of_name: Mapping[str, Callable[[Core], KeyedSubscriber]]
    of_name = {VIEWS_SUBSCRIPTION: _projector, RELAY_SUBSCRIPTION: _relay}
    return of_name[subscription](core)


def quarantined(core: Core, subscription: str) -> Quarantine:
    """The same, going on when an order cannot. Raises KeyError."""
    return Quarantine(
        keyed_subscriber(core, subscription),
        subscription=subscription,
        lot=core.parked,
        key_of=order_of_record,
        judge=judge,
        now_ms=now_ms,
        random=core.random,
        observer=ParkingMetrics(core.metrics, subscription),
    )


def parking_watch(core: Core, subscription: str) -> ParkedKeys:
    """What shows how many orders are parked, also while nothing comes."""
    observer = ParkingMetrics(core.metrics, subscription)
    return ParkedKeys(core.parked, subscription, kept_s=0, now_ms=now_ms, observer=observer)


def publication_watch(core: Core) -> Unpublished:
    """What tells the age of the oldest unpublished event, in the projector's process: the relay's may be dead."""
    return Unpublished(
        core.store,
        core.leases,
        core.parked,
        publishing=RELAY_SUBSCRIPTION,
        projecting=VIEWS_SUBSCRIPTION,
        now_ms=now_ms,
        observer=ProjectionMetrics(core.metrics),
    )


def overdue_watch(core: Core) -> OverdueWatch:
    """What tells how many orders are late, in the projector's process: it keeps the view by which that is seen."""
    observer = ProjectionMetrics(core.metrics)
    return OverdueWatch(core.views, tenant=core.settings.tenant, now_ms=now_ms, observer=observer)


def business_watch(core: Core) -> BusinessWatch:
    """What tells the business's figures, in the projector's process: it keeps the views by which they are known."""
    tenant, generations = core.settings.tenant, current_generations(core.views)
    queries = ViewQueries(core.views, tenant=tenant, generations=generations)
    exceptions = ExceptionQueries(
        core.views, core.parked, tenant=tenant, generations=generations, queries=queries, now_ms=now_ms
    )
    observer = BusinessMetrics(core.metrics)
    return BusinessWatch(core.views, exceptions, tenant=tenant, now_ms=now_ms, observer=observer)


def _projector(core: Core) -> KeyedSubscriber:
    targets = LiveTargets(core.views, VIEWS)
    observer = core.tracing.projections(ProjectionMetrics(core.metrics))
    return ViewProjector(core.store, core.views, targets, observer=observer)


def _relay(core: Core) -> KeyedSubscriber:
    settings = core.settings
    topic = SnsPublisher(
        core.clients.sns, topic_arn=settings.topic_arn, fifo=settings.topic_fifo, by_tenant=settings.fair_queues
    )
    observer = ProjectionMetrics(core.metrics)
    publisher = core.tracing.publisher(LoggedPublisher(topic), topic=core.settings.topic_arn.rpartition(":")[2])
    return Relay(core.store, publisher, now_ms=now_ms, random=core.random, observer=observer)
