"""Tracing into memory, and how to find one's way among the spans."""

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

from orderstore.tracing import TraceContext, parse_traceparent
from workers.metrics.table import Metrics
from workers.tracing.recording import Recording


class Recorded:
    """A `Recording` whose spans can be looked at once they have ended."""

    def __init__(self, *, ratio: float = 1.0, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.metrics = Metrics()
        provider = TracerProvider(sampler=sampler or ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Recording(provider.get_tracer("test"), self.metrics)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def by_id(self) -> Mapping[str, ReadableSpan]:
        return {context_of(span).span_id: span for span in self.spans}

    def up_from(self, span_id: str) -> Iterator[ReadableSpan]:
        """The span with this id, its parent, and so on to the one that began the trace."""
        found = self.by_id()
        while True:
            span = found[span_id]
            yield span
            if span.parent is None or f"{span.parent.span_id:016x}" not in found:
                return
            span_id = f"{span.parent.span_id:016x}"

    def ignored(self, source: str) -> float | None:
        return self.metrics.registry.get_sample_value("orderstore_trace_contexts_ignored_total", {"source": source})


def context_of(span: ReadableSpan) -> TraceContext:
    context = span.get_span_context()
    assert context is not None
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags))


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def linked_from(span: ReadableSpan) -> list[str]:
    return [f"{link.context.span_id:016x}" for link in span.links]


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def a_context(digit: str = "a", *, sampled: bool = True) -> TraceContext:
    context = parse_traceparent(f"00-{digit * 32}-{digit * 16}-{'01' if sampled else '00'}")
    assert context is not None
    return context
