"""What ties a log line to its span: the names of OpenTelemetry's log data model, in the form that collectors look for in JSON."""

from collections.abc import Mapping

from orderstore.tracing import TraceContext


def log_fields(context: TraceContext) -> Mapping[str, str]:
    """To be bound while the span's work is done."""
    return {"trace_id": context.trace_id, "span_id": context.span_id}
