"""Some of an order: some pieces missing, some cancelled, some sent from elsewhere, some paid for, some brought back."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from orderstore.domain import billing, next_steps, timers
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.parcels import Parcel, next_parcel, wanted
from orderstore.domain.rejections import (
    NothingToCancel,
    NothingToRetry,
    NothingToReturn,
    RefundTooLarge,
    TooLateToCancel,
    TooManyAttempts,
    WrongReturnStatus,
)
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    Order,
    PaymentStatus,
    Received,
    fold,
)
from tests.builders import NOON, order_created

LINES = (
    e.OrderLine(sku="LAMP", quantity=3, unit_price=Decimal("20.00")),
    e.OrderLine(sku="CHAIR", quantity=2, unit_price=Decimal("50.00")),
)
TOTAL = 16_000
LATER = NOON + timedelta(hours=1)


def piece(line: int, quantity: int) -> e.Pieces:
    return e.Pieces(line=line, quantity=quantity)


def at(location: str, *lines: e.Pieces) -> e.Allocation:
    return e.Allocation(location=location, lines=lines)


def paid(mode: e.PaymentMode = "authorized", attempt: int = 1, amount_minor: int = TOTAL) -> e.PaymentCompleted:
    return e.PaymentCompleted(
        attempt=attempt, mode=mode, amount_minor=amount_minor, provider_reference=f"pi_{attempt}", capture_before=LATER
    )


def given(*history: e.Event, terms: e.Terms | None = None) -> Order:
    state = fold(INITIAL, (order_created(lines=LINES, terms=terms), *history))
    assert not isinstance(state, type(INITIAL))
    return state


def partly(**changes: object) -> e.InventoryPartiallyReserved:
    values: dict[str, object] = {
        "reservation_id": "r",
        "allocations": (at("north", piece(0, 3)),),
        "missing": (piece(1, 2),),
        "answer_by": LATER,
    }
    return e.InventoryPartiallyReserved(**{**values, **changes})  # type: ignore[arg-type]  # the fields are those of the class


def then(state: Order, *decided: e.Event) -> Order:
    after = fold(state, decided)
    assert not isinstance(after, type(INITIAL))
    return after


def sent(state: Order, number: int = 0) -> Order:
    """The next parcel booked and gone."""
    step = next_steps.shipping_step(state)
    assert isinstance(step, next_steps.Book)
    created = e.ShipmentCreated(
        shipment_id=step.shipment_id,
        carrier="c",
        label_reference="l",
        location=step.parcel.location,
        lines=step.parcel.lines,
    )
    state = then(state, *d.create_shipment(state, outcome=created))
    gone = e.ShipmentDispatched(shipment_id=step.shipment_id, tracking_number=f"t{number}")
    return then(state, *d.dispatch_shipment(state, outcome=gone))


def arrived(state: Order) -> Order:
    step = next_steps.shipping_step(state)
    assert isinstance(step, next_steps.Track)
    delivered = e.ShipmentDelivered(shipment_id=step.shipment_ids[0], proof_reference="p")
    return then(state, *d.deliver_shipment(state, outcome=delivered))


def captured(state: Order) -> Order:
    step = next_steps.payment_step(state)
    assert isinstance(step, next_steps.Capture)
    outcome = e.PaymentCaptured(
        amount_minor=step.amount_minor, provider_reference="cap", shipment_id=step.shipment_id, final=step.final
    )
    return then(state, *d.capture_payment(state, outcome=outcome))


def invoiced(state: Order) -> Order:
    return then(state, *billing.issue_invoice(state, series="INV", number=1, issued_at=NOON, supplied_at=NOON))


# What is missing


def test_a_customer_is_asked_what_becomes_of_what_is_missing() -> None:
    """Nothing is confirmed, rejected or charged anew until there is an answer, or its time is over."""  # domain 5.2
    state = given(paid(), terms=e.Terms(missing_stock="ask"))
    decided = d.partly_reserve_inventory(state, outcome=partly())

    assert decided == (
        partly(),
        e.OrderActionRequired(action_id="missing_stock", kind="missing_stock", deadline=LATER),
    )
    assert isinstance(then(state, *decided), Received)


@pytest.mark.parametrize("answer", ["accepted", "expired"])
def test_without_what_is_missing_the_order_goes_on_for_less_money(answer: e.Answer) -> None:
    """The amount that is due is the order's without those pieces, and so are the capture and the invoice."""  # domain 5.2, 5.4
    state = given(paid(), partly(), terms=e.Terms(missing_stock="ask"))
    state = then(state, e.OrderActionRequired(action_id="missing_stock", kind="missing_stock", deadline=LATER))
    state = then(state, *d.answer(state, action_id="missing_stock", answer=answer))

    assert isinstance(state, Confirmed)
    assert (state.due_minor, state.inventory.missing, dict(wanted(state))) == (6_000, (), {0: 3})
    state = invoiced(captured(sent(state)))
    assert state.payment.captured_minor == 6_000
    assert state.invoice is not None
    assert (state.invoice.total_minor, state.invoice.lines) == (6_000, (piece(0, 3),))
    assert isinstance(arrived(state), Completed)


