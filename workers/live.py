"""Live streams on top of the `Core`: what the API's process needs to tell clients of changes as they happen."""

from projections.answers.orders import ViewQueries, current_generations
from projections.live.desk import LiveDesk
from projections.live.tail import LogTail
from workers.core import Core
from workers.inbox.opening import inboxes
from workers.metrics.business import HttpMetrics
from workers.metrics.live import LiveMetrics


def live_desk(core: Core) -> LiveDesk:
    """Where streams are opened; its `run` is a part of the process. Nothing is asked of any table yet."""
    tenant = core.settings.tenant
    generations = current_generations(core.views, observer=HttpMetrics(core.metrics))
    return LiveDesk(
        statuses=ViewQueries(core.views, tenant=tenant, generations=generations),
        tail=LogTail(core.store, tenant=tenant),
        inbox=inboxes(core),
        random=core.random,
        observer=LiveMetrics(core.metrics),
    )
