"""Where spans go: OTLP over HTTP, from a thread of its own, in bounded batches. Nothing of it can hold up or fail the work.

A span that ends is put into a queue in memory; when that is full, the oldest is dropped. What cannot be exported is dropped after a few
seconds. Both can be counted: `orderstore_spans` tells how many ended, how many were exported and how many failed.
"""

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from uuid import uuid4

import anyio
from anyio import to_thread
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from workers.metrics.table import Metrics
from workers.tracing.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportBounds:
    """What export may take of the process."""

    queue_max: int = 8_192
    """Spans that wait; about 2 KB each."""
    batch_max: int = 512
    every_s: float = 2.0
    timeout_s: float = 5.0
    """For one batch, with its repeats."""
    flush_s: float = 5.0
    """At the end of the process; what is not exported by then is lost."""


class CountedExporter(SpanExporter):
    """An exporter that never raises, and counts."""

    def __init__(self, exporter: SpanExporter, metrics: Metrics) -> None:
        self._exporter = exporter
        self._metrics = metrics

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever goes wrong here, the spans are lost and nothing else
            result = SpanExportResult.FAILURE
        name = "exported" if result is SpanExportResult.SUCCESS else "failed"
        self._metrics.count("orderstore_spans", {"result": name}, len(spans))
        return result

    def shutdown(self) -> None:
        """Take no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return self._exporter.force_flush(timeout_millis)


class CountedEnds(SpanProcessor):
    """Counts the sampled spans that end: what is neither exported nor failed still waits, or was dropped."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def on_end(self, span: ReadableSpan) -> None:
        """Count."""
        del span
        self._metrics.count("orderstore_spans", {"result": "ended"})


def resource_of(roles: Sequence[str], *, namespace: str) -> Resource:
    """Who speaks. A process of one role is a service of its own, so that a viewer can draw them apart."""
    return Resource(
        {
            "service.name": f"orderstore-{roles[0]}" if len(roles) == 1 else "orderstore",
            "service.namespace": namespace,
            "service.version": version("orderstore"),
            "service.instance.id": str(uuid4()),
            "orderstore.roles": list(roles),
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": version("opentelemetry-sdk"),
        }
    )


def otlp_exporter(endpoint: str, *, headers: Mapping[str, str], bounds: ExportBounds) -> SpanExporter:
    """To a collector; `endpoint` is its address, to which OTLP's own path is added unless it is there."""
    path = "/v1/traces"
    url = endpoint.rstrip("/")
    return OTLPSpanExporter(
        endpoint=url if url.endswith(path) else url + path,
        headers=dict(headers),
        timeout=bounds.timeout_s,
        compression=Compression.Gzip,
    )


@asynccontextmanager
async def open_recording(
    exporter: SpanExporter, resource: Resource, *, sample_ratio: float, metrics: Metrics, bounds: ExportBounds
) -> AsyncIterator[Recording]:
    """Record while the block lasts; then export what waits, within `flush_s`, also when the block is cancelled.

    Nothing is registered for the whole process: other libraries' instrumentation, should there be any, stays silent.
    """
    provider = TracerProvider(
        resource=resource,
        sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
        shutdown_on_exit=False,
        span_limits=SpanLimits(max_span_attributes=32, max_events=0, max_links=32, max_span_attribute_length=512),
    )
    provider.add_span_processor(CountedEnds(metrics))
    provider.add_span_processor(
        BatchSpanProcessor(
            CountedExporter(exporter, metrics),
            max_queue_size=bounds.queue_max,
            max_export_batch_size=min(bounds.batch_max, bounds.queue_max),
            schedule_delay_millis=bounds.every_s * 1_000,
        )
    )
    try:
        yield Recording(provider.get_tracer("orderstore", version("orderstore")), metrics)
    finally:
        # A thread that nobody waits for at the interpreter's end: an exporter that hangs is left behind.
        ending = threading.Thread(target=provider.shutdown, name="end of tracing", daemon=True)
        ending.start()
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(partial(ending.join, bounds.flush_s))
