"""The scanner: what must not be there is found wherever it hides and never repeated; what is nobody's does not drown it."""

import base64
import gzip
import hashlib
import json
import random
import uuid
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orderstore.privacy.scanner import UNPACKED_BYTES_MAX, Finding, Scanner
from orderstore.request_fields import check_clear_text
from orderstore.store import items
from orderstore.store.memory import MemoryEventStore
from tests.ordering import orders_over, request
from tests.orderstore.privacy.shop import EMAIL, NAME, Shop
from tests.virtual_time import run_virtual
from tests.workers.intake.csv_files import WHOLE_FILE
from workers import privacy_places
from workers.import_door import OrdersDoor
from workers.intake.door import sale_key
from workers.intake.online_retail.feed import StagedFile
from workers.privacy_places import in_log, plain_value

CARD = "4242 4242 4242 4242"
WORDS = "Ottoline Featherstonehaugh, née Ωmega"
WRAPPINGS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: f"it was {text}, they said",
    "a field": lambda text: {"a": [{"note": text}]},
    "a field's name": lambda text: {f"for {text}": 1},
    "JSON": lambda text: json.dumps({"body": text}),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"note": text}, ensure_ascii=False)}),
    "bytes": lambda text: text.encode(),
    "zstd": lambda text: zstandard.ZstdCompressor().compress(json.dumps({"note": text}).encode()),
    "base64": lambda text: f"payload {base64.b64encode(text.encode()).decode()} end",
    "base64 of JSON": lambda text: base64.urlsafe_b64encode(json.dumps({"note": text}).encode()).decode(),
    "base64 of zstd": lambda text: base64.b64encode(zstandard.ZstdCompressor().compress(text.encode())).decode(),
    "a URL": lambda text: f"GET /orders?q={quote(text)} 200",
    "broken JSON": lambda text: json.dumps({"note": text})[:-1],
}


def kinds(value: object, **options: Any) -> set[str]:
    return {found.kind for found in Scanner(**options).look("place", value)}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(
    ("text", "kind"), [(CARD, "card number"), ("my CVV is 123", "security code"), (EMAIL, "e-mail address")]
)
def test_it_is_found_in_whatever_it_is_wrapped(wrapping: str, text: str, kind: str) -> None:
    """Nested, compressed, encoded, escaped."""
    assert kinds(WRAPPINGS[wrapping](text)) == {kind}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("shape", [str, str.upper, str.lower], ids=["as it is", "upper", "lower"])
def test_a_canary_is_found_in_whatever_form(wrapping: str, shape: Callable[[str], str]) -> None:
    """Whatever its case, and whatever it is wrapped in."""
    assert kinds(WRAPPINGS[wrapping](shape(WORDS)), canaries=["no such thing", WORDS]) == {"canary 2"}


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_canary_is_found_in_base64_at_any_alignment_and_among_bytes(before: str) -> None:
    """Also where the rest of what was encoded is no text."""
    binary = b"\xff\x00" + before.encode() + WORDS.encode() + b"\xfe\x01\x02"

    for value in (binary, base64.b64encode(binary).decode(), base64.urlsafe_b64encode(binary).decode(), binary.hex()):
        assert kinds(value, canaries=[WORDS]) == {"canary 1"}, value


def test_nothing_that_was_found_is_repeated() -> None:
    """Neither in what is said, nor in the place, when the place itself gives it away."""
    scanner = Scanner(canaries=[WORDS])
    for secret in (CARD, EMAIL, WORDS, "CVV 123"):
        findings = list(scanner.look(f"table t, customer/{secret}", {secret: secret, "body": {"note": f"is {secret}"}}))
        assert findings
        said = json.dumps([[found.place, found.kind, found.detail] for found in findings], ensure_ascii=False)
        assert secret not in said
        assert secret.casefold() not in said.casefold()
        assert "4242" not in said


@pytest.mark.parametrize(
    "key",
    [
        "customer:4111%201111%201111%201111",
        f"customer:{base64.b64encode(CARD.encode()).decode()}",
        quote(EMAIL),
        base64.urlsafe_b64encode(WORDS.encode()).decode(),
        "a1b2c3d4-4242424242424242",
    ],
)
def test_a_place_that_gives_a_value_away_in_another_form_is_shown_as_a_hash(key: str) -> None:
    """Percent-encoded, in base64, in a token: as the thing's key or as an attribute's name; the rest of the place stays."""
    scanner = Scanner(canaries=[WORDS])
    shown = f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    (by_key,) = scanner.look(f"table t, {key}", CARD)
    by_name = [found.place for found in scanner.look("table t, k", {"a": {key: {"note": CARD}}})]

    assert by_key.place == f"table t, {shown}"
    assert f"table t, k.a.{shown}.note" in by_name
    assert key not in "".join(by_name)


