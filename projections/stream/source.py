"""The port to a stream: what a reader asks of DynamoDB Streams, and the words it uses for the answers.

Errors, translated once by each adapter:

    StreamError
    ├── IteratorExpired     an iterator lives 15 minutes; ask for another from the last applied position
    ├── PositionTrimmed     the position is older than the stream's 24 hours: records may have been lost (a gap)
    ├── ShardGone           the shard or its stream is not there any more (a gap, unless it was read to its end)
    ├── StreamThrottled     too many reads, or more than two readers on a shard: slow down
    ├── StreamUnavailable   the service failed or could not be reached: try again
    └── StreamRefused       the request itself was refused (access, validation): reported, tried again slowly

Source of the facts: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol


class StreamError(Exception):
    """Something that a stream answered, or failed to answer."""


class IteratorExpired(StreamError):
    """The iterator is older than its 15 minutes."""


class PositionTrimmed(StreamError):
    """The position lies before the oldest record that the stream still holds."""


class ShardGone(StreamError):
    """The shard (or the whole stream) does not exist, or does not exist any more."""


class StreamThrottled(StreamError):
    """The service asks for fewer calls."""


class StreamUnavailable(StreamError):
    """The service failed or was not reached; nothing is known about the call."""


class StreamRefused(StreamError):
    """The service refused the call for a reason that trying again does not mend by itself."""


@dataclass(frozen=True, slots=True)
class TrimHorizon:
    """The oldest record that the shard still holds; the start of a shard that was never read."""


@dataclass(frozen=True, slots=True)
class After:
    """Right behind the record with this sequence number."""

    sequence: str


Position = TrimHorizon | After
TRIM_HORIZON: Final = TrimHorizon()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One change of one item. Attribute values stay as the low-level DynamoDB client gives them (`{"S": …}`)."""

    sequence_number: str  # opaque; 21 to 40 digits
    event_name: str  # INSERT | MODIFY | REMOVE
    keys: Mapping[str, Any]
    image: (
        Mapping[str, Any] | None
    )  # the item after the change; None when it was removed or the view type leaves it out
    created_at_ms: int  # the service floors it to a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard as the service lists it. `parents` has one entry after a roll-over or a split, none for a first shard."""

    id: str
    parents: tuple[str, ...] = ()
    starting_sequence: str | None = None
    ending_sequence: str | None = None  # set once the shard is closed


@dataclass(frozen=True, slots=True)
class Listing:
    """Every shard of one stream at one moment; `stream` (its ARN) changes when the stream is disabled and enabled again."""

    stream: str
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What one read returned, in order. It may be empty though more follows; no next iterator means that the shard ended."""

    records: tuple[Record, ...]
    next_iterator: str | None


class StreamSource(Protocol):
    """One table's stream. Every method raises `StreamError` and nothing else of the service's."""

    async def listing(self) -> Listing:
        """The current stream and all of its shards, over all pages."""
        ...

    async def children(self, shard: str) -> tuple[Shard, ...]:
        """The shard's children that are listed by now: one small answer where `listing` may be many pages.

        Raises `StreamRefused` from a service that does not know the question, which must not be asked again.
        """
        ...

    async def iterator(self, shard: str, position: Position) -> str:
        """An iterator that begins at `position`; raises `PositionTrimmed` or `ShardGone` when that cannot be."""
        ...

    async def read(self, iterator: str, limit: int) -> Page:
        """The next at most `limit` records (1 to 1,000)."""
        ...
