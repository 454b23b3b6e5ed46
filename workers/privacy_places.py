"""Every place where personal data could lie: tables, objects, queues, log files, one thing at a time. The scanner judges them.

Memory is bounded by one page of a table or one window of an object, whatever their size.
"""

import io
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import zstandard

from orderstore.privacy.scanner import ZSTD_MAGIC

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient

Thing = tuple[str, object]
"""A place, and what lies there."""

CHUNK_BYTES: Final = 1024 * 1024
WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024
OVERLAP_BYTES: Final = 4 * 1024
_ZSTD_STEP_BYTES: Final = 512  # at its densest, a block of 128 KiB in 4 bytes, that is 16 MiB
MESSAGES_MAX: Final = 100_000
LOOK_S: Final = 30
EMPTY_LOOKS: Final = 3


async def in_tables(dynamodb: "DynamoDBClient", prefix: str) -> AsyncGenerator[Thing, None]:
    """Every item of every table whose name begins so. A scan: it reads, and costs, all of them."""
    for table in await _tables(dynamodb, prefix):
        keys = [key["AttributeName"] for key in (await dynamodb.describe_table(TableName=table))["Table"]["KeySchema"]]
        start: dict[str, Any] | None = None
        while True:
            request: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
            page = await dynamodb.scan(TableName=table, ConsistentRead=True, **request)
            for item in page.get("Items", []):
                name = "/".join(str(plain_value(item[key])) for key in keys)
                yield f"table {table}, {name}", {key: plain_value(value) for key, value in item.items()}
            start = page.get("LastEvaluatedKey")
            if start is None:
                break


async def in_bucket(s3: "S3Client", bucket: str) -> AsyncGenerator[Thing, None]:
    """Every object of a bucket, in windows that overlap, unpacked if it is zstd; and each object's key and metadata."""
    after = ""
    while True:
        page = await s3.list_objects_v2(Bucket=bucket, StartAfter=after)
        for entry in page.get("Contents", []):
            after = entry["Key"]
            yield f"bucket {bucket} (a key)", after
            async with aclosing(_in_object(s3, bucket, after)) as things:
                async for thing in things:
                    yield thing
        if not page.get("IsTruncated"):
            return


async def in_queues(sqs: "SQSClient", prefix: str, *, main_queues: bool) -> AsyncGenerator[Thing, None]:
    """Every message of the dead-letter queues whose names begin so, and of the main queues if asked. To look at a message is to receive
    it: it counts, and hides the message for up to `LOOK_S` seconds; afterwards it is shown again at once."""
    for url in await _queues(sqs, prefix):
        name = url.rsplit("/", 1)[-1]
        if name.endswith("-dlq") or main_queues:
            async with aclosing(_in_queue(sqs, url, name)) as things:
                async for thing in things:
                    yield thing


def in_log(path: Path) -> Iterator[Thing]:
    """Every line of a log file; an endless one in pieces that overlap. Raises OSError."""
    with path.open("rb") as lines:
        pieces = _pieces(iter(lambda: lines.read(CHUNK_BYTES), b""))
        for number, piece in enumerate(pieces, start=1):
            yield f"log {path.name}, line {number}", piece


def plain_value(value: Mapping[str, Any]) -> object:
    """A value in DynamoDB's notation as Python's own; numbers stay text, as they were written."""
    ((kind, inner),) = value.items()
    match kind:
        case "M":
            return {name: plain_value(within) for name, within in inner.items()}
        case "L":
            return [plain_value(within) for within in inner]
        case _:
            return inner


async def _tables(dynamodb: "DynamoDBClient", prefix: str) -> list[str]:
    found: list[str] = []
    start: str | None = None
    while True:
        page = await (dynamodb.list_tables() if start is None else dynamodb.list_tables(ExclusiveStartTableName=start))
        found.extend(name for name in page["TableNames"] if name.startswith(f"{prefix}-"))
        start = page.get("LastEvaluatedTableName")
        if start is None:
            return found


async def _queues(sqs: "SQSClient", prefix: str) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        more = {"NextToken": token} if token else {}
        page = await sqs.list_queues(QueueNamePrefix=f"{prefix}-", MaxResults=1000, **more)
        found.extend(page.get("QueueUrls", []))
        token = page.get("NextToken", "")
        if not token:
            return sorted(found)


async def _in_object(s3: "S3Client", bucket: str, key: str) -> AsyncGenerator[Thing, None]:
    answer = await s3.get_object(Bucket=bucket, Key=key)
    place = f"bucket {bucket}, {key}"
    yield f"{place} (metadata)", answer.get("Metadata", {})
    async with answer["Body"] as body:
        unpack = _Unpacked()
        window = b""
        number = 0
        while chunk := await body.read(CHUNK_BYTES):
            for plain in unpack(chunk):
                *lines, window = (window + plain).split(b"\n")
                for line in lines:
                    number += 1
                    yield f"{place}, line {number}", line
                if len(window) > WINDOW_BYTES_MAX:
                    yield f"{place}, line {number + 1}", window
                    window = window[-OVERLAP_BYTES:]
        yield f"{place}, line {number + 1}", window


async def _in_queue(sqs: "SQSClient", url: str, name: str) -> AsyncGenerator[Thing, None]:
    """Receives until nothing new comes, and gives everything back."""
    seen: dict[str, str] = {}
    empty = 0
    try:
        while empty < EMPTY_LOOKS and len(seen) < MESSAGES_MAX:
            answer = await sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=LOOK_S,
                WaitTimeSeconds=0,
                MessageAttributeNames=["All"],
            )
            fresh = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
            empty = 0 if fresh else empty + 1
            for message in fresh:
                seen[message["MessageId"]] = message["ReceiptHandle"]
                attributes = {
                    key: value.get("StringValue", value.get("BinaryValue"))
                    for key, value in message.get("MessageAttributes", {}).items()
                }
                yield (
                    f"queue {name}, message {message['MessageId']}",
                    {"body": message["Body"], "attributes": attributes},
                )
    finally:
        await _give_back(sqs, url, list(seen.values()))


async def _give_back(sqs: "SQSClient", url: str, receipts: list[str]) -> None:
    """Show the messages again; a receipt that is stale by now belongs to a message that is shown already."""
    for first in range(0, len(receipts), 10):
        await sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for index, receipt in enumerate(receipts[first : first + 10])
            ],
        )


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    window = b""
    for chunk in chunks:
        *lines, window = (window + chunk).split(b"\n")
        yield from lines
        if len(window) > WINDOW_BYTES_MAX:
            yield window
            window = window[-OVERLAP_BYTES:]
    if window:
        yield window


class _Unpacked:
    """Chunks of an object, unpacked if its first bytes say that it is zstd; frame after frame."""

    def __init__(self) -> None:
        self._frames: Any = None
        self._first = True

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        if self._first:
            self._first = False
            if chunk.startswith(ZSTD_MAGIC):
                self._frames = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
        if self._frames is None:
            yield chunk
            return
        # Small steps: a megabyte of zstd may hold a gigabyte of the same letter.
        source = io.BytesIO(chunk)
        while step := source.read(_ZSTD_STEP_BYTES):
            try:
                yield self._frames.decompress(step)
            except (
                zstandard.ZstdError
            ):  # it only began like zstd, or is damaged: whatever it is, it is looked at as it lies
                self._frames = None
                yield step + source.read()
                return