def test_what_the_door_lets_in_raises_no_alarm() -> None:
    """SKUs and customers' ids of 13 and 14 digits with a valid check digit, wherever the service writes them; longer ones are found."""
    for identifier in ("4222222222222", "36227206271667", "4222-2222-22222", "CID-1234"):
        assert request(customerId=identifier, items=[{"sku": identifier, "quantity": 1, "price": 1}])
        item = {
            "subject": f"customer:{identifier}",
            "list_key": f"main/customer/{identifier}",
            "key": f"sku/{identifier}",
            "body": json.dumps({"customerId": identifier, "lines": [{"sku": identifier}], "taken": {identifier: 1}}),
        }
        assert kinds(item) == set(), identifier
    assert kinds({"subject": "customer:4242424242424242"}) == {"card number"}
    assert kinds({"note": "4222222222222"}) == {"card number"}


@given(st.text(alphabet="4111 0Oo,.:%2-~x1", min_size=13, max_size=60))
def test_what_a_scan_finds_in_a_free_text_the_door_refuses(text: str) -> None:
    """One function judges for both."""
    if kinds({"note": text}):
        with pytest.raises(ValueError, match=r"looks like|more than"):
            check_clear_text(text)


def test_a_place_is_named_down_to_the_attribute() -> None:
    """Whoever has to remove it finds it."""
    item = {"body": json.dumps({"events": [{"data": {}}, {"data": {"note": CARD}}]}).encode()}

    (found,) = Scanner().look("table p-events, main/order-1/3", item)

    assert found == Finding("table p-events, main/order-1/3.body.events[1].data.note", "card number", "16 digits")


def test_a_field_s_name_gives_its_digits_away() -> None:
    """{"cvv": "123"} has the name and the digits in two places."""
    assert kinds({"cvv": "123"}) == {"security code"}
    assert kinds({"card": {"securityCode": 123}}) == {"security code"}
    assert kinds({"cvv": None, "code": "123", "attempt": 123}) == set()


def test_our_own_address_is_no_finding() -> None:
    """The sender of mails stands in settings and logs."""
    assert kinds({"sender": "Orders@orderstore.example"}, allowed_emails=["orders@orderstore.example"]) == set()
    assert kinds({"sender": "orders@orderstore.example"}) == {"e-mail address"}
    assert kinds({"detail": "010201939f5c-1d2e@eu-west-1.amazonses.com"}) == set(), "the name of a mail"


@given(st.randoms(use_true_random=False))
def test_ids_hashes_and_ciphertexts_are_nobody_s_numbers(rng: random.Random) -> None:
    """Thousands of each, and not one false alarm: an alarm that cries every night is switched off."""
    opaque = {
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "sha256": rng.randbytes(32).hex(),
        "traceparent": f"00-{rng.randbytes(16).hex()}-{rng.randbytes(8).hex()}-01",
        "sealed": "v1." + base64.urlsafe_b64encode(rng.randbytes(rng.randint(28, 200))).decode(),
        "raw": rng.randbytes(64),
        "sequence": str(rng.randrange(10**20, 10**40)),
        "at_ms": rng.randrange(1_500_000_000_000, 2_000_000_000_000),
        "at": "2026-11-21T10:42:47.123Z",
        "duration_ms": rng.random() * 10_000,
        "said": f"took {rng.random() * 100} s",
        "sku": str(rng.randrange(10**12, 10**14)),
        "total": f"{rng.randrange(10**9)}.{rng.randrange(100):02d}",
    }

    assert list(Scanner(canaries=[NAME]).look("place", json.dumps(opaque, default=str))) == []
    assert list(Scanner(canaries=[NAME]).look("place", opaque)) == []


