"""What the fake of DynamoDB Streams keeps, and how its operations show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio

from projections.stream import Record

EPOCH_MS = 1_800_000_000_000


def wall_ms() -> int:
    """The fake's wall clock: the virtual clock from a fixed day on."""
    return EPOCH_MS + round(anyio.current_time() * 1_000)


@dataclass
class FakeShard:
    id: str
    parents: tuple[str, ...]
    buckets: frozenset[int]
    starting_sequence: str
    listed_from_s: float = 0.0
    closed: bool = False
    closed_at_s: float = 0.0
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0  # so many of the oldest are gone
    empty_run: int = 0


@dataclass
class StreamOfTable:
    """One stream; the table may have had others before it, which stay readable for a day."""

    arn: str
    label: str
    shards: dict[str, FakeShard] = field(default_factory=dict)
    enabled: bool = True
    found: bool = True  # False: as if it had never been


def described(shard: FakeShard) -> dict[str, Any]:
    """A shard as DescribeStream shows it: one parent, a start that a new service may not know, an end once it is closed."""
    numbers: dict[str, str] = {}
    start = shard.starting_sequence or (shard.records[0].sequence_number if shard.records else "")
    if start:
        numbers["StartingSequenceNumber"] = start
    if shard.closed and shard.records:
        numbers["EndingSequenceNumber"] = shard.records[-1].sequence_number
    found: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parents:
        found["ParentShardId"] = shard.parents[0]
    return found


def told(record: Record) -> dict[str, Any]:
    """A record as GetRecords returns it."""
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": datetime.fromtimestamp(record.created_at_ms // 1_000, UTC),
        "Keys": dict(record.keys),
        "SequenceNumber": record.sequence_number,
        "StreamViewType": "NEW_IMAGE",
    }
    if record.image is not None:
        change["NewImage"] = dict(record.image)
    return {"eventName": record.event_name, "dynamodb": change}


def size_of(record: Record) -> int:
    """About as many bytes as the service counts: names and values of keys and image."""
    return sum(_bytes(item) for item in (record.keys, record.image or {}))


def _bytes(item: Mapping[str, Any]) -> int:
    values: Iterable[Any] = (value for typed in item.values() for value in typed.values())
    return sum(map(len, item)) + sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in values)
