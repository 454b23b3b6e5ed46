"""What the door refuses: each field by name, the whole before it is read, and nothing is ever stored for it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from orderstore.requests import BODY_BYTES_MAX
from projections.http import body as body_module
from tests.projections.http.api import ARTICLE, running

ITEM = {"sku": "S", "quantity": 1, "price": "1"}
CARD = "4111 1111 1111 1111"


def with_item(**changes: Any) -> dict[str, Any]:
    return {**ARTICLE, "items": [ITEM, {**ITEM, **changes}]}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ARTICLE.items() if key != name}


REFUSED: list[tuple[str, Any, str, str]] = [
    ("no items", without("items"), "/items", "missing"),
    ("no currency", without("currency"), "/currency", "missing"),
    ("empty items", {**ARTICLE, "items": []}, "/items", "too_short"),
    ("too many items", {**ARTICLE, "items": [ITEM] * 5001}, "/items", "too_long"),
    ("items is an object", {**ARTICLE, "items": {"0": ITEM}}, "/items", "tuple_type"),
    ("unknown field", {**ARTICLE, "grandTotal": 900}, "/grandTotal", "extra_forbidden"),
    ("unknown field with signs", {**ARTICLE, "a/b~c": 1}, "/a~1b~0c", "extra_forbidden"),
    ("unknown field in a line", with_item(colour="red"), "/items/1/colour", "extra_forbidden"),
    ("unknown currency", {**ARTICLE, "currency": "ABC"}, "/currency", "value_error"),
    ("bad e-mail", {**ARTICLE, "customerEmail": "jane"}, "/customerEmail", "value_error"),
    ("empty customer", {**ARTICLE, "customerId": ""}, "/customerId", "too_short"),
    ("long customer", {**ARTICLE, "customerId": "c" * 129}, "/customerId", "too_long"),
    ("long name", {**ARTICLE, "customerName": "n" * 201}, "/customerName", "too_long"),
    ("long country", {**ARTICLE, "country": "c" * 65}, "/country", "too_long"),
    ("bad channel", {**ARTICLE, "channel": "Web Shop"}, "/channel", "string_pattern_mismatch"),
    ("naive date", {**ARTICLE, "placedAt": "2026-03-01T12:00:00"}, "/placedAt", "value_error"),
    ("a date that is a number", {**ARTICLE, "placedAt": 1_780_000_000}, "/placedAt", "value_error"),
    ("a total that is true", {**ARTICLE, "total": True}, "/total", "value_error"),
    ("empty sku", with_item(sku=""), "/items/1/sku", "too_short"),
    ("long sku", with_item(sku="s" * 65), "/items/1/sku", "too_long"),
    ("sku is a number", with_item(sku=1), "/items/1/sku", "string_type"),
    ("control character in sku", with_item(sku="A\x00B"), "/items/1/sku", "value_error"),
    ("newline in name", {**ARTICLE, "customerName": "a\nb"}, "/customerName", "value_error"),
    ("card number as name", {**ARTICLE, "customerName": CARD}, "/customerName", "value_error"),
    ("card number as sku", with_item(sku=CARD.replace(" ", "")), "/items/1/sku", "value_error"),
    ("card number in a description", with_item(description=f"paid by {CARD}"), "/items/1/description", "value_error"),
    ("quantity 0", with_item(quantity=0), "/items/1/quantity", "greater_than_equal"),
    ("quantity too large", with_item(quantity=1_000_001), "/items/1/quantity", "less_than_equal"),
    ("quantity enormous", with_item(quantity=10**4000), "/items/1/quantity", "less_than_equal"),
    ("quantity is text", with_item(quantity="1"), "/items/1/quantity", "int_type"),
    ("quantity is a fraction", with_item(quantity=1.5), "/items/1/quantity", "int_type"),
    ("quantity is true", with_item(quantity=True), "/items/1/quantity", "int_type"),
    ("price negative", with_item(price="-0.01"), "/items/1/price", "greater_than_equal"),
    ("price too large", with_item(price="10000000.01"), "/items/1/price", "less_than_equal"),
    ("price enormous", with_item(price=10**4000), "/items/1/price", "less_than_equal"),
    ("price is true", with_item(price=True), "/items/1/price", "value_error"),
    ("price is words", with_item(price="cheap"), "/items/1/price", "value_error"),
    ("price is NaN", with_item(price="NaN"), "/items/1/price", "value_error"),
    ("price is infinite", with_item(price="Infinity"), "/items/1/price", "value_error"),
    ("price is null", with_item(price=None), "/items/1/price", "decimal_type"),
    ("nothing to pay", {**ARTICLE, "items": [{**ITEM, "price": 0}]}, "", "value_error"),
    ("too much to pay", {**ARTICLE, "items": [{**ITEM, "price": 10**7, "quantity": 10**6}] * 2}, "", "value_error"),
    ("lone surrogate", {**ARTICLE, "reference": "\ud800"}, "/reference", "string_unicode"),
    ("not an object", [ARTICLE], "", "model_type"),
    ("null", None, "", "model_type"),
]


@pytest.mark.parametrize(("document", "pointer", "code"), [entry[1:] for entry in REFUSED], ids=[e[0] for e in REFUSED])
async def test_a_bad_field_is_named_and_nothing_is_stored(document: Any, pointer: str, code: str) -> None:
    """422 problem+json with a JSON pointer to what is wrong, and an empty log."""  # E005, B02, B03
    async with running() as api:
        response = await api.send(json.dumps(document).encode())
        problem = response.json()

        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert [(error["pointer"], error["code"].replace("string_too", "too")) for error in problem["errors"]] == [
            (pointer, code)
        ]
        assert await api.stored() == []


NOT_JSON: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("text", b"hello"),
    ("half", b'{"currency": "USD"'),
    ("two documents", b"{}{}"),
    ("NaN", b'{"items":[{"sku":"S","quantity":1,"price":NaN}],"currency":"USD"}'),
    ("Infinity", b'{"items":[{"sku":"S","quantity":1,"price":-Infinity}],"currency":"USD"}'),
    ("a number beyond every exponent", b'{"price": 1e99999999999999999999999}'),
    ("an integer of 100,000 digits", b'{"price": ' + b"9" * 100_000 + b"}"),
    ("the same key twice", b'{"currency":"USD","currency":"GBP"}'),
    ("deep lists", b"[" * 400_000),
    ("deep objects", b'{"a":' * 150_000),
    ("not UTF-8", b'{"currency": "\xff\xfe\xfa"}'),
]


@pytest.mark.parametrize("content", [entry[1] for entry in NOT_JSON], ids=[entry[0] for entry in NOT_JSON])
async def test_what_is_not_json_is_refused_whole(content: bytes) -> None:
    """400, in words, and nothing is stored."""
    async with running() as api:
        response = await api.send(content)

        assert (response.status_code, response.json()["code"]) == (400, "not_json")
        assert await api.stored() == []


async def test_a_number_that_only_overflows_a_float_is_judged_as_the_decimal_that_it_is() -> None:
    """1e999 is no infinity here: it is a price above the bound."""
    async with running() as api:
        response = await api.send(b'{"currency":"USD","items":[{"sku":"S","quantity":1,"price":1e999}]}')

        assert response.json()["errors"][0]["code"] == "less_than_equal"
        assert await api.stored() == []


async def test_many_errors_are_cut_and_counted() -> None:
    """An answer has a bound too."""
    async with running() as api:
        problem = (await api.post("/orders", {**ARTICLE, "items": [{}] * 1000})).json()

        assert len(problem["errors"]) == 100
        assert problem["errorsOmitted"] == 2900


async def test_a_megabyte_of_empty_lines_is_refused_before_each_is_looked_at() -> None:
    """Three hundred thousand lines are one error, not a million."""
    async with running() as api:
        response = await api.send(b'{"currency":"USD","items":[' + b"{}," * 340_000 + b"{}]}")

        assert [error["code"] for error in response.json()["errors"]] == ["too_long"]


async def test_an_unknown_field_with_an_endless_name_is_not_echoed() -> None:
    """The pointer names its parent instead."""
    async with running() as api:
        response = await api.post("/orders", {**ARTICLE, "x" * 100_000: 1})

        assert response.json()["errors"][0]["pointer"] == ""
        assert len(response.content) < 1000


def padded(size: int) -> bytes:
    """The article's order, as a body of exactly so many bytes."""
    head = b'{"currency":"USD","items":[{"sku":"S","quantity":1,"price":1}]'
    return head + b" " * (size - len(head) - 1) + b"}"


