"""Proving that the log is as it was written, from what is stored and nothing else.

What a chain alone cannot show: a dropped *tail* (the first n commits of an order are a whole chain of n), a dropped order, or a
rewrite of an order's end by somebody who recomputes the hashes. These take a root over all heads, signed and kept elsewhere:
`Verified.head` is what such a root is made of, and an `Anchor` is what it says of an order (`anchored.py`).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.heads import Anchor, Horizon
from orderstore.store.chain import GENESIS, compute_hash, hash_of
from orderstore.store.errors import StoreError
from orderstore.store.port import Commit, CommitSource, Undecodable

STREAMS_AT_ONCE: Final = 16
FINDINGS_PER_STREAM_MAX: Final = 1_000
# Writers' clocks differ, and a commit is recorded a little before it is stored: what is this much older than a root is in it.
BACKDATED_MARGIN_MS: Final = 15 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An order that was looked at."""

    stream: str
    commits: int
    """How many were looked at."""
    last: int
    """The number of the last one; 0 where there is none."""
    head: bytes | None
    """The hash of the last one; None where it cannot be trusted, or there is none."""
    findings: tuple[Finding, ...]
    """Empty when the order is as it was written."""


async def verify_stream(
    source: CommitSource, stream: str, anchors: Sequence[Anchor] = (), horizon: Horizon | None = None
) -> Verified:
    """Check one order: numbers without holes from 1, each hash, each link, and what the anchors say of it.

    With `horizon`, also that no commit claims to be older than that root, and is not under it. Memory is bounded by one page and 32
    bytes a commit.
    """
    check = Check(stream, anchors, horizon)
    async with aclosing(source.stored(stream)) as stored:
        async for found in stored:
            check.see(found)
    return check.result()


async def verify_all(
    source: CommitSource,
    *,
    recorded_since_ms: int | None = None,
    streams_at_once: int = STREAMS_AT_ONCE,
    look: Callable[[str], Awaitable[Verified]] | None = None,
) -> AsyncGenerator[Verified, None]:
    """Check every order (that has a commit recorded since), and yield each result as it comes: what progress is counted by.

    `look` is how one order is checked, by its chain unless told otherwise. An order may be yielded twice, as `EventStore.streams` may
    name it twice; it is never left out.

    Raises:
        StoreError: the log cannot be read; what was not yielded has not been checked.
    """
    batch: list[str] = []
    async with aclosing(source.streams(recorded_since_ms=recorded_since_ms)) as streams:
        async for stream in streams:
            batch.append(stream)
            if len(batch) == streams_at_once:
                for verified in await verify_batch(batch, look or partial(verify_stream, source)):
                    yield verified
                batch = []
    for verified in await verify_batch(batch, look or partial(verify_stream, source)):
        yield verified


async def verify_batch(streams: Sequence[str], look: Callable[[str], Awaitable[Verified]]) -> list[Verified]:
    """Some orders at once. A generator must not yield inside a task group, hence the batches."""
    results: dict[str, Verified] = {}
    failures: list[StoreError] = []

    async def verify(stream: str) -> None:
        try:
            results[stream] = await look(stream)
        except StoreError as failure:
            failures.append(failure)

    async with anyio.create_task_group() as verifying:
        for stream in streams:
            verifying.start_soon(verify, stream, name=f"verify {stream}")
    if failures:
        raise failures[0]
    return [results[stream] for stream in streams]


