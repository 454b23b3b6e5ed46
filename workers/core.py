"""What every role stands on: the log, its keys, its objects, the views. Opened once, closed once; nothing is asked of any of it yet."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from orderstore.audit.kms_signing import KmsSigner
from orderstore.audit.signing import Signer
from orderstore.objects import ObjectStore
from orderstore.orders import Orders
from orderstore.privacy.dynamo_keys import DynamoKeyRing
from orderstore.privacy.keys import CachedKeyRing, KeyRing
from orderstore.privacy.sealing import Sealer
from orderstore.s3_objects import Retention, S3ObjectStore
from orderstore.snapshots.shelf import SnapshotShelf
from orderstore.snapshots.standing import read_standing
from orderstore.store.blobs import ObjectBlobStore
from orderstore.store.dynamo import DynamoEventStore
from orderstore.transact import Transactor
from projections.stream.dynamo_leases import DynamoLeaseStore
from projections.stream.parking.dynamo import DynamoParkingLot
from projections.view_store.dynamo import DynamoViewStore
from workers.aws import Clients, open_clients
from workers.metrics.aws import AwsMetrics
from workers.metrics.core import CoreMetrics
from workers.metrics.snapshots import SnapshotMetrics
from workers.metrics.table import Metrics
from workers.notification.chat import HttpPost
from workers.notification.chat_http import open_chat_http
from workers.queues import Queues
from workers.settings import Settings
from workers.tracing.port import Off, Tracing

if TYPE_CHECKING:
    from stripe import StripeClient

# Beside the handlers' own calls: stream reads, leases, heartbeats, acks, the API.
CONNECTIONS_BESIDE: Final = 64


def now_ms() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every role stands on."""

    settings: Settings
    metrics: Metrics
    clients: Clients
    random: Random
    store: DynamoEventStore
    orders: Orders
    keys: KeyRing
    sealer: Sealer
    signer: Signer
    objects: ObjectStore
    """Beside the large bodies: the archive, and snapshots."""
    locked: ObjectStore
    """Under Object Lock: signed roots and certificates."""
    views: DynamoViewStore
    shelf: SnapshotShelf
    leases: DynamoLeaseStore
    parked: DynamoParkingLot
    queues: Queues
    stripe: "StripeClient | None"
    """Where the settings name a key for it."""
    chat: HttpPost | None
    """Where the settings name an address for it."""
    tracing: Tracing
    """What parts are put into, so that they leave spans."""


@asynccontextmanager
async def open_core(
    settings: Settings, metrics: Metrics, *, connections: int = CONNECTIONS_BESIDE, tracing: Tracing | None = None
) -> AsyncIterator[Core]:
    """The log, the keys and the views. Nothing is asked of any of them yet: a role has the rights for what it uses, not for more."""
    random = Random()  # noqa: S311 - spreads retries, nothing secret
    tracing = tracing or Off()
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(settings, connections=connections))
        AwsMetrics(metrics, prefix=settings.resource_prefix).watch(clients)
        stripe = None
        if settings.stripe_api_key is not None:
            # A library of four hundred modules, which most commands and roles go without.
            from workers.payment.stripe_http import open_stripe  # noqa: PLC0415 - see above

            opened = open_stripe(
                settings.stripe_api_key, api_base=settings.stripe_api_base, trace_configs=tracing.calls()
            )
            stripe = await stack.enter_async_context(opened)
        chat = None
        if settings.chat_slack_url is not None or settings.chat_teams_url is not None:
            chat = await stack.enter_async_context(open_chat_http())
        objects = S3ObjectStore(clients.s3, bucket=settings.blobs_bucket, random=random)
        retention = Retention(mode=settings.audit_lock_mode, days=settings.audit_retention_days, now_ms=now_ms)
        locked = S3ObjectStore(clients.s3, bucket=settings.audit_bucket, random=random, retention=retention)
        store = DynamoEventStore(
            clients.dynamodb,
            table=settings.table("events"),
            counters_table=settings.table("series"),
            blobs=ObjectBlobStore(objects),
            random=random,
        )
        keys = CachedKeyRing(
            DynamoKeyRing(
                clients.dynamodb,
                clients.kms,
                table=settings.table("privacy-keys"),
                kms_key_id=settings.kms_key_id,
                now_ms=now_ms,
                random=random,
            )
        )
        sealer = Sealer(keys, random_bytes=os.urandom)
        shelf = SnapshotShelf(objects, observer=SnapshotMetrics(metrics))
        orders = Orders(
            Transactor(
                tracing.log(store, table=settings.table("events")), now_ms=now_ms, observer=CoreMetrics(metrics)
            ),
            tenant=settings.tenant,
            vault=sealer,
            hooks_allowed=settings.providers == "sandbox",
            now_ms=now_ms,
            look=partial(read_standing, store, shelf),
            allowances=settings.allowances,
            terms=settings.terms,
            promises=settings.promises,
            return_days=settings.return_days,
        )
        views = DynamoViewStore(
            clients.dynamodb,
            table=settings.table("views"),
            random=random,
            batched=settings.view_writes == "batch",
        )
        yield Core(
            settings=settings,
            metrics=metrics,
            clients=clients,
            random=random,
            store=store,
            orders=orders,
            keys=keys,
            sealer=sealer,
            signer=KmsSigner(clients.kms, key_id=settings.signing_key_id, random=random),
            objects=objects,
            locked=locked,
            views=views,
            shelf=shelf,
            leases=DynamoLeaseStore(clients.dynamodb, settings.table("leases")),
            parked=DynamoParkingLot(clients.dynamodb, settings.table("parked"), random=random),
            queues=Queues(clients.sqs, settings),
            stripe=stripe,
            chat=chat,
            tracing=tracing,
        )
