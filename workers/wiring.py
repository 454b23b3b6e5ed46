"""The composition root: settings in, a service out.

`open_service` opens what holds connections (the spans, the `Core`, the webhooks' network), each once, and puts the parts of the
asked-for roles on top. Each kind of part is put together elsewhere, by functions of the `Core`:

core.py            what every role stands on: the log, its keys, its objects, the views
api.py, live.py    the HTTP API, and its streams to clients
subscriptions.py   projector and relay: what reads the log's stream, and what watches it
consuming.py       every role with a queue: its handler, made by departments.py or by the `opening.py` of the role's package,
                   and its consume loop
sweepers.py        what is done when a deadline is over
archive/opening.py, payments.py   also what is done once a day: the signed root, the comparison with the provider's books
protecting.py      what keeps ECS from ending a task over long work
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from workers.archive.opening import daily_root
from workers.consuming import connections_for, consumers
from workers.core import Core, open_core
from workers.metrics.page import metrics_app
from workers.metrics.table import Metrics
from workers.metrics.tasks import watching_tasks
from workers.payments import daily_reconciliation
from workers.protecting import protection
from workers.protection import Jobs
from workers.queues import watching
from workers.runtime.sqs import SqsQueue
from workers.service import Cancellable, HttpServer, Part, Service, listen
from workers.settings import Role, Settings
from workers.stockkeeping import daily_stock
from workers.subscriptions import stream_parts
from workers.sweepers import sweeper_parts
from workers.tracing.opening import open_tracing
from workers.webhooks.opening import open_webhooks

Readiness = Callable[[], Mapping[str, bool]]


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
    connections = connections_for(settings, roles)
    async with (
        open_tracing(settings, roles, metrics) as tracing,
        open_core(settings, metrics, connections=connections, tracing=tracing) as core,
        open_webhooks(core, roles) as webhooks,
    ):
        service: Service

        def readiness() -> dict[str, bool]:
            return service.readiness()

        server, beside = await _server(core, roles, readiness)
        jobs = Jobs()
        with closing(server):
            consuming = await consumers(core, roles, webhooks)
            queues = [consumer.queue for consumer in consuming]
            # The server first: whether the process lives and what it lacks is answered also while something else cannot start yet.
            parts: list[Part] = [
                server,
                *beside,
                *stream_parts(core, roles),
                *consuming,
                *webhooks.senders,
                *_daily(core, roles, jobs),
                Cancellable("queue watch", watching(queues, metrics)),
                Cancellable("task watch", watching_tasks(metrics)),
            ]
            async with protection(settings, consuming, jobs, metrics=metrics, random=core.random) as protecting:
                service = Service([*parts, *protecting])
                yield Running(core=core, service=service, queues=queues, http_port=server.port)


async def _server(core: Core, roles: Sequence[Role], readiness: Readiness) -> tuple[HttpServer, Sequence[Part]]:
    """The API and what works for it; in a process without it, the metrics alone."""
    if "api" in roles:
        # FastAPI and every route's models: the other roles do not wait for them.
        from workers.api import api  # noqa: PLC0415 - see above

        return await api(core, readiness)
    listener = listen(core.settings.metrics_host, core.settings.metrics_port)
    return HttpServer(metrics_app(core.metrics, readiness), name="metrics", listener=listener), ()


def _daily(core: Core, roles: Sequence[Role], jobs: Jobs) -> list[Part]:
    """What is done by the clock, once, whichever process comes first."""
    parts: list[Part] = []
    if "archive" in roles:
        parts.append(Cancellable("daily root", daily_root(core, jobs).run))
    if "payment" in roles and (reconciliation := daily_reconciliation(core)) is not None:
        parts.append(Cancellable("daily reconciliation", reconciliation.run))
    if "sweeper" in roles:
        parts.extend(sweeper_parts(core))
    if "inventory" in roles:
        parts.append(Cancellable("daily stock", daily_stock(core).run))
    return parts
