"""Headers that mean no good: refused in words, or never kept; nothing written."""

import json
from typing import Any

import pytest

from tests.bad_input.http_door import ORDER, raw, untouched
from tests.projections.http.api import ADMIN
from tests.projections.http.whole_api import running_whole

pytestmark = pytest.mark.thorough

HEADERS: list[tuple[str, list[tuple[bytes, bytes]]]] = [
    ("a key twice", [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]),
    ("the same key twice", [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]),
    ("an empty key", [(b"idempotency-key", b"")]),
    ("a key that is too long", [(b"idempotency-key", b"k" * 256)]),
    ("a zero-width space in a key", [(b"idempotency-key", "k\u200b".encode())]),
    ("a no-break space in a key", [(b"idempotency-key", b"k\xa0k")]),
    ("an accent in a key", [(b"idempotency-key", b"caf\xe9")]),
    ("a tab in a key", [(b"idempotency-key", b"a\tb")]),
    ("a NUL in a key", [(b"idempotency-key", b"a\x00b")]),
    ("a line break in a key", [(b"idempotency-key", b"a\r\nX-Evil: 1")]),
    ("a card number as a key", [(b"idempotency-key", b"4111 1111 1111 1111")]),
]


@pytest.mark.parametrize("headers", [entry[1] for entry in HEADERS], ids=[entry[0] for entry in HEADERS])
async def test_a_key_is_plain_and_said_once(headers: Any) -> None:
    """Two keys that look alike would be two orders."""
    async with running_whole() as whole, untouched(whole):
        for path, body in (
            ("/orders", ORDER),
            (f"/orders/{whole.known.invoiced}/refunds", b'{"lines":[{"line":0,"quantity":1}]}'),
            (f"/orders/{whole.known.placed}/holds", b'{"reason":"stock"}'),
        ):
            status, answered, told = await raw(whole, path.encode(), method="POST", headers=headers, body=body)
            assert (status, json.loads(told)["code"]) == (400, "bad_parameter")
            assert "x-evil" not in answered


TAGS = (
    *(
        b"7",
        b'"7',
        b"'7'",
        b'"7" "8"',
        b'*, "7"',
        b'"7",,*',
        b"\xff",
        "\u201c7\u201d".encode(),
        b'"7"\r\nX-Evil: 1',
        b"W/7",
        b'w/"7"',
    ),
    *(b'"7\x00"', b'"' + b"9" * 5_000 + b'"', b'"7",' * 2_000, b"", b",", b" "),
)


@pytest.mark.parametrize("tag", TAGS, ids=range(len(TAGS)))
async def test_a_condition_that_cannot_be_read_is_no_condition_that_holds(tag: bytes) -> None:
    """Ignored, it would change what the client had not seen."""
    async with running_whole() as whole, untouched(whole):
        for name, method, path in (
            (b"if-match", "POST", f"/orders/{whole.known.placed}/cancel"),
            (b"if-none-match", "GET", f"/orders/{whole.known.placed}"),
        ):
            status, answered, told = await raw(whole, path.encode(), method=method, headers=[(name, tag)])
            assert (status, json.loads(told)["code"]) == (400, "bad_parameter"), (name, told)
            assert "x-evil" not in answered


@pytest.mark.parametrize(
    "tag", [b'"07"', b'"+1"', b'"1.0"', b'W/"1"', b'"\xb2"', '"\u0661"'.encode(), b'"' + b"9" * 900 + b'"', b'""']
)
async def test_a_tag_that_is_no_version_never_holds(tag: bytes) -> None:
    """412, at whatever version the order is."""
    async with running_whole() as whole, untouched(whole):
        path = f"/orders/{whole.known.placed}/cancel".encode()
        status, _, told = await raw(whole, path, method="POST", headers=[(b"if-match", tag)])
        assert (status, json.loads(told)["code"]) == (412, "wrong_version")


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic YWRtaW46",
        b"bearer  " + ADMIN.encode() + b" x",
        b"Bearer " + b"a" * 100_000,
        b"Bearer \xff\xfe",
        b"Bearer a\x00b",
    ],
)
async def test_whatever_is_shown_instead_of_a_token_is_401(authorization: bytes) -> None:
    """Before a byte of the body is read."""
    async with running_whole() as whole, untouched(whole):
        sent: list[Any] = []

        async def receive() -> Any:
            pytest.fail("the body was read")

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/orders",
            "headers": [(b"authorization", authorization)],
            "query_string": b"",
        }
        await whole.api.app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send)
        assert sent[0]["status"] == 401


async def test_what_a_client_calls_its_request_is_no_way_into_the_log() -> None:
    """A request id, a trace and a user agent with line breaks, escapes and a megabyte are dropped or never kept."""
    evil = b"a\r\nX-Evil: 1\x1b[2J" + b"x" * 10_000
    headers = [
        (name, evil)
        for name in (b"x-request-id", b"traceparent", b"tracestate", b"user-agent", b"x-forwarded-for", b"referer")
    ]
    async with running_whole() as whole:
        status, answered, _ = await raw(whole, b"/orders", method="POST", headers=headers, body=ORDER)
        assert status == 202
        assert "x-evil" not in answered
        assert "Evil" not in repr(whole.api.logs.entries)
        assert "Evil" not in repr(await whole.kept())
