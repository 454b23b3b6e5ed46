"""The reader over tables of a real service (an emulator): what a test writes, and what has arrived."""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import aiobotocore.session
import anyio
from aiobotocore.config import AioConfig

from projections.stream import Record, StreamReader, StreamSettings, StreamSource
from projections.stream.dynamo_leases import DynamoLeaseStore
from projections.stream.dynamo_source import DynamoStreamSource
from tests.projections.stream.projection import Watch

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
        self.versions: dict[str, list[int]] = {}  # of each item, as they arrived

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

    async def put_versions(self, *, items: int, versions: int) -> None:
        """So many versions of each item, one item's after another's: in the stream the versions of each are in order."""
        for version in range(1, versions + 1):
            for item in range(items):
                name, now_ms = f"order-{item}", str(round(time.time() * 1_000))
                row = {"stream": {"S": name}, "version": {"N": str(version)}, "recorded_at": {"N": now_ms}}
                await self.client.put_item(TableName=self.name, Item=row)
                self.written.append(name)

    async def switch(self, *, on: bool) -> None:
        """Enable or disable the table's stream, and wait until that is done."""
        change = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"} if on else {"StreamEnabled": False}
        await self.client.update_table(TableName=self.name, StreamSpecification=change)
        with anyio.fail_after(60):
            while (await self.client.describe_table(TableName=self.name))["Table"]["TableStatus"] != "ACTIVE":  # noqa: ASYNC110 - the service tells nobody of its state
                await anyio.sleep(0.05)

    async def apply(self, records: Sequence[Record]) -> None:
        for record in records:
            assert record.image is not None
            self.live.append(record.image["stream"]["S"])
            version = int(record.image.get("version", {"N": "0"})["N"])
            self.versions.setdefault(record.image["stream"]["S"], []).append(version)

    async def backfill(self, since_ms: int) -> None:
        answer = await self.client.scan(TableName=self.name, ConsistentRead=True)
        self.healed.extend(item["stream"]["S"] for item in answer["Items"] if int(item["recorded_at"]["N"]) >= since_ms)

    def complete(self) -> bool:
        return set(self.written) <= {*self.live, *self.healed}


@asynccontextmanager
async def table(
    endpoint_url: str, name: str, *, account: str = "310000000002"
) -> AsyncIterator[tuple[Table, DynamoStreamSource, DynamoLeaseStore]]:
    session = aiobotocore.session.get_session()
    arguments = {
        "endpoint_url": endpoint_url,
        "region_name": "eu-west-1",
        "aws_access_key_id": account,
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
async def reading(subscriber: Table, source: StreamSource, leases: DynamoLeaseStore) -> AsyncIterator[Watch]:
    watch = Watch()
    reader = StreamReader(
        subscription="views",
        source=source,
        leases=leases,
        subscriber=subscriber,
        owner=f"task/{uuid.uuid4()}",
        now_ms=lambda: round(time.time() * 1_000),
        random=Random(1),
        lane_of=lambda record: record.keys["stream"]["S"],
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
