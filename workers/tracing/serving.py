"""A server span for each request, by the conventions for HTTP: child of the caller's, named by method and route."""

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from orderstore.tracing import TRACEPARENT, TraceContext, parse_traceparent
from workers.tracing import names
from workers.tracing.log_fields import log_fields
from workers.tracing.spans import Spans

# Asked every few seconds by machines, and nothing follows from them.
_UNTRACED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOTES: Final = {"orderId": names.ORDER_ID, "eventId": names.EVENT_ID, "eventType": names.EVENT_TYPE}


class TracedApp:
    """ASGI middleware around everything. `ignored` is told of a caller's trace that is not well-formed."""

    def __init__(self, app: ASGIApp, spans: Spans, *, ignored: Callable[[], None]) -> None:
        self._app = app
        self._spans = spans
        self._ignored = ignored

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        # A client may invent methods without end.
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {
            names.HTTP_METHOD: method,
            names.URL_SCHEME: scope.get("scheme", "http"),
            names.PROTOCOL_VERSION: scope.get("http_version", "1.1"),
        }
        name = "HTTP" if method == "_OTHER" else method
        parent = self._caller(scope)
        with self._spans.during(name, SpanKind.SERVER, attributes, parent=parent) as span:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status: int = message["status"]
                    span.tell({names.HTTP_STATUS: status})
                    if status >= 500:  # by the conventions what the client did wrong is no error of a server span
                        span.failed(str(status))
                await send(message)

            try:
                with bound_contextvars(**log_fields(span.context)):
                    await self._app(scope, receive, send_noted)
            finally:
                if route := getattr(scope.get("route"), "path", None):
                    span.rename(f"{name} {route}")
                    span.tell({names.HTTP_ROUTE: route})
                span.tell(_noted(scope))

    def _caller(self, scope: Scope) -> TraceContext | None:
        told = Headers(scope=scope).getlist(TRACEPARENT)
        context = parse_traceparent(told[0]) if len(told) == 1 else None
        if told and context is None:
            self._ignored()
        return context


def _noted(scope: Scope) -> dict[str, Any]:
    """What the request's handler noted of the order and event that it was about."""
    notes = scope.get("state", {}).get("notes", {})
    return {ours: notes[theirs] for theirs, ours in _NOTES.items() if theirs in notes}
