"""Orders to which people add pieces, a few hundred times at random: lines, taxes, holds and reservations add up whatever else happens."""

from collections import Counter

import pytest

from orderstore.domain import events as e
from orderstore.domain.billing import taxes_due
from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.domain.parts import EditStatus
from orderstore.domain.pricing import gross_minor
from orderstore.domain.state import INITIAL, Completed, Placed, evolve
from tests.orderstore.domain.walking import LINES, Walk, walk

SEEDS = range(1_000, 1_400)


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    return [one for one in (walk(seed, eager=True) for seed in SEEDS) if one.order.edits]


def test_edits_are_applied_and_declined_for_every_reason(walks: list[Walk]) -> None:
    """A walk that never goes somewhere proves nothing about it."""
    declined = [event for one in walks for event in one.events if isinstance(event, e.OrderEditDeclined)]
    applied = [one for one in walks if any(edit.status is EditStatus.APPLIED for edit in one.order.edits)]

    assert {event.reason for event in declined} == {
        "out_of_stock",
        "payment_failed",
        "not_in_time",
        "withdrawn",
        "order_undone",
    }
    assert len(applied) > 20
    assert sum(isinstance(one.state, Completed) for one in applied) > 10
    assert any(one.order.order.pricing is not None for one in applied)
    assert any(len([edit for edit in one.order.edits if edit.status is EditStatus.APPLIED]) > 1 for one in applied)


def test_an_order_comes_to_what_its_lines_come_to(walks: list[Walk]) -> None:
    """With every edit that was applied and none that was not: to the last minor unit, with taxes and without."""  # E007
    for one in walks:
        order = one.order.order
        added = [line for edit in one.order.edits if edit.status is EditStatus.APPLIED for line in edit.lines]
        assert order.lines == (*LINES, *added)
        if order.pricing is None:
            exact = exact_sum([(line.quantity, line.unit_price) for line in order.lines])
            assert (order.total_exact, order.total_minor) == (exact, round_to_minor(exact, order.currency))
        else:
            assert len(order.pricing.lines) == len(order.lines)
            assert order.total_minor == gross_minor(order.pricing)


def test_documents_hold_what_was_added_with_its_taxes(walks: list[Walk]) -> None:
    """The invoice's taxes are its total, by rate; the credit notes take back no more of a rate than the invoice has of it."""
    priced = [one for one in walks if one.order.invoice is not None and one.order.order.pricing is not None]
    assert len(priced) > 20
    for one in priced:
        invoice = one.order.invoice
        assert invoice is not None
        assert invoice.taxes is not None
        assert sum(part.net_minor + part.tax_minor for part in invoice.taxes) == invoice.total_minor
        notes = [event for event in one.events if isinstance(event, e.CreditNoteIssued)]
        for note in notes:
            assert note.taxes is not None
            assert sum(part.net_minor + part.tax_minor for part in note.taxes) == note.total_minor
        assert sum(note.total_minor for note in notes) <= invoice.total_minor
        assert taxes_due(one.order) is not None


def test_no_hold_of_the_customers_money_is_forgotten(walks: list[Walk]) -> None:
    """Whatever was held by an attempt that is not the order's own in the end was let go, or ran out; and nothing was let go twice."""
    for one in walks:
        held = {
            event.attempt
            for event in one.events
            if isinstance(event, e.PaymentCompleted) and event.attempt != one.order.payment.attempt
        }
        let_go = Counter(event.attempt for event in one.events if isinstance(event, e.PaymentHoldReleased))
        ran_out = sum(isinstance(event, e.PaymentAuthorizationExpired) for event in one.events)
        assert one.order.payment.spare == ()
        assert len(held - set(let_go)) <= ran_out
        assert one.order.payment.attempt not in let_go
        assert max(let_go.values(), default=1) == 1


def test_every_reservation_of_an_edit_is_kept_or_put_back(walks: list[Walk]) -> None:
    """Applied, its goods are the order's; declined, they are put back, by themselves or with the whole order."""
    for one in walks:
        undone = any(isinstance(event, e.InventoryReleased) for event in one.events)
        for edit in one.order.edits:
            assert edit.status is not EditStatus.OPEN
            assert edit.released == (edit.status is EditStatus.DECLINED or undone)


def test_nothing_is_booked_or_changed_while_an_edit_is_open(walks: list[Walk]) -> None:
    """From the wish to its end the order keeps its lines, its price and its money, and no carrier expects anything of it."""  # 5.3.9
    for one in walks:
        state = INITIAL
        for event in one.events:
            before, state = state, evolve(state, event)
            if isinstance(before, Placed) and isinstance(state, Placed) and before.open_edit is not None:
                assert not isinstance(event, e.ShipmentCreated | e.LinesCancelled | e.RefundRequested)
                if state.open_edit is not None and not isinstance(event, e.PaymentCompleted):
                    assert (state.order, state.due_minor, state.payment.status) == (
                        before.order,
                        before.due_minor,
                        before.payment.status,
                    )
