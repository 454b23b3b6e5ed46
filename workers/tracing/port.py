"""What tracing puts around the parts of a process; `Off` puts nothing around anything: it hands back what it is given.

Everything that records spans stands behind this and is made by `opening.py`. The rest of the service knows no span: what it writes
continues the trace of the task that writes it (`orderstore/tracing.py`).
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import aiohttp
from starlette.types import ASGIApp

from orderstore.contract import PublicEvent
from orderstore.store.port import EventStore
from workers.metrics.projections import ProjectionMetrics
from workers.runtime.outcome import Handler
from workers.runtime.queue import Queue


class Failed(Protocol):
    """An entry of a batch that was not published."""

    @property
    def position(self) -> int:
        """Its place in the batch."""
        ...

    @property
    def code(self) -> str:
        """Why, in the topic's words."""
        ...


F = TypeVar("F", bound=Failed)
F_co = TypeVar("F_co", bound=Failed, covariant=True)


class Publisher(Protocol[F_co]):
    """A topic, as `projections/publishing/publisher.py` has it."""

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[F_co, ...]:
        """Publish; the entries that failed come back."""
        ...


class Tracing(Protocol):
    """Each method returns its argument, or something that does the same and records it."""

    def app(self, app: ASGIApp) -> ASGIApp:
        """A server span for each request."""
        ...

    def log(self, store: EventStore, *, table: str) -> EventStore:
        """A client span for each append to the log."""
        ...

    def projections(self, facts: ProjectionMetrics) -> ProjectionMetrics:
        """A span for each event that a view has taken in."""
        ...

    def publisher(self, publisher: Publisher[F], *, topic: str) -> Publisher[F]:
        """A producer span for each message, whose context the message bears, and a client span for each call."""
        ...

    def handler(self, handler: Handler, *, queue: str) -> Handler:
        """A consumer span for each time that a message is worked on; what it writes continues it. `queue` is the full name."""
        ...

    def queue(self, queue: Queue, *, name: str) -> Queue:
        """Client spans for what is received and settled. `name` is the full one."""
        ...

    def calls(self) -> Sequence[aiohttp.TraceConfig]:
        """For an aiohttp session: a client span for each request."""
        ...


class Off:
    """Nothing is traced, and nothing stands between the parts."""

    def app(self, app: ASGIApp) -> ASGIApp:
        """The app itself."""
        return app

    def log(self, store: EventStore, *, table: str) -> EventStore:
        """The store itself."""
        del table
        return store

    def projections(self, facts: ProjectionMetrics) -> ProjectionMetrics:
        """The observer itself."""
        return facts

    def publisher(self, publisher: Publisher[F], *, topic: str) -> Publisher[F]:
        """The publisher itself."""
        del topic
        return publisher

    def handler(self, handler: Handler, *, queue: str) -> Handler:
        """The handler itself."""
        del queue
        return handler

    def queue(self, queue: Queue, *, name: str) -> Queue:
        """The queue itself."""
        del name
        return queue

    def calls(self) -> Sequence[aiohttp.TraceConfig]:
        """None."""
        return ()


Attributes = dict[str, Any]
"""Of a span: names to strings, numbers, booleans, or lists of one of these. Never personal data."""
