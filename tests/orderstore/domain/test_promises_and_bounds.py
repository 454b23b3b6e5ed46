"""Nothing waits for ever: money that a bank has taken, parcels that nobody wants, stock that has left, people who write."""

from datetime import timedelta
from functools import partial

import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import next_steps
from orderstore.domain.decide_process import NOTES_MAX
from orderstore.domain.decide_shipping import DELAYS_MAX
from orderstore.domain.rejections import NothingToRefund, TooManyDelays, TooManyNotes
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Completed,
    InFulfilment,
    InventoryStatus,
    Order,
    ShipmentStatus,
    fold,
)
from tests.builders import BOOKED, DISPATCHED, NOON, PAID, PAID_AT_ONCE, RELEASED, RESERVED, given, order_created

LAPTOP, MICE = (e.Pieces(line=0, quantity=1),), (e.Pieces(line=1, quantity=2),)
SPREAD = e.InventoryReserved(
    reservation_id="r",
    allocations=(e.Allocation(location="north", lines=LAPTOP), e.Allocation(location="south", lines=MICE)),
)
NORTH = e.ShipmentCreated(shipment_id="north", carrier="c", label_reference="l", location="north", lines=LAPTOP)
SOUTH = e.ShipmentCreated(shipment_id="south", carrier="c", label_reference="l", location="south", lines=MICE)
LEFT = e.ShipmentDispatched(shipment_id="north", tracking_number="t")
LATE = e.ShipmentDelayed(delay_id="1", promised_at=NOON + timedelta(days=40), reason="late", consent_by=NOON)
ASKED = e.OrderActionRequired(action_id="delay:1", kind="delay_consent", deadline=NOON)
HALF_GONE = (PAID_AT_ONCE, SPREAD, e.OrderConfirmed(), NORTH, SOUTH, LEFT, LATE, ASKED)


def after(order: Order, *decides: partial[tuple[e.Event, ...]]) -> Order:
    for decide in decides:
        order = fold(order, decide(order))
    return order


# A refund that nobody can give any more

UNDONE = (PAID_AT_ONCE, RESERVED, e.OrderConfirmed(), e.OrderCancellationRequested(reason="customer"))
REFUND = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001:cancellation"


def undone(*, disputed_minor: int) -> Order:
    """Being undone: goods are back, the refund is promised, and the bank has taken so much before it was given."""
    order = given(*UNDONE)
    order = after(order, partial(d.release_inventory, outcome=RELEASED))
    outcome = e.PaymentDisputed(dispute_id="dp", amount_minor=disputed_minor, reason="fraud")
    return after(order, partial(d.dispute_payment, outcome=outcome))


REFUSED = partial(d.fail_refund, outcome=e.RefundFailed(refund_id=REFUND, attempt=1, code="disputed"))
LOST = partial(d.close_dispute, outcome=e.PaymentDisputeClosed(dispute_id="dp", outcome="lost"))
WON = partial(d.close_dispute, outcome=e.PaymentDisputeClosed(dispute_id="dp", outcome="won"))


@pytest.mark.parametrize("order_of", [(REFUSED, LOST), (LOST, REFUSED)])
def test_an_order_is_undone_when_the_bank_has_taken_what_was_to_be_given_back(order_of: tuple) -> None:
    """Whichever comes last: the customer has the money, and nobody waits for a refund that no provider gives."""
    first, last = order_of
    waiting = after(given(*UNDONE), partial(d.release_inventory, outcome=RELEASED))
    assert [refund.refund_id for refund in waiting.payment.refunds_pending] == [REFUND]
    halfway = after(undone(disputed_minor=90_000), first)
    assert isinstance(halfway, Cancelling)

    decided = last(halfway)

    assert decided[-1] == e.OrderCancelled(reason="customer", compensations=("inventory_released",))
    assert isinstance(fold(halfway, decided), Cancelled)


def test_what_the_bank_left_is_given_back_by_another_refund() -> None:
    """The refund of everything can never be given; that of the rest is promised in its place, and a retry of the first is refused."""
    order = after(undone(disputed_minor=30_000), REFUSED, LOST)
    assert [refund.amount_minor for refund in order.payment.refunds_pending] == [60_000]
    with pytest.raises(NothingToRefund):
        d.retry_refund(order, refund_id=REFUND)

    rest = order.payment.refunds_pending[0]
    given_back = e.RefundIssued(refund_id=rest.refund_id, amount_minor=60_000, provider_reference="re")
    ended = after(order, partial(d.issue_refund, outcome=given_back))
    assert isinstance(ended, Cancelled)


def test_a_refund_that_was_refused_is_owed_still_when_the_dispute_is_won() -> None:
    """The provider has the money again: somebody tries once more."""
    order = after(undone(disputed_minor=90_000), REFUSED, WON)
    assert isinstance(order, Cancelling)
    again = after(order, partial(d.retry_refund, refund_id=REFUND))
    assert next_steps.payment_step(again) == next_steps.IssueRefund(again.payment.refunds_pending[0])


# A parcel that nobody wants any more

DECLINED = partial(d.answer, action_id="delay:1", answer="declined")


