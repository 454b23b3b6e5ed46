"""Tracing that records: every part is put inside what makes its spans. This module and those beside it import OpenTelemetry."""

from collections.abc import Sequence
from functools import partial

import aiohttp
from opentelemetry.trace import Tracer
from starlette.types import ASGIApp

from orderstore.store.port import EventStore
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.table import Metrics
from workers.runtime.outcome import Handler
from workers.runtime.queue import Queue
from workers.tracing.appending import TracedLog
from workers.tracing.calling import traced_calls
from workers.tracing.consuming import TracedHandler, TracedQueue
from workers.tracing.port import F, Publisher
from workers.tracing.projecting import TracedProjections
from workers.tracing.publishing import TracedPublisher
from workers.tracing.serving import TracedApp
from workers.tracing.spans import Spans


class Recording:
    """See `Tracing`."""

    def __init__(self, tracer: Tracer, metrics: Metrics) -> None:
        self._spans = Spans(tracer)
        self._metrics = metrics

    def app(self, app: ASGIApp) -> ASGIApp:
        """See `Tracing.app`."""
        return TracedApp(app, self._spans, ignored=partial(self._ignored, "http"))

    def log(self, store: EventStore, *, table: str) -> EventStore:
        """See `Tracing.log`."""
        return TracedLog(store, self._spans, table=table)

    def projections(self, facts: ProjectionMetrics) -> ProjectionMetrics:
        """See `Tracing.projections`."""
        del facts  # the same, over the same metrics
        return TracedProjections(self._metrics, self._spans)

    def publisher(self, publisher: Publisher[F], *, topic: str) -> Publisher[F]:
        """See `Tracing.publisher`."""
        return TracedPublisher(publisher, self._spans, topic=topic)

    def handler(self, handler: Handler, *, queue: str) -> Handler:
        """See `Tracing.handler`."""
        return TracedHandler(handler, self._spans, queue=queue, ignored=partial(self._ignored, "message"))

    def queue(self, queue: Queue, *, name: str) -> Queue:
        """See `Tracing.queue`."""
        return TracedQueue(queue, self._spans, name=name)

    def calls(self) -> Sequence[aiohttp.TraceConfig]:
        """See `Tracing.calls`."""
        return (traced_calls(self._spans),)

    def _ignored(self, source: str) -> None:
        self._metrics.count("orderstore_trace_contexts_ignored", {"source": source})