class Check:
    """One pass over an order, or over its end. After a commit that is wrong the next one's link is not judged: its neighbour is named
    already.
    """

    def __init__(
        self, stream: str, anchors: Iterable[Anchor] = (), horizon: Horizon | None = None, *, first: int = 1
    ) -> None:
        """Look at `stream` from commit `first` on: what is before it has been checked, or is not asked for."""
        self._stream = stream
        self._anchors = tuple(anchors)
        self._horizon = horizon
        self._under_horizon = max(
            (anchor.number for anchor in self._anchors if horizon and anchor.root == horizon.root), default=0
        )
        self._expected = first
        self._previous: bytes | None = GENESIS if first == 1 else None
        self._number_after: dict[bytes, int] = {GENESIS: 1}
        self._commits = 0
        self._findings: list[Finding] = []

    def see(self, found: Commit | Undecodable) -> None:
        """Judge the next thing stored, by ascending number."""
        self._commits += 1
        if found.number > self._expected:
            self._missing(found.number)
        if isinstance(found, Undecodable):
            self._wrong(found.number, Reason.UNDECODABLE, found.reason)
            self._next(found.number, head=None)
            return
        self._number_after[found.hash] = found.number + 1
        if hash_of(found) != found.hash:
            self._wrong(found.number, *self._why(found))
            self._next(found.number, head=None)
            return
        if self._previous is not None and found.previous_hash != self._previous:
            self._wrong(
                found.number,
                Reason.BROKEN_LINK,
                f"it follows {found.previous_hash.hex()}, but {self._previous.hex()} is stored before it",
            )
        self._compare(found)
        self._next(found.number, head=found.hash)

    def result(self) -> Verified:
        """What came of it."""
        self._dropped()
        last = self._expected - 1 if self._commits else 0
        findings = tuple(self._findings)
        return Verified(stream=self._stream, commits=self._commits, last=last, head=self._head(), findings=findings)

    def _head(self) -> bytes | None:
        return self._previous if self._commits else None

    def _next(self, number: int, *, head: bytes | None) -> None:
        self._expected = max(self._expected, number + 1)
        self._previous = head

    def _compare(self, commit: Commit) -> None:
        """A whole commit must be the one that was signed for."""
        for anchor in self._anchors:
            if anchor.number == commit.number and anchor.hash != commit.hash:
                detail = f"root {anchor.root} has {anchor.hash.hex()} here, the log {commit.hash.hex()}"
                self._wrong(commit.number, Reason.REWRITTEN, detail)
                return
        horizon = self._horizon
        if horizon is None or commit.number <= self._under_horizon:
            return
        if commit.recorded_at_ms < horizon.begun_ms - BACKDATED_MARGIN_MS:
            minutes = (horizon.begun_ms - commit.recorded_at_ms) // 60_000
            detail = f"it was recorded {minutes} minutes before root {horizon.root} was begun, which does not have it"
            self._wrong(commit.number, Reason.BACKDATED, detail)

    def _dropped(self) -> None:
        """What was signed for and is not there any more: named once, by the root that knows most of it."""
        last = self._expected - 1
        anchor = max(self._anchors, key=lambda each: each.number, default=None)
        if anchor is None or anchor.number <= last:
            return
        if self._commits == 0:
            detail = f"root {anchor.root} has it with {anchor.number} commits, the log has nothing of it"
            self._wrong(1, Reason.DROPPED_ORDER, detail)
        else:
            detail = f"root {anchor.root} has {anchor.number} commits of it, the log ends with commit {last}"
            self._wrong(last + 1, Reason.DROPPED_TAIL, detail)

    def _missing(self, number: int) -> None:
        """Name the hole before `number`; a wide one (a forged number) by its two ends."""
        first, last = self._expected, number - 1
        reason = Reason.FIRST_COMMIT_MISSING if first == 1 else Reason.MISSING_COMMIT
        detail = "it is missing" if first == last else f"it and all up to {last} are missing"
        self._wrong(first, reason, detail)
        self._previous = None

    def _why(self, commit: Commit) -> tuple[Reason, str]:
        """A commit that was moved within its order is whole under another number: the one after what it follows, or one nearby."""
        nearby = (commit.number - 2, commit.number - 1, commit.number + 1, commit.number + 2)
        for number in (self._number_after.get(commit.previous_hash, 0), *nearby):
            if number >= 1 and self._is_commit(commit, number):
                return Reason.MISPLACED, f"it is commit {number}"
        return Reason.HASH_MISMATCH, f"its hash is {commit.hash.hex()}, that of its content {hash_of(commit).hex()}"

    def _is_commit(self, commit: Commit, number: int) -> bool:
        return commit.hash == compute_hash(
            stream=commit.stream,
            number=number,
            recorded_at_ms=commit.recorded_at_ms,
            body=commit.body,
            previous_hash=commit.previous_hash,
        )

    def _wrong(self, number: int, reason: Reason, detail: str) -> None:
        if len(self._findings) < FINDINGS_PER_STREAM_MAX:
            self._findings.append(Finding(self._stream, number, reason, detail))
