"""What passes at a glance is what a close look lets pass."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orderstore.privacy.scanner import Scanner, is_harmless, kinds_in

CARD = "4242424242424242"
PIECES = (
    CARD,
    "4242 4242 4242 4242",
    "4242-4242/4242-4242",
    "5555555555554444",
    "424242424242",
    "4o42O4",
    "cvv",
    "CVC2: ",
    "Security Code",
    "number",
    "cid",
    "123",
    "7",
    "@",
    "jane@example.com",
    "example.com",
    "%34%32",
    "%2542",
    "\\u0034",
    "\u0664\u0662",
    "\uff14\uff12",
    "\u00e9",
    " ",
    "-",
    ".",
    ", ",
    "{",
    "[",
    '"',
    "}",
    "]",
    ":",
    "e",
    "HANGING T-LIGHT HOLDER",
    base64.b64encode(CARD.encode()).decode(),
    base64.b64encode(b"cvv 123").decode(),
    base64.urlsafe_b64encode(b"jane@example.com").decode(),
)
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)


@given(text=texts, identifier=st.booleans())
@example(text=CARD, identifier=True)
@example(text="4242 4242 4242 4242", identifier=False)
@example(text="4OOO OOOO OOOO OOO2", identifier=False)
@example(text="jane@example.com", identifier=False)
@example(text="%34242424242424242", identifier=False)
@example(text="\u0664" * 4, identifier=False)
@example(text="cid 1234", identifier=False)
@example(text=base64.b64encode(b"write to jane@example.com").decode(), identifier=False)
def test_at_a_glance_nothing_passes_that_a_close_look_finds(text: str, *, identifier: bool) -> None:
    """A scanner of one's own always looks closely."""
    assert kinds_in(text, identifier=identifier) == kinds_in(text, Scanner(), identifier=identifier)


@pytest.mark.parametrize(
    "text", ["", "85123A", "HANGING T-LIGHT HOLDER", "PO-7781", "C-1001", "United Kingdom", "SET OF 6"]
)
def test_what_orders_say_passes_at_a_glance(text: str) -> None:
    """Or nothing would be saved."""
    assert is_harmless(text)