def test_digits_inside_a_hash_are_no_number_and_digits_beside_a_word_are() -> None:
    """Every fiftieth SHA-256 holds a run of 13 digits and more; one in a few thousand would pass for a card's."""
    for token in (
        "ab3f4242424242424242c0ffee12ab34cd56ef78",
        "ch_3M4242424242424242a1B2c3",
        "v1.4242424242424242a1b2c3d4",
    ):
        assert kinds({"hash": token}) == set(), token
    for text in ("card4242424242424242", "4242424242424242x", "PAN=4242424242424242;"):
        assert kinds({"said": text}) == {"card number"}, text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_whatever_it_is_shown_it_comes_to_an_end(value: object) -> None:
    """Nothing that can be stored makes it fail."""
    list(Scanner(canaries=[NAME]).look("place", value))


@pytest.mark.thorough
def test_a_bomb_is_not_unpacked_without_end() -> None:
    """Neither one layer of much, nor many layers of little."""
    value = CARD.encode()
    for _ in range(20):
        value = zstandard.ZstdCompressor().compress(value)
    assert kinds(value) == set()
    assert kinds(zstandard.ZstdCompressor().compress(bytes(3 * UNPACKED_BYTES_MAX))) == set()


@pytest.mark.parametrize("value", ["", "abc"])
def test_a_canary_that_is_in_everything_is_refused(value: str) -> None:
    """It would drown the rest."""
    with pytest.raises(ValueError, match="canary"):
        Scanner(canaries=[value])


def test_an_item_in_dynamodb_s_notation_is_read_whole() -> None:
    """Maps, lists, sets, numbers as they were written."""
    item = {
        "M": {
            "a": {"L": [{"S": "x"}, {"N": "1"}, {"BOOL": True}, {"NULL": True}]},
            "b": {"SS": ["y"]},
            "c": {"B": b"z"},
        }
    }

    assert plain_value(item) == {"a": ["x", "1", True, True], "b": ["y"], "c": b"z"}


@pytest.mark.parametrize("share", [64, pytest.param(1, marks=pytest.mark.thorough)], ids=["small", "as it is"])
def test_a_log_is_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: int) -> None:
    """The line is named; an endless line is read in pieces that overlap."""
    monkeypatch.setattr(privacy_places, "CHUNK_BYTES", privacy_places.CHUNK_BYTES // share)
    monkeypatch.setattr(privacy_places, "WINDOW_BYTES_MAX", privacy_places.WINDOW_BYTES_MAX // share)
    log = tmp_path / "service.log"
    log.write_bytes(
        b'{"event":"fine"}\n{"note":"' + CARD.encode() + b'"}\n' + b"x" * (9_000_000 // share) + EMAIL.encode()
    )

    found = [finding for place, line in in_log(log) for finding in Scanner().look(place, line)]

    assert (found[0].place.split(".")[0], found[0].kind) == ("log service", "card number")
    assert "line 2" in found[0].place
    assert "e-mail address" in {finding.kind for finding in found}


def test_an_order_with_everything_personal_in_it_shows_nothing() -> None:
    """The log as it lies in the table: items with compressed bodies, hashes, sealed texts, keys' names."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        await shop.fulfil(order_id)
        await shop.eraser.erase(shop.asking(order_id))
        scanner = Scanner(canaries=[NAME, EMAIL, "Quackenbush"])
        async for stream in shop.log.streams():
            for commit in await shop.log.read(stream):
                item = {name: plain_value(value) for name, value in items.encode(commit).item.items()}
                assert list(scanner.look(f"events/{stream}", item)) == []
        key = [key async for key in shop.locked_objects.keys("")]
        assert list(scanner.look(key[0], await shop.locked_objects.get(key[0]))) == []

    run_virtual(scenario)


@pytest.mark.real_data
def test_a_real_shop_s_log_raises_no_alarm(staged_year: StagedFile) -> None:
    """A thousand sales from all over the real year as they are stored, and the file itself: not one finding."""

    async def scenario() -> None:
        store = MemoryEventStore()
        door = OrdersDoor(orders_over(store), tenant="main")
        for sale in islice(staged_year.sales(), 0, None, 20):
            await door.place(sale, key=sale_key(sale.invoice))
        scanner = Scanner(canaries=[NAME])
        async for stream in store.streams():
            for commit in await store.read(stream):
                assert list(scanner.look(stream, commit.body)) == []

    run_virtual(scenario)
    scanner = Scanner(canaries=[NAME])
    with gzip.open(WHOLE_FILE, "rt", encoding="utf-8") as lines:
        for line in islice(lines, 0, None, 7):
            assert list(scanner.look("file", line)) == []
