"""The log on the embedded environment, with the clients that the service has, and the same table without anything of ours around it."""

import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import anyio

from orderstore.s3_objects import S3ObjectStore
from orderstore.store import items
from orderstore.store.blobs import ObjectBlobStore
from orderstore.store.chain import seal
from orderstore.store.dynamo import DynamoEventStore
from orderstore.store.port import Commit
from projections.stream.dynamo_leases import DynamoLeaseStore
from projections.view_store.dynamo import DynamoViewStore
from tests.benchmarks.real_orders import Histories
from tests.emulator import fresh_settings, start_emulator, stop_emulator
from workers.aws import open_clients
from workers.settings import from_environment

AT_ONCE = 32
PUT_AT_ONCE = 4
ITEMS_PER_BATCH = 25


@dataclass(frozen=True, slots=True)
class Backend:
    """Our stores, and what they stand on."""

    store: DynamoEventStore
    objects: S3ObjectStore
    client: Any
    stock: Any
    """A client of the same library, address and options, as the library makes it: what a bare call is without us."""
    table: str
    stream_client: Any
    stock_stream_client: Any
    views: DynamoViewStore
    views_table: str
    leases: DynamoLeaseStore


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    """An emulator of its own, ended when the context is left."""
    with tempfile.TemporaryDirectory(prefix="orderstore-benchmark-") as folder:
        state_dir = Path(folder) / "state"
        try:
            settings = from_environment(fresh_settings(start_emulator(state_dir)))
            async with (
                open_clients(settings, connections=2 * AT_ONCE) as clients,
                open_clients(settings, connections=2 * AT_ONCE, changes=()) as stock,
            ):
                objects = S3ObjectStore(clients.s3, bucket=settings.blobs_bucket, random=Random(1))
                store = DynamoEventStore(
                    clients.dynamodb,
                    table=settings.table("events"),
                    counters_table=settings.table("series"),
                    blobs=ObjectBlobStore(objects),
                    random=Random(1),
                )
                views_table = settings.table("views")
                yield Backend(
                    store=store,
                    objects=objects,
                    client=clients.dynamodb,
                    stock=stock.dynamodb,
                    table=settings.table("events"),
                    stream_client=clients.streams,
                    stock_stream_client=stock.streams,
                    views=DynamoViewStore(clients.dynamodb, table=views_table, random=Random(1)),
                    views_table=views_table,
                    leases=DynamoLeaseStore(clients.dynamodb, settings.table("leases")),
                )
        finally:
            stop_emulator(state_dir)


async def at_once(jobs: Iterable[Any], *, workers: int = AT_ONCE) -> int:
    """Run jobs (functions without arguments that return awaitables), so many at a time; return how many there were."""
    waiting = iter(list(jobs))
    done = 0

    async def work() -> None:
        nonlocal done
        for job in waiting:
            await job()
            done += 1

    async with anyio.create_task_group() as group:
        for number in range(workers):
            group.start_soon(work, name=f"worker {number}")
    return done


async def fill(log: Backend, commits: Sequence[Commit], *, in_order: bool = False) -> None:
    """Put commits into the table, quickly and unconditionally: what is there before the clock starts.

    `in_order`: as they stand, also in the table's stream.
    """
    requests = [{"PutRequest": {"Item": items.encode(commit).item}} for commit in commits]
    batches = [requests[first : first + ITEMS_PER_BATCH] for first in range(0, len(requests), ITEMS_PER_BATCH)]

    async def put(batch: list[Any]) -> None:
        answer = await log.client.batch_write_item(RequestItems={log.table: batch})
        assert not answer.get("UnprocessedItems"), "the emulator takes whole batches"

    await at_once([lambda batch=batch: put(batch) for batch in batches], workers=1 if in_order else PUT_AT_ONCE)


def renamed(commits: Sequence[Commit], copy: str) -> list[Commit]:
    """The same bodies as another stream: `copy` takes the place of the last characters of the order's id."""
    stream = commits[0].stream
    stream = stream[: len(stream) - len(copy)] + copy
    sealed: list[Commit] = []
    for commit in commits:
        previous = sealed[-1] if sealed else None
        sealed.append(
            seal(
                stream=stream,
                number=commit.number,
                recorded_at_ms=commit.recorded_at_ms,
                body=commit.body,
                previous=previous,
            )
        )
    return sealed


def small(histories: Histories) -> Histories:
    """Those whose items all fit an item: an offloaded body is an object as well, which a bare put has not."""
    return tuple(
        commits for commits in histories if all(items.encode(replace(commit)).offloaded is None for commit in commits)
    )
