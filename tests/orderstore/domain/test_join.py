"""The join of payment and inventory: every arrival order, with every duplicate, ends in the same state."""

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given as property_given
from hypothesis import strategies as st

from orderstore.domain import billing
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.state import Cancelled, Cancelling, Completed, Confirmed, Order, Rejected, fold
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
)

Step = Callable[[Order], tuple[e.Event, ...]]

STEPS: dict[str, Step] = {
    "paid": lambda state: d.complete_payment(state, outcome=PAID),
    "declined": lambda state: d.fail_payment(state, outcome=DECLINED),
    "reserved": lambda state: d.reserve_inventory(state, outcome=RESERVED),
    "short": lambda state: d.fail_inventory(state, outcome=SHORT),
    "voided": lambda state: d.void_payment(state, outcome=VOIDED),
    "released": lambda state: d.release_inventory(state, outcome=RELEASED),
    "booked": lambda state: d.create_shipment(state, outcome=BOOKED),
    "booking cancelled": lambda state: d.cancel_shipment(state, outcome=BOOKING_CANCELLED),
    "dispatched": lambda state: d.dispatch_shipment(state, outcome=DISPATCHED),
    "delivered": lambda state: d.deliver_shipment(state, outcome=DELIVERED),
    "captured": lambda state: d.capture_payment(state, outcome=CAPTURED),
    "invoiced": lambda state: billing.issue_invoice(
        state, series="INV-2026", number=1, issued_at=NOON, supplied_at=NOON
    ),
    "cancel": lambda state: d.request_cancellation(state, reason="customer"),
}


def after(*steps: str, start: Order | None = None) -> Order:
    state = given() if start is None else start
    for step in steps:
        folded = fold(state, STEPS[step](state))
        assert isinstance(folded, Order)
        state = folded
    return state


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (("paid", "reserved"), Confirmed),
        (("declined", "short"), Rejected),
        (("declined", "reserved"), Cancelling),
        (("paid", "short"), Cancelling),
    ],
)
def test_every_arrival_order_gives_the_same_state(outcomes: tuple[str, str], status: type[Order]) -> None:
    """Whichever outcome comes second carries the join, and the state is the same."""  # E022, D27
    states = {after(*order) for order in permutations(outcomes)}

    assert len(states) == 1
    assert type(states.pop()) is status


@property_given(
    outcomes=st.sampled_from(
        [("paid", "reserved"), ("declined", "short"), ("declined", "reserved"), ("paid", "short")]
    ),
    noise=st.lists(st.sampled_from(["paid", "declined", "reserved", "short"]), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_duplicates_and_contradictions_change_nothing_once_an_outcome_stands(outcomes, noise, order) -> None:
    """The first outcome of each side stands; whatever comes again, or too late, adds no event."""
    steps = list(outcomes)
    order.shuffle(steps)
    state = after(*steps)

    assert after(*noise, start=state) == state


@pytest.mark.parametrize("order", list(permutations(["delivered", "captured", "invoiced"])))
def test_the_order_completes_whichever_of_the_three_comes_last(order: tuple[str, ...]) -> None:
    """Delivered, paid and invoiced: the last of them closes the order, in its own commit."""
    dispatched = after("paid", "reserved", "booked", "dispatched")

    assert not isinstance(after(*order[:2], start=dispatched), Completed)
    assert isinstance(after(*order, start=dispatched), Completed)


def test_a_decline_releases_the_stock_and_then_cancels() -> None:
    """Payment failed, stock reserved: the release is asked for, and its answer ends the order."""  # E054
    cancelling = after("declined", "reserved")

    assert d.release_inventory(cancelling, outcome=RELEASED) == (
        RELEASED,
        e.OrderCancelled(reason="payment_failed", compensations=("inventory_released",)),
    )


def test_what_did_not_happen_is_not_compensated() -> None:
    """Stock short, payment held: only the payment is voided."""
    cancelled = after("short", "paid", "voided")

    assert isinstance(cancelled, Cancelled)
    assert cancelled.reason == "inventory_failed"
    assert STEPS["released"](cancelled) == ()


@pytest.mark.parametrize("order", list(permutations(["booking cancelled", "voided", "released"])))
def test_a_cancellation_ends_only_when_nothing_is_held(order: tuple[str, ...]) -> None:
    """Parcel, money and stock: OrderCancelled waits for all three."""
    state = after("paid", "reserved", "booked", "cancel")
    for step in order:
        assert isinstance(state, Cancelling)
        state = after(step, start=state)

    assert isinstance(state, Cancelled)
    assert state.shipments


def test_goods_that_have_left_decline_the_cancellation_and_the_order_goes_on() -> None:
    """The carrier decides the race of dispatch and cancellation; the log says so in one commit."""
    cancelling = after("paid", "reserved", "booked", "cancel")

    assert d.dispatch_shipment(cancelling, outcome=DISPATCHED) == (
        DISPATCHED,
        e.OrderCancellationDeclined(reason="dispatched"),
    )
    assert isinstance(after("dispatched", "captured", "invoiced", "delivered", start=cancelling), Completed)


def test_a_payment_that_lands_after_the_cancellation_is_recorded_so_that_it_is_given_back() -> None:
    """Cancel first, charge second: the order waits for the void."""  # domain 5.5 (11)
    state = after("cancel", "paid")

    assert isinstance(state, Cancelling)
    assert isinstance(after("released", "voided", start=state), Cancelled)


def test_captured_money_is_refunded_when_the_order_is_cancelled() -> None:
    """Paid at once, then cancelled: the refund is promised in the same commit, and ends the order when it is issued."""
    paid = fold(given(), d.complete_payment(given(), outcome=PAID_AT_ONCE))
    assert isinstance(paid, Order)
    cancelling = after("cancel", start=paid)
    (refund,) = cancelling.payment.refunds_pending
    released = after("released", start=cancelling)

    assert refund.amount_minor == 90_000
    assert isinstance(released, Cancelling)
    issued = e.RefundIssued(refund_id=refund.refund_id, amount_minor=90_000, provider_reference="re_1")
    assert d.issue_refund(released, outcome=issued)[-1] == e.OrderCancelled(
        reason="customer", compensations=("payment_refunded", "inventory_released")
    )


def test_no_refund_is_promised_while_the_parcel_may_still_leave() -> None:
    """Paid at once, booked, cancelled, but dispatched first: the money stays taken and the order goes on."""
    paid = fold(given(), d.complete_payment(given(), outcome=PAID_AT_ONCE))
    assert isinstance(paid, Order)
    state = after("reserved", "booked", "cancel", "dispatched", start=paid)

    assert state.payment.refunds == ()
    assert isinstance(after("delivered", "invoiced", start=state), Completed)
