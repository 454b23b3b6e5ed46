"""A span for each event that a view has taken in: from when it was recorded until readers can see it, as a child of what wrote it.

So a trace shows when the customer saw what, and no apply need be followed through its batches. Nothing is recorded for what is not
sampled, nor for events that were written without a trace.
"""

from opentelemetry.trace import SpanKind

from orderstore.recorded import Recorded
from orderstore.tracing import parse_traceparent
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.table import Metrics
from workers.tracing import names
from workers.tracing.spans import Spans

NS_PER_MS = 1_000_000


class TracedProjections(ProjectionMetrics):
    """The same facts, and spans."""

    def __init__(self, metrics: Metrics, spans: Spans) -> None:
        super().__init__(metrics)
        self._spans = spans

    def projected(self, *, view: str, recorded: Recorded) -> None:
        """Log, and record."""
        super().projected(view=view, recorded=recorded)
        context = parse_traceparent(recorded.traceparent)
        if context is None or not context.is_sampled:
            return
        attributes = {
            names.VIEW: view,
            names.ORDER_ID: recorded.order_id,
            names.EVENT_ID: recorded.event_id,
            names.EVENT_TYPE: recorded.name,
            names.COMMIT: recorded.commit,
        }
        now_ns = self._spans.now_ns()
        begun_ns = min(recorded.recorded_at_ms * NS_PER_MS, now_ns)  # the writer's clock may be ahead of this one
        span = self._spans.begin(f"project {view}", SpanKind.INTERNAL, attributes, parent=context, start_ns=begun_ns)
        span.end(now_ns)
