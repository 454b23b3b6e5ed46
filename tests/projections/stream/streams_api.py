"""The DynamoDB Streams service as a low-level client sees it: four operations, their limits and their errors, in virtual time.

What it keeps to (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html):
pages of at most 100 streams and 100 shards; iterators of four types that live 15 minutes; at most 1,000 records or 1 MB a read;
no next iterator at the end of a closed shard; 24 hours of records; ListStreams 5 and DescribeStream 10 times a second; two readers a
shard. That a shard can be read five times a second is Kinesis's number: AWS publishes none here, so this is the strict guess.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
from botocore.exceptions import ClientError

from projections.stream import Record
from tests.projections.stream.faults import Faults
from tests.projections.stream.stream_state import FakeShard, StreamOfTable, described, size_of, told, wall_ms

ITERATOR_LIFE_S = 15 * 60
RETENTION_S = 24 * 3_600
PAGE_OF_SHARDS = 100
PAGE_OF_STREAMS = 100
PAGE_OF_RECORDS = 1_000
PAGE_BYTES = 1_000_000
READS_PER_SECOND = 5
READERS_MAX = 2


class StreamsApi:
    """The service's side: every stream of one table. `client` gives what a reader calls."""

    def __init__(self, random: Random, *, table_name: str = "events", page_max: int = 1_000) -> None:
        self.random = random
        self.table_name = table_name
        self.page_max = page_max
        self.faults = Faults()
        self.streams: list[StreamOfTable] = []
        self.down = False
        self.filter_is = "known"  # or "refused", or "ignored" (every shard is shown), or "empty" (none ever is)
        self.reads: list[tuple[float, str]] = []
        self.read_by: list[tuple[float, str, str]] = []  # the same with the reader's name
        self.calls: dict[str, int] = defaultdict(int)
        self.before_call: Callable[[], None] = lambda: None
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._readers: dict[str, dict[str, float]] = defaultdict(dict)

    def client(self, reader: str = "reader") -> "StreamsClient":
        return StreamsClient(self, reader)

    def trim(self, older_than_s: float) -> None:
        """Drop records older than that; shards without a record left that were closed before then are forgotten."""
        horizon_s = anyio.current_time() - older_than_s
        if horizon_s < 0:  # the clock began at 0, and so did everything here
            return
        horizon_ms = wall_ms() - round(older_than_s * 1_000)
        for stream in self.streams:
            for shard in list(stream.shards.values()):
                while shard.trimmed < len(shard.records) and shard.records[shard.trimmed].created_at_ms < horizon_ms:
                    shard.trimmed += 1
                if shard.closed and shard.trimmed == len(shard.records) and shard.closed_at_s <= horizon_s:
                    del stream.shards[shard.id]

    # -- the operations

    async def list_streams(self, *, exclusive_start: str | None, limit: int) -> dict[str, Any]:
        await self._call("list_streams", self.faults.listing_failure, per_second=5)
        found = [stream for stream in self.streams if stream.found]
        begin = 0 if exclusive_start is None else 1 + [stream.arn for stream in found].index(exclusive_start)
        page = found[begin : begin + limit]
        answer: dict[str, Any] = {
            "Streams": [{"StreamArn": s.arn, "TableName": self.table_name, "StreamLabel": s.label} for s in page]
        }
        if begin + limit < len(found):
            answer["LastEvaluatedStreamArn"] = page[-1].arn
        return answer

    async def describe_stream(self, *, arn: str, exclusive_start: str | None, limit: int) -> dict[str, Any]:
        await self._call("describe_stream", self.faults.listing_failure, per_second=10)
        stream = self._stream(arn)
        listed = self._listed(stream)
        begin = 0
        if exclusive_start is not None:  # the shard itself may be gone meanwhile: ids are in order
            begin = sum(shard.id <= exclusive_start for shard in listed)
        page = listed[begin : begin + limit]
        description: dict[str, Any] = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
            "StreamViewType": "NEW_IMAGE",
            "TableName": self.table_name,
            "Shards": [described(shard) for shard in page],
        }
        if begin + limit < len(listed):
            description["LastEvaluatedShardId"] = page[-1].id
        return {"StreamDescription": description}

    async def describe_children(self, *, arn: str, parent: str) -> dict[str, Any]:
        """DescribeStream with the ShardFilter CHILD_SHARDS."""
        self.calls["describe_children"] += 1
        await self._call("describe_stream", self.faults.listing_failure, per_second=10)
        if self.filter_is == "refused":
            raise refused("ValidationException", "unknown: ShardFilter")
        stream = self._stream(arn)
        self._shard(stream, parent)
        children = [shard for shard in self._listed(stream) if parent in shard.parents or self.filter_is == "ignored"]
        if self.filter_is == "empty":
            children = []
        return {"StreamDescription": {"StreamArn": stream.arn, "Shards": [described(child) for child in children]}}

    async def get_shard_iterator(self, *, arn: str, shard: str, kind: str, sequence: str | None) -> dict[str, Any]:
        await self._call("get_shard_iterator", self.faults.unavailable)
        found = self._shard(self._stream(arn), shard)
        if (sequence is not None) != (kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")):
            raise refused("ValidationException", f"SequenceNumber does not go with {kind}")
        if kind == "TRIM_HORIZON":
            index = found.trimmed
        elif kind == "LATEST":
            index = len(found.records)
        elif kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            places = {record.sequence_number: place for place, record in enumerate(found.records)}
            place = places.get(str(sequence), -1)
            if place < found.trimmed:  # trimmed, or of a time of which the service knows nothing any more
                raise refused("TrimmedDataAccessException", f"{sequence} is not in the stream any more")
            index = place + (kind == "AFTER_SEQUENCE_NUMBER")
            if self.random.random() < self.faults.rewind:
                index = max(found.trimmed, index - self.random.randint(1, 3))
        else:
            raise refused("ValidationException", f"{kind} is no type of iterator")
        return {"ShardIterator": _iterator(arn, shard, index)}

    async def get_records(self, *, reader: str, iterator: str, limit: int) -> dict[str, Any]:
        arn, shard_id, index_text, issued_text = iterator.split("|")
        now_s = anyio.current_time()
        self.reads.append((now_s, shard_id))
        self.read_by.append((now_s, shard_id, reader))
        await self._call("get_records", self.faults.unavailable)
        self._check_rates(shard_id, reader)
        if self.random.random() < self.faults.throttle:
            raise refused("LimitExceededException", "slow down")
        expired = anyio.current_time() - float(issued_text) >= ITERATOR_LIFE_S
        if expired or self.random.random() < self.faults.expire:
            raise refused("ExpiredIteratorException", "the iterator is too old")
        shard = self._shard(self._stream(arn), shard_id)
        index = int(index_text)
        if index < shard.trimmed:
            raise refused("TrimmedDataAccessException", "the iterator points to records that were trimmed")
        records = self._page(shard, index, limit)
        shard.empty_run = 0 if records else shard.empty_run + 1
        following = index + len(records)
        if self.random.random() < self.faults.lost_answer:
            raise refused("InternalServerError", "the answer was lost", status=500)
        answer: dict[str, Any] = {"Records": [told(record) for record in records]}
        if not (shard.closed and following >= len(shard.records)):
            answer["NextShardIterator"] = _iterator(arn, shard_id, following)
        return answer

    # -- inside

    def _page(self, shard: FakeShard, index: int, limit: int) -> list[Record]:
        page: list[Record] = []
        size = 0
        for record in shard.records[index : index + min(limit, self.page_max)]:
            size += size_of(record)
            if page and size > PAGE_BYTES:
                break
            page.append(record)
        if page and shard.empty_run < 2 and self.random.random() < self.faults.empty_page:
            return []
        if len(page) > 1 and self.random.random() < self.faults.short_page:
            return page[: self.random.randint(1, len(page) - 1)]
        return page

    def _check_rates(self, shard: str, reader: str) -> None:
        now_s = anyio.current_time()
        self._at_most(f"read {shard}", READS_PER_SECOND)
        readers = self._readers[shard]
        readers[reader] = now_s
        for name in [name for name, at_s in readers.items() if at_s <= now_s - 1]:
            del readers[name]
        if len(readers) > READERS_MAX:
            raise refused("LimitExceededException", f"more than {READERS_MAX} readers on {shard}")

    def _at_most(self, what: str, per_second: int) -> None:
        now_s = anyio.current_time()
        recent = self._recent[what]
        while recent and recent[0] <= now_s - 1:
            recent.popleft()
        if len(recent) >= per_second:
            raise refused("LimitExceededException", f"{what}: more than {per_second} a second")
        recent.append(now_s)

    async def _call(self, operation: str, failure: float, *, per_second: int | None = None) -> None:
        self.calls[operation] += 1
        await anyio.sleep(0.005)
        self.before_call()
        self.trim(RETENTION_S)
        if self.down or self.random.random() < failure:
            raise refused("InternalServerError", "internal server error", status=500)
        if per_second is not None:
            self._at_most(operation, per_second)

    def _listed(self, stream: StreamOfTable) -> list[FakeShard]:
        now_s = anyio.current_time()
        shown = [shard for shard in stream.shards.values() if shard.listed_from_s <= now_s]
        hidden = {
            parent
            for shard in shown
            for parent in shard.parents
            if self.faults.late_parent and self.random.random() < self.faults.late_parent
        }
        return sorted((shard for shard in shown if shard.id not in hidden), key=lambda shard: shard.id)

    def _stream(self, arn: str) -> StreamOfTable:
        for stream in self.streams:
            if stream.arn == arn and stream.found:
                return stream
        raise refused("ResourceNotFoundException", f"no stream {arn}")

    def _shard(self, stream: StreamOfTable, shard: str) -> FakeShard:
        if shard not in stream.shards:
            raise refused("ResourceNotFoundException", f"no shard {shard}")
        return stream.shards[shard]


class StreamsClient:
    """What aiobotocore's `dynamodbstreams` client looks like, for one named reader."""

    def __init__(self, api: StreamsApi, reader: str) -> None:
        self._api = api
        self._reader = reader

    async def list_streams(self, **request: Any) -> dict[str, Any]:
        _only(request, "TableName", "ExclusiveStartStreamArn", "Limit")
        if request["TableName"] != self._api.table_name:
            return {"Streams": []}
        return await self._api.list_streams(
            exclusive_start=request.get("ExclusiveStartStreamArn"),
            limit=_bounded(request.get("Limit", PAGE_OF_STREAMS), PAGE_OF_STREAMS),
        )

    async def describe_stream(self, **request: Any) -> dict[str, Any]:
        _only(request, "StreamArn", "ExclusiveStartShardId", "Limit", "ShardFilter")
        if (wanted := request.get("ShardFilter")) is not None:
            _only(wanted, "Type", "ShardId")
            if wanted["Type"] != "CHILD_SHARDS":
                raise refused("ValidationException", f"{wanted['Type']} is no type of filter")
            return await self._api.describe_children(arn=request["StreamArn"], parent=wanted["ShardId"])
        return await self._api.describe_stream(
            arn=request["StreamArn"],
            exclusive_start=request.get("ExclusiveStartShardId"),
            limit=_bounded(request.get("Limit", PAGE_OF_SHARDS), PAGE_OF_SHARDS),
        )

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        _only(request, "StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber")
        return await self._api.get_shard_iterator(
            arn=request["StreamArn"],
            shard=request["ShardId"],
            kind=request["ShardIteratorType"],
            sequence=request.get("SequenceNumber"),
        )

    async def get_records(self, **request: Any) -> dict[str, Any]:
        _only(request, "ShardIterator", "Limit")
        return await self._api.get_records(
            reader=self._reader,
            iterator=request["ShardIterator"],
            limit=_bounded(request.get("Limit", PAGE_OF_RECORDS), PAGE_OF_RECORDS),
        )


def refused(code: str, message: str, *, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DynamoDBStreams"
    )


def _only(request: dict[str, Any], *known: str) -> None:
    unknown = request.keys() - set(known)
    if unknown:
        raise refused("ValidationException", f"unknown: {sorted(unknown)}")


def _bounded(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise refused("ValidationException", f"Limit must be between 1 and {most}")
    return limit


def _iterator(arn: str, shard: str, index: int) -> str:
    return f"{arn}|{shard}|{index}|{anyio.current_time()}"
