"""What `audit history` says of an event in its line: what a person asks for, nothing personal, bounded."""

from orderstore.audit.history import shown
from orderstore.domain import events as e
from tests.builders import order_created
from workers.commands.audit.options import BRIEF_MAX, brief


def test_a_refund_says_how_much_why_and_of_how_many_lines() -> None:
    """The reason of whoever asked is what an auditor looks for."""
    refund = e.RefundRequested(
        refund_id="r1",
        amount_minor=2_500,
        reason=e.FreeText(plain="arrived broken"),
        lines=(e.Pieces(line=1, quantity=1),),
    )

    assert brief(shown(refund)) == "amount_minor=2500 reason=arrived broken lines=1"


def test_a_cancellation_says_who_wanted_it_and_in_whose_words() -> None:
    """Reason and note."""
    asked = e.OrderCancellationRequested(reason="customer", note=e.FreeText(plain="ordered twice"))

    assert brief(shown(asked)) == "reason=customer note=ordered twice"


def test_the_line_is_bounded_and_shows_nothing_sealed() -> None:
    """An order with many fields is cut; personal data never stands there, not even as ciphertext."""
    line = brief(shown(order_created(contact=e.SealedText(subject="c", ciphertext="c2VhbGVk"))))

    assert len(line) <= BRIEF_MAX
    assert "c2VhbGVk" not in line
