"""A client span for each append to the log. Only what appends is given this store: everything else reads the one behind it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from opentelemetry.trace import SpanKind

from orderstore.domain.ids import order_of
from orderstore.store.errors import CommitConflict, CounterConflict
from orderstore.store.port import Commit, EventStore, Page, ScanPage
from orderstore.tracing import current
from workers.tracing import names
from workers.tracing.spans import OpenSpan, Spans, type_of


class TracedLog:
    """An `EventStore` over another. A lost race is the store's answer, not its failure: it is told, and is no error."""

    def __init__(self, store: EventStore, spans: Spans, *, table: str) -> None:
        self._store = store
        self._spans = spans
        self._table = table

    async def append(self, commit: Commit) -> None:
        """See `EventStore.append`."""
        span = self._begin("append", commit)
        try:
            await self._store.append(commit)
        except BaseException as error:
            _end_badly(span, error)
            raise
        finally:
            span.end(self._spans.now_ns())

    async def append_numbered(self, commit: Commit, *, counter: str, taken: int) -> None:
        """See `EventStore.append_numbered`."""
        span = self._begin("append_numbered", commit)
        try:
            await self._store.append_numbered(commit, counter=counter, taken=taken)
        except BaseException as error:
            _end_badly(span, error)
            raise
        finally:
            span.end(self._spans.now_ns())

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """See `EventStore.read`."""
        return await self._store.read(stream, after=after)

    def pages(self, stream: str, *, after: int = 0, first_commits_max: int | None = None) -> AsyncGenerator[Page, None]:
        """See `EventStore.pages`."""
        return self._store.pages(stream, after=after, first_commits_max=first_commits_max)

    async def counter(self, name: str) -> int:
        """See `EventStore.counter`."""
        return await self._store.counter(name)

    def streams(self, *, recorded_since_ms: int | None = None) -> AsyncIterator[str]:
        """See `EventStore.streams`."""
        return self._store.streams(recorded_since_ms=recorded_since_ms)

    def commits(self, *, segment: int, of: int, after: str | None = None) -> AsyncGenerator[ScanPage, None]:
        """See `EventStore.commits`."""
        return self._store.commits(segment=segment, of=of, after=after)

    async def from_image(self, image: Mapping[str, Any]) -> Commit:
        """See `EventStore.from_image`."""
        return await self._store.from_image(image)

    def _begin(self, operation: str, commit: Commit) -> OpenSpan:
        attributes = {
            names.DB_SYSTEM: names.DYNAMODB,
            names.DB_OPERATION: operation,
            names.DB_COLLECTION: self._table,
            names.ORDER_ID: order_of(commit.stream)[1],
            names.COMMIT: commit.number,
        }
        return self._spans.begin(f"{operation} {self._table}", SpanKind.CLIENT, attributes, parent=current())


def _end_badly(span: OpenSpan, error: BaseException) -> None:
    if isinstance(error, CommitConflict | CounterConflict):
        span.tell({names.CONFLICT: True})
    else:
        span.failed(type_of(error))
