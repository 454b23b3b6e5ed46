"""The webhooks over the real tables, keys and network, made from the `Core`."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from workers.core import Core, now_ms
from workers.metrics.webhooks import WebhookMetrics
from workers.runtime.outcome import Handler
from workers.service import Part
from workers.settings import Role, Settings
from workers.tables.dynamo_indexed import IndexedDynamoTable
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.aiohttp_sender import open_sender
from workers.webhooks.attempting import Attempts
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.endpoints import Endpoints, KnownEndpoints
from workers.webhooks.handler import WebhookHandler
from workers.webhooks.replaying import Replayer
from workers.webhooks.secrets import Secrets

WEBHOOKS: Final = "webhooks"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What the role `webhooks` runs: the handler of its queue, and the sender beside it. Nothing in a process without the role."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    senders: tuple[Part, ...] = ()


def policy_of(settings: Settings) -> AddressPolicy:
    """Where webhooks may go."""
    ports = frozenset(map(int, settings.webhooks_ports.split(",")))
    return AddressPolicy(ports=ports, insecure=settings.webhooks_insecure)


def desk_of(core: Core) -> WebhooksDesk:
    """Where people look after endpoints; nothing is asked of anything yet."""
    endpoints, deliveries, secrets = _kept(core)
    return WebhooksDesk(
        endpoints,
        deliveries,
        secrets,
        Replayer(deliveries, core.store, core.orders),
        policy=policy_of(core.settings),
        tenant=core.settings.tenant,
        now_ms=now_ms,
    )


@asynccontextmanager
async def open_webhooks(core: Core, roles: Sequence[Role]) -> AsyncIterator[Webhooks]:
    """The role's parts, if it is among those asked for, with the network that they send over."""
    if WEBHOOKS not in roles:
        yield Webhooks()
        return
    endpoints, deliveries, secrets = _kept(core)
    known, observer = KnownEndpoints(endpoints), WebhookMetrics(core.metrics)
    async with open_sender(policy_of(core.settings)) as sender:
        attempts = Attempts(
            deliveries, endpoints, secrets, sender, now_ms=now_ms, random=core.random, observer=observer
        )
        dispatcher = Dispatcher(deliveries, known, attempts, now_ms=now_ms, random=core.random, observer=observer)
        handler = WebhookHandler(deliveries, known, dispatcher, now_ms=now_ms, observer=observer)
        yield Webhooks({WEBHOOKS: handler}, (dispatcher,))


def _kept(core: Core) -> tuple[Endpoints, Deliveries, Secrets]:
    def table(name: str) -> IndexedDynamoTable:
        return IndexedDynamoTable(core.clients.dynamodb, core.settings.table(name), random=core.random)

    return (
        Endpoints(table("webhook-endpoints")),
        Deliveries(table("webhook-deliveries"), now_ms=now_ms),
        Secrets(core.sealer, random_bytes=os.urandom, now_ms=now_ms),
    )
