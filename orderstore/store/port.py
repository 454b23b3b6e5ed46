"""The event store as the rest of the service sees it.

The guarantees stand here; one conformance suite holds every implementation to them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

HASH_BYTES = 32
STREAM_NAME_BYTES_MAX = (
    1024  # DynamoDB takes 2,048 in a partition key; half leaves room for a key that contains a stream's name
)
COMMITS_PER_STREAM_MAX = 100_000  # an order has tens of commits; a writer in an endless loop is stopped here
RECORDED_AT_MS_MAX = 253_402_300_799_999  # the last moment of the year 9999
BODY_BYTES_MAX = (
    16 * 1024 * 1024
)  # what one commit may carry, and so what a stored one may grow to when it is decompressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one append stores: all its events in one body, which is why it cannot tear.

    Made by `chain.seal`, never by hand: the hash covers every other field.
    """

    stream: str
    """Whose history this is, as `<tenant>/order-<uuid>`."""
    number: int
    """1, 2, 3 ... without holes: a writer only ever writes the one that follows the last that it loaded."""
    recorded_at_ms: int
    """The writer's wall clock, in milliseconds since 1970. For people and for back-filling, never for order: `number` is the order."""
    body: bytes
    """The bytes that were hashed. Opaque here."""
    previous_hash: bytes
    """The `hash` of the commit before; `chain.GENESIS` for the first."""
    hash: bytes
    """SHA-256 over all of the above, see `chain.compute_hash`."""

    def __post_init__(self) -> None:
        """Refuse what no store could hold.

        Raises:
            ValueError: a field is out of its range.
        """
        bytes_per_character_max = 4  # in UTF-8: a short name need not be encoded to know that it is short
        if not self.stream or (
            len(self.stream) * bytes_per_character_max > STREAM_NAME_BYTES_MAX
            and len(self.stream.encode()) > STREAM_NAME_BYTES_MAX
        ):
            raise ValueError(
                f"a stream's name has 1 to {STREAM_NAME_BYTES_MAX} bytes, this one has {len(self.stream.encode())}"
            )
        if not self.stream.isascii():
            self.stream.encode()  # a lone surrogate is in no name: UnicodeEncodeError is a ValueError
        if self.number < 1:
            raise ValueError(f"commits are numbered from 1, not {self.number}")
        if not 0 <= self.recorded_at_ms <= RECORDED_AT_MS_MAX:
            raise ValueError("a commit was recorded after 1970 and before the year 10000")
        if len(self.previous_hash) != HASH_BYTES or len(self.hash) != HASH_BYTES:
            raise ValueError(f"both hashes of a commit have {HASH_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A stored thing in a commit's place that is no commit: what the verifier is shown instead of an exception."""

    stream: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some commits that follow each other; `more`: the store has not come to the end of the stream yet (though nothing may follow)."""

    commits: tuple[Commit, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPage:
    """Commits of many streams, those of one in ascending order while they come; and what stands in a commit's place and is none."""

    commits: tuple[Commit, ...]
    corrupt: tuple[Undecodable, ...] = ()
    after: str | None
    """Where to go on from, when this one has been dealt with; None: the page is in parts, and goes on from where it began."""
    more: bool
    """Whether the segment goes on."""
    read_units: float
    """What reading it consumed, of the table's capacity."""


SEGMENTS_MAX = 1_000  # of a scan; DynamoDB takes a million, nobody's client does


class EventStore(Protocol):
    """An append-only log per stream. Every method may raise `Throttled`, `Unavailable` or `Refused` (see `errors.py`)."""

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """Return every commit with a number above `after`, complete and in order; `()` when there is none.

        Strongly consistent: what was appended before the call is in the answer. The hashes and links of what is
        returned have been checked.

        Raises:
            CorruptCommit: something stored is not what was appended, or is missing.
            StreamTooLong: there is more than one call may hold in memory.
        """
        ...

    def pages(self, stream: str, *, after: int = 0, first_commits_max: int | None = None) -> AsyncGenerator[Page, None]:
        """Yield what `read` returns, a page at a time: memory is bounded however long the stream is. At least one page, maybe an empty one.

        The first page has at most `first_commits_max` commits, for who may not need the others.

        Each page is strongly consistent and is checked as `read` checks, also against the page before it. Raises what `read` raises.
        Close it (`contextlib.aclosing`) when it is left early.
        """
        ...

    async def append(self, commit: Commit) -> None:
        """Store the commit, durably, if its number is free. Idempotent: when the number is held by this very commit, return.

        A time-out after which nobody knows whether the commit was stored is settled in here, by asking again for the
        same commit.

        Raises:
            CommitConflict: another commit holds this number; `winner` is that commit, at no extra read.
            CommitTooLarge, StreamTooLong: a limit is passed; nothing was stored.
            BrokenChain: the commit is not sealed, or (where the store can see it) does not follow the last one.
                Nothing was stored.
            Unavailable: not settled within the bounded number of tries. If `ambiguous`, append the same commit again
                to find out.
        """
        ...

    async def counter(self, name: str) -> int:
        """Return the last number taken from a counter, consistently; 0 when it was never used."""
        ...

    async def append_numbered(self, commit: Commit, *, counter: str, taken: int) -> None:
        """Append, and move the counter from `taken - 1` to `taken`: both or neither. The one transaction of this system.

        Numbers are therefore gap-free: an append that fails takes none. Idempotent, as `append` is.

        Raises:
            CounterConflict: the counter is not at `taken - 1`; `current` says where it is.
            CommitConflict: another commit holds this number. Told first when both are so.
            CommitTooLarge, StreamTooLong, BrokenChain, Unavailable: as for `append`.
        """
        ...

    def streams(self, *, recorded_since_ms: int | None = None) -> AsyncIterator[str]:
        """Yield the name of every stream (that has a commit recorded at or after that time), each at least once, in no order.

        Memory is bounded however large the log is. Streams that appear while this runs may or may not be named.
        `recorded_at_ms` is the writer's clock at the decision, a little before the commit becomes visible: a caller who
        looks for what it missed subtracts an allowance.
        """
        ...

    def commits(self, *, segment: int, of: int, after: str | None = None) -> AsyncGenerator[ScanPage, None]:
        """Yield every commit of the log that lies in segment `segment` (from 0) of `of`, in pages, each commit at least once.

        Each page is strongly consistent: what was appended before the call is there, what is appended meanwhile may be. All commits of a
        stream lie in one segment, but a page may end between them, and one that was appended late is not there although a later page
        comes: whoever needs a stream without holes asks `read`. Hashes have been checked; links have not: also that is `read`'s.
        What is not as it was written is named in the page and raises nothing. `after` is a page's, of the same segment of as many.

        Memory is bounded however large the log is. Raises ValueError for a segment that is none, or a position that is none of it.
        Close it (`contextlib.aclosing`) when it is left early.
        """
        ...

    async def from_image(self, image: Mapping[str, Any]) -> Commit:
        """Return the commit in a low-level DynamoDB item (a stream record's NewImage), with an offloaded body fetched.

        Raises:
            CorruptCommit: the image is not that of a commit, or its hash is not right.
        """
        ...


class CommitSource(Protocol):
    """What the verifier reads: everything that is stored, whether it is right or not."""

    def stored(self, stream: str) -> AsyncGenerator[Commit | Undecodable, None]:
        """Yield what is stored under a stream, by ascending number, unchecked: nothing that is wrong with it raises."""
        ...

    def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        """As `EventStore.streams`."""
        ...
