"""Invoices and credit notes: each refund takes its share of the invoice back, once, and the sums meet."""

from functools import partial

import pytest
from hypothesis import given as property_given
from hypothesis import strategies as st

from orderstore.domain import billing, decisions
from orderstore.domain import events as e
from orderstore.domain.next_steps import IssueCreditNote, IssueInvoice, StoreDocument, billing_step
from orderstore.domain.rejections import CommandRejected, UnknownOrder
from orderstore.domain.state import INITIAL, ImpossibleTransition, State, fold
from tests.builders import BOOKED, CAPTURED, DELIVERED, DISPATCHED, NOON, PAID, PAID_AT_ONCE, RESERVED, given

LEFT = (PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED)
LEFT_AND_PAID = (*LEFT, CAPTURED)
ONE_MOUSE = (e.Pieces(line=1, quantity=1),)


def asked(refund_id: str, amount_minor: int = 2_500, lines: tuple[e.Pieces, ...] = ONE_MOUSE) -> e.RefundRequested:
    return e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, lines=lines)


def returned(refund_id: str, amount_minor: int = 2_500) -> e.RefundIssued:
    return e.RefundIssued(refund_id=refund_id, amount_minor=amount_minor, provider_reference=f"re-{refund_id}")


def invoice(state: State) -> tuple[e.Event, ...]:
    return billing.issue_invoice(state, series="INV-2026", number=7, issued_at=NOON, supplied_at=NOON)


def credit(state: State, refund_id: str = "r1", number: int = 1) -> tuple[e.Event, ...]:
    return billing.issue_credit_note(state, refund_id=refund_id, series="CN-2026", number=number, issued_at=NOON)


def billed(*more: e.Event) -> State:
    state = given(*LEFT_AND_PAID)
    return fold(fold(state, invoice(state)), more)


def test_a_credit_note_names_its_invoice_its_refund_and_its_pieces() -> None:
    """Art. 219: a correction refers specifically and unambiguously to what it corrects."""  # S5.5
    [note] = credit(billed(asked("r1"), returned("r1")))

    assert note == e.CreditNoteIssued(
        series="CN-2026",
        number=1,
        credit_note_number="CN-2026-000001",
        invoice_number="INV-2026-000007",
        refund_id="r1",
        total_minor=2_500,
        currency="USD",
        issued_at=NOON,
        lines=ONE_MOUSE,
    )


@pytest.mark.parametrize(
    "state",
    [
        billed(),
        billed(asked("r1")),
        given(*LEFT_AND_PAID, asked("r1"), returned("r1")),
        billed(asked("r2"), returned("r2")),
    ],
    ids=["no refund", "a refund that is not given back yet", "no invoice yet", "another refund"],
)
def test_nothing_is_credited_that_was_not_both_invoiced_and_given_back(state: State) -> None:
    """A promise is no refund, and what no invoice asked for is not taken back from one."""
    assert credit(state) == ()


def test_a_refund_that_was_given_back_before_the_invoice_is_credited_after_it() -> None:
    """The invoice says what the goods cost when they left; whichever comes first, both documents come to be."""
    state = given(*LEFT_AND_PAID, asked("r1"), returned("r1"))
    assert billing_step(state) == IssueInvoice()

    state = fold(state, invoice(state))

    step = billing_step(state)
    assert isinstance(step, IssueCreditNote)
    assert step.refund.refund_id == "r1"
    assert billing_step(fold(state, credit(state))) == StoreDocument("INV-2026-000007")


def test_refunds_are_credited_one_after_the_other_oldest_first() -> None:
    """Also on an order that is complete; each once."""
    state = billed(DELIVERED, e.OrderCompleted(), asked("r1"), asked("r2"), returned("r2"), returned("r1"))

    credited = []
    while isinstance(step := billing_step(state), IssueCreditNote):
        credited.append(step.refund.refund_id)
        state = fold(state, credit(state, step.refund.refund_id, number=len(credited)))

    assert credited == ["r1", "r2"]
    assert credit(state, "r1", number=3) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"invoice_number": "INV-2026-000008"}, "an invoice that the order has not"),
        ({"refund_id": "r9"}, "was not issued"),
        ({}, "a second time"),
    ],
)
def test_a_log_with_a_credit_note_that_cannot_be_is_refused(change: dict[str, str], words: str) -> None:
    """Folding it raises and never guesses."""
    state = billed(asked("r1"), returned("r1"))
    [note] = credit(state)
    state = fold(state, (note,))
    fields = {name: getattr(note, name) for name in e.CreditNoteIssued.__dataclass_fields__} | change

    with pytest.raises(ImpossibleTransition, match=words):
        fold(state, (e.CreditNoteIssued(**fields),))


def test_documents_of_an_order_that_was_never_placed_are_unknown() -> None:
    """There is nothing to put a number on."""
    assert billing_step(INITIAL) is None
    for issue in (invoice, credit):
        with pytest.raises(UnknownOrder):
            issue(INITIAL)


REFUNDS = [partial(decisions.request_refund, lines=(e.Pieces(line=line, quantity=1),), reason=None) for line in (0, 1)]


@property_given(st.lists(st.sampled_from(["ask laptop", "ask mouse", "give back", "invoice", "credit"]), max_size=40))
def test_captured_less_refunded_is_invoiced_less_credited_once_nothing_is_left_to_do(moves: list[str]) -> None:
    """Whatever is asked for, given back and written down in whatever order: to the last minor unit."""
    state = given(PAID_AT_ONCE, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED)
    for number, move in enumerate([*moves, "invoice", *["give back", "credit"] * 40]):
        try:
            if move.startswith("ask"):
                events = REFUNDS[move == "ask mouse"](state, refund_id=f"r{number}")
            elif move == "invoice":
                events = invoice(state)
            elif move == "give back":
                pending = state.payment.refunds_pending[:1]
                events = tuple(returned(refund.refund_id, refund.amount_minor) for refund in pending)
            else:
                step = billing_step(state)
                wanted = step.refund.refund_id if isinstance(step, IssueCreditNote) else "none"
                events = credit(state, wanted, number=number + 1)
        except CommandRejected:
            continue
        state = fold(state, events)

    credited = sum(note.total_minor for note in state.credit_notes)
    assert state.invoice.total_minor - credited == state.payment.amount_minor - state.payment.refunded_minor
    assert credited <= state.invoice.total_minor