def test_a_customer_who_says_no_has_the_whole_order_undone() -> None:
    """What was set aside goes back, what was held is let go."""
    state = given(
        paid(),
        partly(),
        e.OrderActionRequired(action_id="missing_stock", kind="missing_stock", deadline=LATER),
        terms=e.Terms(missing_stock="ask"),
    )
    state = then(state, *d.answer(state, action_id="missing_stock", answer="declined"))

    assert isinstance(state, Cancelling)
    assert next_steps.inventory_step(state) == next_steps.Release()
    assert next_steps.payment_step(state) == next_steps.VoidPayment()
    assert d.answer(state, action_id="missing_stock", answer="accepted") == ()


def test_an_order_of_which_nothing_would_be_left_is_undone() -> None:
    """The customer cancelled what was there, and what is missing is not waited for: there is nothing left to send."""
    state = given(
        paid(),
        partly(),
        e.OrderActionRequired(action_id="missing_stock", kind="missing_stock", deadline=LATER),
        terms=e.Terms(missing_stock="ask"),
    )
    state = then(state, *d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 3),), reason="customer"))
    state = then(state, *d.answer(state, action_id="missing_stock", answer="expired"))

    assert isinstance(state, Cancelling)
    assert not any(part.cancellation_id == "missing_stock" for part in state.cancelled)


def test_backordered_pieces_follow_in_a_parcel_of_their_own() -> None:
    """What is there leaves at once; the invoice is written when everything has left."""  # domain 5.2
    state = given(paid(), partly(), e.OrderConfirmed(), terms=e.Terms(missing_stock="backorder", charge="per_shipment"))
    state = captured(sent(state))

    assert next_parcel(state) is None
    assert state.payment.status is PaymentStatus.PARTIALLY_CAPTURED
    assert next_steps.billing_step(state) is None
    came = e.BackorderFilled(reservation_id="r", allocations=(at("south", piece(1, 2)),))
    state = then(state, *d.fill_backorder(state, outcome=came))
    assert next_parcel(state) == Parcel("south", (piece(1, 2),))
    state = captured(sent(state, 1))
    assert (state.payment.status, state.payment.captured_minor) == (PaymentStatus.CAPTURED, TOTAL)
    assert next_steps.billing_step(state) == next_steps.IssueInvoice()


def test_more_than_is_missing_never_fills_a_backorder() -> None:
    """An outcome that does not fit is not recorded: it is somebody else's."""
    state = given(paid(), partly(), e.OrderConfirmed(), terms=e.Terms(missing_stock="backorder"))
    too_many = e.BackorderFilled(reservation_id="r", allocations=(at("south", piece(1, 3)),))

    assert d.fill_backorder(state, outcome=too_many) == ()


def test_an_order_whose_missing_lines_are_cancelled_at_once_refunds_what_was_taken() -> None:
    """Money that was taken with the order is promised back in the same commit; no document ever names those pieces."""
    state = given(paid("captured"), terms=e.Terms(missing_stock="cancel_lines"))
    state = then(state, *d.partly_reserve_inventory(state, outcome=partly(answer_by=None)))

    assert isinstance(state, Confirmed)
    (refund,) = state.payment.refunds
    assert (refund.amount_minor, refund.of_cancellation) == (10_000, True)
    issued = e.RefundIssued(refund_id=refund.refund_id, amount_minor=10_000, provider_reference="re")
    state = arrived(invoiced(then(sent(state), *d.issue_refund(state, outcome=issued))))
    assert isinstance(state, Completed)
    assert next_steps.billing_step(then(state, *stored(state))) is None


