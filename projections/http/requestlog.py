"""Around every request: its id, its one line in the log, its measure; and the last word on what nobody expected.

The line has the fields of E125 where they apply (eventId, correlationId, orderId, source, eventType, occurredAt), and nothing
of a body, a query or a header: those may hold personal data. The same goes for the messages of exceptions that are not
ours, so of those only the type and the place are written down.
"""

import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderstore.orders import SOURCE
from orderstore.store.errors import StoreError
from projections.http.headers import request_id_of
from projections.http.problems import answer
from projections.http.services import Services
from projections.http.translation import problem_of

CAUSES_SHOWN_MAX: Final = 5
FRAMES_SHOWN_MAX: Final = 20
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestLog:
    """ASGI middleware, outermost but for the framework's own."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a failure before the first byte becomes a 500 that tells nothing of itself."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = anyio.current_time()
        request_id = request_id_of(Headers(scope=scope).get("x-request-id"))
        notes: dict[str, Any] = {}
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "notes": notes}
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Correlation-Id"] = notes.get("correlationId", request_id)
                if "commit" in notes:  # what a write made: a read may name it (`minCommit`)
                    headers["Order-Commit"] = str(notes["commit"])
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            self._services.logger.error(  # noqa: TRY400 - `exception` would log the message, which may quote the request
                "request_failed", **self._fields(request_id, notes), errors=list(_chain(error))
            )
            if status:
                raise  # the answer has begun: only a broken connection can still tell the caller
            await answer(problem_of(error), request_id=request_id)(scope, receive, send_noted)
        finally:
            self._finished(scope, request_id, notes, status, anyio.current_time() - started_s)

    def _finished(
        self, scope: Scope, request_id: str, notes: Mapping[str, Any], status: int, duration_s: float
    ) -> None:
        route: str = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"  # a client may invent them without end
        self._services.observer.request_finished(method=method, route=route, status=status, duration_s=duration_s)
        write = self._services.logger.debug if route in _QUIET_ROUTES else self._services.logger.info
        write(
            "request",
            **self._fields(request_id, notes),
            method=method,
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 3),
        )

    def _fields(self, request_id: str, notes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "source": SOURCE,
            "tenant": self._services.tenant,
            "requestId": request_id,
            "correlationId": request_id,
            **notes,
        }


def _chain(error: BaseException | None) -> Iterator[dict[str, Any]]:
    """The error and its causes: types and places; a message only where we wrote it ourselves."""
    for _ in range(CAUSES_SHOWN_MAX):
        if error is None:
            return
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN_MAX:]
        described: dict[str, Any] = {
            "type": f"{type(error).__module__}.{type(error).__qualname__}",
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if isinstance(error, StoreError):
            described["message"] = str(error)
        yield described
        error = error.__cause__ or error.__context__
