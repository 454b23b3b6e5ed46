"""The server itself, over real sockets: what is no HTTP, lies about its length, never ends or breaks off. Nothing of it is kept."""

import json
from contextlib import suppress

import anyio
import pytest
from anyio.abc import SocketStream

from orderstore.requests import BODY_BYTES_MAX
from projections.http.problems import KINDS
from tests.bad_input.http_door import (
    AUTHORIZATION,
    JSON,
    ORDER,
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
from workers.http_protocol import HEAD_BYTES_MAX

pytestmark = pytest.mark.thorough

CHUNKED = "Transfer-Encoding: chunked"
MANY = 64 * 1024 * 1024


def chunk(content: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(content), extension, content)


async def pour(stream: SocketStream, piece: bytes, bytes_max: int = MANY) -> int:
    """Send until the other side has had enough; how much it took."""
    sent = 0
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while sent < bytes_max:
            await stream.send(piece)
            sent += len(piece)
    return sent


async def test_a_request_is_what_its_length_says() -> None:
    """Two lengths, or a length and chunks, are two requests to two readers (RFC 9112, 6.3): none of them is taken."""
    lies = [
        placing(f"Content-Length: {len(ORDER)}", "Content-Length: 5") + ORDER,
        placing(f"Content-Length: {len(ORDER)}", CHUNKED) + chunk(ORDER) + b"0\r\n\r\n",
        placing(CHUNKED, f"Content-Length: {len(ORDER)}") + chunk(ORDER) + b"0\r\n\r\n",
        placing("Content-Length: -1") + ORDER,
        placing(f"Content-Length: +{len(ORDER)}") + ORDER,
        placing("Content-Length: 0x3f") + ORDER,
        placing("Content-Length: 6_3") + ORDER,
        placing("Content-Length: " + "9" * 30) + ORDER,
        placing("Transfer-Encoding: xchunked") + chunk(ORDER) + b"0\r\n\r\n",
        placing("Transfer-Encoding: chunked, identity") + chunk(ORDER) + b"0\r\n\r\n",
        placing(CHUNKED) + b"zz\r\n" + ORDER + b"\r\n0\r\n\r\n",
        placing(CHUNKED) + b"-1\r\n\r\n",
        placing(CHUNKED) + b"ffffffffffffffffff\r\n" + ORDER,
        placing(CHUNKED) + b"3f\n" + ORDER + b"\n0\n\n",
    ]
    async with served() as door, untouched(door.whole):
        for lie in lies:
            answer = await door.say(lie)
            if answer is not None:  # closed without a word, where the app was at it already
                is_problem(answer, 400, "bad_request")


async def test_what_is_no_http_is_told_so() -> None:
    """As a problem document like everything else, and the connection is closed."""
    words = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /caf\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tfolded\r\n : c\r\n\r\n",
    ]
    async with served() as door, untouched(door.whole):
        for word in words:
            answer = await refused(door, word, 400, "bad_request")
            assert answer.headers["connection"] == "close"


