"""The log in memory: the reference that the conformance suite measures the others by, and the store of the simulation.

It is written to AnyIO, so it runs on Trio under virtual time; it yields to other tasks before each operation, and each operation is then
atomic, because nothing in it awaits.
"""

import math
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Final

from anyio.lowlevel import checkpoint

from orderstore.store import items, scanning
from orderstore.store.blobs import BlobStore, MemoryBlobStore
from orderstore.store.chain import check_follows, check_hash, check_sealed
from orderstore.store.errors import BrokenChain, CommitConflict, CounterConflict
from orderstore.store.port import COMMITS_PER_STREAM_MAX, Commit, Page, ScanPage, Undecodable
from orderstore.store.scanning import READ_UNIT_BYTES

COMMITS_PER_SCAN: Final = 1_000  # about what 1 MB holds, where DynamoDB ends a page


class MemoryEventStore:
    """An `EventStore` and `CommitSource`. Each of `on_append` is called with every commit, once, right after it is stored, in order.

    `on_append` is for what a table's stream does in production; a callback must return at once and not raise.
    """

    def __init__(
        self,
        *,
        on_append: Sequence[Callable[[Commit], None]] = (),
        blobs: BlobStore | None = None,
        commits_per_page: int = COMMITS_PER_STREAM_MAX,
        commits_per_scan: int = COMMITS_PER_SCAN,
    ) -> None:
        """Begin empty. `blobs` holds the bodies of images that offload theirs (`from_image`)."""
        self._commits: dict[str, list[Commit]] = {}
        self._counters: dict[str, int] = {}
        self._on_append = list(on_append)
        self._blobs = blobs if blobs is not None else MemoryBlobStore()
        self._commits_per_page = commits_per_page
        self._commits_per_scan = commits_per_scan

    def subscribe(self, callback: Callable[[Commit], None]) -> None:
        """Call `callback` with every commit from now on."""
        self._on_append.append(callback)

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """See `EventStore.read`."""
        await checkpoint()
        return tuple(self._commits.get(stream, [])[after:])

    async def pages(
        self, stream: str, *, after: int = 0, first_commits_max: int | None = None
    ) -> AsyncGenerator[Page, None]:
        """See `EventStore.pages`."""
        size = min(self._commits_per_page, first_commits_max or self._commits_per_page)
        more = True
        while more:
            await checkpoint()
            commits = tuple(self._commits.get(stream, [])[after : after + size])
            more = len(commits) == size
            after += len(commits)
            size = self._commits_per_page
            yield Page(commits, more=more)

    async def append(self, commit: Commit) -> None:
        """See `EventStore.append`. A hole is refused."""
        await checkpoint()
        check_sealed(commit)
        if not self._is_stored(commit):
            self._store(commit)

    async def counter(self, name: str) -> int:
        """See `EventStore.counter`."""
        await checkpoint()
        return self._counters.get(name, 0)

    async def append_numbered(self, commit: Commit, *, counter: str, taken: int) -> None:
        """See `EventStore.append_numbered`."""
        await checkpoint()
        items.check_taken(taken)
        check_sealed(commit)
        if self._is_stored(commit):
            return
        current = self._counters.get(counter, 0)
        if current != taken - 1:
            raise CounterConflict(counter, current=current)
        self._counters[counter] = taken
        self._store(commit)

    async def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        """See `EventStore.streams`."""
        for stream in tuple(self._commits):
            await checkpoint()
            since = recorded_since_ms
            if since is None or any(commit.recorded_at_ms >= since for commit in self._commits[stream]):
                yield stream

    async def stored(self, stream: str) -> AsyncGenerator[Commit | Undecodable, None]:
        """See `CommitSource.stored`."""
        for commit in tuple(self._commits.get(stream, [])):
            await checkpoint()
            yield commit

    async def commits(self, *, segment: int, of: int, after: str | None = None) -> AsyncGenerator[ScanPage, None]:
        """See `EventStore.commits`."""
        scanning.check_segment(segment, of)
        start = scanning.place_after(after)
        streams = sorted((zlib.crc32(name.encode()), name) for name in self._commits)
        page: list[Commit] = []
        for rank, name in streams:
            if rank % of != segment or (start is not None and (rank, name) < (zlib.crc32(start[0].encode()), start[0])):
                continue
            number = int(start[1]) if start is not None and start[0] == name else 0
            while number < len(self._commits[name]):
                if len(page) == self._commits_per_scan:
                    await checkpoint()
                    yield _scanned(page, more=True)
                    page = []
                    continue
                page.append(self._commits[name][number])
                number += 1
        await checkpoint()
        yield _scanned(page, more=False)

    async def from_image(self, image: Mapping[str, Any]) -> Commit:
        """See `EventStore.from_image`."""
        await checkpoint()
        parsed = items.parse(image)
        commit = parsed.complete(None if parsed.blob is None else await self._blobs.get(parsed.blob))
        check_hash(commit)
        return commit

    def _is_stored(self, commit: Commit) -> bool:
        """True when this very commit is there, False when it is the next one; anything else raises."""
        commits = self._commits.get(commit.stream, [])
        if commit.number <= len(commits):
            winner = commits[commit.number - 1]
            if winner.hash == commit.hash:
                return True
            check_follows(commit, winner)
            raise CommitConflict(winner)
        if commit.number > len(commits) + 1:
            raise BrokenChain(
                commit.stream, commit.number, f"commit {len(commits) + 1} is not there: it would leave a hole"
            )
        if commits and commits[-1].hash != commit.previous_hash:
            raise BrokenChain(commit.stream, commit.number, "it does not follow the commit that is stored before it")
        return False

    def _store(self, commit: Commit) -> None:
        self._commits.setdefault(commit.stream, []).append(commit)
        for callback in self._on_append:
            callback(commit)


def _scanned(page: list[Commit], *, more: bool) -> ScanPage:
    units = sum(items.item_bytes(items.encode(commit).item) for commit in page) / READ_UNIT_BYTES
    after = scanning.position(page[-1].stream, str(page[-1].number)) if page else None
    return ScanPage(commits=tuple(page), after=after, more=more, read_units=max(1.0, float(math.ceil(units))))
