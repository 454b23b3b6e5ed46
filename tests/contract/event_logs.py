"""The event stores that the conformance suite runs on, each empty, with its traffic counted and, where there is a wire, breakable."""

import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ReadTimeoutError

from orderstore.objects import MemoryObjectStore, ObjectStore
from orderstore.s3_objects import S3ObjectStore
from orderstore.store.blobs import BlobStore, MemoryBlobStore, ObjectBlobStore
from orderstore.store.chain import seal
from orderstore.store.dynamo import DynamoEventStore
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit, EventStore
from orderstore.store.trouble import Backoff

EVENTS = "contract-events"
SERIES = "contract-series"
STREAM = "shop/order-00000000-0000-5000-8000-000000000001"
WRITERS = 64
QUICK = Backoff(tries_max=8, base_s=0.001, ceiling_s=0.01)
_accounts = itertools.count(310_000_000_001)
_session = get_session()  # it remembers the service models, which are slow to read

MEMORY = pytest.param("memory")
MOTO = pytest.param("moto", marks=pytest.mark.moto)
MINISTACK = pytest.param("ministack", marks=pytest.mark.emulator)
DYNAMODB_LOCAL = pytest.param("dynamodb-local", marks=pytest.mark.dynamodb_local)
everywhere = pytest.mark.parametrize("kind", [MEMORY, MOTO, MINISTACK, DYNAMODB_LOCAL])
over_a_wire = pytest.mark.parametrize("kind", [MOTO, MINISTACK, DYNAMODB_LOCAL])
# moto answers one request after the other: a race of transactions proves nothing there.
where_transactions_hold = pytest.mark.parametrize("kind", [MEMORY, MINISTACK, DYNAMODB_LOCAL])
# moto reads a table from end to end for each query: what is large or much says nothing there but that.
where_much_is_no_burden = pytest.mark.parametrize("kind", [MEMORY, MINISTACK, DYNAMODB_LOCAL])


def with_gap(kind: str, reason: str) -> pytest.MarkDecorator:
    """Every wire, with what one emulator is known to get wrong: strict, so that its mending is noticed."""
    gap = pytest.mark.xfail(strict=True, reason=reason)
    kinds = [
        pytest.param(*wire.values, marks=[*wire.marks, gap] if wire.values == (kind,) else wire.marks)
        for wire in (MOTO, MINISTACK, DYNAMODB_LOCAL)
    ]
    return pytest.mark.parametrize("kind", kinds)


class Wire:
    """A client that counts its calls and fails those that it is told to, before they are sent or after they were carried out."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.faults: deque[tuple[str, str, Exception]] = deque()
        self.spoil: Callable[[], str | None] = lambda: None
        """Asked at every call that has no fault of its own: "before" or "after" lets it time out."""

    def fail_before(self, operation: str, *errors: Exception) -> None:
        self.faults.extend((operation, "before", error) for error in errors)

    def fail_after(self, operation: str, *errors: Exception) -> None:
        self.faults.extend((operation, "after", error) for error in errors)

    def __getattr__(self, operation: str) -> Any:
        async def call(**request: Any) -> Any:
            self.calls[operation] += 1
            fault = self.faults.popleft() if self.faults and self.faults[0][0] == operation else None
            if fault is None and (when := self.spoil()) is not None:
                fault = (operation, when, time_out())
            if fault is not None and fault[1] == "before":
                raise fault[2]
            answer = await getattr(self._client, operation)(**request)
            if fault is not None:
                raise fault[2]
            return answer

        return call


@dataclass
class Log:
    """A store under test. `wire` is what it talks through (None: the memory store), `raw` the client beneath, `options` make another."""

    store: EventStore
    blobs: BlobStore
    kind: str
    wire: Wire | None = None
    raw: Any = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)


def time_out() -> ReadTimeoutError:
    """What a client sees when the answer does not come."""
    return ReadTimeoutError(endpoint_url="http://lost")


def refusal(code: str, status: int = 400) -> ClientError:
    """What a service answers."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Any")


def cancelled(*reasons: str) -> ClientError:
    """What a service answers to a transaction, with a reason for each of its parts."""
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": str(reasons)},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(answer, "TransactWriteItems")


def memory_log() -> Log:
    blobs = MemoryBlobStore()
    return Log(MemoryEventStore(blobs=blobs), blobs, "memory")


@asynccontextmanager
async def dynamo_log(endpoint_url: str, kind: str) -> AsyncIterator[Log]:
    """Tables and a bucket of their own: an access key is an account to MiniStack and to DynamoDB Local, which has no S3 beside it."""
    options: dict[str, Any] = {
        "endpoint_url": endpoint_url,
        "region_name": "eu-west-1",
        "aws_access_key_id": str(next(_accounts)),
        "aws_secret_access_key": "secret",
        "config": AioConfig(
            retries={"total_max_attempts": 1}, max_pool_connections=64, s3={"addressing_style": "path"}
        ),
    }
    async with _session.create_client("dynamodb", **options) as dynamodb, _objects(options, kind) as objects:
        await _create(dynamodb, EVENTS, ("stream", "S"), ("commit", "N"))
        await _create(dynamodb, SERIES, ("series", "S"))
        wire = Wire(dynamodb)
        blobs = ObjectBlobStore(objects)
        yield Log(store_over(wire, blobs), blobs, kind, wire, dynamodb, options)
        for table in (EVENTS, SERIES):
            await dynamodb.delete_table(TableName=table)


def store_over(wire: Wire, blobs: BlobStore) -> DynamoEventStore:
    """The adapter as it runs in production, with a back-off that a test need not wait for."""
    return DynamoEventStore(
        wire,  # type: ignore[arg-type]  # it has the client's methods, at run time
        table=EVENTS,
        counters_table=SERIES,
        blobs=blobs,
        random=Random(1),
        backoff=QUICK,
    )


@asynccontextmanager
async def _objects(options: dict[str, Any], kind: str) -> AsyncIterator[ObjectStore]:
    if kind == "dynamodb-local":
        yield MemoryObjectStore()
        return
    bucket = f"contract-blobs-{options['aws_access_key_id']}"  # moto has one account, whatever the key
    async with _session.create_client("s3", **options) as s3:
        await s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield S3ObjectStore(s3, bucket=bucket, random=Random(1), backoff=QUICK)


async def stream_images(log: Log) -> list[dict[str, Any]]:
    """Every NewImage in the events table's stream, from its beginning; it must have been switched on."""
    described = await log.raw.describe_table(TableName=EVENTS)
    arn = described["Table"]["LatestStreamArn"]
    images: list[dict[str, Any]] = []
    async with _session.create_client("dynamodbstreams", **log.options) as streams:
        for shard in (await streams.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]:
            opened = await streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            page = await streams.get_records(ShardIterator=opened["ShardIterator"])
            images += [record["dynamodb"]["NewImage"] for record in page["Records"]]
    return images


async def _create(dynamodb: Any, table: str, *key: tuple[str, str]) -> None:
    await dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key],
        KeySchema=[
            {"AttributeName": name, "KeyType": role} for (name, _), role in zip(key, ("HASH", "RANGE"), strict=False)
        ],
    )


def chain_of(
    stream: str, *bodies: bytes, after: Commit | None = None, at_ms: int = 1_700_000_000_000
) -> Sequence[Commit]:
    """Commits with these bodies, each following the one before."""
    commits: list[Commit] = []
    for body in bodies:
        number = 1 if after is None else after.number + 1
        after = seal(stream=stream, number=number, recorded_at_ms=at_ms + number, body=body, previous=after)
        commits.append(after)
    return commits
