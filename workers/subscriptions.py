"""What the stream's two subscriptions do with the orders' records: for the process that reads, and for who takes a parked order up."""

from collections.abc import Callable, Mapping
from typing import Final

from projections.answers.overdue_watch import OverdueWatch
from projections.commits import order_of_record
from projections.observe import Subscription
from projections.parked_orders.judging import judge
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import LiveTargets
from projections.publishing.relay import Relay
from projections.publishing.sns import SnsPublisher
from projections.stream.quarantine import Quarantine
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.subscriber import KeyedSubscriber
from projections.views import VIEWS
from workers.core import Core, now_ms
from workers.logged import LoggedPublisher
from workers.metrics.parking import ParkingMetrics
from workers.metrics.projections import ProjectionMetrics

VIEWS_SUBSCRIPTION: Final[Subscription] = "views"
RELAY_SUBSCRIPTION: Final[Subscription] = "relay"


def keyed_subscriber(core: Core, subscription: str) -> KeyedSubscriber:
    """The projector of the views, or the relay. Raises KeyError."""
    of_name: Mapping[str, Callable[[Core], KeyedSubscriber]]
    of_name = {VIEWS_SUBSCRIPTION: _projector, RELAY_SUBSCRIPTION: _relay}
    return of_name[subscription](core)


def quarantined(core: Core, subscription: str) -> Quarantine:
    """The same, going on when an order cannot."""
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


def overdue_watch(core: Core) -> OverdueWatch:
    """What tells how many orders are late, in the projector's process: it keeps the view by which that is seen."""
    observer = ProjectionMetrics(core.metrics)
    return OverdueWatch(core.views, tenant=core.settings.tenant, now_ms=now_ms, observer=observer)


def _projector(core: Core) -> KeyedSubscriber:
    targets = LiveTargets(core.views, VIEWS)
    return ViewProjector(core.store, core.views, targets, observer=ProjectionMetrics(core.metrics))


def _relay(core: Core) -> KeyedSubscriber:
    topic = SnsPublisher(core.clients.sns, topic_arn=core.settings.topic_arn, fifo=core.settings.topic_fifo)
    observer = ProjectionMetrics(core.metrics)
    return Relay(core.store, LoggedPublisher(topic), now_ms=now_ms, random=core.random, observer=observer)
