"""Edits where they meet the rest of an order's life: a hold that is running out, goods that are still to come."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import next_steps
from orderstore.domain.parcels import counted
from orderstore.domain.state import INITIAL, Order, fold
from tests.builders import BOOKED, PAID, RESERVED, given, order_created
from tests.orderstore.domain.test_edits import PAID_AT, after, asked, covered, names, set_aside


def test_a_new_hold_that_is_running_out_is_told_as_the_old_one_was() -> None:
    """That the old hold was running out is over with it, and nobody is warned of the new one for as long as it is said still."""
    late = PAID_AT + timedelta(days=7)
    order = set_aside(asked(given(replace(PAID, capture_before=late), RESERVED, e.OrderConfirmed())))
    told = d.stall(order, stage="capture", since=PAID_AT, due_at=PAID_AT + timedelta(days=5))
    assert names(told) == ["OrderProcessStalled"]
    order = covered(after(order, told), capture_before=late + timedelta(days=6))
    assert order.stalls == ()
    assert names(d.stall(order, stage="capture", since=late, due_at=late)) == ["OrderProcessStalled"]


@pytest.mark.parametrize("held", [False, True])
def test_what_was_added_while_nothing_of_the_order_was_there_leaves_too(held: bool) -> None:
    """All of it is missing, and what is added is not: when the rest comes, nothing that is set aside is forgotten."""
    waits = e.Terms(missing_stock="backorder")
    all_of_it = (e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=2))
    nothing = e.InventoryPartiallyReserved(reservation_id="r", missing=all_of_it, allocations=())
    state = fold(INITIAL, (order_created(terms=waits), PAID, nothing, e.OrderConfirmed()))
    assert isinstance(state, Order)
    order = state
    order = covered(set_aside(asked(order)))
    came = e.BackorderFilled(reservation_id="r", allocations=(e.Allocation(location="main", lines=all_of_it),))
    booked = Counter[int]()
    if held:
        order = after(order, d.fill_backorder(order, outcome=came))
    while isinstance(step := next_steps.shipping_step(order), next_steps.Book):
        booked += counted(step.parcel.lines)
        made = replace(BOOKED, shipment_id=step.shipment_id, location=step.parcel.location, lines=step.parcel.lines)
        order = after(order, d.create_shipment(order, outcome=made))
        if order.inventory.missing:
            order = after(order, d.fill_backorder(order, outcome=came))
    assert booked == {0: 1, 1: 2, 2: 2}
