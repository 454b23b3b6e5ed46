"""The event stores that the conformance suite runs on, each empty, with its traffic counted and, where there is a wire, breakable."""

import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ReadTimeoutError

from orderstore.s3_objects import S3ObjectStore
from orderstore.store.blobs import BlobStore, MemoryBlobStore, ObjectBlobStore
from orderstore.store.chain import seal
from orderstore.store.dynamo import DynamoEventStore
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit, EventStore
from orderstore.store.trouble import Backoff

EVENTS = "contract-events"
SERIES = "contract-series"
QUICK = Backoff(tries_max=8, base_s=0.001, ceiling_s=0.01)
_accounts = itertools.count(310_000_000_001)


class Wire:
    """A client that counts its calls and fails those that it is told to, before they are sent or after they were carried out."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.faults: deque[tuple[str, str, Exception]] = deque()

    def fail_before(self, operation: str, *errors: Exception) -> None:
        self.faults.extend((operation, "before", error) for error in errors)

    def fail_after(self, operation: str, *errors: Exception) -> None:
        self.faults.extend((operation, "after", error) for error in errors)

    def __getattr__(self, operation: str) -> Any:
        async def call(**request: Any) -> Any:
            self.calls[operation] += 1
            fault = self.faults.popleft() if self.faults and self.faults[0][0] == operation else None
            if fault is not None and fault[1] == "before":
                raise fault[2]
            answer = await getattr(self._client, operation)(**request)
            if fault is not None:
                raise fault[2]
            return answer

        return call


@dataclass
class Log:
    """A store under test. `wire` is what it talks through (None: the memory store)."""

    store: EventStore
    blobs: BlobStore
    kind: str
    wire: Wire | None = None
    raw: Any = field(default=None, repr=False)


def time_out() -> ReadTimeoutError:
    """What a client sees when the answer does not come."""
    return ReadTimeoutError(endpoint_url="http://lost")


def refusal(code: str, status: int = 400) -> ClientError:
    """What a service answers."""
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any"
    )  # type: ignore[typeddict-item]  # only what the adapters read


def memory_log() -> Log:
    blobs = MemoryBlobStore()
    return Log(MemoryEventStore(blobs=blobs), blobs, "memory")


@asynccontextmanager
async def dynamo_log(endpoint_url: str, kind: str) -> AsyncIterator[Log]:
    """Tables and a bucket of their own: a twelve-digit access key is an account to both emulators."""
    options: dict[str, Any] = {
        "endpoint_url": endpoint_url,
        "region_name": "eu-west-1",
        "aws_access_key_id": str(next(_accounts)),
        "aws_secret_access_key": "secret",
        "config": AioConfig(
            retries={"total_max_attempts": 1}, max_pool_connections=64, s3={"addressing_style": "path"}
        ),
    }
    bucket = f"contract-blobs-{options['aws_access_key_id']}"  # moto has one account, whatever the key
    session = get_session()
    async with session.create_client("dynamodb", **options) as dynamodb, session.create_client("s3", **options) as s3:
        await _create(dynamodb, EVENTS, ("stream", "S"), ("commit", "N"))
        await _create(dynamodb, SERIES, ("series", "S"))
        await s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        wire = Wire(dynamodb)
        blobs = ObjectBlobStore(S3ObjectStore(s3, bucket=bucket, random=Random(1), backoff=QUICK))
        store = DynamoEventStore(
            wire,  # type: ignore[arg-type]  # it has the client's methods, at run time
            table=EVENTS,
            counters_table=SERIES,
            blobs=blobs,
            random=Random(1),
            backoff=QUICK,
        )
        yield Log(store, blobs, kind, wire, dynamodb)
        for table in (EVENTS, SERIES):
            await dynamodb.delete_table(TableName=table)


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
