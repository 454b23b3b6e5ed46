"""What breaking into the decoders has found at the edges: messages, answers, rows, files, settings."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
import typer
import zstandard

from tests.bad_input.of_files import _stock
from tests.bad_input.of_messages import bus_events, envelopes, message, reports
from tests.bad_input.of_payments import INTENT, _asked_stripe
from tests.bad_input.of_settings import _tokens
from workers.archive.hint import hint_of
from workers.envelope import MalformedMessage, parse_envelope
from workers.intake.bulk.messages import read_created
from workers.intake.queue.envelope import read_event
from workers.inventory import reservation
from workers.notification.feedback import parse_feedback
from workers.payment.gateway import GatewayTimeout, GatewayUnavailable
from workers.privacy_places import _Unpacked
from workers.settings import SettingsError
from workers.tables.attributes import decode_item
from workers.tables.errors import RowUnreadable
from workers.webhooks.handler import announced_of

DEEP = "[" * 100_000 + "]" * 100_000
SKIPPABLE = b"\x50\x2a\x4d\x18\xff\xff\xff\xff"


def test_leaves_are_lists_of_leaves() -> None:
    """A part whose name is a number, a leaf whose order is a list: no error of another kind."""
    from orderstore.audit.leaves import LeavesWrong
    from tests.bad_input.of_proofs import _leaves_around, _read_forged, _with_part, leaf_lists

    [part] = leaf_lists()[0]["parts"]
    for wrong in ({"first": 5}, {"key": ["x"]}, {"orders": "3"}):
        with pytest.raises(LeavesWrong):
            _read_forged(_leaves_around(orjson.dumps({**leaf_lists()[0], "parts": [{**part, **wrong}]}), {}))
    for line in (b'[["a"],1,"00"]', b'[5,1,"00"]', b"[]"):
        with pytest.raises(LeavesWrong):
            _read_forged(_with_part(zstandard.compress(line + b"\n")))
    with pytest.raises(LeavesWrong):
        _read_forged(_with_part(SKIPPABLE))


def test_an_envelope_that_only_a_lenient_parser_reads_is_poison_to_webhooks() -> None:
    """NaN in a field that nobody needs passes the first look; what is sent on to others is JSON."""
    body = json.dumps({**envelopes()[0], "extra": float("nan")})
    parse_envelope(body)
    with pytest.raises(MalformedMessage):
        announced_of(message(body))


def test_a_hint_with_very_many_digits_is_none() -> None:
    """Its first ten were a number."""
    for digits in ("1000000000999", "0000000001" + "1" * 5_000):
        with pytest.raises(MalformedMessage):
            hint_of(message('{"orderId": "1", "tenant": "main"}', commit=digits))


def test_names_that_cannot_be_stored_are_poison() -> None:
    """A lone surrogate in an event's id, its source, or an object's version: no key and no report can be made of it."""
    request, _, file, _ = bus_events()
    for field in ("id", "source", "detail-type"):
        with pytest.raises(MalformedMessage):
            read_event(json.dumps({**request, field: "\ud800"}))
    file["detail"]["object"]["version-id"] = "\ud800"
    with pytest.raises(MalformedMessage):
        read_created(read_event(json.dumps(file)))


def test_a_complaint_of_no_known_type_is_a_complaint() -> None:
    """Its type may be a list."""
    report = json.loads(json.dumps(reports()[1]))
    report["complaint"]["complaintFeedbackType"] = [{}]
    found = parse_feedback(json.dumps(report))
    assert found is not None
    assert found.suppress == "complaint"


@pytest.mark.parametrize("item", [{"x": {"N": "1.5"}}, {"x": {}}, {"x": None}, {"x": {"SS": ["a"]}}, {"x": {"L": 5}}])
def test_an_attribute_that_this_service_never_writes_is_told_as_such(item: Any) -> None:
    """In the table's words."""
    with pytest.raises(RowUnreadable):
        decode_item(item)


def test_a_reservation_in_an_unknown_state_is_not_taken_for_a_released_one() -> None:
    """What is not known is not acted on; nor are there a billion parts of it."""
    head = {"key": "reservation/r", "state": "reserved", "chunks": 1, "missing": []}
    assert reservation.head_of(head) == head
    for wrong in ({"state": "sold"}, {"chunks": 10**9}, {"chunks": "1"}):
        with pytest.raises(RowUnreadable):
            reservation.head_of({**head, **wrong})


@pytest.mark.parametrize("field", ["id", "amount", "currency", "status", "latest_charge"])
@pytest.mark.parametrize("value", [None, 5, [], {}, "", "\x00"])
def test_nothing_of_a_foreign_answer_gets_into_the_log(field: str, value: Any) -> None:
    """An id that is no text would make the order unreadable for ever: the outcome is not known then, or nothing has happened."""
    body = json.dumps({**INTENT, field: value}).encode()
    try:
        _asked_stripe(("capture", 200, body))  # which asserts that it came to a text
    except (GatewayTimeout, GatewayUnavailable):
        return
    except Exception as error:  # noqa: BLE001 - only the gateway's own
        assert type(error).__module__ == "workers.payment.gateway", error  # noqa: PT017 - any of its classes


@pytest.mark.parametrize("body", [b"5", b"[]", b'"x"', b"\xff\xfe", b"null", b'{"error": "x"}'])
def test_an_answer_that_is_no_object_says_nothing(body: bytes) -> None:
    """Of a question, that nothing has happened; of anything else, that nobody knows."""
    for status in (200, 400, 500):
        with pytest.raises(GatewayUnavailable):
            _asked_stripe(("find", status, body)) if status != 400 else _asked_stripe(("find", 200, body))


def test_a_list_that_does_not_go_on_ends() -> None:
    """Twenty thousand times the same page."""
    page = {"object": "list", "has_more": True, "url": "/v1/x", "data": [INTENT]}
    with pytest.raises(GatewayUnavailable, match="does not go on"):
        _asked_stripe(("payments", 200, json.dumps(page).encode()))


@pytest.mark.parametrize(
    "content",
    [b"sku,quantity\nTEA\xff,5\n", b"sku,quantity\nTEA," + b"9" * 5_000 + b"\n", "sku,quantity\nTEA,٣\n".encode()],
)
def test_a_stock_file_that_is_none_books_nothing(content: bytes) -> None:
    """Not UTF-8, numbers without end, digits that only look like ours."""
    with pytest.raises(typer.Exit) as ended:
        _stock(content)
    assert ended.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [DEEP, '[{"name": "a", "sha256": 1e308, "scopes": ["admin"]}]', '[{"name": "a", "sha256": "b", "scopes": [1]}]'],
)
def test_tokens_that_are_none_are_told_in_the_settings_words(text: str) -> None:
    """The process does not start, and says why."""
    with pytest.raises(SettingsError):
        _tokens(text.encode())


def test_an_object_that_only_begins_like_zstd_is_scanned_as_it_lies() -> None:
    """What cannot be unpacked may still hold a name."""
    content = b"\x28\xb5\x2f\xfd ada@example.com"
    assert b"ada@example.com" in b"".join(_Unpacked()(content))


def test_a_document_that_differs_only_in_being_unreadable_is_different() -> None:
    """A comparison does not end at it."""
    from projections.comparing.differences import _shown
    from tests.bad_input.of_views import _stored, writes

    right = _stored(writes()[0])
    assert _shown(right) != _shown(replace(right, document=b"\x00"))
    assert _shown(right) != _shown(replace(right, document=b"[]"))