def stored(state: Order) -> tuple[e.Event, ...]:
    (number,) = billing.unstored(state)
    rendering = e.InvoiceDocumentStored(
        number=number, document="invoice", media_type="text/html", object_key="k", sha256="0" * 64, size=1
    )
    return billing.store_documents(state, renderings=(rendering,))


# Pieces that leave the order


def test_pieces_that_a_carrier_expects_are_no_longer_cancelled() -> None:
    """The carrier decides what still can be stopped only for whole orders; pieces in a parcel come back as a return."""
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    booked = next_steps.shipping_step(state)
    assert isinstance(booked, next_steps.Book)
    created = e.ShipmentCreated(shipment_id=booked.shipment_id, carrier="c", label_reference="l")
    state = then(state, *d.create_shipment(state, outcome=created))

    with pytest.raises(TooLateToCancel):
        d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 1),), reason="customer")


@pytest.mark.parametrize(("grace_until", "says"), [(None, "at this moment: try again"), (LATER, "grace is not over")])
def test_before_goods_are_set_aside_no_pieces_are_cancelled(grace_until: datetime | None, says: str) -> None:
    """It is told whether that takes a moment, or as long as the grace."""
    state = fold(INITIAL, (order_created(lines=LINES, grace_until=grace_until),))
    with pytest.raises(TooLateToCancel, match=says):
        d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 1),), reason="customer")


@pytest.mark.parametrize(
    "lines",
    [(), (piece(0, 0),), (piece(0, 4),), (piece(7, 1),), (piece(0, 3), piece(1, 2)), (piece(0, 2), piece(0, 2))],
)
def test_only_pieces_of_the_order_are_cancelled_and_never_all_of_them(lines: tuple[e.Pieces, ...]) -> None:
    """The whole order is cancelled as a whole: that has rules of its own."""
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())

    with pytest.raises(NothingToCancel):
        d.cancel_lines(state, cancellation_id="a", lines=lines, reason="customer")


def test_cancelled_pieces_are_put_back_where_they_were_set_aside() -> None:
    """What is in a parcel already stays with it, wherever the rest was set aside."""
    spread = e.InventoryReserved(
        reservation_id="r", allocations=(at("north", piece(1, 2), piece(0, 1)), at("south", piece(0, 2)))
    )
    state = sent(given(paid(), spread, e.OrderConfirmed(), terms=e.Terms(charge="per_shipment")))
    assert state.shipments[0].location == "north"
    state = then(state, *d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 1),), reason="customer"))

    assert state.cancelled[0].freed == (at("south", piece(0, 1)),)
    assert next_parcel(state) == Parcel("south", (piece(0, 1),))
    commits = then(state, e.InventoryCommitted(shipment_id=state.shipments[0].shipment_id))
    assert next_steps.inventory_step(commits) == next_steps.ReleasePieces(state.cancelled[0])


def test_what_is_in_a_parcel_is_never_freed_though_it_was_set_aside_last() -> None:
    """The later location has sent its pieces already: those of the earlier one are put back."""
    spread = e.InventoryReserved(
        reservation_id="r", allocations=(at("north", piece(0, 2)), at("south", piece(0, 1), piece(1, 2)))
    )
    state = given(paid(), spread, e.OrderConfirmed())
    gone = e.ShipmentCreated(
        shipment_id="s", carrier="c", label_reference="l", location="south", lines=(piece(0, 1), piece(1, 2))
    )
    state = then(state, gone, e.ShipmentDispatched(shipment_id="s", tracking_number="t"))
    state = then(state, *d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 1),), reason="customer"))

    assert state.cancelled[0].freed == (at("north", piece(0, 1)),)
    assert next_parcel(state) == Parcel("north", (piece(0, 1),))


def test_pieces_whose_money_was_promised_back_are_not_taken_off_the_price_again() -> None:
    """Refunded before, cancelled now: the money goes back once."""
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    state = then(state, *d.request_refund(state, refund_id="f", lines=(piece(1, 2),), reason=None))
    (gone,) = d.cancel_lines(state, cancellation_id="a", lines=(piece(0, 1), piece(1, 2)), reason="customer")

    assert isinstance(gone, e.LinesCancelled)
    assert gone.amount_minor == 2_000
    assert then(state, gone).due_minor - 10_000 == 4_000


# Money in part


