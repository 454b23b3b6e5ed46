"""Every decision may be repeated, on any state: it answers with events that fold, with `()`, or with a refusal."""

from functools import partial

import pytest
from hypothesis import given as property_given
from hypothesis import strategies as st

from orderstore.domain import billing
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.holds import hold, release_hold
from orderstore.domain.next_steps import billing_step, inventory_step, payment_step, shipping_step
from orderstore.domain.rejections import CommandRejected, OrderClosed, TooLateToCancel, UnknownOrder
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Completed,
    ImpossibleTransition,
    NotPlaced,
    Rejected,
    State,
    evolve,
    fold,
)
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    PAID_AT_ONCE,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    given,
    order_created,
)

DECISIONS = [
    partial(d.place, order=order_created()),
    partial(d.complete_payment, outcome=PAID),
    partial(d.complete_payment, outcome=PAID_AT_ONCE),
    partial(d.fail_payment, outcome=DECLINED),
    partial(d.capture_payment, outcome=CAPTURED),
    partial(d.void_payment, outcome=VOIDED),
    partial(d.reserve_inventory, outcome=RESERVED),
    partial(d.fail_inventory, outcome=SHORT),
    partial(d.release_inventory, outcome=RELEASED),
    partial(d.create_shipment, outcome=BOOKED),
    partial(d.cancel_shipment, outcome=BOOKING_CANCELLED),
    partial(d.dispatch_shipment, outcome=DISPATCHED),
    partial(d.deliver_shipment, outcome=DELIVERED),
    partial(billing.issue_invoice, series="INV-2026", number=1, issued_at=NOON, supplied_at=NOON),
    partial(billing.issue_credit_note, refund_id="r1", series="CN-2026", number=1, issued_at=NOON),
    partial(d.request_cancellation, reason="customer"),
    partial(d.request_refund, refund_id="r1", lines=(e.Pieces(line=1, quantity=1),), reason="damaged"),
    partial(d.issue_refund, outcome=e.RefundIssued(refund_id="r1", amount_minor=2_500, provider_reference="re_1")),
    partial(hold, hold_id="h1", reason="fraud_review"),
    partial(hold, hold_id="h2", reason="address"),
    partial(release_hold, hold_id="h1"),
    partial(release_hold, hold_id="h2"),
]


@property_given(st.lists(st.sampled_from(DECISIONS), max_size=40))
def test_no_sequence_of_decisions_breaks_the_order(sequence) -> None:
    """Any decision in any order: what it appends folds, repeating it at once adds nothing, and ends stay ends."""
    state: State = fold(INITIAL, d.place(INITIAL, order=order_created()))
    for decide in sequence:
        try:
            events = decide(state)
        except CommandRejected:
            continue
        ended = isinstance(state, Cancelled | Rejected)
        assert not (ended and events), "an ended order stays as it is"
        state = fold(state, events)
        assert not isinstance(state, NotPlaced)
        assert repeat_adds_nothing(decide, state)
        assert state.payment.refunded_minor <= state.payment.amount_minor
        if isinstance(state, Completed):
            assert state.invoice is not None


def repeat_adds_nothing(decide, state: State) -> bool:
    try:
        return decide(state) == ()
    except CommandRejected:
        return True


@property_given(st.lists(st.sampled_from(DECISIONS), max_size=40))
def test_a_fold_may_be_cut_anywhere(sequence) -> None:
    """fold(fold(s, a), b) == fold(s, a + b): so snapshots, gaps and replays cannot change a state."""
    history: list[e.Event] = [order_created()]
    state: State = fold(INITIAL, history)
    for decide in sequence:
        try:
            events = decide(state)
        except CommandRejected:
            continue
        history.extend(events)
        state = fold(state, events)

    for cut in range(len(history) + 1):
        assert fold(fold(INITIAL, history[:cut]), history[cut:]) == state


@pytest.mark.parametrize("decide", DECISIONS[1:])
def test_an_order_that_was_never_placed_is_unknown(decide) -> None:
    """Nothing can be recorded on an order that does not exist."""
    with pytest.raises(UnknownOrder):
        decide(INITIAL)


def test_cancelling_after_dispatch_is_too_late() -> None:
    """The pivot: once the goods have left, only a refund or a return gives back."""
    with pytest.raises(TooLateToCancel):
        d.request_cancellation(given(PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED), reason="customer")


def test_a_rejected_order_cannot_be_cancelled() -> None:
    """There is nothing to undo, and the answer says so."""
    rejected = given(DECLINED, SHORT, e.OrderRejected(reasons=("payment_failed", "inventory_failed")))

    with pytest.raises(OrderClosed):
        d.request_cancellation(rejected, reason="customer")


@pytest.mark.parametrize(
    "history",
    [
        (e.OrderCompleted(),),
        (DISPATCHED,),
        (e.OrderCancelled(reason="customer", compensations=()),),
        (e.OrderConfirmed(), e.OrderRejected(reasons=())),
    ],
)
def test_an_impossible_history_is_refused_by_name(history) -> None:
    """A log that jumps is a bug or tampering: folding it raises and never guesses."""
    with pytest.raises(ImpossibleTransition):
        given(*history)
    with pytest.raises(ImpossibleTransition):
        evolve(given(), order_created())


@property_given(st.lists(st.sampled_from(DECISIONS), max_size=40))
def test_workers_want_nothing_of_an_order_that_has_ended(sequence) -> None:
    """A cancelled or rejected order asks for no step, so a message redriven weeks later does nothing."""
    state: State = fold(INITIAL, d.place(INITIAL, order=order_created()))
    for decide in sequence:
        try:
            state = fold(state, decide(state))
        except CommandRejected:
            continue
    if isinstance(state, Cancelled | Rejected):
        assert payment_step(state) is inventory_step(state) is shipping_step(state) is None
        assert billing_step(state) is None