def test_who_does_not_agree_to_a_delay_has_the_carrier_stopped_at_what_it_has_not_taken() -> None:
    """The parcel that left goes on; of the other one the booking is cancelled, its pieces leave the order, and their money goes back."""
    order = after(given(*HALF_GONE), DECLINED)
    assert isinstance(order, InFulfilment)
    assert next_steps.shipping_step(order) == next_steps.CancelBooking("south")

    decided = d.cancel_shipment(order, outcome=e.ShipmentCancelled(shipment_id="south"))

    order = fold(order, decided)
    assert [type(event).__name__ for event in decided] == ["ShipmentCancelled", "LinesCancelled", "RefundRequested"]
    [part] = order.cancelled
    assert (part.lines, part.amount_minor) == (MICE, 5_000)
    assert part.freed == (e.Allocation(location="south", lines=MICE),)
    assert next_steps.shipping_step(order) == next_steps.Track(("north",))
    released = e.PiecesReleased(cancellation_id=part.cancellation_id)
    committed = e.InventoryCommitted(shipment_id="north")
    order = after(order, partial(d.commit_inventory, outcome=committed), partial(d.release_pieces, outcome=released))
    assert order.inventory.status is InventoryStatus.COMMITTED
    assert next_steps.inventory_step(order) is None


def test_a_hold_does_not_keep_a_parcel_from_being_stopped() -> None:
    """It stops what brings goods nearer to their leaving, and this does not."""
    held = after(given(*HALF_GONE), DECLINED)
    held = fold(held, (e.OrderHeld(hold_id="h", reason="address"),))
    assert next_steps.shipping_step(held) == next_steps.CancelBooking("south")


def test_a_parcel_that_could_not_be_stopped_goes_on() -> None:
    """The carrier was quicker: it is a parcel like the others, and nobody is given anything back."""
    order = after(given(*HALF_GONE), DECLINED)
    order = after(
        order,
        partial(d.dispatch_shipment, outcome=e.ShipmentDispatched(shipment_id="south", tracking_number="t")),
    )
    assert [shipment.status for shipment in order.shipments] == [ShipmentStatus.DISPATCHED] * 2
    assert (order.cancelled, order.payment.refunds) == ((), ())
    assert next_steps.shipping_step(order) == next_steps.Track(("north", "south"))


def test_nobody_stops_a_parcel_that_nobody_recalled() -> None:
    """A carrier that says so of its own has to say that it failed."""
    order = given(*HALF_GONE)
    assert d.cancel_shipment(order, outcome=e.ShipmentCancelled(shipment_id="south")) == ()


# Stock

COMMITTED = e.InventoryCommitted(shipment_id=BOOKED.shipment_id)


def test_stock_is_committed_when_all_that_was_set_aside_has_left() -> None:
    """Not with the first of two parcels."""
    order = given(PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED)
    assert order.inventory.status is InventoryStatus.RESERVED
    assert fold(order, (COMMITTED,)).inventory.status is InventoryStatus.COMMITTED

    halfway = fold(given(*HALF_GONE), (e.InventoryCommitted(shipment_id="north"),))
    assert halfway.inventory.status is InventoryStatus.RESERVED


def test_an_order_whose_stock_is_committed_still_ends() -> None:
    """What was a reservation is one no more; everything else goes on as it did."""
    order = given(PAID_AT_ONCE, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED, COMMITTED)
    assert next_steps.inventory_step(order) is None
    arrived = e.ShipmentDelivered(shipment_id=BOOKED.shipment_id, proof_reference="p")
    order = after(order, partial(d.deliver_shipment, outcome=arrived))
    assert not isinstance(order, Completed)  # billing is still to come


# Bounds


def test_an_order_has_so_many_notes_and_no_more() -> None:
    """What bounds its history; the refusal says so."""
    order = fold(given(), [e.OrderNoteAdded(note_id="n", note=e.FreeText(plain="x"))] * (NOTES_MAX - 1))
    words = e.FreeText(plain="the last")
    order = after(order, partial(d.add_note, note_id="last", note=words))
    with pytest.raises(TooManyNotes) as refused:
        d.add_note(order, note_id="beyond", note=words)
    assert refused.value.code == "too_many_notes"


def test_an_order_is_delayed_so_often_and_no_more() -> None:
    """By whomever; what the customer was asked before is answered as before."""
    order = fold(given(), [e.ShipmentDelayed(delay_id="d", promised_at=NOON, reason="late")] * (DELAYS_MAX - 1))
    order = after(order, partial(d.delay_shipment, outcome=LATE))
    assert d.delay_shipment(order, outcome=LATE) == ()
    with pytest.raises(TooManyDelays) as refused:
        d.delay_shipment(order, outcome=e.ShipmentDelayed(delay_id="2", promised_at=NOON, reason="late"))
    assert refused.value.code == "too_many_delays"


def test_a_promise_moves_with_a_delay_and_never_back() -> None:
    """An order to which nothing was promised is promised nothing by a delay."""
    promised = given()
    assert promised.ship_by is None
    later = e.ShipmentDelayed(delay_id="d", promised_at=NOON + timedelta(days=9), reason="late")
    sooner = e.ShipmentDelayed(delay_id="e", promised_at=NOON + timedelta(days=3), reason="late")
    assert fold(promised, (later,)).ship_by is None
    order = fold(INITIAL, (order_created(ship_by=NOON + timedelta(days=5)),))
    assert fold(order, (later, sooner)).ship_by == NOON + timedelta(days=9)
