"""Scenarios that the facts of the trade force, and defects that others have, as far as an order alone can show them; the table of all of
them, with the tests of the other parts, is docs/scenarios.md."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations

import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import next_steps, timers
from orderstore.domain.holds import hold
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Confirmed,
    InFulfilment,
    Order,
    Rejected,
    State,
    fold,
)
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    given,
    order_created,
)

Decide = Callable[[State], tuple[e.Event, ...]]

OUTCOMES: tuple[Decide, ...] = (
    partial(d.complete_payment, outcome=PAID),
    partial(d.fail_payment, outcome=e.PaymentFailed(attempt=1, category="hard", code="no")),
    partial(d.capture_payment, outcome=CAPTURED),
    partial(d.void_payment, outcome=VOIDED),
    partial(d.reserve_inventory, outcome=RESERVED),
    partial(d.fail_inventory, outcome=SHORT),
    partial(d.release_inventory, outcome=RELEASED),
    partial(d.create_shipment, outcome=BOOKED),
    partial(d.dispatch_shipment, outcome=DISPATCHED),
    partial(d.cancel_shipment, outcome=BOOKING_CANCELLED),
    partial(d.deliver_shipment, outcome=DELIVERED),
)
STAGES = {
    "Received": 0,
    "Confirmed": 1,
    "Cancelling": 1,
    "InFulfilment": 2,
    "Completed": 3,
    "Cancelled": 3,
    "Rejected": 3,
}


def decided(state: State, *decides: Decide) -> Order:
    """One after the other, each on what the log says by then; what is refused changes nothing."""
    for decide in decides:
        try:
            state = fold(state, decide(state))
        except CommandRejected:
            continue
    assert isinstance(state, Order)
    return state


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=("money first", "goods first"))
def test_an_order_of_which_nothing_is_there_is_undone_and_keeps_no_money(order: tuple[int, int]) -> None:
    """Every article is missing: an answer like any other, whichever comes first, and what was held is let go."""  # 5.5.7, 8.2
    missing = tuple(e.MissingStock(sku=line.sku, wanted=line.quantity, available=0) for line in order_created().lines)
    nothing = partial(d.fail_inventory, outcome=e.InventoryFailed(missing=missing))
    both = (partial(d.complete_payment, outcome=PAID), nothing)
    undone = decided(given(), *(both[at] for at in order))

    assert isinstance(undone, Cancelling)
    assert next_steps.payment_step(undone) == next_steps.VoidPayment()
    assert isinstance(decided(undone, partial(d.void_payment, outcome=VOIDED)), Cancelled)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1_000])
def test_the_total_is_the_sum_of_the_lines_however_many_there_are(count: int) -> None:
    """A sum that runs on is not added to itself at every line."""  # 5.5.8, 8.1
    lines = tuple(
        e.OrderLine(sku=f"SKU-{at}", quantity=at % 3 + 1, unit_price=Decimal(at + 1) / 100) for at in range(count)
    )
    order = order_created(lines=lines)

    assert order.total_minor == sum((at % 3 + 1) * (at + 1) for at in range(count))
    asked = next_steps.payment_step(fold(INITIAL, (order,)))
    assert asked == next_steps.Authorize(order.total_minor)


RIVALS: dict[str, tuple[tuple[e.Event, ...], tuple[Decide, Decide]]] = {
    "a capture": (
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED),
        (partial(d.request_cancellation, reason="customer"), partial(d.capture_payment, outcome=CAPTURED)),
    ),
    "a dispatch": (
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED),
        (partial(d.request_cancellation, reason="customer"), partial(d.dispatch_shipment, outcome=DISPATCHED)),
    ),
    "an edit": (
        (PAID, RESERVED, e.OrderConfirmed()),
        (
            partial(d.request_cancellation, reason="customer"),
            partial(d.cancel_lines, cancellation_id="c1", lines=(e.Pieces(line=1, quantity=1),), reason="customer"),
        ),
    ),
    "a hold": (
        (PAID, RESERVED, e.OrderConfirmed()),
        (partial(hold, hold_id="h1", reason="operator"), partial(d.create_shipment, outcome=BOOKED)),
    ),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_of_two_who_race_the_log_decides_and_neither_order_breaks_anything(rival: str) -> None:
    """Cancellation and capture, dispatch or edit; a hold and a booking: each sees what was appended before it."""  # 5.5.10
    history, (one, other) = RIVALS[rival]
    before = given(*history)
    ends = [decided(before, *way) for way in permutations((one, other))]

    for end in ends:
        gone = any(shipment.status.value == "dispatched" for shipment in end.shipments)
        assert isinstance(end, InFulfilment) == gone, "goods that have left are not undone, and only those"
        if isinstance(end, Cancelling):
            assert next_steps.payment_step(end) == next_steps.VoidPayment()
            assert next_steps.inventory_step(end) == next_steps.Release()
        if end.holds:
            step = next_steps.shipping_step(end)
            assert not isinstance(step, next_steps.Book | next_steps.Dispatch)


def test_no_late_outcome_moves_an_order_back() -> None:
    """Whatever a worker says too late, twice or in the wrong order: the order's status goes on, or stays as it is."""  # 5.5.11, 8.5
    stages = (
        (),
        (PAID,),
        (PAID, RESERVED, e.OrderConfirmed()),
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED),
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED),
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED, CAPTURED, DELIVERED),
        (SHORT, e.PaymentFailed(attempt=1, category="hard", code="no"), e.OrderRejected(reasons=("payment_failed",))),
    )
    for history in stages:
        before = given(*history)
        for way in permutations(OUTCOMES, 2):
            after = decided(before, *way)
            assert STAGES[type(after).__name__] >= STAGES[type(before).__name__]
            if isinstance(before, Rejected):
                assert after == before


@pytest.mark.parametrize("days", [1, 3, 10, 30])
def test_a_term_of_days_ends_with_its_last_minute(days: int) -> None:
    """An absolute time in the order, and no reckoning with days, hours and minutes."""  # 8.10
    until = NOON + timedelta(days=days)
    declined = e.PaymentFailed(attempt=1, category="soft", code="no", retry_until=until)
    order = given(RESERVED, declined)

    assert timers.expire(order, now=until - timedelta(minutes=1)) == ()
    assert timers.dues(order) == (timers.Due("payment_retry", until),)
    assert isinstance(fold(order, timers.expire(order, now=until)), Cancelling)


def test_an_order_that_nobody_has_looked_at_yet_is_cancelled_like_any_other() -> None:
    """Neither money nor goods have answered: both are kept from ever being taken."""  # 8.14
    undone = decided(given(), partial(d.request_cancellation, reason="customer"))

    assert next_steps.payment_step(undone) == next_steps.VoidPayment()
    assert next_steps.inventory_step(undone) == next_steps.Release()
    ended = decided(
        undone,
        partial(d.void_payment, outcome=e.PaymentVoided(provider_reference=None)),
        partial(d.release_inventory, outcome=e.InventoryReleased(reservation_id=None)),
    )
    assert isinstance(ended, Cancelled)


def test_no_money_is_taken_before_the_goods_are_set_aside() -> None:
    """Held, it waits for them; what is refused later is let go, and never had to be given back."""  # 8.4, 8.13
    held = given(PAID)
    assert next_steps.payment_step(held) is None
    confirmed = decided(held, partial(d.reserve_inventory, outcome=RESERVED))
    assert isinstance(confirmed, Confirmed)
    assert next_steps.payment_step(confirmed) is None
