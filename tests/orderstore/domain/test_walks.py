"""An order's whole life, a few hundred times at random: it always comes to rest, and money, pieces and stock add up when it does."""

from collections import Counter

import pytest

from orderstore.domain import events as e
from orderstore.domain.follow_up import HELD
from orderstore.domain.parcels import LEFT, counted, in_shipments, shipments_in, wanted
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Completed,
    InventoryStatus,
    PaymentStatus,
    Rejected,
    ShipmentStatus,
    fold,
)
from tests.orderstore.domain.walking import Walk, walk

SEEDS = range(400)


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    return [walk(seed) for seed in SEEDS]


@pytest.mark.thorough
def test_every_order_comes_to_rest(walks: list[Walk]) -> None:
    """Whatever workers said no to and whoever changed their mind: nobody waits in the end, and every end is reached."""  # 5.2, 5.3
    ends = Counter(type(one.state) for one in walks)
    restless = [
        seed
        for seed, one in zip(SEEDS, walks, strict=True)
        if not isinstance(one.state, Completed | Cancelled | Rejected)
    ]

    assert restless == []
    assert set(ends) == {Completed, Cancelled, Rejected}
    assert not any(one.order.questions or one.order.holds for one in walks)


def test_the_log_says_all_there_is(walks: list[Walk]) -> None:
    """The state is a fold of the events and of nothing else."""
    for one in walks:
        assert fold(INITIAL, one.events) == one.state


def test_money_is_conserved(walks: list[Walk]) -> None:
    """Taken, less what was given back and what the bank took, is what the documents say; a refund is never more than was taken."""  # 5.5.3
    for one in walks:
        payment, invoice = one.order.payment, one.order.invoice
        given = sum(refund.amount_minor for refund in payment.refunds if refund.issued)
        assert given <= payment.captured_minor
        if isinstance(one.state, Completed):
            assert invoice is not None
            credited = sum(note.total_minor for note in one.order.credit_notes)
            assert payment.captured_minor - given == invoice.total_minor - credited
        elif payment.status is PaymentStatus.CAPTURED:
            assert payment.captured_minor <= given + payment.disputed_minor


def test_what_is_due_is_what_was_ordered_and_not_cancelled(walks: list[Walk]) -> None:
    """No part of the order's price is cancelled twice, and none is below zero."""
    for one in walks:
        assert 0 <= one.order.due_minor <= one.order.order.total_minor


def test_no_piece_is_sent_twice_or_forgotten(walks: list[Walk]) -> None:
    """A completed order has sent every piece that was ordered and not cancelled, once."""
    for one in walks:
        gone = in_shipments(one.order, shipments_in(one.order, LEFT))
        ordered = Counter({at: line.quantity for at, line in enumerate(one.order.order.lines)})
        assert not gone - ordered
        if isinstance(one.state, Completed):
            assert gone == wanted(one.order)
            assert not shipments_in(one.order, frozenset({ShipmentStatus.DISPATCHED}))


def test_stock_is_told_of_every_piece(walks: list[Walk]) -> None:
    """Each parcel that left is taken off once, each cancelled part is put back once, and an order that was undone holds nothing."""
    for one in walks:
        told = Counter(type(event) for event in one.events)
        left = {shipment.shipment_id for shipment in shipments_in(one.order, LEFT)}
        committed = [event.shipment_id for event in one.events if isinstance(event, e.InventoryCommitted)]
        if isinstance(one.state, Completed):
            assert set(committed) == left
            held = sum((counted(part.lines) for part in one.order.inventory.allocations), start=Counter[int]())
            assert not one.order.inventory.allocations or held == in_shipments(one.order, shipments_in(one.order, LEFT))
            freed = {part.cancellation_id for part in one.order.cancelled if part.freed}
            assert freed <= set(one.order.inventory.released)
        else:
            assert one.order.inventory.status not in HELD or one.order.grace_until is not None
        assert len(committed) == len(set(committed))
        if one.order.inventory.status is InventoryStatus.RELEASED:
            assert told[e.InventoryReleased] == 1


def test_the_walks_meet_everything_that_can_happen(walks: list[Walk]) -> None:
    """A walk that never goes somewhere proves nothing about it."""
    met = {type(event) for one in walks for event in one.events}
    elsewhere = {
        e.PaymentMethodChosen,
        e.OrderNoteAdded,
        e.PersonalDataErased,
        e.PaymentDiscrepancyFound,
        e.DiscrepancyFound,
        e.TrackingUpdated,
    }

    assert set(e.Event.__args__) - met == elsewhere
