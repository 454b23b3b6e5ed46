"""The door's words: they are shown to people and compared by nobody, but they are the same at every way in, and they say what is wrong."""

from decimal import Decimal
from typing import Any

import pytest

from orderstore.orders import CustomerErased, HooksRefused, KeyReused
from orderstore.refusals import RequestRefused, parsed, refusal_of, validated
from orderstore.requests import BODY_BYTES_MAX, LINES_MAX, PlaceOrder
from orderstore.store.errors import CommitTooLarge, Throttled

ITEM = {"sku": "TEA", "quantity": 1, "price": "1"}
ORDER: dict[str, Any] = {"items": [ITEM], "currency": "EUR"}


@pytest.mark.parametrize(
    ("document", "pointer", "detail"),
    [
        ({"items": [ITEM]}, "/currency", "this field is required"),
        ({**ORDER, "colour": 1}, "/colour", "there is no such field"),
        ([], "", "this must be a JSON object"),
        ({**ORDER, "items": {}}, "/items", "this must be a list"),
        ({**ORDER, "items": []}, "/items", "its length is at least 1"),
        ({**ORDER, "items": [ITEM] * (LINES_MAX + 1)}, "/items", f"its length is at most {LINES_MAX}"),
        ({**ORDER, "items": [{**ITEM, "quantity": 0}]}, "/items/0/quantity", "at least 1"),
        ({**ORDER, "items": [{**ITEM, "quantity": 10**7}]}, "/items/0/quantity", "at most 1000000"),
        ({**ORDER, "items": [{**ITEM, "price": Decimal(10**28)}]}, "/items/0/price", "at most 10000000"),
        ({**ORDER, "currency": "XXX"}, "/currency", "not an ISO 4217 currency that this service trades in"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(document: object, pointer: str, detail: str) -> None:
    """A pointer to the field, and the limit where it is one."""  # B02
    with pytest.raises(RequestRefused) as raised:
        validated(PlaceOrder, document)

    assert [(reason.pointer, reason.detail) for reason in raised.value.refusal.reasons] == [(pointer, detail)]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"\xff", "not_json", "the body is not UTF-8"),
        (b"{", "not_json", "Expecting"),
        (b'{"a": 1, "a": 2}', "not_json", "twice"),
        (b"1e99999999999999999999", "not_json", "number"),
        (b" " * (BODY_BYTES_MAX + 1), "body_too_large", f"at most {BODY_BYTES_MAX} bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_before_it_is_looked_at(body: bytes, code: str, says: str) -> None:
    """Its size before anything else."""
    with pytest.raises(RequestRefused) as raised:
        parsed(body)

    assert raised.value.refusal.code == code
    assert says in raised.value.refusal.detail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HooksRefused("hooks"), "hooks_refused"),
        (KeyReused("reused"), "idempotency_key_reused"),
        (CustomerErased("erased"), "customer_erased"),
        (CommitTooLarge(stream="s", number=1, body_bytes=2, body_bytes_max=1), "body_too_large"),
    ],
)
def test_the_door_s_refusals_are_answers(error: Exception, code: str) -> None:
    """Each by its code."""
    refusal = refusal_of(error)

    assert refusal is not None
    assert refusal.code == code


def test_trouble_is_no_refusal() -> None:
    """It may pass, so nobody is told no."""
    assert refusal_of(Throttled("PutItem", tries=1)) is None
    assert refusal_of(ValueError("a bug")) is None
