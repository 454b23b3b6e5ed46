"""Clients that take their time, and too many of them: each is waited for within a bound, and others are served meanwhile."""

import anyio
import pytest

from projections.http import body as body_module
from tests.bad_input.http_door import (
    JSON,
    ORDER,
    SOON_S,
    Door,
    answer_from,
    closed_soon,
    is_problem,
    placing,
    refused,
    request,
    served,
    untouched,
)
from workers import http_protocol

pytestmark = pytest.mark.thorough


async def test_who_says_nothing_or_little_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte, half a line, a header a moment, empty lines, a body that nobody reads any more: each ends within its bound, and others are
    served all the while."""  # slow loris
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.2)
    monkeypatch.setattr(http_protocol, "REST_S", 0.2)
    drops = [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET /orders HT", b""),
        (b"GET /", b"a"),
        (request("GET", "/healthz")[:-2], b"X-A: b\r\n"),
        (request("POST", "/orders", JSON, "Content-Length: 1000000"), b"x"),  # 401 at once; the body goes on
        (request("GET", "/healthz", "Content-Length: 1000000"), b"x"),
        (request("GET", "/healthz"), b"\r\n"),
    ]
    ended: list[int] = []

    async def drip(door: Door, place: int) -> None:
        start, drop = drops[place]
        async with door.socket() as stream, anyio.create_task_group() as group:
            await stream.send(start or b"\r\n" if drop or start else b"")

            async def go_on() -> None:
                while drop:
                    await anyio.sleep(0.02)
                    try:
                        await stream.send(drop)
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        return

            group.start_soon(go_on)
            async with closed_soon(stream):
                pass
            group.cancel_scope.cancel()
        ended.append(place)

    async with served() as door, untouched(door.whole):
        async with anyio.create_task_group() as group:
            for place in range(len(drops)):
                group.start_soon(drip, door, place)
            assert (await door.post(b"{}")).status == 422
        assert sorted(ended) == list(range(len(drops)))


async def test_a_slow_head_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """408, as for a slow body."""
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.05)
    async with served() as door, untouched(door.whole):
        await refused(door, b"POST /orders HTTP/1.1\r\nHost:", 408, "head_timeout")


async def test_a_head_has_its_time_from_its_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers open connections before they have anything to say."""
    monkeypatch.setattr(http_protocol, "HEAD_S", 1.0)
    async with served() as door, door.socket() as stream:
        while not door.server._server.server_state.connections:
            await anyio.lowlevel.checkpoint()
        monkeypatch.setattr(http_protocol, "HEAD_S", float(SOON_S))
        await stream.send(request("GET", "/healthz")[:-2])
        await anyio.sleep(1.1)
        await stream.send(b"\r\n")
        answer = await answer_from(stream)
        assert answer is not None
        assert answer.status == 200


async def test_a_slow_body_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its connection is closed."""
    monkeypatch.setattr(body_module, "BODY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(http_protocol, "REST_S", 0.05)
    async with served() as door, untouched(door.whole), door.socket() as stream:
        await stream.send(placing("Content-Length: 63") + ORDER[:10])
        answer = await answer_from(stream)
        assert answer is not None
        is_problem(answer, 408, "body_timeout")
        async with closed_soon(stream):
            pass


async def test_a_full_house_says_so() -> None:
    """503 with a time to come back, as a problem document."""
    async with served() as door, untouched(door.whole):
        door.server._server.config.limit_concurrency = 1
        answer = await refused(door, placing(f"Content-Length: {len(ORDER)}") + ORDER, 503, "throttled")
        assert answer.headers["retry-after"] == "1"