def test_what_rounding_leaves_is_never_less_than_what_was_taken() -> None:
    """Cancelled pieces take no more off the price than is left of it after the parcels that are paid for."""
    lines = (e.OrderLine(sku="A", quantity=3, unit_price=Decimal("0.335")),)  # 1.005 in all, 1.00 rounded half to even
    created = order_created(lines=lines, terms=e.Terms(charge="per_shipment"))
    spread = e.InventoryReserved(reservation_id="r", allocations=(at("north", piece(0, 1)), at("south", piece(0, 2))))
    state = fold(INITIAL, (created, paid(amount_minor=100), spread, e.OrderConfirmed()))
    assert isinstance(state, Confirmed)
    first = captured(sent(state))
    after = then(first, *d.cancel_lines(first, cancellation_id="a", lines=(piece(0, 2),), reason="customer"))

    assert (after.due_minor, after.payment.status) == (first.payment.captured_minor, PaymentStatus.CAPTURED)


def test_a_hold_that_ran_out_is_followed_by_a_new_attempt_and_not_for_ever() -> None:
    """The next attempt has a number, so a key, of its own; an order that nobody can pay for in the end is undone."""  # domain 5.4, 5.5.2
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    attempts = 1
    while isinstance(state, Confirmed):
        assert timers.expire(state, now=LATER - timedelta(seconds=1)) == ()
        state = then(state, *timers.expire(state, now=LATER))
        if isinstance(state, Confirmed):
            attempts += 1
            assert next_steps.payment_step(state) == next_steps.Authorize(TOTAL)
            assert next_steps.shipping_step(state) is None
            state = then(state, *d.complete_payment(state, outcome=paid(attempt=attempts)))

    assert attempts == 10
    assert isinstance(state, Cancelling)


def test_the_answer_to_an_earlier_attempt_is_no_answer_to_this_one() -> None:
    """A late outcome must not be taken for the present attempt's: its money is somebody's to give back."""  # domain 5.5.2
    declined = e.PaymentFailed(attempt=1, category="soft", code="no", retry_until=LATER)
    state = given(declined, e.PaymentAttemptStarted(attempt=2))

    assert d.complete_payment(state, outcome=paid(attempt=1)) == ()
    assert d.fail_payment(state, outcome=declined) == ()
    assert d.complete_payment(state, outcome=paid(attempt=2))[0] == paid(attempt=2)


def test_a_soft_decline_keeps_the_goods_until_the_customer_has_had_the_time() -> None:
    """A second attempt confirms the order; silence undoes it."""  # domain 5.2
    state = given(e.InventoryReserved(reservation_id="r"), terms=e.Terms(payment_retry_s=3600))
    declined = e.PaymentFailed(attempt=1, category="soft", code="no", retry_until=LATER)
    state = then(state, *d.fail_payment(state, outcome=declined))

    assert isinstance(state, Received)
    assert state.inventory.status is InventoryStatus.RESERVED
    again = then(state, *d.retry_payment(state, method="pm_2"))
    assert (again.payment.attempt, again.payment.method, again.questions) == (2, "pm_2", ())
    assert isinstance(then(again, *d.complete_payment(again, outcome=paid(attempt=2))), Confirmed)
    silent = then(state, *timers.expire(state, now=LATER))
    assert isinstance(silent, Cancelling)
    assert silent.reason == "payment_failed"


def test_another_card_may_be_tried_while_the_bank_waits_for_its_customer() -> None:
    """The question is over, and what comes of the earlier attempt afterwards is no outcome of this one. While an answer is to come, no."""
    state = given(e.InventoryReserved(reservation_id="r"))
    asked = e.PaymentActionRequired(attempt=1, provider_reference="p", deadline=LATER)
    state = then(state, *d.require_payment_action(state, outcome=asked))
    again = then(state, *d.retry_payment(state, method="pm_2"))

    assert (again.payment.attempt, again.payment.method, again.questions) == (2, "pm_2", ())
    assert d.complete_payment(again, outcome=paid(attempt=1)) == ()
    assert timers.expire(again, now=LATER) == ()
    with pytest.raises(NothingToRetry):
        d.retry_payment(again, method="pm_3")
    assert isinstance(then(again, *d.complete_payment(again, outcome=paid(attempt=2))), Confirmed)


def test_a_payment_is_not_tried_more_often_than_it_may_be() -> None:
    """Visa counts tries."""
    state = given(e.PaymentFailed(attempt=10, category="soft", code="no", retry_until=LATER))

    with pytest.raises(TooManyAttempts):
        d.retry_payment(state)