async def test_a_head_has_a_bound() -> None:
    """A line, a header, or all of them: 431 after 64 KiB and what was under way, never the hundred megabytes that were meant."""
    many = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 100) for number in range(700))
    heads = [
        b"GET /" + b"a" * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /orders?customerId=" + b"a" * 2 * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        request("POST", "/orders", AUTHORIZATION, JSON, "X: " + "v" * HEAD_BYTES_MAX, f"Content-Length: {len(ORDER)}")
        + ORDER,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n",
    ]
    endless = [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n"]
    async with served() as door, untouched(door.whole):
        for head in heads:
            await refused(door, head, 431, "head_too_large")
        for start, piece in zip(endless, (b"a" * 65_536, b"v" * 65_536, b"A: b\r\n" * 10_000), strict=True):
            async with door.socket() as stream:
                await stream.send(start)
                async with anyio.create_task_group() as group:
                    group.start_soon(pour, stream, piece, 8 * HEAD_BYTES_MAX)
                    answer = await answer_from(stream)
                    assert answer is not None
                    is_problem(answer, 431, "head_too_large")
                    group.cancel_scope.cancel()


async def test_a_large_head_within_the_bound_is_served() -> None:
    """Sixty kilobytes of somebody's cookies harm nobody."""
    async with served() as door:
        answer = await door.say(request("GET", "/healthz", "Cookie: " + "c" * 60_000, "Connection: close"))
        assert answer is not None
        assert answer.status == 200


@pytest.mark.parametrize("content", [b" " * 65_536, b"0" * 65_536])
async def test_a_body_without_end_is_answered_while_it_still_comes(content: bytes) -> None:
    """413 once the bound is passed, told or not; the answer arrives although the client is still sending."""
    async with served() as door, untouched(door.whole):
        for head, piece in (
            (placing(f"Content-Length: {BODY_BYTES_MAX * 4}"), content),
            (placing(CHUNKED), chunk(content)),
            (placing(CHUNKED), chunk(content, b";a=b")),
        ):
            async with door.socket() as stream:
                await stream.send(head)
                async with anyio.create_task_group() as group:
                    group.start_soon(pour, stream, piece, 4 * BODY_BYTES_MAX)
                    answer = await answer_from(stream)
                    assert answer is not None
                    is_problem(answer, 413, "body_too_large")
                    group.cancel_scope.cancel()


async def test_who_is_refused_while_they_send_is_listened_to_until_they_have_sent() -> None:
    """Closed at once, the kernel would reset the connection, and many a client never see the answer. What comes is thrown away."""
    length = 8 * BODY_BYTES_MAX
    async with served() as door, untouched(door.whole), door.socket() as stream:
        await stream.send(placing(f"Content-Length: {length}"))
        answer = await answer_from(stream)
        assert answer is not None
        is_problem(answer, 413, "body_too_large")
        async with closed_soon(stream):
            assert await pour(stream, b" " * 65_536, length) == length


async def test_a_body_in_crumbs_is_a_body() -> None:
    """A byte in each chunk is slow, and no crime."""
    async with served() as door:
        crumbs = b"".join(chunk(ORDER[place : place + 1]) for place in range(len(ORDER)))
        answer = await door.say(placing(CHUNKED) + crumbs + b"0\r\n\r\n")
        assert answer is not None
        assert answer.status == 202


async def test_what_stands_around_the_chunks_has_a_bound_too() -> None:
    """Extensions and trailers are no body, and would be kept by nobody's leave: the connection ends."""
    extension = b"1;" + b"e" * (4 * HEAD_BYTES_MAX) + b"\r\n{\r\n"
    trailers = chunk(ORDER) + b"0\r\n" + b"T: v\r\n" * HEAD_BYTES_MAX
    async with served() as door, untouched(door.whole):
        for around in (extension, trailers, chunk(ORDER) + b"0\r\nT: " + b"v" * (4 * HEAD_BYTES_MAX)):
            async with door.socket() as stream, closed_soon(stream):
                await pour(stream, placing(CHUNKED) + around, 1)


async def test_a_trailer_changes_nothing() -> None:
    """It comes after the request was understood: it is no key."""
    async with served() as door:
        answer = await door.say(placing(CHUNKED) + chunk(ORDER) + b"0\r\nIdempotency-Key: k\r\n\r\n")
        assert answer is not None
        assert answer.status == 202
        again = await door.post(ORDER, "Idempotency-Key: k")
        assert "idempotency-replayed" not in again.headers


@pytest.mark.parametrize("cut", [0, 1, 31, len(ORDER) - 1])
async def test_a_request_that_breaks_off_leaves_nothing(cut: int) -> None:
    """With its length told, in chunks, of any operation; gone or half closed: as if it had never begun."""
    async with served() as door, untouched(door.whole):
        known = door.whole.known
        for path in (
            "/orders",
            f"/orders/{known.placed}/cancel",
            f"/orders/{known.placed}/holds",
            "/dead-letters/payment/purge",
        ):
            length = f"Content-Length: {len(ORDER)}"
            for content in (
                request("POST", path, AUTHORIZATION, JSON, length) + ORDER[:cut],
                request("POST", path, AUTHORIZATION, JSON, CHUNKED) + (chunk(ORDER[:cut]) if cut else b""),
                request("POST", path, AUTHORIZATION, JSON, CHUNKED) + chunk(ORDER)[: cut + 3],
            ):
                async with door.socket() as stream:
                    await stream.send(content)
                    await stream.send_eof()
                    answer = await answer_from(stream)
                    assert answer is None or answer.status == 400
        assert not any(entry.get("event") == "request_failed" for entry in door.whole.api.logs.entries)


async def test_two_requests_in_one_breath_are_two() -> None:
    """A request hidden in the body of another is a body."""
    inner = placing(f"Content-Length: {len(ORDER)}") + ORDER
    async with served() as door, untouched(door.whole):
        answer = await door.post(inner)
        is_problem(answer, 400, "not_json")


def test_the_server_refuses_in_the_words_of_the_api() -> None:
    """It knows nothing of the API; a client shall not see that there are two."""
    for code, (status, title, detail) in http_protocol._PROBLEMS.items():
        assert (KINDS[code].status, KINDS[code].title) == (status, title)
        assert "nothing was stored" in detail
        assert json.loads(http_protocol._document(code)[2])["type"] == f"urn:orderstore:problem:{code}"
