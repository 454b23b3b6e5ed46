"""Proving that the log is as it was written, from what is stored and nothing else.

What a chain alone cannot show: a dropped *tail* (the first n commits of an order are a whole chain of n), a dropped order, or a
rewrite of an order's end by somebody who recomputes the hashes. These take a root over all heads, signed and kept elsewhere;
`Verified.head` is what such a root is made of.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import anyio

from orderstore.store.chain import GENESIS, compute_hash, hash_of
from orderstore.store.errors import StoreError
from orderstore.store.port import Commit, CommitSource, Undecodable

STREAMS_AT_ONCE: Final = 16
FINDINGS_PER_STREAM_MAX: Final = 1_000


class Reason(StrEnum):
    """What is wrong with a commit. The values are printed and may be matched by scripts: they do not change."""

    HASH_MISMATCH = "hash_mismatch"
    """Its hash is not that of its content and place: a byte, a time or a number was changed, or it belongs to another order."""
    MISPLACED = "misplaced"
    """It is a true commit of this order, but another one: commits were reordered, or shifted to make room."""
    BROKEN_LINK = "broken_link"
    """It is whole in itself, but follows another commit than the one that is stored before it: one of the two was replaced."""
    MISSING_COMMIT = "missing_commit"
    """There is none, but there are later ones."""
    FIRST_COMMIT_MISSING = "first_commit_missing"
    """The order does not begin at commit 1."""
    UNDECODABLE = "undecodable"
    """Something is stored there that is no commit, or its body is missing or cannot be unpacked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, named by its order and commit."""

    stream: str
    commit: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An order that was looked at."""

    stream: str
    commits: int
    """How many are stored."""
    head: bytes | None
    """The hash of the last one; None where it cannot be trusted, or there is none."""
    findings: tuple[Finding, ...]
    """Empty when the order is as it was written."""


async def verify_stream(source: CommitSource, stream: str) -> Verified:
    """Check one order: numbers without holes from 1, each hash, each link. Memory is bounded by one page and 32 bytes a commit."""
    check = _Check(stream)
    async with aclosing(source.stored(stream)) as stored:
        async for found in stored:
            check.see(found)
    return check.result()


async def verify_all(
    source: CommitSource, *, recorded_since_ms: int | None = None, streams_at_once: int = STREAMS_AT_ONCE
) -> AsyncGenerator[Verified, None]:
    """Check every order (that has a commit recorded since), and yield each result as it comes: what progress is counted by.

    An order may be yielded twice, as `EventStore.streams` may name it twice; it is never left out.

    Raises:
        StoreError: the log cannot be read; what was not yielded has not been checked.
    """
    batch: list[str] = []
    async with aclosing(source.streams(recorded_since_ms=recorded_since_ms)) as streams:
        async for stream in streams:
            batch.append(stream)
            if len(batch) == streams_at_once:
                for verified in await _verify_batch(source, batch):
                    yield verified
                batch = []
    for verified in await _verify_batch(source, batch):
        yield verified


async def _verify_batch(source: CommitSource, streams: list[str]) -> list[Verified]:
    """Some orders at once. A generator must not yield inside a task group, hence the batches."""
    results: dict[str, Verified] = {}
    failures: list[StoreError] = []

    async def verify(stream: str) -> None:
        try:
            results[stream] = await verify_stream(source, stream)
        except StoreError as failure:
            failures.append(failure)

    async with anyio.create_task_group() as verifying:
        for stream in streams:
            verifying.start_soon(verify, stream, name=f"verify {stream}")
    if failures:
        raise failures[0]
    return [results[stream] for stream in streams]


class _Check:
    """One pass over an order. After a commit that is wrong the next one's link is not judged: its neighbour is named already."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._expected = 1
        self._previous: bytes | None = GENESIS
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
        self._next(found.number, head=found.hash)

    def result(self) -> Verified:
        """What came of it."""
        return Verified(stream=self._stream, commits=self._commits, head=self._head(), findings=tuple(self._findings))

    def _head(self) -> bytes | None:
        return self._previous if self._commits else None

    def _next(self, number: int, *, head: bytes | None) -> None:
        self._expected = max(self._expected, number + 1)
        self._previous = head

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
