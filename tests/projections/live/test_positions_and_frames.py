"""Ids that clients hold, and what is sent: exact, bounded, and refused when they are not ours."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.live import frames, positions
from projections.live.positions import NotAPosition

ORDERS = st.dictionaries(st.uuids().map(str), st.integers(0, 999_999_999), max_size=20)


@given(customer=st.text(min_size=1, max_size=40), notes=st.integers(0, 10**12 - 1), orders=ORDERS)
def test_an_id_says_where_the_client_was(customer: str, notes: int, orders: dict[str, int]) -> None:
    """As it was written; it fits a header, and nobody else's stream."""
    text = positions.encode(customer, notes, orders)

    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= positions.POSITION_CHARACTERS_MAX
    position = positions.decode(customer, text)
    assert position.notes == notes
    assert {order_id: position.of(order_id) for order_id in orders} == orders
    with pytest.raises(NotAPosition):
        positions.decode(customer + "x", text)


@given(text=st.text(max_size=60))
def test_whatever_is_not_an_id_is_refused(text: str) -> None:
    """And nothing else comes out of it."""
    with pytest.raises(NotAPosition):
        positions.decode("C-1", text)


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "01", "1.0", "1e3", "1\n", "\u0661", "0x1", "9999999999", "null", "1 "]
)
def test_a_commits_number_is_written_in_one_way(text: str) -> None:
    """A browser sends back what it was given, and nothing else is meant."""
    with pytest.raises(NotAPosition):
        positions.parse_commit(text)
    assert [positions.parse_commit(good) for good in ("0", "1", "999999999")] == [0, 1, 999_999_999]


@pytest.mark.parametrize("hostile", ["a\nb", "a\r\nid: 7", "\u2028", "data: x\n\nevent: end", "\x00", "\ud83d\ude00"])
def test_no_text_can_end_an_event_or_begin_another(hostile: str) -> None:
    """JSON has no line ends of its own."""
    try:
        hostile.encode()
    except UnicodeEncodeError:
        hostile = hostile.encode("utf-16", "surrogatepass").decode("utf-16")
    sent = frames.event("status", {"text": hostile}, id_="7").sent

    assert sent.count(b"\n") == 4
    assert b"\r" not in sent
    *fields, _, _ = sent.split(b"\n")
    assert fields[:2] == [b"id: 7", b"event: status"]
    assert orjson.loads(fields[2].removeprefix(b"data: ")) == {"text": hostile}
