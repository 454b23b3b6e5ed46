"""Bodies that mean no good, at every operation that takes one: refused in words, nothing written, the process unharmed."""

import gzip
import json
import zlib
from decimal import Decimal
from typing import Any

import pytest
import zstandard

from orderstore.requests import BODY_BYTES_MAX
from tests.bad_input.http_door import ORDER, is_problem, untouched
from tests.projections.http.api import ADMIN, Api, bearer
from tests.projections.http.whole_api import WholeApi, running_whole

pytestmark = pytest.mark.thorough

BOMB_BYTES = 64 * 1024 * 1024
DEEP = 100_000
LINE = {"sku": "S", "quantity": 1, "price": 1}


def paths(whole: WholeApi) -> list[tuple[str, str]]:
    """Every operation with a JSON body, for things that are there."""
    known = whole.known
    order, hook, letters = f"/orders/{known.placed}", f"/webhooks/endpoints/{known.endpoint}", "/dead-letters/payment"
    return [
        *(("POST", path) for path in ("/orders", f"{order}/cancel", f"{order}/refunds", f"{order}/holds")),
        ("POST", f"/orders/{known.held}/holds/review-4711/release"),
        ("POST", "/webhooks/endpoints"),
        ("PATCH", hook),
        *(("POST", f"{hook}/{verb}") for verb in ("enable", "disable", "remove", "rotate", "replay")),
        ("POST", f"{hook}/deliveries/{known.event}/redeliver"),
        *(("POST", f"{letters}/{verb}") for verb in ("redrive", "purge", f"{known.letter}/correct")),
    ]


