"""Reading the log in DynamoDB: all that an auditor's role needs, and half of what a writer's does."""

from collections.abc import AsyncGenerator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store import items, requests, scanning
from orderstore.store.blobs import BlobStore
from orderstore.store.chain import GENESIS, check_hash, check_stored
from orderstore.store.errors import CorruptCommit, StreamTooLong
from orderstore.store.port import COMMITS_PER_STREAM_MAX, Commit, Page, ScanPage, Undecodable
from orderstore.store.scanning import SCAN_BYTES_MAX
from orderstore.store.side_by_side import side_by_side
from orderstore.store.trouble import Backoff, Retrying

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

READ_BYTES_MAX: Final = 128 * 1024 * 1024  # the bodies that one read may hold in memory
BLOBS_AT_ONCE_MAX: Final = 8


class DynamoReader:
    """A `CommitSource`, and the reading half of an `EventStore`, over an aiobotocore client, which belongs to the caller.

    The client's own retries are best switched off: bounded ones are made here (`trouble.Backoff`).
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        table: str,
        counters_table: str,
        blobs: BlobStore,
        random: Random,
        backoff: Backoff | None = None,
    ) -> None:
        """Use two tables and a place for large bodies. `random` spreads the retries."""
        self._client = client
        self._table = table
        self._counters_table = counters_table
        self._blobs = blobs
        self._retrying = Retrying(backoff or Backoff(), random)

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """See `EventStore.read`."""
        page, start = await self._page(stream, after, None, None)
        commits = page
        while start is not None:
            page, start = await self._page(stream, after, start, commits[-1] if commits else None)
            commits += page
            if sum(len(commit.body) for commit in commits) > READ_BYTES_MAX:
                raise StreamTooLong(stream, f"{READ_BYTES_MAX} bytes, which one read may return")
            if len(commits) > COMMITS_PER_STREAM_MAX:
                raise StreamTooLong(stream, f"{COMMITS_PER_STREAM_MAX} commits")
        return tuple(commits)

    async def pages(
        self, stream: str, *, after: int = 0, first_commits_max: int | None = None
    ) -> AsyncGenerator[Page, None]:
        """See `EventStore.pages`. A page is what one Query returns: 1 MB of items, or less."""
        commits, start = await self._page(stream, after, None, None, limit=first_commits_max)
        yield Page(tuple(commits), more=start is not None)
        last = commits[-1] if commits else None
        while start is not None:
            commits, start = await self._page(stream, after, start, last)
            yield Page(tuple(commits), more=start is not None)
            last = commits[-1] if commits else last

    async def counter(self, name: str) -> int:
        """See `EventStore.counter`."""
        return items.taken_of(await self._get(requests.get_counter(self._counters_table, name)))

    async def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        """See `EventStore.streams`. A scan: it reads, and costs, the whole table, whatever it yields."""
        start: items.Item | None = None
        latest: str | None = None
        while True:
            request = requests.scan_streams(self._table, recorded_since_ms=recorded_since_ms, start=start)
            page = await self._call("Scan", request)
            for item in page.get("Items", []):
                # The commits of a stream lie together, so that remembering one name is enough to name each about once.
                if (stream := item["stream"]["S"]) != latest:
                    latest = stream
                    yield stream
            if (start := page.get("LastEvaluatedKey")) is None:
                return

    async def commits(self, *, segment: int, of: int, after: str | None = None) -> AsyncGenerator[ScanPage, None]:
        """See `EventStore.commits`. A page is what one Scan returns, 1 MB of items or less; where its bodies are larger, a part of it."""
        scanning.check_segment(segment, of)
        start = scanning.start_key(after)
        more = True
        while more:
            page = await self._call("Scan", requests.scan_commits(self._table, segment=segment, of=of, start=start))
            units = float(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
            began_at, start = scanning.position_of(start), page.get("LastEvaluatedKey")
            more = start is not None
            commits: list[Commit] = []
            corrupt: list[Undecodable] = []
            body_bytes = 0
            for item in page.get("Items", []):
                found = await self._checked(item)
                if isinstance(found, Undecodable):
                    corrupt.append(found)
                    continue
                commits.append(found)
                body_bytes += len(found.body)
                if body_bytes >= SCAN_BYTES_MAX:
                    part = ScanPage(
                        commits=tuple(commits), corrupt=tuple(corrupt), after=began_at, more=True, read_units=units
                    )
                    commits, corrupt, body_bytes, units = [], [], 0, 0.0
                    yield part
            ended_at = scanning.position_of(start)
            yield ScanPage(commits=tuple(commits), corrupt=tuple(corrupt), after=ended_at, more=more, read_units=units)

    async def stored(self, stream: str) -> AsyncGenerator[Commit | Undecodable, None]:
        """See `CommitSource.stored`. Holds one page at a time."""
        start: items.Item | None = None
        while True:
            found, start = await self._items(stream, None, start)
            for item in found:
                yield await self._whatever_it_is(item)
            if start is None:
                return

    async def from_image(self, image: Mapping[str, Any]) -> Commit:
        """See `EventStore.from_image`."""
        commit = await self._fetch(items.parse(image))
        check_hash(commit)
        return commit

    async def _whatever_it_is(self, item: Mapping[str, Any]) -> Commit | Undecodable:
        try:
            return await self._fetch(items.parse(item))
        except CorruptCommit as corrupt:
            return Undecodable(corrupt.stream, corrupt.number, corrupt.reason)

    async def _checked(self, item: Mapping[str, Any]) -> Commit | Undecodable:
        found = await self._whatever_it_is(item)
        if isinstance(found, Commit):
            try:
                check_hash(found)
            except CorruptCommit as corrupt:
                return Undecodable(corrupt.stream, corrupt.number, corrupt.reason)
        return found

    async def _fetch(self, parsed: items.Parsed) -> Commit:
        return parsed.complete(None if parsed.blob is None else await self._blobs.get(parsed.blob))

    async def _complete(self, page: list[items.Parsed], body_bytes_max: int) -> list[Commit]:
        """The commits of a page, in order; offloaded bodies are fetched some at a time."""
        commits: list[Commit] = []
        for first in range(0, len(page), BLOBS_AT_ONCE_MAX):
            batch = page[first : first + BLOBS_AT_ONCE_MAX]
            offloaded = await self._offloaded([parsed.blob for parsed in batch if parsed.blob is not None])
            for parsed in batch:
                commit = parsed.complete(None if parsed.blob is None else offloaded[parsed.blob])
                body_bytes_max -= len(commit.body)
                if body_bytes_max < 0:
                    raise StreamTooLong(commit.stream, f"{READ_BYTES_MAX} bytes, which one read may return")
                commits.append(commit)
        return commits

    async def _offloaded(self, keys: list[str]) -> dict[str, bytes | None]:
        if not keys:
            return {}
        return await side_by_side(keys, self._blobs.get, name="fetch")

    async def _page(
        self, stream: str, after: int, start: items.Item | None, last: Commit | None, *, limit: int | None = None
    ) -> tuple[list[Commit], items.Item | None]:
        """The next commits after `last` (None: after number `after`), checked, and where to go on from (None: there is no more)."""
        previous = last.hash if last is not None else GENESIS if after == 0 else None
        found, start = await self._items(stream, after, start, limit=limit, lean=previous is not None)
        if previous is not None:
            found = items.chained(found, stream=stream, previous=previous)
        commits = await self._complete([items.parse(item) for item in found], READ_BYTES_MAX)
        if last is None:
            check_stored(commits, stream=stream, after=after)
        else:
            check_stored(commits, stream=stream, after=last.number, after_hash=last.hash)
        return commits, start

    async def _items(
        self,
        stream: str,
        after: int | None,
        start: items.Item | None,
        *,
        limit: int | None = None,
        lean: bool = False,
    ) -> tuple[list[Mapping[str, Any]], items.Item | None]:
        request = requests.query(self._table, stream, after=after, start=start, limit=limit, lean=lean)
        page = await self._call("Query", request)
        return page.get("Items", []), page.get("LastEvaluatedKey")

    async def _get(self, request: items.Request) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = (await self._call("GetItem", request)).get("Item")
        return found

    async def _call(self, operation: Literal["GetItem", "Query", "Scan"], request: items.Request) -> Mapping[str, Any]:
        attempts = self._retrying.start(operation, writes=False)
        while True:
            try:
                match operation:
                    case "GetItem":
                        return await self._client.get_item(**request)
                    case "Query":
                        return await self._client.query(**request)
                    case "Scan":
                        return await self._client.scan(**request)
            except (ClientError, BotoCoreError) as error:
                await attempts.failed(error)
