"""Several requests on one connection, sent before the answers: what one of them is waited for is not the next one's trouble."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from workers import http_protocol
from workers.service import HttpServer, listen

SOON_S = 20
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


@dataclass(eq=False)
class App:
    """`/read` reads its body, `/held` waits for `go`, `/close` asks for the end of the connection; every answer is the path."""

    begun: list[str] = field(default_factory=list)
    go: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        self.begun.append(path)
        if path == "/held":
            await self.go.wait()
        while path == "/read" and (await receive()).get("more_body"):
            pass
        headers = [(b"content-length", str(len(path)).encode())]
        headers += [(b"connection", b"close")] if path == "/close" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": path.encode()})


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[App, SocketStream]]:
    app = App()
    with anyio.fail_after(SOON_S), closing(HttpServer(app, name="api", listener=listen("127.0.0.1", 0))) as server:
        async with anyio.create_task_group() as group:
            await group.start(server.run)
            async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
                yield app, stream
            server.stop_now()


async def until(stream: SocketStream, ending: bytes) -> None:
    read = b""
    while not read.endswith(ending):
        read += await stream.receive()


async def until_closed(stream: SocketStream) -> None:
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            await stream.receive()


async def test_who_is_still_sending_is_not_cut_off_by_the_answer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a body is waited for only briefly once it has its answer; this one has none yet."""
    monkeypatch.setattr(http_protocol, "REST_S", 0.0)
    async with talking() as (_, stream):
        await stream.send(GET % b"/first" + POST % b"/read" + b"ab")
        await until(stream, b"/first")
        await stream.send(b"cd")
        await until(stream, b"/read")


async def test_a_head_that_stands_behind_an_answer_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """While two requests wait for their answers nothing is read: what does not come then is not the client's fault."""
    async with talking() as (app, stream):
        await stream.send(GET % b"/first")
        await until(stream, b"/first")
        monkeypatch.setattr(http_protocol, "HEAD_S", 0.0)
        await stream.send(GET % b"/held" + GET % b"/second" + b"GET /third HT")
        while "/held" not in app.begun:
            await anyio.lowlevel.checkpoint()
        await stream.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        app.go.set()
        await until(stream, b"/third")


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        (GET % b"/close" + POST % b"/read" + b"ab", b"cd"),
        (GET % b"/close" + b"GET /next HT", b"TP/1.1\r\nHost: a\r\n\r\n"),
        (POST % b"/close" + b"ab", b"cd" + GET % b"/next"),
    ],
    ids=["its body is arriving", "its head is arriving", "it comes with the rest of the one that was answered"],
)
async def test_nothing_is_done_after_an_answer_that_ends_the_connection(said: bytes, rest: bytes) -> None:
    """The client never hears of it, and does it again elsewhere (RFC 9112, 9.6)."""
    async with talking() as (app, stream):
        await stream.send(said)
        await until(stream, b"/close")
        with suppress(anyio.BrokenResourceError):
            await stream.send(rest)
        await until_closed(stream)
        assert app.begun == ["/close"]
