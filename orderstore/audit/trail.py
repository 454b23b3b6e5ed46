"""Who did what: the events that somebody asks for, of one order or of all.

Nothing has happened without an actor: it stands once in every commit, and the codec takes none without. Across orders the log
has no order of its own; who wants one sorts what was found (`Newest`).
"""

import heapq
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Final, Protocol, get_args

import anyio

from orderstore import codec
from orderstore.audit.history import HistoryRow, row_of
from orderstore.audit.moments import clock_of, microseconds
from orderstore.domain.ids import order_of
from orderstore.recorded import ActorType, Recorded
from orderstore.registry import BY_NAME
from orderstore.store.errors import CorruptCommit, StoreError, StreamTooLong
from orderstore.store.port import Commit

ACTOR_TYPES: Final[tuple[ActorType, ...]] = get_args(ActorType)
STREAMS_AT_ONCE: Final = 16


class Log(Protocol):
    """What is read: an `EventStore` whose scan can be ended early, in good order."""

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """As `EventStore.read`."""
        ...

    def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        """As `EventStore.streams`."""
        ...


class NotAFilter(ValueError):
    """Nothing could ever pass: a misspelt name, or ends that exclude each other. `about` names the fields of `Wanted` that are wrong."""

    def __init__(self, detail: str, *about: str) -> None:
        """Say what is wrong, and with which fields."""
        super().__init__(detail)
        self.about = about


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment on (that one too) until before another; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, clock_us: int) -> bool:
        """Whether it reaches over a time in microseconds since 1970."""
        return (self.start is None or microseconds(self.start) <= clock_us) and (
            self.end is None or clock_us < microseconds(self.end)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an event must be to be listed. What is None (or empty) may be anything. Raises NotAFilter."""

    actor_type: ActorType | None = None
    actor_id: str | None = None
    types: frozenset[str] = frozenset()
    source: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    recorded: Span = field(default_factory=Span)
    occurred: Span = field(default_factory=Span)
    first_commit: int | None = None
    last_commit: int | None = None

    def __post_init__(self) -> None:
        if self.actor_type is not None and self.actor_type not in ACTOR_TYPES:
            raise NotAFilter(f"an actor is one of {', '.join(ACTOR_TYPES)}, not {self.actor_type!r}", "actor_type")
        for name in sorted(self.types):
            check_type(name)
        for clock, span in (("recorded", self.recorded), ("occurred", self.occurred)):
            for end, moment in (("from", span.start), ("to", span.end)):
                if moment is not None and moment.utcoffset() is None:
                    raise NotAFilter("the time names no offset from UTC", f"{clock}_{end}")
            if span.start is not None and span.end is not None and span.start >= span.end:
                raise NotAFilter(f"{clock} from is not before {clock} to", f"{clock}_from", f"{clock}_to")
        first, last = self.first_commit, self.last_commit
        for name, number in (("first_commit", first), ("last_commit", last)):
            if number is not None and number < 1:
                raise NotAFilter(f"commits are numbered from 1, not {number}", name)
        if first is not None and last is not None and first > last:
            raise NotAFilter(f"commit {first} comes after commit {last}", "first_commit", "last_commit")

    def admits(self, recorded: Recorded) -> bool:
        """Whether it is one of these events."""
        return (
            _is(self.actor_type, recorded.actor.type)
            and _is(self.actor_id, recorded.actor.id)
            and (not self.types or recorded.name in self.types)
            and _is(self.source, recorded.source)
            and _is(self.correlation_id, recorded.correlation_id)
            and _is(self.causation_id, recorded.causation_id)
            and self._reaches(recorded.commit, clock_of(recorded, "recorded"))
            and self.occurred.holds(clock_of(recorded, "occurred"))
        )

    def may_admit(self, commit: Commit) -> bool:
        """Whether an event of a commit can be one of these, before it is decoded."""
        return self._reaches(commit.number, commit.recorded_at_ms * 1_000)

    def _reaches(self, commit: int, recorded_us: int) -> bool:
        first, last = self.first_commit, self.last_commit
        return (
            (first is None or commit >= first) and (last is None or commit <= last) and self.recorded.holds(recorded_us)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What was found of one order."""

    stream: str
    commits: int
    """How many were looked at; 0 when there is no such order."""
    rows: tuple[HistoryRow, ...]
    """Oldest first."""
    trouble: str | None = None
    """Why the order could not be read, or not to its end: then `rows` are not all there is."""


async def trail_of(store: Log, stream: str, wanted: Wanted) -> Trail:
    """The wanted events of one order. Raises StoreError, CodecError."""
    commits = await store.read(stream)
    rows = tuple(
        row_of(recorded, commit)
        for commit in commits
        if wanted.may_admit(commit)
        for recorded in codec.decode(commit)
        if wanted.admits(recorded)
    )
    return Trail(stream=stream, commits=len(commits), rows=rows)


async def trail_of_all(
    store: Log, wanted: Wanted, *, tenant: str, streams_at_once: int = STREAMS_AT_ONCE
) -> AsyncGenerator[Trail, None]:
    """The wanted events of every order of a tenant, an order at a time as it comes: also those with none, to count progress by.

    It scans the log. Memory is bounded by `streams_at_once` orders. An order may come twice, as `EventStore.streams` may name
    it twice; it is never left out: one that cannot be read comes with its `trouble`.

    Raises:
        StoreError: the log cannot be read; what was not yielded has not been looked at.
    """
    start = wanted.recorded.start
    since_ms = None if start is None else max(0, microseconds(start) // 1_000)
    batch: list[str] = []
    async with aclosing(_orders(store, tenant, since_ms)) as streams:
        async for stream in streams:
            batch.append(stream)
            if len(batch) == streams_at_once:
                for trail in await _batch(store, batch, wanted):
                    yield trail
                batch = []
    for trail in await _batch(store, batch, wanted):
        yield trail


class Newest:
    """The rows recorded last among all that it is shown, at most `limit`; one that comes twice counts once."""

    def __init__(self, limit: int) -> None:
        """Keep `limit` rows, which bounds the memory."""
        if limit < 1:
            raise ValueError("keep at least one row")
        self._limit = limit
        self._kept: list[tuple[datetime, str, int]] = []
        self._rows: dict[tuple[datetime, str, int], HistoryRow] = {}

    def see(self, rows: Iterable[HistoryRow]) -> None:
        """Keep those that are newer than the oldest kept."""
        for row in rows:
            key = (row.recorded_at, row.order_id, row.version)
            if key in self._rows:
                continue
            if len(self._kept) < self._limit:
                heapq.heappush(self._kept, key)
            elif key > self._kept[0]:
                del self._rows[heapq.heappushpop(self._kept, key)]
            else:
                continue
            self._rows[key] = row

    def rows(self) -> tuple[HistoryRow, ...]:
        """Oldest first; of one moment, each order's events in their order."""
        return tuple(self._rows[key] for key in sorted(self._kept))


def check_type(name: str) -> None:
    """Refuse a name that no event has: it would find nothing, and look like an answer. Raises NotAFilter."""
    if name not in BY_NAME:
        close = get_close_matches(name, BY_NAME, n=1)
        hint = f": is it {close[0]}?" if close else f": there are {', '.join(sorted(BY_NAME))}"
        raise NotAFilter(f"there is no event type {name!r}{hint}", "types")


def _is(wanted: str | None, found: str) -> bool:
    return wanted is None or wanted == found


async def _orders(store: Log, tenant: str, since_ms: int | None) -> AsyncGenerator[str, None]:
    """The tenant's orders; the log may hold other streams."""
    async with aclosing(store.streams(recorded_since_ms=since_ms)) as streams:
        async for stream in streams:
            try:
                owner, _ = order_of(stream)
            except ValueError:
                continue
            if owner == tenant:
                yield stream


async def _batch(store: Log, streams: list[str], wanted: Wanted) -> list[Trail]:
    """Some orders at once. A generator must not yield inside a task group, hence the batches."""
    found: dict[str, Trail] = {}
    failures: list[StoreError] = []

    async def look(stream: str) -> None:
        try:
            found[stream] = await trail_of(store, stream, wanted)
        except (CorruptCommit, StreamTooLong, codec.CodecError) as error:
            found[stream] = Trail(stream=stream, commits=0, rows=(), trouble=str(error))
        except StoreError as failure:
            failures.append(failure)

    async with anyio.create_task_group() as looking:
        for stream in streams:
            looking.start_soon(look, stream, name=f"trail of {stream}")
    if failures:
        raise failures[0]
    return [found[stream] for stream in streams]
