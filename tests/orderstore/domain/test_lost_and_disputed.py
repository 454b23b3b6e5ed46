"""Pieces of one article that fare differently: one is lost, one comes back, one was cancelled; and money that a bank had for a while."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from orderstore.domain import billing, next_steps, pricing
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.decide_returns import returnable
from orderstore.domain.rejections import NothingToReturn
from orderstore.domain.state import INITIAL, Completed, Order, State, fold
from tests.builders import NOON, order_created

TWO_LAMPS = (e.OrderLine(sku="LAMP", quantity=2, unit_price=Decimal(100)),)
ALL_MINOR = 20_000


def lamps(count: int) -> tuple[e.Pieces, ...]:
    return (e.Pieces(line=0, quantity=count),)


class Life:
    """Two lamps that are paid for at once, set aside at two locations."""

    def __init__(
        self,
        created: e.OrderCreated | None = None,
        spread: tuple[str, ...] = ("north", "south"),
        *,
        reserved: bool = True,
    ) -> None:
        self.state: State = INITIAL
        waits = None if reserved else e.Terms(missing_stock="backorder")
        self.does(d.place, order=created or order_created(lines=TWO_LAMPS, terms=waits))
        paid = e.PaymentCompleted(
            attempt=1,
            mode="captured" if reserved else "authorized",
            amount_minor=self.order.order.total_minor,
            provider_reference="ch",
        )
        self.does(d.complete_payment, outcome=paid)
        if not reserved:
            return
        last = len(self.order.order.lines) - 1
        there = tuple(
            e.Allocation(location=name, lines=(e.Pieces(line=min(at, last), quantity=1),))
            for at, name in enumerate(spread)
        )
        self.does(d.reserve_inventory, outcome=e.InventoryReserved(reservation_id="r", allocations=there))

    @property
    def order(self) -> Order:
        assert isinstance(self.state, Order)
        return self.state

    def does(self, decide: Any, **inputs: Any) -> tuple[e.Event, ...]:
        events: tuple[e.Event, ...] = decide(self.state, **inputs)
        self.state = fold(self.state, events)
        return events

    def books(self) -> None:
        """The next parcel."""
        step = next_steps.shipping_step(self.state)
        assert isinstance(step, next_steps.Book)
        booked = e.ShipmentCreated(
            shipment_id=step.shipment_id,
            carrier="c",
            label_reference="l",
            location=step.parcel.location,
            lines=step.parcel.lines,
        )
        self.does(d.create_shipment, outcome=booked)

    def sent(self) -> None:
        """Everything leaves, and is invoiced."""
        while not isinstance(step := next_steps.shipping_step(self.state), next_steps.Track):
            if isinstance(step, next_steps.Book):
                self.books()
            elif isinstance(step, next_steps.Dispatch):
                left = e.ShipmentDispatched(shipment_id=step.shipment_id, tracking_number="t")
                self.does(d.dispatch_shipment, outcome=left)
        self.does(billing.issue_invoice, series="INV", number=1, issued_at=NOON, supplied_at=NOON)

    def arrives(self, at: int) -> None:
        shipment_id = self.order.shipments[at].shipment_id
        self.does(d.deliver_shipment, outcome=e.ShipmentDelivered(shipment_id=shipment_id, proof_reference="p"))

    def is_lost(self, at: int) -> None:
        shipment_id = self.order.shipments[at].shipment_id
        self.does(d.fail_shipment, outcome=e.ShipmentFailed(shipment_id=shipment_id, code="lost"))

    def comes_back(self, return_id: str, count: int) -> None:
        self.does(d.request_return, return_id=return_id, lines=lamps(count), reason="other", approved=True)
        self.does(d.receive_return, return_id=return_id)
        found = (e.InspectedPieces(line=0, quantity=count, condition="sellable"),)
        self.does(d.inspect_return, return_id=return_id, pieces=found)

    def given_back(self) -> None:
        for refund in self.order.payment.refunds_pending:
            given = e.RefundIssued(
                refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re"
            )
            self.does(d.issue_refund, outcome=given)
            self.does(billing.issue_credit_note, refund_id=refund.refund_id, series="CN", number=1, issued_at=NOON)

    def disputed(self, amount_minor: int) -> None:
        self.does(
            d.dispute_payment, outcome=e.PaymentDisputed(dispute_id="d", amount_minor=amount_minor, reason="fraud")
        )

    def dispute_is(self, outcome: Any) -> tuple[e.Event, ...]:
        return self.does(d.close_dispute, outcome=e.PaymentDisputeClosed(dispute_id="d", outcome=outcome))


def test_the_refund_of_a_returned_piece_is_none_for_a_lost_one() -> None:
    """The order stays open until the money for the lost one is given back too."""
    life = Life()
    life.sent()
    life.arrives(0)
    life.comes_back("r1", 1)
    life.given_back()
    life.is_lost(1)
    assert not isinstance(life.state, Completed)

    life.does(d.request_refund, refund_id="lost", lines=lamps(1), reason=None)
    life.given_back()
    assert isinstance(life.state, Completed)
    assert life.order.payment.refunded_minor == ALL_MINOR


def test_the_refund_of_a_cancelled_piece_is_none_for_a_lost_one() -> None:
    """The cancellation gave back its own money, and nobody that of the lost one."""
    life = Life()
    life.does(d.cancel_lines, cancellation_id="c", lines=lamps(1), reason="customer")
    life.given_back()
    life.sent()
    life.is_lost(0)
    assert not isinstance(life.state, Completed)

    life.does(d.request_refund, refund_id="lost", lines=lamps(1), reason=None)
    life.given_back()
    assert isinstance(life.state, Completed)


def test_who_was_paid_for_a_lost_piece_can_still_send_back_the_one_that_came() -> None:
    """And gets the money for it; nothing more after that."""
    life = Life()
    life.sent()
    life.arrives(0)
    life.is_lost(1)
    life.does(d.request_refund, refund_id="lost", lines=lamps(1), reason=None)
    life.given_back()
    assert returnable(life.order) == Counter({0: 1})

    life.comes_back("r1", 1)
    assert life.order.payment.refunded_minor == ALL_MINOR
    assert not returnable(life.order)


def test_a_piece_comes_back_once_whether_or_not_it_was_refunded() -> None:
    """While a bank has the money nobody promises it; the pieces are in stock all the same."""
    life = Life()
    life.sent()
    life.arrives(0)
    life.arrives(1)
    life.disputed(ALL_MINOR)
    life.comes_back("r1", 2)
    assert not life.order.payment.refunds
    with pytest.raises(NothingToReturn):
        life.does(d.request_return, return_id="r2", lines=lamps(2), reason="other", approved=True)


def test_what_came_back_during_a_dispute_is_paid_for_when_the_dispute_is_won() -> None:
    """In the same commit; and never when it is lost, since the bank has paid then."""
    for outcome, promised in (("won", ALL_MINOR), ("lost", 0)):
        life = Life()
        life.sent()
        life.arrives(0)
        life.arrives(1)
        life.disputed(ALL_MINOR)
        life.comes_back("r1", 1)
        life.comes_back("r2", 1)
        life.dispute_is(outcome)
        assert life.order.payment.refunded_minor == promised


def test_what_was_cancelled_during_a_dispute_is_paid_for_when_the_dispute_is_won() -> None:
    """The customer pays for one lamp, and the documents say so; a second dispute that is won gives nothing twice."""
    life = Life()
    life.disputed(ALL_MINOR)
    life.does(d.cancel_lines, cancellation_id="c", lines=lamps(1), reason="customer")
    life.dispute_is("won")
    life.sent()
    life.given_back()
    payment, invoice = life.order.payment, life.order.invoice
    assert payment.refunded_minor == ALL_MINOR // 2
    assert invoice is not None
    assert invoice.total_minor - life.order.credit_notes[0].total_minor == ALL_MINOR // 2

    again = e.PaymentDisputed(dispute_id="d2", amount_minor=ALL_MINOR // 2, reason="fraud")
    life.does(d.dispute_payment, outcome=again)
    won = e.PaymentDisputeClosed(dispute_id="d2", outcome="won")
    assert not any(isinstance(event, e.RefundRequested) for event in life.does(d.close_dispute, outcome=won))


@pytest.mark.parametrize("amount_minor", [1, 7_777, 11_000])
def test_documents_add_up_by_their_taxes_whatever_a_bank_took(amount_minor: int) -> None:
    """A share that was cut has its taxes cut in proportion: net and tax are the total, on the invoice and on each credit note."""
    asked = pricing.Asked(quantity=2, unit_price=Decimal(100), tax_rate_percent=Decimal(19))
    taxed = pricing.price([asked], currency="USD", tax_mode="exclusive", tax_rounding="line")
    created = order_created(lines=TWO_LAMPS)
    life = Life(replace(created, pricing=taxed, total_minor=pricing.gross_minor(taxed)))
    life.disputed(amount_minor)
    life.does(d.cancel_lines, cancellation_id="c", lines=lamps(1), reason="customer")
    life.does(d.request_refund, refund_id="rest", lines=lamps(1), reason=None)
    documents: list[Any] = []
    for release in life.order.holds:
        life.state = fold(life.state, (e.OrderHoldReleased(hold_id=release.hold_id),))
    life.sent()
    invoice = life.order.invoice
    assert invoice is not None
    documents.append(invoice)
    for refund in life.order.payment.refunds_pending:
        given = e.RefundIssued(refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re")
        life.does(d.issue_refund, outcome=given)
        inputs: dict[str, Any] = {"refund_id": refund.refund_id, "series": "CN", "number": 1, "issued_at": NOON}
        documents += life.does(billing.issue_credit_note, **inputs)

    assert len(documents) == 2
    for document in documents:
        assert sum(tax.net_minor + tax.tax_minor for tax in document.taxes) == document.total_minor


def test_pieces_are_put_back_with_the_whole_order_or_alone() -> None:
    """A worker that looked before the order was undone has nothing more to tell of the part that it was to put back."""
    life = Life()
    life.does(d.cancel_lines, cancellation_id="c", lines=lamps(1), reason="customer")
    life.does(d.request_cancellation, reason="customer")
    assert isinstance(next_steps.inventory_step(life.state), next_steps.Release)
    assert life.does(d.release_pieces, outcome=e.PiecesReleased(cancellation_id="c")) == ()
    life.does(d.release_inventory, outcome=e.InventoryReleased(reservation_id="r"))
    assert life.does(d.release_pieces, outcome=e.PiecesReleased(cancellation_id="c")) == ()


def test_a_delay_that_nobody_agrees_to_takes_out_what_is_left_and_what_is_booked_by_a_name_of_its_own() -> None:
    """The carrier refuses the second parcel before it is stopped: its pieces go back to stock, and their money to the customer; nobody
    holds the order for it, and nobody books them again."""
    lines = tuple(e.OrderLine(sku=sku, quantity=1, unit_price=Decimal(100)) for sku in ("A", "B", "C"))
    life = Life(order_created(lines=lines), spread=("north", "south", "west"))
    for _ in range(2):
        life.books()
    first, second = (shipment.shipment_id for shipment in life.order.shipments)
    life.does(d.dispatch_shipment, outcome=e.ShipmentDispatched(shipment_id=first, tracking_number="t"))
    delayed = e.ShipmentDelayed(delay_id="one", promised_at=NOON, reason="late", consent_by=NOON)
    life.does(d.delay_shipment, outcome=delayed)
    life.does(d.answer, action_id="delay:one", answer="declined")
    assert next_steps.shipping_step(life.state) == next_steps.CancelBooking(second)
    life.does(d.fail_shipment, outcome=e.ShipmentFailed(shipment_id=second, code="no"))
    for cancelled in life.order.cancelled:
        life.does(d.release_pieces, outcome=e.PiecesReleased(cancellation_id=cancelled.cancellation_id))

    assert (life.order.holds, next_steps.shipping_step(life.state)) == ((), next_steps.Track((first,)))
    parts, refunds = life.order.cancelled, life.order.payment.refunds
    assert len({part.cancellation_id for part in parts}) == len({refund.refund_id for refund in refunds}) == 2
    assert set(life.order.inventory.released) == {part.cancellation_id for part in parts}


def test_what_was_taken_for_pieces_that_were_cancelled_meanwhile_goes_back() -> None:
    """The first parcel has left, and all is being taken, when the pieces that are still missing are cancelled."""
    life = Life(reserved=False)
    some = e.InventoryPartiallyReserved(
        reservation_id="r", allocations=(e.Allocation(location="north", lines=lamps(1)),), missing=lamps(1)
    )
    life.does(d.partly_reserve_inventory, outcome=some)
    life.books()
    shipment_id = life.order.shipments[0].shipment_id
    life.does(d.dispatch_shipment, outcome=e.ShipmentDispatched(shipment_id=shipment_id, tracking_number="t"))
    assert next_steps.payment_step(life.state) == next_steps.Capture(ALL_MINOR)
    life.does(d.cancel_lines, cancellation_id="c", lines=lamps(1), reason="customer")
    life.does(d.capture_payment, outcome=e.PaymentCaptured(amount_minor=ALL_MINOR, provider_reference="cap"))
    assert [refund.amount_minor for refund in life.order.payment.refunds_pending] == [ALL_MINOR // 2]

    life.sent()
    life.given_back()
    assert life.order.invoice is not None
    assert (life.order.invoice.total_minor, life.order.credit_notes) == (ALL_MINOR // 2, ())
