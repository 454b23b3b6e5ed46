"""The door's schema: exact prices, every bound, and an answer for every field."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from orderstore.requests import LINES_MAX, PlaceOrder
from orderstore.strict_json import parse
from tests.ordering import request


def with_price(text: str) -> PlaceOrder:
    body = b'{"currency":"GBP","items":[{"sku":"A","quantity":3,"price":' + text.encode() + b"}]}"
    return request(body)


@pytest.mark.parametrize(
    ("text", "exact"),
    [("0.1", "0.1"), ('"0.1"', "0.1"), ("850", "850"), ("0.015", "0.015"), ("1e2", "1E+2"), ('"2.10"', "2.10")],
)
def test_a_price_is_what_was_written(text: str, exact: str) -> None:
    """JSON number or decimal string, it never passes through binary floating point."""
    assert str(with_price(text).items[0].price) == exact


def test_three_times_a_tenth_is_three_tenths() -> None:
    """The classic that floats get wrong."""
    assert with_price("0.1").total_exact == Decimal("0.3")


@pytest.mark.parametrize(
    "text", ["-1", "NaN", "Infinity", "1e999", "true", "null", '"abc"', '""', "0.0000001", "10000001", "[]", "{}"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    """Negative, not finite, too fine, too large, or no number at all."""
    with pytest.raises((ValidationError, ValueError)):
        with_price(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [{"sku": "A", "quantity": 1, "price": 1}] * (LINES_MAX + 1)},
        {"items": [{"sku": "A", "quantity": 0, "price": 1}]},
        {"items": [{"sku": "A", "quantity": 1.0, "price": 1}]},
        {"items": [{"sku": "A", "quantity": "1", "price": 1}]},
        {"items": [{"sku": "", "quantity": 1, "price": 1}]},
        {"items": [{"sku": "A\n", "quantity": 1, "price": 1}]},
        {"items": [{"sku": "x" * 65, "quantity": 1, "price": 1}]},
        {"items": [{"sku": "A", "quantity": 1, "price": 0}]},
        {"items": [{"sku": "A", "quantity": 1, "price": 1, "extra": 1}]},
        {"items": [{"sku": "4242 4242 4242 4242", "quantity": 1, "price": 1}]},
        {"items": [{"sku": "A", "quantity": 1, "price": 1, "description": "card 4242-4242-4242-4242"}]},
        {"currency": "ABC"},
        {"currency": "gbp"},
        {"customerEmail": "not an address"},
        {"channel": "Not A Channel"},
        {"placedAt": "2026-01-01T10:00:00"},
        {"total": 901},
        {"placedAt": "0001-01-01T00:00:00+14:00"},
        {"placedAt": "9999-12-31T23:59:59-14:00"},
        {"reference": "4242424242424242"},
        {"items": [{"sku": "A", "quantity": 1, "price": "1_0"}]},
        {"items": [{"sku": "A", "quantity": 1, "price": "٣"}]},
        {"simulateTechnicalFailure": "everything"},
    ],
)
def test_what_the_schema_does_not_allow_is_refused(changes) -> None:
    """Unknown fields, empty or unbounded values, card numbers in any text."""  # B02, D31, domain 5.5 (15)
    with pytest.raises(ValidationError):
        request(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"items": [{"sku": "A", "quantity": 1, "price": 1}] * LINES_MAX},
        {"items": [{"sku": "A", "quantity": 1, "price": 0}, {"sku": "A", "quantity": 1, "price": "0.01"}]},
        {"items": [{"sku": "BANK CHARGES", "quantity": 1, "price": "15.001"}]},
        {"items": [{"sku": "4242424242424241", "quantity": 1, "price": 1}]},
        {"customerEmail": None},
        {"total": "900.00"},
        {"items": [{"sku": "4006381333931", "quantity": 1, "price": 1}]},
        {"customerId": "17850", "country": "United Kingdom", "reference": "online-retail:536365"},
    ],
)
def test_real_commerce_is_let_in(changes) -> None:
    """Guests, free lines, repeated SKUs, sub-penny prices, fees, very long orders."""
    assert request(**changes).items


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b"{",
        b"",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_is_a_value_error(body: bytes) -> None:
    """Duplicate keys, not-a-numbers, endless nesting, broken bytes, numbers of 5,000 digits."""
    with pytest.raises(ValueError):  # noqa: PT011 - json, unicode and our own errors share this base
        parse(body)