async def in_pieces(content: bytes, size: int, taken: list[int]) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        taken.append(start)
        yield content[start : start + size]


async def test_a_body_of_a_mebibyte_is_taken_and_a_byte_more_is_not() -> None:
    """The bound is 1 MiB, to the byte."""
    async with running() as api:
        assert (await api.send(padded(BODY_BYTES_MAX))).status_code == 202
        refused = await api.send(padded(BODY_BYTES_MAX + 1))

        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
        assert refused.headers["connection"] == "close"
        assert len(await api.stored()) == 1


@pytest.mark.parametrize("declared", [None, "10", str(BODY_BYTES_MAX)])
async def test_a_body_without_end_is_refused_while_it_arrives(declared: str | None) -> None:
    """Chunked, or under a Content-Length that lies: no more is read than the bound and one piece."""
    taken: list[int] = []
    async with running() as api:
        lie = {} if declared is None else {"Content_Length": declared}
        response = await api.send(in_pieces(b" " * (8 * BODY_BYTES_MAX), 65_536, taken), **lie)

        assert response.status_code == 413
        assert await api.stored() == []
        assert not response.json().get("errors")


async def test_nothing_is_read_past_the_bound() -> None:
    """The server is asked for seventeen pieces of 64 KiB and never for the eighteenth."""
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer writer-secret"), (b"content-type", b"application/json")]
    async with running() as api:
        scope = {"type": "http", "method": "POST", "path": "/orders", "headers": headers, "query_string": b""}
        await api.app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send)

        assert sent[0]["status"] == 413
        assert asked == 17


