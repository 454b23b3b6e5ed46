"""The reader over the embedded environment's stream, through its restart, which the stream's records do not survive."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import aiobotocore.session
import anyio
import pytest
from aiobotocore.config import AioConfig

from deploy.local import environment as local
from projections.stream import GapCause, Record, StreamReader, StreamSettings, caught_up_to_ms
from projections.stream.dynamo_leases import DynamoLeaseStore
from projections.stream.dynamo_source import DynamoStreamSource
from tests.projections.stream.world import Watch

pytestmark = pytest.mark.emulator

QUICK = StreamSettings(
    lease_duration_s=1.5,
    renew_interval_s=0.5,
    discovery_interval_s=1,
    reads_per_second_max=20,
    idle_initial_s=0.05,
    idle_max_s=0.1,
)


class Table:
    """The events table, and a subscriber that remembers what has arrived."""

    def __init__(self, client, name: str, leases: str) -> None:
        self.client, self.name, self.leases = client, name, leases
        self.written: list[str] = []
        self.live: list[str] = []
        self.healed: list[str] = []

    async def create(self) -> None:
        await self.client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "stream", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "stream", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        await self.client.create_table(
            TableName=self.leases,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "subscription", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "subscription", "KeyType": "HASH"},
                {"AttributeName": "shard", "KeyType": "RANGE"},
            ],
        )

    async def put(self, count: int) -> None:
        for _ in range(count):
            name = f"order-{len(self.written)}"
            now_ms = str(round(time.time() * 1_000))
            await self.client.put_item(TableName=self.name, Item={"stream": {"S": name}, "recorded_at": {"N": now_ms}})
            self.written.append(name)

    async def apply(self, records: Sequence[Record]) -> None:
        for record in records:
            assert record.image is not None
            self.live.append(record.image["stream"]["S"])

    async def backfill(self, since_ms: int) -> None:
        answer = await self.client.scan(TableName=self.name, ConsistentRead=True)
        self.healed.extend(item["stream"]["S"] for item in answer["Items"] if int(item["recorded_at"]["N"]) >= since_ms)

    def complete(self) -> bool:
        return set(self.written) <= {*self.live, *self.healed}


@asynccontextmanager
async def table(endpoint_url: str, name: str) -> AsyncIterator[tuple[Table, DynamoStreamSource, DynamoLeaseStore]]:
    session = aiobotocore.session.get_session()
    arguments = {
        "endpoint_url": endpoint_url,
        "region_name": "eu-west-1",
        "aws_access_key_id": "310000000002",
        "aws_secret_access_key": "test",
        "config": AioConfig(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5),
    }
    async with AsyncExitStack() as stack:
        dynamo = await stack.enter_async_context(session.create_client("dynamodb", **arguments))
        streams = await stack.enter_async_context(session.create_client("dynamodbstreams", **arguments))
        yield (
            Table(dynamo, name, f"{name}-leases"),
            DynamoStreamSource(streams, name),
            DynamoLeaseStore(dynamo, f"{name}-leases"),
        )


@asynccontextmanager
async def reading(subscriber: Table, source: DynamoStreamSource, leases: DynamoLeaseStore) -> AsyncIterator[Watch]:
    watch = Watch()
    reader = StreamReader(
        subscription="views",
        source=source,
        leases=leases,
        subscriber=subscriber,
        owner=f"task/{uuid.uuid4()}",
        now_ms=lambda: round(time.time() * 1_000),
        random=Random(1),
        settings=QUICK,
        observer=watch,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(reader.run)
        yield watch
        tasks.cancel_scope.cancel()


async def eventually(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - the service tells nobody of its state
            await anyio.sleep(0.05)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    local.clean(tmp_path / "state")


async def test_records_are_read_live_and_a_restarted_reader_goes_on_behind_them(emulator: local.Environment) -> None:
    """Nothing twice, nothing missing, no gap; and the mark passes what was written."""
    async with table(emulator.endpoint_url, f"events-{uuid.uuid4().hex[:8]}") as (events, source, leases):
        await events.create()
        async with reading(events, source, leases) as watch:
            await events.put(30)
            await eventually(lambda: len(events.live) == 30)
            written_by_ms = round(time.time() * 1_000)
            with anyio.fail_after(60):
                while (await caught_up_to_ms(leases, "views") or 0) < written_by_ms:  # noqa: ASYNC110 - as above
                    await anyio.sleep(0.1)
        assert (watch.bootstraps, watch.gaps) == (1, [])
        async with reading(events, source, leases) as watch:
            await events.put(10)
            await eventually(lambda: len(events.live) == 40)
        assert events.live == events.written
        assert (watch.bootstraps, watch.gaps) == (0, [])


async def test_after_a_restart_of_the_stream_s_service_the_lost_position_is_a_gap_and_is_healed(
    state_dir: Path,
) -> None:
    """What was written but not read before the restart is in the table only."""
    name = "events"
    first = local.start(state_dir)
    async with table(first.endpoint_url, name) as (events, source, leases):
        await events.create()
        async with reading(events, source, leases):
            await events.put(10)
            await eventually(lambda: len(events.live) == 10)
        await events.put(5)  # nobody reads these before the records are gone
        written = events.written
    await anyio.to_thread.run_sync(local.stop, state_dir)
    second = await anyio.to_thread.run_sync(local.start, state_dir)
    async with table(second.endpoint_url, name) as (events, source, leases):
        events.written, events.live = list(written), list(written[:10])
        async with reading(events, source, leases) as watch:
            await eventually(events.complete)
            await events.put(5)
            await eventually(lambda: events.live[-5:] == events.written[-5:])
        assert [cause for cause, _ in watch.gaps] == [GapCause.TRIMMED]
        assert watch.bootstraps == 0


async def test_a_stream_that_is_switched_off_and_on_is_a_gap_and_is_healed(emulator: local.Environment) -> None:
    """A new ARN, and on this service the same shard id."""
    async with table(emulator.endpoint_url, f"events-{uuid.uuid4().hex[:8]}") as (events, source, leases):
        await events.create()
        async with reading(events, source, leases) as watch:
            await events.put(5)
            await eventually(lambda: len(events.live) == 5)
            await events.client.update_table(TableName=events.name, StreamSpecification={"StreamEnabled": False})
            await events.put(5)
            await events.client.update_table(
                TableName=events.name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
            )
            await events.put(5)
            await eventually(events.complete)
            await eventually(lambda: GapCause.STREAM_REPLACED in {cause for cause, _ in watch.gaps})
            await events.put(5)
            await eventually(lambda: events.live[-5:] == events.written[-5:])


async def test_two_workers_hand_a_shard_over_on_real_tables(emulator: local.Environment) -> None:
    """One shard, two workers, one of which leaves in the middle: the other goes on behind it, and nothing is repeated."""
    async with table(emulator.endpoint_url, f"events-{uuid.uuid4().hex[:8]}") as (events, source, leases):
        await events.create()
        async with reading(events, source, leases) as second:
            await eventually(lambda: second.owned == 1)
            async with reading(events, source, leases) as first:
                await events.put(20)
                await eventually(lambda: len(events.live) == 20)
                assert (first.owned, second.owned) == (0, 1)
            await events.put(10)
            await eventually(lambda: len(events.live) == 30)
        async with reading(events, source, leases) as third:
            await events.put(10)
            await eventually(lambda: len(events.live) == 40)
        assert events.live == events.written
        assert second.gaps == third.gaps == []