async def sent(api: Api, method: str, path: str, content: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    known = {"Content-Type": "application/json", **bearer(ADMIN), **named}
    return await api.client.request(method, path, content=content, headers=known)


async def created(api: Api, placed: Any) -> Any:
    """What the log says that was ordered."""
    assert placed.status_code == 202, placed.text
    events = await api.client.get(f"{placed.headers['location']}/events", headers=bearer(ADMIN))
    return events.json()["items"][0]["data"]


def packed(name: str) -> bytes:
    """64 MiB of spaces around an order, in a few kilobytes."""
    bomb = ORDER[:-1] + b" " * BOMB_BYTES + b"}"
    if name == "gzip":
        return gzip.compress(bomb, compresslevel=1)
    return zlib.compress(bomb, 1) if name == "deflate" else zstandard.compress(bomb)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br", "GZIP", "identity, gzip", "x-gzip"])
async def test_a_compressed_body_is_never_unpacked(encoding: str) -> None:
    """Nobody knows how much it is: a few kilobytes are 64 MiB, and any body of any operation could be so."""
    bomb = packed(encoding) if encoding in ("gzip", "deflate", "zstd") else gzip.compress(ORDER)
    assert len(bomb) < BODY_BYTES_MAX
    async with running_whole() as whole, untouched(whole):
        for method, path in paths(whole):
            is_problem(
                await sent(whole.api, method, path, bomb, Content_Encoding=encoding), 415, "unsupported_media_type"
            )


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
async def test_a_compressed_body_that_does_not_say_so_is_no_json(encoding: str) -> None:
    """Nothing is guessed from the bytes."""
    async with running_whole() as whole, untouched(whole):
        is_problem(await sent(whole.api, "POST", "/orders", packed(encoding)), 400, "not_json")


UTF_16 = ORDER.decode()
NOT_JSON: list[tuple[str, bytes]] = [
    ("deep lists", b"[" * DEEP + b"]" * DEEP),
    ("deep objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    (
        "a deep price",
        b'{"currency":"USD","items":[{"sku":"S","quantity":1,"price":' + b"[" * DEEP + b"]" * DEEP + b"}]}",
    ),
    ("NaN", ORDER.replace(b'"price":1', b'"price":NaN')),
    ("-Infinity", ORDER.replace(b'"quantity":1', b'"quantity":-Infinity')),
    ("10 to the 5000th", ORDER.replace(b'"quantity":1', b'"quantity":1' + b"0" * 5000)),
    ("beyond every exponent", ORDER.replace(b'"price":1', b'"price":1e99999999999999999999')),
    ("hexadecimal", ORDER.replace(b'"price":1', b'"price":0x1')),
    ("a leading zero", ORDER.replace(b'"price":1', b'"price":01')),
    ("a comma too many", ORDER.replace(b'"price":1', b'"price":1,')),
    ("a comment", ORDER + b"// paid"),
    ("single quotes", ORDER.replace(b'"', b"'")),
    ("a key twice", ORDER.replace(b'"price":1', b'"price":100,"price":1')),
    ("a key twice, once escaped", ORDER.replace(b'"price":1', b'"price":100,"pri\\u0063e":1')),
    ("a key twice, deep in a field nobody reads", b'{"x":[{"y":{"a":1,"a":2}}]}'),
    ("two documents", ORDER + ORDER),
    ("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + ORDER),
    ("UTF-16 with a byte order mark", UTF_16.encode("utf-16")),
    ("UTF-16", UTF_16.encode("utf-16-le")),
    ("UTF-32", UTF_16.encode("utf-32")),
    ("Latin-1", ORDER.replace(b'"S"', b'"caf\xe9"')),
    ("an overlong slash", ORDER.replace(b'"S"', b'"\xc0\xaf"')),
    ("an overlong NUL", ORDER.replace(b'"S"', b'"\xc0\x80"')),
    ("a surrogate in UTF-8", ORDER.replace(b'"S"', b'"\xed\xa0\x80"')),
    ("beyond Unicode", ORDER.replace(b'"S"', b'"\xf4\x90\x80\x80"')),
    ("a bare NUL", ORDER.replace(b'"S"', b'"\x00"')),
    ("a bare newline in a text", ORDER.replace(b'"S"', b'"\n"')),
    ("NULs behind it", ORDER + b"\x00" * 8),
]


@pytest.mark.parametrize("content", [entry[1] for entry in NOT_JSON], ids=[entry[0] for entry in NOT_JSON])
async def test_what_two_readers_could_understand_in_two_ways_is_refused(content: bytes) -> None:
    """At every operation that takes a body, before a field of it is looked at."""
    async with running_whole() as whole, untouched(whole):
        for method, path in paths(whole):
            answer = await sent(whole.api, method, path, content)
            is_problem(answer, 400, "not_json")
            assert len(answer.content) < 1_000
            assert "set_int_max_str_digits" not in answer.text


def order(**changes: Any) -> dict[str, Any]:
    return {"currency": "USD", "items": [LINE], **changes}


def line(**changes: Any) -> dict[str, Any]:
    return order(items=[LINE, {**LINE, **changes}])


TRICKS = {
    "a lone surrogate": "A\ud800B",
    "NUL": "A\x00B",
    "escape": "A\x1b[2JB",
    "right-to-left override": "A\u202eB",
    "bidi isolate": "A\u2066B\u2069",
    "zero-width space": "A\u200bB",
    "zero-width joiner": "A\u200dB",
    "byte order mark": "A\ufeffB",
    "soft hyphen": "A\u00adB",
    "line separator": "A\u2028B",
    "no-break space": "A\u00a0B",
    "private use": "A\ue000B",
    "tag": "A\U000e0041B",
    "not a character": "A\ufffeB",
    "only spaces": "   ",
}


@pytest.mark.parametrize("text", TRICKS.values(), ids=TRICKS)
async def test_what_nobody_can_see_stands_in_no_name(text: str) -> None:
    """Two names that look alike would be two; a text that turns its direction reads as another."""
    async with running_whole() as whole, untouched(whole):
        for field in ("reference", "customerId"):
            answer = await sent(whole.api, "POST", "/orders", json.dumps(order(**{field: text})).encode())
            is_problem(answer, 422, "invalid")
            assert answer.json()["errors"][0]["pointer"] == f"/{field}"
        for document in (line(sku=text), *([line(description=text), order(customerName=text)] if text.strip() else [])):
            is_problem(await sent(whole.api, "POST", "/orders", json.dumps(document).encode()), 422, "invalid")


async def test_forms_of_one_letter_are_names_of_their_own_and_come_back_as_they_were_sent() -> None:
    """Composed, decomposed, wide, Cyrillic: none is turned into another, neither in an order nor in a list."""
    forms = ["caf\u00e9", "cafe\u0301", "\uff23afe", "\u0441afe", "\ufb01", "K", "\u212a"]
    async with running_whole() as whole:
        api = whole.api
        for form in forms:
            asked = order(customerId=form, items=[{**LINE, "sku": form}])
            shown = await created(api, await sent(api, "POST", "/orders", json.dumps(asked).encode()))
            assert (shown["customerId"], shown["items"][0]["sku"]) == (form, form)
        for form in forms:
            listed = await api.client.get("/orders", params={"customerId": form}, headers=bearer(ADMIN))
            assert [item["customerId"] for item in listed.json()["items"]] == [form]


NUMBERS: list[tuple[str, bytes]] = [
    ("a price of 1e999", b'"price":1e999'),
    ("a price of 1e-999", b'"price":1e-999'),
    ("a price of half a million digits", b'"price":0.' + b"1" * 500_000),
    ("a negative price", b'"price":-0.01'),
    ("a price that is true", b'"price":true'),
    ("a price in Arabic digits", '"price":"١٢"'.encode()),
    ("a price with an underscore", b'"price":"1_0"'),
    ("a price with spaces", b'"price":" 1 "'),
    ("a price that is NaN as text", b'"price":"NaN"'),
]


@pytest.mark.parametrize("price", [entry[1] for entry in NUMBERS], ids=[entry[0] for entry in NUMBERS])
async def test_a_number_that_is_no_price_is_named(price: bytes) -> None:
    """422 with a pointer, and the number is not repeated."""
    async with running_whole() as whole, untouched(whole):
        answer = await sent(whole.api, "POST", "/orders", ORDER.replace(b'"price":1', price))
        is_problem(answer, 422, "invalid")
        assert {error["pointer"] for error in answer.json()["errors"]} == {"/items/0/price"}
        assert len(answer.content) < 1_000


@pytest.mark.parametrize("price", [b"-0", b"-0.0", b'"-0.00"', b"0e999999999", b"0E+99999999"])
async def test_nothing_is_nothing_however_it_is_written(price: bytes) -> None:
    """Minus zero and zero times any power are a price of zero, and are kept as one; beside them something must cost something."""
    free = ORDER.replace(b'"price":1', b'"price":' + price).replace(b"}]", b'},{"sku":"T","quantity":1,"price":1}]')
    async with running_whole() as whole:
        placed = await sent(whole.api, "POST", "/orders", free)
        assert (await created(whole.api, placed))["items"][0]["price"] in ("0", "0.0", "0.00")
        view = await whole.api.client.get(placed.headers["location"], headers=bearer(ADMIN))
        assert view.json()["total"] == "1.00"


async def test_a_power_of_ten_is_a_price_like_another() -> None:
    """1E+3 is a thousand, and is kept and shown as one."""
    async with running_whole() as whole:
        for price in (b"1E+3", b'"1e3"', b"0.1e4"):
            placed = await sent(whole.api, "POST", "/orders", ORDER.replace(b'"price":1', b'"price":' + price))
            assert Decimal((await created(whole.api, placed))["items"][0]["price"]) == 1000
            view = await whole.api.client.get(placed.headers["location"], headers=bearer(ADMIN))
            assert view.json()["total"] == "1000.00"


@pytest.mark.parametrize("whole_number", [b"2.0", b"2e0", b"0.2e1", b"20E-1"])
async def test_a_whole_number_may_be_written_with_a_point(whole_number: bytes) -> None:
    """JSON has one kind of number, and JSON Schema calls 2.0 an integer."""
    async with running_whole() as whole:
        placed = await sent(whole.api, "POST", "/orders", ORDER.replace(b'"quantity":1', b'"quantity":' + whole_number))
        assert (await created(whole.api, placed))["items"][0]["quantity"] == 2


@pytest.mark.parametrize(
    "quantity", [b"2.5", b"1e999999999", b"true", b'"2"', b"null", b"0.0", b"-1.0", b"1e7", b"[2]"]
)
async def test_a_quantity_is_a_whole_number_within_its_bounds(quantity: bytes) -> None:
    """An endless power of ten is not worked out to see that it is too much."""
    async with running_whole() as whole, untouched(whole):
        is_problem(
            await sent(whole.api, "POST", "/orders", ORDER.replace(b'"quantity":1', b'"quantity":' + quantity)),
            422,
            "invalid",
        )


async def test_a_total_may_be_as_large_as_an_order_may() -> None:
    """The bound of one price is none of their sum: a client that says what it believes to owe is not refused for it."""  # E007
    line = {"sku": "S", "quantity": 3, "price": 9_999_999}
    async with running_whole() as whole:
        for total, status in ((29_999_997, 202), ("29999997.00", 202), (29_999_998, 422), (10**16, 422), (True, 422)):
            answer = await sent(whole.api, "POST", "/orders", json.dumps(order(items=[line], total=total)).encode())
            assert answer.status_code == status, total


@pytest.mark.parametrize(
    "moment",
    [0, 1_780_000_000, "1780000000", "2026-03-01", "2026-03-01T12:00Z", "now", True, [], "2026-02-30T12:00:00Z"],
)
async def test_a_time_is_written_as_one(moment: Any) -> None:
    """A number is no time, though a parser would make it one: seconds, or milliseconds, since 1970, as it likes."""
    async with running_whole() as whole, untouched(whole):
        is_problem(
            await sent(whole.api, "POST", "/orders", json.dumps(order(placedAt=moment)).encode()), 422, "invalid"
        )
        asked = {"from": moment, "to": "2040-01-01T00:00:00Z", "dryRun": True}
        replay = f"/webhooks/endpoints/{whole.known.endpoint}/replay"
        is_problem(await sent(whole.api, "POST", replay, json.dumps(asked).encode()), 422, "invalid")


@pytest.mark.parametrize(
    ("verb", "document"),
    [
        ("purge", {"confirm": True, "reason": "r"}),
        ("purge", {"confirm": "1", "reason": "r"}),
        ("purge", {"letters": {"olderThanS": False}}),
        ("purge", {"letters": {"olderThanS": "0"}}),
        ("redrive", {"dryRun": "yes"}),
        ("redrive", {"dryRun": 0, "reason": "r"}),
        ("redrive", {"max": True, "reason": "r"}),
        ("redrive", {"rate": "20", "reason": "r"}),
        ("redrive", {"evenIfMovedOn": "on", "reason": "r"}),
    ],
)
async def test_yes_is_no_number_and_a_number_no_text(verb: str, document: dict[str, Any]) -> None:
    """`"confirm": true` would have deleted the one letter that there is."""
    async with running_whole() as whole, untouched(whole):
        is_problem(
            await sent(whole.api, "POST", f"/dead-letters/payment/{verb}", json.dumps(document).encode()),
            422,
            "invalid",
        )


async def test_many_keys_and_many_errors_cost_little() -> None:
    """A megabyte of fields that do not exist: the first hundred are named, in some thousands of bytes."""
    fields = ",".join(f'"f{number}":1' for number in range(80_000)).encode()
    async with running_whole() as whole, untouched(whole):
        answer = await sent(whole.api, "POST", "/orders", b"{" + fields + b"}")
        is_problem(answer, 422, "invalid")
        assert len(answer.content) < 20_000
