"""Spans in this service's terms: contexts are values (`orderstore/tracing.py`), errors are types, nothing is global.

The API's own "current span" is not used: a task's place in a trace is `orderstore.tracing.current()`, in one way for all of the code.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from orderstore.tracing import TraceContext, working_in
from workers.tracing.names import ERROR_TYPE

CANCELLED: Final = "cancelled"


class OpenSpan:
    """A span that has not ended."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = _ours(span.get_span_context())

    @property
    def is_recording(self) -> bool:
        """False when its trace is not sampled: then nothing that it is told goes anywhere."""
        return self._span.is_recording()

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""
        for name, value in attributes.items():
            self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Give it the name that could not be known when it began."""
        self._span.update_name(name)

    def failed(self, error_type: str) -> None:
        """It did not do what it was to do. `error_type` has few values; no text is taken, since that may be personal."""
        self._span.set_attribute(ERROR_TYPE, error_type)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self, at_ns: int | None = None) -> None:
        """Nothing is added after this."""
        self._span.end(at_ns)


class Spans:
    """Makes spans. `now_ns` is the wall clock in nanoseconds since 1970."""

    def __init__(self, tracer: Tracer, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._tracer = tracer
        self.now_ns = now_ns

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        *,
        parent: TraceContext | None,
        links: Iterable[TraceContext] = (),
        start_ns: int | None = None,
    ) -> OpenSpan:
        """A span that somebody has to end; without a parent it begins a trace."""
        above = Context() if parent is None else set_span_in_context(NonRecordingSpan(_theirs(parent)), Context())
        return OpenSpan(
            self._tracer.start_span(
                name,
                context=above,
                kind=kind,
                attributes=dict(attributes),
                links=[Link(_theirs(link)) for link in links],
                start_time=self.now_ns() if start_ns is None else start_ns,
            )
        )

    @contextmanager
    def during(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        *,
        parent: TraceContext | None,
        links: Iterable[TraceContext] = (),
    ) -> Iterator[OpenSpan]:
        """A span around the block, in which the block's task works; what the block raises is its error's type."""
        span = self.begin(name, kind, attributes, parent=parent, links=links)
        try:
            with working_in(span.context):
                yield span
        except BaseException as error:
            span.failed(type_of(error))
            raise
        finally:
            span.end(self.now_ns())


def type_of(error: BaseException) -> str:
    """An error's class by its full name; what ends a task from outside is one kind."""
    if not isinstance(error, Exception):
        return CANCELLED
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _theirs(context: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
    )


def _ours(context: SpanContext) -> TraceContext:
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags) & 0x03)
