"""Card numbers, security codes and addresses are seen however they are written; real texts are let alone."""

import csv
import gzip
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderstore.privacy import patterns as p
from orderstore.privacy.scanner import IDENTIFIER_DIGITS_MIN, kinds_in
from orderstore.request_fields import check_clear_text, check_identifier
from orderstore.requests import CancelOrder, RequestRefund
from tests.ordering import request
from tests.workers.intake.csv_files import WHOLE_FILE
from workers.notification.channels import Contact
from workers.notification.mail import Mail

CARDS = [
    "4242424242424242",
    "4222222222222",
    "378282246310005",
    "36227206271667",
    "5555555555554444",
    "2223003122003222",
    "6011111111111117",
    "3566002020360505",
    "6200000000000005",
    "4000000000000000006",
]
HIDDEN = [
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "4242.4242.4242.4242",
    "4242/4242/4242/4242",
    "4111:1111:1111:1111",
    "4111,1111,1111,1111",
    "4111; 1111; 1111; 1111",
    "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
    "4*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1",
    "41:11:11:11:11:11:11:11",
    "411~~~11111(:)1111)(1111",
    "4OOO OOOO OOOO OOO2",
    "4242 - 4242 - 4242 - 4242",
    "4242\u00a04242\u00a04242\u00a04242",
    "4242\u20094242\u20114242\u20144242",
    "42\u200b42\u200c42\u200d42\u206042\ufeff42\u00ad42\u034f42",
    "４２４２４２４２４２４２４２４２",
    "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢",
    "४२४२४२४२४२४२४२४२",
    "②②②③ ⓪⓪③① ②②⓪⓪ ③②②②",
    "4️⃣2️⃣4️⃣2️⃣4242 4242 4242",
    "𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐",
    "3782 822463 10005",
    "3782-822463-10005",
    "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
    "card4242424242424242exp12/27",
    "5 4242 4242 4242 4242 12/27",
    "tel 0044 20 7946 0958, card 4242 4242 4242 4242.",
]
CODES = [
    "CVV 123",
    "cvv123",
    "cvc2: 1234",
    "CVV2=999",
    "CVN 123",
    "security code 123",
    "the security code: 1 2 3",
    "my CVV number is 123",
    "cvv (on the back) 123",
    "card verification value 123",
    "verification code is 1234",
    "card code 123",
    "securityCode=999",
    '"cvv":"123"',
    "CID 1234",
    "CSC: 123",
    "ＣＶＶ １２３",
    "C\u200bV\u200bV ١٢٣",
    "123 is my cvv",
]
ENCODED = [
    "4111%201111%201111%201111",
    "4111%2D1111%2D1111%2D1111",
    "4111%25201111%25201111%25201111",
    "x%204111%3A1111%3A1111%3A1111",
    "NDExMSAxMTExIDExMTEgMTExMQ==",
    "4111\\u00201111\\u00201111\\u00201111",
]
INNOCENT = [
    "4242424242424241",  # no check digit
    "2026-11-21 10:42:47",
    "order 123456789012 of 2026",
    "123 456 789",
    "El Cid 12",
    "security code lock, 4 digits",
    "CVV",
    "CVV 12345",
    "acid 123 ml",
    "placid 1234",
    "0000000000000000",
    "1772366400000",
    "9780201379624",
    "SET OF 6 3D PICTURES 12.50 x 4",
    "31.12.2026 - 31.12.2027",
    "3.14159265358979",
    "30.4.2026 - 11.5.2026",
    "room 4OO, oo",
]


def cards(text: str) -> bool:
    return next(p.card_numbers(p.fold(text)), None) is not None


def codes(text: str) -> bool:
    return next(p.security_codes(p.fold(text)), None) is not None


@pytest.mark.parametrize("text", CARDS + HIDDEN)
def test_a_card_number_is_seen_however_it_is_written(text: str) -> None:
    """Every scheme's; in groups, with separators, in any script's digits, with what nobody sees between."""
    assert cards(text)
    assert cards(f"please charge {text} today")


@pytest.mark.parametrize("text", CODES)
def test_a_security_code_is_seen_beside_its_name(text: str) -> None:
    """Three or four digits after (or before) what people call it."""
    assert codes(text)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_alike_is_let_alone(text: str) -> None:
    """Dates, prices, barcodes of books, names."""
    assert not cards(text)
    assert not codes(text)


@given(
    st.sampled_from(CARDS),
    st.sampled_from([" ", "-", ".", "/", ":", ",", "***", " | ", "\u00a0", "\u2013", "\u200b", " - ", ""]),
)
def test_any_separator_between_groups_of_four(card: str, separator: str) -> None:
    """Grouped as on the card, whatever stands between."""
    grouped = separator.join(card[start : start + 4] for start in range(0, len(card), 4))

    assert cards(grouped)


@given(st.text(max_size=300))
def test_any_text_is_judged_and_the_spans_lie_in_it(text: str) -> None:
    """No text makes a pattern fail, and what is found has digits or an @ in it."""
    folded = p.fold(text)
    for start, end in (*p.card_numbers(folded), *p.security_codes(folded)):
        assert any(character.isdigit() for character in folded[start:end])
    for start, end in p.email_addresses(folded):
        assert "@" in folded[start:end]
    assert p.fold(folded) == folded or not text.isascii()


