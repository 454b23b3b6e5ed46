"""A reader of DynamoDB Streams for AnyIO that loses nothing and knows nothing of what the records mean.

A subscription is a name under which a stream is read once. Its workers share the stream's shards through leases, read parents
before children, hand each page to a subscriber, and store how far they came only after the subscriber has made it durable. A
position that is no longer in the stream is a gap: it is written down, reported and back-filled before live reading goes on.
"""

from projections.stream.gaps import Gap, GapCause
from projections.stream.leases import Lease, LeaseError, LeaseLost, LeaseStore, LeaseStoreUnavailable
from projections.stream.low_water import caught_up_to_ms
from projections.stream.memory_leases import MemoryLeaseStore
from projections.stream.observe import SilentObserver, StreamObserver
from projections.stream.reader import StreamReader
from projections.stream.settings import StreamSettings
from projections.stream.source import (
    TRIM_HORIZON,
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
    StreamSource,
    StreamThrottled,
    StreamUnavailable,
    TrimHorizon,
)
from projections.stream.subscriber import Subscriber

__all__ = [
    "TRIM_HORIZON",
    "After",
    "Gap",
    "GapCause",
    "IteratorExpired",
    "Lease",
    "LeaseError",
    "LeaseLost",
    "LeaseStore",
    "LeaseStoreUnavailable",
    "Listing",
    "MemoryLeaseStore",
    "Page",
    "Position",
    "PositionTrimmed",
    "Record",
    "Shard",
    "ShardGone",
    "SilentObserver",
    "StreamError",
    "StreamObserver",
    "StreamReader",
    "StreamRefused",
    "StreamSettings",
    "StreamSource",
    "StreamThrottled",
    "StreamUnavailable",
    "Subscriber",
    "TrimHorizon",
    "caught_up_to_ms",
]