@pytest.mark.parametrize("declared", [str(BODY_BYTES_MAX + 1), "9" * 5000, "-1", "1e3", "0x10"])
async def test_a_length_that_cannot_be_accepted_is_refused_before_anything_is_read(declared: str) -> None:
    """The first byte is never asked for."""

    async def receive() -> dict[str, Any]:
        pytest.fail("the body was read")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 413

    headers = [(b"authorization", b"Bearer writer-secret"), (b"content-length", declared.encode())]
    async with running() as api:
        scope = {"type": "http", "method": "POST", "path": "/orders", "headers": headers, "query_string": b""}
        await api.app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send)


async def test_a_body_that_never_ends_arriving_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client does not hold a connection for ever."""
    monkeypatch.setattr(body_module, "BODY_TIMEOUT_S", 0.0)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep_forever()

    async with running() as api:
        response = await api.send(stuck())

        assert (response.status_code, response.json()["code"]) == (408, "body_timeout")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": ""},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "application/json; charset=utf-16"},
        {"Content_Encoding": "gzip"},
    ],
)
async def test_only_plain_json_in_utf_8_is_read(headers: dict[str, str]) -> None:
    """415 for everything else, also for compressed bodies, whose size nobody knows."""
    async with running() as api:
        response = await api.send(padded(100), **headers)

        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
        assert await api.stored() == []


async def test_a_charset_that_is_true_does_no_harm() -> None:
    """Many clients send it."""
    async with running() as api:
        assert (await api.send(padded(100), Content_Type='application/json; charset="UTF-8"')).status_code == 202


@pytest.mark.parametrize("key", ["4242424242424242", "card-4242-4242-4242-4242", "cvv-123"])
async def test_card_data_in_a_key_or_a_query_is_refused_and_in_a_request_id_replaced(key: str) -> None:
    """None of them is stored in the clear, but each may end in somebody's log."""
    async with running() as api:
        placed = await api.post("/orders", ARTICLE, Idempotency_Key=key)
        asked = await api.get(f"/orders?customerId={key}")
        named = await api.post("/orders", ARTICLE, X_Request_Id=key)

        for refused in (placed, asked):
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_parameter")
            assert key not in refused.text
        assert named.status_code == 202
        assert named.headers["x-request-id"] != key
        assert len(await api.stored()) == 1