def test_two_refunds_of_sixty_on_a_hundred_are_one() -> None:
    """Whoever comes second is told, whatever the pieces are."""  # domain 5.5.3
    lines = (e.OrderLine(sku="A", quantity=5, unit_price=Decimal(20)),)
    state = fold(INITIAL, (order_created(lines=lines), paid("captured", amount_minor=10_000)))
    (first,) = d.request_refund(state, refund_id="a", lines=(piece(0, 3),), reason=None)

    with pytest.raises(RefundTooLarge):
        d.request_refund(fold(state, (first,)), refund_id="b", lines=(piece(0, 3),), reason=None)


def test_what_the_bank_has_taken_back_is_not_given_back_a_second_time() -> None:
    """A dispute holds goods that are still here, and takes its amount off what can be refunded."""
    state = given(paid("captured"), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    state = then(
        state,
        *d.dispute_payment(state, outcome=e.PaymentDisputed(dispute_id="d", amount_minor=15_000, reason="fraudulent")),
    )

    assert next_steps.shipping_step(state) is None
    (refund,) = d.request_refund(state, refund_id="a", lines=(piece(0, 3),), reason=None)
    assert isinstance(refund, e.RefundRequested)
    assert refund.amount_minor == 1_000
    won = then(state, *d.close_dispute(state, outcome=e.PaymentDisputeClosed(dispute_id="d", outcome="won")))
    assert next_steps.shipping_step(won) is not None


def test_an_order_is_not_cancelled_while_the_bank_has_not_decided() -> None:
    """Won, the money is to be given back after all: the order's end waits for it."""
    state = given(
        paid("captured"),
        e.PaymentDisputed(dispute_id="d", amount_minor=TOTAL, reason="fraudulent"),
        e.OrderCancellationRequested(reason="customer"),
    )
    state = then(state, *d.release_inventory(state, outcome=e.InventoryReleased()))
    assert isinstance(state, Cancelling)

    won = d.close_dispute(state, outcome=e.PaymentDisputeClosed(dispute_id="d", outcome="won"))
    assert [type(event) for event in won] == [e.PaymentDisputeClosed, e.RefundRequested]
    lost = d.close_dispute(state, outcome=e.PaymentDisputeClosed(dispute_id="d", outcome="lost"))
    assert isinstance(then(state, *lost), Cancelled)


def test_a_refund_that_failed_is_owed_and_tried_again_with_a_key_of_its_own() -> None:
    """A failed compensation never ends silently: the order that is being undone goes on being undone."""  # domain 5.3.3
    state = given(paid("captured"), e.OrderCancellationRequested(reason="customer"))
    state = then(state, *d.release_inventory(state, outcome=e.InventoryReleased()))
    (refund,) = state.payment.refunds
    failed = e.RefundFailed(refund_id=refund.refund_id, attempt=1, code="expired_card")
    state = then(state, *d.fail_refund(state, outcome=failed))

    assert isinstance(state, Cancelling)
    assert next_steps.payment_step(state) is None
    assert d.fail_refund(state, outcome=failed) == ()
    state = then(state, *d.retry_refund(state, refund_id=refund.refund_id))
    step = next_steps.payment_step(state)
    assert isinstance(step, next_steps.IssueRefund)
    assert step.refund.attempt == 2


# What comes back


def delivered() -> Order:
    state = given(paid("captured"), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    state = arrived(invoiced(sent(state)))
    assert isinstance(state, Completed)
    return state


def test_what_has_not_arrived_does_not_come_back() -> None:
    """Nor what is on its way back already."""
    under_way = sent(given(paid("captured"), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed()))
    assert isinstance(under_way, InFulfilment)
    with pytest.raises(NothingToReturn):
        d.request_return(under_way, return_id="a", lines=(piece(0, 1),), reason="other", approved=True)
    confirmed = given(paid("captured"), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    with pytest.raises(NothingToReturn):
        d.request_return(confirmed, return_id="a", lines=(piece(0, 1),), reason="other", approved=True)

    state = delivered()
    state = then(state, *d.request_return(state, return_id="a", lines=(piece(0, 2),), reason="other", approved=True))
    with pytest.raises(NothingToReturn):
        d.request_return(state, return_id="b", lines=(piece(0, 2),), reason="other", approved=True)
    with pytest.raises(RefundTooLarge):
        d.request_refund(state, refund_id="f", lines=(piece(0, 2),), reason=None)
    assert d.request_refund(state, refund_id="f", lines=(piece(0, 1),), reason=None)


def test_an_inspection_refunds_what_may_be_refunded_and_stock_hears_of_the_rest() -> None:
    """One lamp to the shelf, one written off, one that was not ours: money for two."""
    state = delivered()
    state = then(
        state, *d.request_return(state, return_id="a", lines=(piece(0, 3),), reason="withdrawal", approved=False)
    )
    with pytest.raises(WrongReturnStatus):
        d.receive_return(state, return_id="a")
    state = then(state, *d.approve_return(state, return_id="a"))
    state = then(state, *d.receive_return(state, return_id="a"))
    found: tuple[e.InspectedPieces, ...] = (
        e.InspectedPieces(line=0, quantity=1, condition="sellable"),
        e.InspectedPieces(line=0, quantity=1, condition="damaged"),
        e.InspectedPieces(line=0, quantity=1, condition="dismissed"),
    )
    state = then(state, *d.inspect_return(state, return_id="a", pieces=found))

    assert [(refund.amount_minor, refund.lines) for refund in state.payment.refunds] == [(4_000, (piece(0, 2),))]
    commits = then(state, e.InventoryCommitted(shipment_id=state.shipments[0].shipment_id))
    step = next_steps.inventory_step(commits)
    assert isinstance(step, next_steps.Restock)
    assert step.returned.inspected == found
    assert d.inspect_return(state, return_id="a", pieces=found) == ()


# Parcels that do not arrive


def test_a_parcel_that_is_lost_is_refunded_and_the_order_ends() -> None:
    """Until then it is in nobody's hands: not completed, not cancelled."""
    state = invoiced(sent(given(paid("captured"), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())))
    lost = e.ShipmentFailed(shipment_id=state.shipments[0].shipment_id, code="lost")
    state = then(state, *d.fail_shipment(state, outcome=lost))

    assert isinstance(state, InFulfilment)
    state = then(state, *d.request_refund(state, refund_id="f", lines=(piece(0, 3), piece(1, 2)), reason=None))
    issued = e.RefundIssued(refund_id="f", amount_minor=TOTAL, provider_reference="re")
    assert isinstance(then(state, *d.issue_refund(state, outcome=issued)), Completed)


def test_a_carrier_that_refuses_a_parcel_stops_the_order_until_somebody_has_looked() -> None:
    """Else the same would be booked and refused again and again; released, it is booked anew under another id."""
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    first = next_steps.shipping_step(state)
    assert isinstance(first, next_steps.Book)
    created = e.ShipmentCreated(shipment_id=first.shipment_id, carrier="c", label_reference="l")
    state = then(state, *d.create_shipment(state, outcome=created))
    state = then(state, *d.fail_shipment(state, outcome=e.ShipmentFailed(shipment_id=first.shipment_id, code="no")))

    assert next_steps.shipping_step(state) is None
    state = then(state, e.OrderHoldReleased(hold_id=f"shipment:{first.shipment_id}"))
    second = next_steps.shipping_step(state)
    assert isinstance(second, next_steps.Book)
    assert second.shipment_id != first.shipment_id


def test_who_does_not_agree_to_a_delay_has_what_has_not_left_undone() -> None:
    """Silence is no consent."""  # domain 5.4, 16 CFR 435.2(b)
    state = given(paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed())
    late = e.ShipmentDelayed(delay_id="d", promised_at=LATER, reason="supplier", consent_by=LATER)
    state = then(state, *d.delay_shipment(state, outcome=late))

    assert isinstance(then(state, *timers.expire(state, now=LATER)), Cancelling)
    assert isinstance(then(state, *d.answer(state, action_id="delay:d", answer="accepted")), Confirmed)


def test_a_review_holds_the_goods_and_a_failed_one_undoes_the_order() -> None:
    """Payment and stock go on meanwhile."""
    created = order_created(lines=LINES, terms=e.Terms(review=True))
    state = fold(INITIAL, d.place(INITIAL, order=created))
    state = fold(state, (paid(), e.InventoryReserved(reservation_id="r"), e.OrderConfirmed()))

    assert next_steps.shipping_step(state) is None
    passed = fold(state, d.pass_review(state, outcome=e.FraudReviewPassed(score=3)))
    assert isinstance(next_steps.shipping_step(passed), next_steps.Book)
    assert isinstance(fold(state, d.fail_review(state, outcome=e.FraudReviewFailed(score=97))), Cancelling)
