"""The stream of a DynamoDB table, through a low-level aiobotocore `dynamodbstreams` client.

The client's own retries should be few (`max_attempts` 1 or 2): the reader paces and retries by itself, and has to know of failures.
"""

import math
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from projections.stream.source import (
    After,
    IteratorExpired,
    Listing,
    Page,
    Position,
    PositionTrimmed,
    Record,
    Shard,
    ShardGone,
    StreamError,
    StreamRefused,
    StreamThrottled,
    StreamUnavailable,
)

if TYPE_CHECKING:
    from types_aiobotocore_dynamodbstreams import DynamoDBStreamsClient

STREAMS_LISTED_EVERY_S: Final = 120.0  # ListStreams allows 5 calls a second to all of an account
PAGES_MAX: Final = 1_000  # of 100 shards each: a stream has far fewer; this bounds a service that pages for ever

_ERRORS: Final[Mapping[str, type[StreamError]]] = {
    "ExpiredIteratorException": IteratorExpired,
    "TrimmedDataAccessException": PositionTrimmed,
    "ResourceNotFoundException": ShardGone,
    "LimitExceededException": StreamThrottled,
    "ProvisionedThroughputExceededException": StreamThrottled,
    "RequestLimitExceeded": StreamThrottled,
    "Throttling": StreamThrottled,
    "ThrottlingException": StreamThrottled,
    "InternalFailure": StreamUnavailable,
    "InternalServerError": StreamUnavailable,
    "ServiceUnavailable": StreamUnavailable,
}


class DynamoStreamSource:
    """The newest stream of `table_name`. A stream that was switched off and on again has a new ARN.

    A table has one enabled stream at most: while the known one says that it is enabled it is the newest. So the streams are listed
    only when it does not, when it does not answer, and now and then for services that say "enabled" of every stream.
    """

    def __init__(self, client: "DynamoDBStreamsClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name
        self._stream: str | None = None
        self._streams_listed_at_s = -math.inf

    async def listing(self) -> Listing:
        """See `StreamSource`. Consistent only as far as DescribeStream is: it may lag behind roll-overs by some moments."""
        known = self._stream
        if known is not None and anyio.current_time() - self._streams_listed_at_s < STREAMS_LISTED_EVERY_S:
            try:
                listing, enabled = await self._described(known)
            except ShardGone:
                enabled = False
            if enabled:
                return listing
        newest = await self._newest_stream()
        listing, _ = await self._described(newest)
        self._stream = newest
        return listing

    async def children(self, shard: str) -> tuple[Shard, ...]:
        """See `StreamSource`: one page, for a shard has two children at most."""
        stream = self._stream or await self._newest_stream()
        with _translated():
            answer = await self._client.describe_stream(
                StreamArn=stream, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard}
            )
        listed = map(_shard, answer["StreamDescription"].get("Shards", ()))
        return tuple(found for found in listed if shard in found.parents)  # some services do not know the filter

    async def _described(self, stream: str) -> tuple[Listing, bool]:
        """All of the stream's shards, and whether it is enabled."""
        shards: dict[str, Shard] = {}
        start: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            with _translated():
                answer = await self._client.describe_stream(StreamArn=stream, **start)  # type: ignore[arg-type] # one optional key
            description = answer["StreamDescription"]
            shards.update((shard.id, shard) for shard in map(_shard, description.get("Shards", ())))
            last = description.get("LastEvaluatedShardId")
            if last is None:
                return Listing(stream, tuple(shards.values())), description.get("StreamStatus") == "ENABLED"
            start = {"ExclusiveStartShardId": last}
        raise StreamRefused(f"{stream} lists more than {PAGES_MAX} pages of shards")

    async def iterator(self, shard: str, position: Position) -> str:
        """See `StreamSource`."""
        stream = self._stream or await self._newest_stream()
        call: Awaitable[Mapping[str, Any]]
        if isinstance(position, After):
            call = self._client.get_shard_iterator(
                StreamArn=stream,
                ShardId=shard,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=position.sequence,
            )
        else:
            call = self._client.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        with _translated():
            answer = await call
        return str(answer["ShardIterator"])

    async def read(self, iterator: str, limit: int) -> Page:
        """See `StreamSource`."""
        with _translated():
            answer = await self._client.get_records(ShardIterator=iterator, Limit=limit)
        return Page(tuple(map(_record, answer.get("Records", ()))), answer.get("NextShardIterator"))

    async def _newest_stream(self) -> str:
        newest: tuple[str, str] | None = None  # label (a time stamp) and ARN
        start: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            with _translated():
                answer = await self._client.list_streams(TableName=self._table_name, **start)  # type: ignore[arg-type] # one optional key
            for stream in answer.get("Streams", ()):
                found = (stream["StreamLabel"], stream["StreamArn"])
                newest = found if newest is None else max(newest, found)
            last = answer.get("LastEvaluatedStreamArn")
            if last is None:
                break
            start = {"ExclusiveStartStreamArn": last}
        if newest is None:
            raise StreamUnavailable(f"table {self._table_name} has no stream")
        self._streams_listed_at_s = anyio.current_time()
        return newest[1]


def _shard(answer: Mapping[str, Any]) -> Shard:
    numbers = answer.get("SequenceNumberRange", {})
    parent = answer.get("ParentShardId")
    return Shard(
        id=answer["ShardId"],
        parents=(parent,) if parent else (),
        starting_sequence=numbers.get("StartingSequenceNumber"),
        ending_sequence=numbers.get("EndingSequenceNumber"),
    )


def _record(answer: Mapping[str, Any]) -> Record:
    change = answer["dynamodb"]
    return Record(
        sequence_number=change["SequenceNumber"],
        event_name=answer["eventName"],
        keys=change["Keys"],
        image=change.get("NewImage"),
        created_at_ms=round(change["ApproximateCreationDateTime"].timestamp() * 1_000),
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The one place where the service's errors become the port's."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind = _ERRORS.get(code, StreamUnavailable if status >= 500 else StreamRefused)
        raise kind(str(error)) from error
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise StreamUnavailable(str(error)) from error
