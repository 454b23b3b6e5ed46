"""What goes into the next segment: the commits that the log has behind each order's position, as many as fit."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio

from orderstore.archive.errors import LogBehindHint, OrderFault, OrderForked
from orderstore.archive.limits import Limits
from orderstore.archive.positions import Position
from orderstore.archive.segment import line_of
from orderstore.store.chain import GENESIS
from orderstore.store.errors import CorruptCommit, StoreError, StreamTooLong
from orderstore.store.port import Commit, EventStore

# What is wrong with one order only: the others are archived all the same.
_OF_ONE_ORDER: Final = (CorruptCommit, StreamTooLong)
_NEVER: Final = Position(0, GENESIS, 0)


@dataclass(slots=True)
class Batch:
    """A segment's content. Once it is stored, the orders in `complete` are archived as far as was asked."""

    commits: list[Commit] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    raw_bytes: int = 0
    orders: int = 0
    complete: dict[str, int] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)

    def is_full(self, limits: Limits) -> bool:
        """Whether nothing more goes in."""
        return self.raw_bytes >= limits.segment_raw_bytes or self.orders >= limits.segment_orders

    def take(self, stream: str, through: int, found: "_Found", limits: Limits) -> None:
        """Take an order's commits, which follow `through`, as far as they fit."""
        self.orders += bool(found.commits)
        for commit in found.commits:
            if self.raw_bytes >= limits.segment_raw_bytes:
                return
            line = line_of(commit)
            self.commits.append(commit)
            self.lines.append(line)
            self.raw_bytes += len(line)
            through = commit.number
        if not found.more:
            self.complete[stream] = through


@dataclass(frozen=True, slots=True)
class _Found:
    """What the log has behind a position; `more`: enough for a segment was read, and the log may go on."""

    commits: Sequence[Commit]
    more: bool


async def collect(
    log: EventStore, wanted: Mapping[str, int | None], known: Mapping[str, Position], limits: Limits
) -> Batch:
    """Read the log behind the positions until a segment is full. Raises StoreError for what is not one order's own trouble."""
    batch = Batch()
    streams: list[str] = []
    for stream, commit in wanted.items():
        position = known.get(stream, _NEVER)
        if commit is not None and commit <= position.through:
            batch.complete[stream] = position.through
        else:
            streams.append(stream)
    for start in range(0, len(streams), limits.reads_at_once):
        if batch.is_full(limits):
            break
        chunk = streams[start : start + limits.reads_at_once]
        found = await _read(log, {stream: known.get(stream, _NEVER).through for stream in chunk}, limits)
        for stream in chunk:
            if batch.is_full(limits):
                break
            answer = found[stream]
            position = known.get(stream, _NEVER)
            fault = answer if isinstance(answer, Exception) else _fault(stream, position, answer, wanted[stream])
            if fault is not None:
                batch.faults[stream] = fault
            elif not isinstance(answer, Exception):
                batch.take(stream, position.through, answer, limits)
    return batch


def _fault(stream: str, position: Position, found: _Found, wanted: int | None) -> OrderFault | None:
    commits = found.commits
    if commits and commits[0].previous_hash != position.last_hash:
        return OrderForked(
            f"commit {commits[0].number} of {stream} does not follow commit {position.through} as it was archived: "
            "the log was rewritten (`orderstore audit verify`)"
        )
    end = commits[-1].number if commits else position.through
    if not found.more and end < (wanted or 1):
        return LogBehindHint(f"the log of {stream} ends at commit {end}, and commit {wanted or 1} was announced")
    return None


async def _read(log: EventStore, after: Mapping[str, int], limits: Limits) -> dict[str, _Found | Exception]:
    """Of each order no more than about a segment's worth, however long it is."""
    found: dict[str, _Found | Exception] = {}
    failures: list[StoreError] = []

    async def read(stream: str) -> None:
        try:
            found[stream] = await _read_one(log, stream, after[stream], limits)
        except _OF_ONE_ORDER as error:
            found[stream] = error
        except StoreError as error:
            failures.append(error)

    async with anyio.create_task_group() as reads:
        for stream in after:
            reads.start_soon(read, stream, name=f"read {stream}")
    if failures:
        raise failures[0]
    return found


async def _read_one(log: EventStore, stream: str, after: int, limits: Limits) -> _Found:
    commits: list[Commit] = []
    body_bytes = 0
    async with aclosing(log.pages(stream, after=after)) as pages:
        async for page in pages:
            commits += page.commits
            body_bytes += sum(len(commit.body) for commit in page.commits)
            if page.more and body_bytes >= limits.segment_raw_bytes:
                return _Found(commits, more=True)
    return _Found(commits, more=False)
