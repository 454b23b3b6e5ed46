"""A dead letter keeps everything of the original, and its cause as far as SQS's limits allow."""

import json

from hypothesis import given
from hypothesis import strategies as st

from workers.runtime.deadletter import (
    MORE_ATTRIBUTES,
    ORIGINAL_ID,
    REASON,
    RECEIVE_COUNT,
    dead_letter_attributes,
    message_bytes,
    original_attributes,
    sendable_text,
)
from workers.runtime.queue import MESSAGE_ATTRIBUTES_MAX, MESSAGE_BYTES_MAX, Message

NAMES = st.text(alphabet="abcdefXYZ", min_size=1, max_size=12)


def message(attributes, body="body"):
    return Message(id="m-1", receipt="r", body=body, attributes=attributes, receive_count=2, sent_at_ms=0)


@given(st.dictionaries(NAMES, st.text(alphabet="ab1é", min_size=1, max_size=20), max_size=10), st.text(max_size=3_000))
def test_the_original_attributes_survive_and_the_limit_of_ten_holds(attributes, reason):
    """Whatever the attributes and the reason: at most ten, all sendable, and the originals can be had back."""
    letter = dead_letter_attributes(message(attributes), reason)
    assert len(letter) <= MESSAGE_ATTRIBUTES_MAX
    assert original_attributes(letter) == attributes
    assert (letter[ORIGINAL_ID], letter[RECEIVE_COUNT]) == ("m-1", "2")
    assert all(value != "" and sendable_text(value) == value for value in letter.values())


@given(st.dictionaries(NAMES, st.text(alphabet="ab", min_size=1, max_size=5), max_size=10))
def test_a_redriven_letter_that_dies_again_keeps_the_first_id_and_gains_nothing(attributes):
    """Twice dead: the id is the first message's, the cause is the newest, and attributes do not pile up."""
    once = dead_letter_attributes(message(attributes), "first")
    twice = dead_letter_attributes(
        Message(id="m-2", receipt="r", body="body", attributes=once, receive_count=3, sent_at_ms=0), "second"
    )
    assert twice[ORIGINAL_ID] == "m-1"
    assert (twice[REASON], twice[RECEIVE_COUNT]) == ("second", "3")
    assert original_attributes(twice) == attributes
    assert len(twice) == len(once)


def test_ten_attributes_are_packed_into_one():
    """Seven places are left beside the cause: six attributes of their own, the rest as JSON."""
    attributes = {f"a{number}": str(number) for number in range(10)}
    letter = dead_letter_attributes(message(attributes), "why")
    assert len(letter) == MESSAGE_ATTRIBUTES_MAX
    assert json.loads(letter[MORE_ATTRIBUTES]) == {"a6": "6", "a7": "7", "a8": "8", "a9": "9"}


def test_a_message_that_fills_the_limit_gets_no_cause():
    """A byte of the body is worth more than a cause."""
    full = "x" * MESSAGE_BYTES_MAX
    assert dead_letter_attributes(message({}, body=full), "why") == {}
    nearly = "x" * (MESSAGE_BYTES_MAX - 60)
    letter = dead_letter_attributes(message({}, body=nearly), "why")
    assert ORIGINAL_ID in letter
    assert message_bytes(nearly, letter) <= MESSAGE_BYTES_MAX


def test_characters_that_sqs_refuses_are_replaced():
    """Control characters and lone surrogates become U+FFFD; tabs, line ends and emoji stay."""
    assert sendable_text("a\x00b\ud800c\ufffe\t\r\n😀") == "a\ufffdb\ufffdc\ufffd\t\r\n😀"


def test_an_empty_reason_has_a_name():
    """SQS refuses empty attribute values."""
    assert dead_letter_attributes(message({}), "")[REASON] == "unknown"
