"""The API's door, for those who mean it no good: bytes over a real socket to the real server, or straight to the app; and what both must
leave as it was."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from anyio.abc import ByteReceiveStream, SocketStream

from tests.projections.http.api import ADMIN
from tests.projections.http.whole_api import WholeApi, running_whole
from workers.service import HttpServer, listen

SOON_S = 20
AUTHORIZATION = f"Authorization: Bearer {ADMIN}"
JSON = "Content-Type: application/json"
ORDER = b'{"currency":"USD","items":[{"sku":"S","quantity":1,"price":1}]}'


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over a socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A server on the loopback."""

    whole: WholeApi
    server: HttpServer

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[SocketStream]:
        with anyio.fail_after(SOON_S):
            async with await anyio.connect_tcp("127.0.0.1", self.server.port) as stream:
                yield stream

    async def say(self, content: bytes) -> Answer | None:
        """Send these bytes on a connection of their own, and read one answer; None when it was closed without."""
        async with self.socket() as stream:
            with suppress(anyio.BrokenResourceError):  # the answer may have come before all of it was sent
                await stream.send(content)
            return await answer_from(stream)

    async def post(self, body: bytes, *headers: str, path: str = "/orders") -> Answer:
        """A request with its length told truly."""
        answer = await self.say(
            request("POST", path, AUTHORIZATION, JSON, f"Content-Length: {len(body)}", *headers) + body
        )
        assert answer is not None
        return answer


def request(method: str, path: str, *headers: str) -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: api.test", *headers, "", ""]).encode("latin-1")


async def answer_from(stream: ByteReceiveStream) -> Answer | None:
    """The next answer; its body has a `Content-Length`. None when the connection is closed before."""
    read = b""

    async def more() -> bool:
        nonlocal read
        try:
            read += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return False
        return True

    while b"\r\n\r\n" not in read:
        if not await more():
            return None
    head, _, body = read.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        read = b""
        assert await more(), "the answer was cut off"
        body += read
    return Answer(int(first.split(" ")[1]), headers, body)


@asynccontextmanager
async def served() -> AsyncIterator[Door]:
    """The whole API behind the server that the process has."""
    async with running_whole() as whole:
        with closing(HttpServer(whole.api.app, name="api", listener=listen("127.0.0.1", 0))) as server:
            async with anyio.create_task_group() as group:
                await group.start(server.run)
                yield Door(whole=whole, server=server)
                server.stop_now()


@asynccontextmanager
async def untouched(whole: WholeApi) -> AsyncIterator[None]:
    """Whatever is done inside leaves every byte of every store and view as it was; and the process answers and takes orders."""
    before = await whole.kept()
    yield
    assert await whole.kept() == before
    api = whole.api
    assert (await api.get("/healthz", token=None)).status_code == 200
    placed = await api.client.post(
        "/orders", content=ORDER, headers=dict([AUTHORIZATION.split(": "), JSON.split(": ")])
    )
    assert placed.status_code == 202


def is_problem(answer: Answer | httpx.Response, status: int, code: str) -> None:
    """A problem document that says what happened, what became of it, and (in its details or its errors) what to do."""
    told: dict[str, Any] = answer.problem if isinstance(answer, Answer) else answer.json()
    found = answer.status if isinstance(answer, Answer) else answer.status_code
    assert (found, told["status"], told["code"]) == (status, status, code), told
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["type"] == f"urn:orderstore:problem:{code}"
    assert told["title"]
    assert told["instance"].startswith("urn:orderstore:request:")
    assert told["detail"].isprintable()
    assert "Traceback" not in told["detail"]
    if status in (400, 408, 413, 415, 422, 431):
        kept = (
            "nothing was stored",
            "nothing was done",
            "begin again",
            "must not be sent",
            "not signed",
            "was used for",
        )
        assert any(words in told["detail"] for words in kept), told["detail"]
    assert all(error["detail"] and error["code"] for error in told.get("errors", ()))


def placing(*headers: str) -> bytes:
    """The head of an order."""
    return request("POST", "/orders", AUTHORIZATION, JSON, *headers)


async def refused(door: Door, content: bytes, status: int, code: str) -> Answer:
    """The answer to these bytes, which is this problem."""
    answer = await door.say(content)
    assert answer is not None
    is_problem(answer, status, code)
    return answer


@asynccontextmanager
async def closed_soon(stream: SocketStream) -> AsyncIterator[None]:
    """The server closes the connection."""
    yield
    with anyio.fail_after(SOON_S):
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await stream.receive()


async def raw(
    whole: WholeApi, path: bytes, query: bytes = b"", *, method: str = "GET", headers: Any = (), body: bytes = b""
) -> tuple[int, dict[str, Any], bytes]:
    """Straight to the app, byte for byte: clients mend what they send. (status, headers, body)"""
    sent: list[Any] = []
    given = [(b"authorization", f"Bearer {ADMIN}".encode()), (b"content-type", b"application/json"), *headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "headers": given,
        "root_path": "",
        "scheme": "http",
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await whole.api.app(scope, receive, send)
    answered = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])