@pytest.mark.parametrize("text", [*HIDDEN, *CODES, *ENCODED])
def test_the_door_refuses_them_in_every_free_text(text: str) -> None:
    """Descriptions, names, countries, notes, reasons, and what an operator types; the answer never repeats the value."""
    line = {"sku": "A", "quantity": 1, "price": 1}
    refusals: list[Callable[[], object]] = [
        lambda: request(items=[{**line, "description": text}]),
        lambda: request(customerName=text),
        lambda: request(country=text),
        lambda: CancelOrder(reason=text),
        lambda: RequestRefund.model_validate({"lines": [{"line": 0, "quantity": 1}], "reason": text}),
    ]
    for refused in refusals:
        with pytest.raises(ValidationError) as error:
            refused()
        assert text not in " ".join(found["msg"] for found in error.value.errors())
    with pytest.raises(ValueError, match=r"card|security|control") as said:
        check_clear_text(text)
    assert text not in str(said.value)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242-4242-4242-4242",
        "x4242424242424242",
        "4111:1111:1111:1111",
        "4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        "cvv 123",
        "CVV:1234",
        *ENCODED,
    ],
)
def test_the_door_refuses_them_in_names_and_keys(text: str) -> None:
    """Customer ids, references, SKUs, receipts and Idempotency-Keys."""
    for changes in ({"customerId": text}, {"reference": text}, {"items": [{"sku": text, "quantity": 1, "price": 1}]}):
        with pytest.raises(ValidationError):
            request(**changes)
    with pytest.raises(ValueError, match="looks like"):
        check_identifier(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"customerEmail": "4242424242424242@mail.example"},
        {"customerEmail": "cvv123@mail.example"},
        {"channel": "a4242424242424242"},
        {"channel": "cvv-123"},
        {"customerId": "ada@mail.example"},
        {"customerId": "ada@email.amazonses.com"},
        {"reference": "for ada@mail.example"},
        {"items": [{"sku": "A", "quantity": 1, "price": 1, "description": "engrave: ada@mail.example"}]},
    ],
)
def test_nothing_that_could_never_be_erased_comes_in(changes: dict[str, object]) -> None:
    """A card number in an address's local part, an e-mail address where the log keeps it in the clear."""
    with pytest.raises(ValidationError):
        request(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"customerId": "CID-1234"},
        {"customerId": "csc 123"},
        {"reference": "4006381333931"},
        {"items": [{"sku": "4006381333931", "quantity": 1, "price": 1, "description": "6 @ 2.50"}]},
        {"customerEmail": "ada.1234@mail.example", "customerName": "Ada 3rd"},
    ],
)
def test_ordinary_names_and_numbers_come_in(changes: dict[str, object]) -> None:
    """Barcodes, customer numbers that begin with CID, prices with an at sign."""
    assert request(**changes)


def test_no_exception_and_no_representation_repeats_what_a_person_sent() -> None:
    """Whatever prints a request, its refusal, a contact or a mail prints nothing personal."""
    secret = "Quackenbush 4242424242424242"
    with pytest.raises(ValidationError) as refused:
        request(customerName=secret, customerEmail="quackenbush at home", reference=secret)
    asked = request(customerName="Quackenbush", customerEmail="quackenbush@mail.example")
    printed = [
        str(refused.value),
        repr(refused.value),
        repr(asked),
        str(asked),
        repr(CancelOrder(reason="Quackenbush fell ill")),
        repr(Contact(email="quackenbush@mail.example", name="Quackenbush")),
        repr(
            Mail(to="quackenbush@mail.example", subject="s", text="Dear Quackenbush", order_id="o", notification_id="n")
        ),
    ]

    assert not [text for text in printed if "quackenbush" in text.casefold() or "4242" in text]


@pytest.mark.real_data
def test_no_real_text_is_refused() -> None:
    """Every description, stock code, customer and country of a year of orders."""
    with gzip.open(WHOLE_FILE, "rt", encoding="utf-8") as rows:
        texts = {
            row[name] for row in csv.DictReader(rows) for name in ("Description", "StockCode", "CustomerID", "Country")
        }
    assert len(texts) > 8_000

    for text in texts:
        folded = p.fold(text)
        assert not cards(text)
        assert not codes(text)
        assert not list(p.email_addresses(folded))
        assert not kinds_in(text)


@pytest.mark.parametrize(
    "key",
    [
        "b18c8632-2266-4668-8665-0967dbc38a39",
        "cf7c6a54-0104-4722-8549-455d4f04f24a",
        "97f143df-3fbe-4790-9433-769826047db1",
        "B5862B7A-4B3E-4062-8706-46322315170C",
    ],
)
def test_a_drawn_key_whose_digits_could_be_a_cards_is_let_in(key: str) -> None:
    """One UUID of some 1,500 holds such digits; a client that draws its Idempotency-Key must not lose the order for it."""
    assert any(p.card_numbers(p.fold(key), digits_min=IDENTIFIER_DIGITS_MIN)), "or the test shows nothing"
    assert check_identifier(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "97f143df-3fbe-4790-9433-769826047db1/1",
        "97f143df-3fbe-4790-9433-769826047db",
        "order 4242424242424242 abcdef",
    ],
)
def test_a_card_number_in_a_key_that_is_no_uuid_is_refused(key: str) -> None:
    """More than a UUID, less than one, or none at all."""
    with pytest.raises(ValueError, match="card number"):
        check_identifier(key)
