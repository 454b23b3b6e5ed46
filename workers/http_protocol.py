"""uvicorn's connections, with the bounds that it leaves to a proxy: a process may stand without one, and a load balancer is no reason to
trust what comes through it.

    the head of a request (its line and headers)    HEAD_BYTES_MAX, and HEAD_S from its first byte; as long for that byte to come
    what is no body around it (chunks, trailers)    the same again, and CHUNK_BYTES_MAX for each byte of the body
    a body that nobody reads any more               REST_S after the answer
    connections in all                              `limit_concurrency`, uvicorn's own

What is refused here never reaches the app, and is told as a problem document like everything else. Whoever is refused while they still
send is listened to for REST_S, and not read: closed at once, the kernel would take the answer back with the connection.
"""

import json
from typing import Any, Final
from uuid import uuid4

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
"""As much as AWS's load balancer lets through (Elastic Load Balancing, "Quotas for your Application Load Balancers": entire header)."""
HEAD_S: Final = 10.0
REST_S: Final = 5.0
CHUNK_BYTES_MAX: Final = 8
"""A body in chunks of one byte needs five more for each; more is no framing."""

_PROBLEMS: Final = {
    "bad_request": (
        400,
        "The request cannot be understood",
        "this is not HTTP/1.1 as RFC 9112 has it; nothing was stored, and the connection is closed: send it anew",
    ),
    "head_timeout": (
        408,
        "The request took too long to begin",
        f"its line and headers must arrive within {HEAD_S:.0f} s; nothing was stored: send it anew",
    ),
    "head_too_large": (
        431,
        "The request's head is too large",
        f"its line and headers have at most {HEAD_BYTES_MAX} bytes; nothing was stored: send fewer or shorter headers",
    ),
    "throttled": (
        503,
        "The service is too busy",
        "there are as many connections as there can be; nothing was stored: try again later",
    ),
}


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **named)
        self._slow: Any = None
        self._in_message = False
        self._in_head = False
        self._around_bytes = 0
        self._body_bytes = 0
        self._refused = False
        self._ends = False
        self._wrong = "bad_request"

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - the event loop's own
        """A client that says nothing is not waited for."""
        super().connection_made(transport)
        self._wait_for(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is no body; whatever comes, a bound on the time is running unless the app has the request."""
        if self._refused:
            return
        if self._in_message:
            self._around_bytes += len(data)
        super().data_received(data)
        if self._is_over():
            return
        if not self._in_message:
            if self._is_idle():
                self._wait_for(HEAD_S)  # empty lines before a request end uvicorn's own wait
        elif self._around_bytes > HEAD_BYTES_MAX + CHUNK_BYTES_MAX * self._body_bytes:
            self._refuse("head_too_large")

    def on_message_begin(self) -> None:
        """The head begins. After an answer that says `Connection: close` nothing more is taken (RFC 9112, 9.6): whoever sent it sends it
        anew elsewhere."""
        if self._ends:
            raise ValueError("the connection ends here")  # the parser ends
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._around_bytes = self._body_bytes = 0
        self._wait_no_more()
        self._wait_for(HEAD_S)

    def on_headers_complete(self) -> None:
        """The app has the request."""
        self._wait_no_more()
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX:
            self._wrong = "head_too_large"
            raise ValueError("the head is too large")  # the parser ends, and `send_400_response` says why
        super().on_headers_complete()
        self.cycle.transport = _Lingering(self)  # type: ignore[assignment] # as much of one as it uses

    def on_header(self, name: bytes, value: bytes) -> None:
        """What comes after a body is no header: nobody asks for it, and kept it would be without a bound."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        self._around_bytes = max(0, self._around_bytes - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_message = False
        if self._is_idle():
            self._wait_no_more()
        super().on_message_complete()
        if self._ends:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Answered, perhaps before the body was whole: the rest is waited for, but not for ever. What is arriving may also be the next
        request already: its body is the app's to wait for, and its head may have stood behind this answer, unread."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._in_head:
            self._wait_no_more()
            self._wait_for(HEAD_S)
        elif self._has_rest():
            self._wait_for(REST_S)

    def end(self) -> None:
        """Close, once the rest of the request that was answered has come, or does not."""
        self._ends = True
        if not self._has_rest():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
        """What the parser cannot read, and what it was stopped at."""
        self._refuse(self._wrong)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super()._start_asgi_task(cycle, _busy if app is service_unavailable else app)

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def _has_rest(self) -> bool:
        """Whether the body of a request is arriving that has its answer."""
        return self._in_message and not self._in_head and self._is_idle()

    def _is_over(self) -> bool:
        return self._refused or self.transport.is_closing()

    def _wait_for(self, seconds: float) -> None:
        if self._slow is None:
            self._slow = self.loop.call_later(seconds, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _too_slow(self) -> None:
        self._slow = None
        if self._in_head and self.flow.read_paused:
            return  # this side does not read, as requests before it have no answer yet; then it is waited for anew
        if self._in_head:
            self._refuse("head_timeout")
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, code: str) -> None:
        """Say why, unless an answer is under way, and end the connection."""
        self._wait_no_more()
        self._refused = True
        if self.transport.is_closing():
            return
        if not self._is_idle():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
            return
        status, headers, body = _document(code)
        lines = [STATUS_LINE[status], *(b"%s: %s\r\n" % header for header in headers), b"\r\n", body]
        self.transport.write(b"".join(lines))
        self._in_head = False
        self._wait_for(REST_S)


class _Lingering:
    """The transport as a request's cycle has it."""

    def __init__(self, connection: BoundedProtocol) -> None:
        self._connection = connection

    def write(self, content: bytes) -> None:
        self._connection.transport.write(content)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.end()


async def _busy(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    status, headers, body = _document("throttled")
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"retry-after", b"1")]})
    await send({"type": "http.response.body", "body": body})


def _document(code: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The problem (RFC 9457), as the API has them."""
    status, title, detail = _PROBLEMS[code]
    request_id = str(uuid4())
    document = {
        "type": f"urn:orderstore:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:orderstore:request:{request_id}",
        "code": code,
    }
    body = json.dumps(document).encode()
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-request-id": request_id,
        "connection": "close",
    }
    return status, [(name.encode(), value.encode()) for name, value in headers.items()], body
