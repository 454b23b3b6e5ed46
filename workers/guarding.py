"""A handler that waits through outages, with the table of what an outage is, and the metrics that tell of one."""

from random import Random
from typing import Final

from workers.classify import is_outage
from workers.metrics.breakers import BreakerMetrics
from workers.metrics.table import Metrics
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Handler
from workers.settings import Settings

# A handler that hangs is an outage before it is a burnt receive.
ANSWER_WITHIN_DEADLINE: Final = 0.9


def guarded(
    handler: Handler,
    *,
    queue: str,
    settings: Settings,
    metrics: Metrics,
    random: Random,
    within_deadline: float = ANSWER_WITHIN_DEADLINE,
) -> Handler:
    """The handler, with messages held while what it stands on is down. `within_deadline`: the share of the handler's deadline that it may
    take before it counts as hanging."""
    return Guarded(
        handler,
        is_outage=is_outage,
        source=random,
        settings=BreakerSettings(answer_within_s=settings.handler_deadline_s * within_deadline),
        observer=BreakerMetrics(metrics, queue=queue),
    )
