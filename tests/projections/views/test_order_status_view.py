"""The status view tells what the domain's own state tells, whatever happened, and in whatever pieces it was folded."""

from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, PaymentStatus, Placed, fold
from projections.projecting.folding import Known, write_of
from projections.projecting.targets import Target
from projections.view_store import items
from projections.views import order_status
from projections.views.order_status_parts import ACTIONS_MAX, CREDIT_NOTES_MAX, OWED_MAX, SHIPMENTS_MAX
from projections.views.view import Generation, OutOfPlace
from tests.builders import BOOKED, DISPATCHED, NOON, PAID, RESERVED, line, order_created
from tests.projections.histories import (
    CANCELLED_LATE,
    HAPPY,
    ORDER,
    commits_for,
    groups_of,
    happy_commits,
    histories,
    recorded_of,
)

STATUS_OF_CLASS = {
    "Received": "RECEIVED",
    "Confirmed": "CONFIRMED",
    "InFulfilment": "IN_FULFILMENT",
    "Completed": "COMPLETED",
    "Cancelling": "CANCELLING",
    "Cancelled": "CANCELLED",
    "Rejected": "REJECTED",
}


def folded(recorded, view=None):
    for one in recorded:
        view = order_status.evolve(view, one)
    return view


@given(histories())
def test_the_view_says_what_the_domain_says(groups) -> None:
    """Status, payment, stock, shipment, invoice, refunds and holds equal those of the domain's own fold, after every commit."""
    commits = commits_for(groups)
    for length in range(1, len(commits) + 1):
        view = folded(recorded_of(commits[:length]))
        state = fold(INITIAL, (event for group in groups[:length] for event in group))
        assert isinstance(state, Placed)
        assert view.status == STATUS_OF_CLASS[type(state).__name__]
        assert view.payment.status == state.payment.status.name
        assert view.payment.amount_minor == state.payment.amount_minor
        captured = state.payment.amount_minor if state.payment.status is PaymentStatus.CAPTURED else 0
        assert view.payment.captured_minor == captured
        pending_minor = sum(refund.amount_minor for refund in state.payment.refunds_pending)
        assert view.payment.refund_pending_minor == pending_minor
        assert view.payment.refunded_minor + pending_minor == state.payment.refunded_minor
        assert view.inventory.status == state.inventory.status.name
        assert [(one.shipment_id, one.status) for one in view.shipments] == [
            (one.shipment_id, one.status.name) for one in state.shipments
        ]
        assert view.invoice_numbers == ((state.invoice.invoice_number,) if state.invoice else ())
        assert [(hold.hold_id, hold.reason) for hold in view.holds] == [
            (hold.hold_id, hold.reason) for hold in state.holds
        ]
        assert view.commit == length


@given(histories(), st.data())
def test_a_fold_may_be_cut_anywhere_and_pass_through_a_document(groups, data) -> None:
    """Folding one part, storing it as a document, and folding the rest on top is folding all at once."""
    recorded = recorded_of(commits_for(groups))
    cut = data.draw(st.integers(min_value=1, max_value=len(recorded)))
    stored = orjson.dumps(order_status.to_document(folded(recorded[:cut])))

    view = folded(recorded[cut:], order_status.from_document(orjson.loads(stored)))

    assert view == folded(recorded)
    assert folded(recorded) == folded(recorded)


def test_the_document_is_written_down() -> None:
    """The names are the API's contract: this is a finished order, in full."""
    assert order_status.to_answer(folded(recorded_of(happy_commits()))) == {
        "orderId": ORDER,
        "customerId": "customer-1",
        "status": "COMPLETED",
        "payment": {
            "status": "CAPTURED",
            "attempt": 1,
            "amountMinor": 90_000,
            "dueMinor": 90_000,
            "capturedMinor": 90_000,
            "refundedMinor": 0,
            "refundPendingMinor": 0,
            "refundFailedMinor": 0,
            "disputedMinor": 0,
            "outcomeUnknown": False,
            "retryUntil": None,
        },
        "inventory": {"status": "RESERVED", "missingPieces": 0},
        "shipment": {"shipmentId": "shipment-1", "status": "DELIVERED", "trackingNumber": "track-1"},
        "shipments": [
            {
                "shipmentId": "shipment-1",
                "status": "DELIVERED",
                "trackingNumber": "track-1",
                "location": None,
                "pieces": 3,
                "seen": None,
            }
        ],
        "shipmentsOmitted": 0,
        "invoiceNumbers": ["INV-2026-7274497"],
        "creditNoteNumbers": [],
        "creditNotesOmitted": 0,
        "cancellation": None,
        "cancelledPieces": 0,
        "cancelledMinor": 0,
        "holds": [],
        "review": "NONE",
        "actions": [],
        "actionsOmitted": 0,
        "returns": [],
        "edits": [],
        "stalled": [],
        "currency": "USD",
        "totalMinor": 90_000,
        "totalExact": "900",
        "total": "900.00",
        "lineCount": 2,
        "pieceCount": 3,
        "placedAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
        "lastRecordedAtMs": 1_780_000_008_000,
        "version": 10,
        "commit": 8,
    }


def test_a_cancellation_is_told_with_its_reason() -> None:
    """An order undone late says why, and that nothing is held any more."""
    view = folded(recorded_of(commits_for(groups_of(CANCELLED_LATE))))

    assert view.status == "CANCELLED"
    assert view.cancellation == order_status.Cancellation(reason="customer")
    assert view.payment.status == "VOIDED"
    assert view.inventory.status == "RELEASED"


def test_a_cancellation_that_came_too_late_is_told_too() -> None:
    """The parcel had left: the order goes on, and the wish is still to be seen."""
    groups = (
        *groups_of(HAPPY[:3]),
        (e.OrderCancellationRequested(reason="customer"),),
        (DISPATCHED, e.OrderCancellationDeclined(reason="dispatched")),
    )
    view = folded(recorded_of(commits_for(groups)))

    assert view.status == "IN_FULFILMENT"
    assert view.cancellation == order_status.Cancellation(reason="customer", declined=True)


HELD = e.OrderHeld(hold_id="h1", reason="fraud_review", note=e.FreeText(plain="the third card"))


def test_open_holds_are_shown_with_when_they_began_and_never_with_what_was_written() -> None:
    """In the order in which they were placed; a released one is gone, the others keep their time."""
    other = e.OrderHeld(hold_id="h2", reason="address")
    groups = (*groups_of(HAPPY[:2]), (HELD,), (other,), (e.OrderHoldReleased(hold_id="h2"),))
    moments = [NOON + timedelta(minutes=number) for number in range(len(groups))]
    recorded = recorded_of(commits_for(groups, moments=moments))
    view = folded(recorded[:-1])
    document = order_status.to_document(view)

    assert document["holds"] == [
        {"holdId": "h1", "reason": "fraud_review", "since": "2026-03-01T12:03:00.000Z"},
        {"holdId": "h2", "reason": "address", "since": "2026-03-01T12:04:00.000Z"},
    ]
    assert "third card" not in str(document)
    assert [hold.hold_id for hold in folded(recorded[-1:], view).holds] == ["h1"]


@pytest.mark.parametrize(
    "ending",
    [
        (e.OrderCancellationRequested(reason="customer"), e.OrderCancelled(reason="customer", compensations=())),
        (e.OrderRejected(reasons=()),),
        (e.OrderConfirmed(), DISPATCHED, e.OrderCompleted()),
    ],
    ids=["cancelled", "rejected", "completed"],
)
def test_an_order_that_has_ended_shows_no_holds(ending: tuple[e.Event, ...]) -> None:
    """They ended with it."""
    for count in range(len(ending) + 1):
        view = folded(recorded_of(commits_for((*groups_of(()), (HELD,), *((event,) for event in ending[:count])))))
        assert len(view.holds) == (0 if count == len(ending) else 1)


def test_a_document_of_the_schema_before_is_not_read_as_one_of_this() -> None:
    """It does not know how many pieces were ordered: the machinery folds it anew, by its number."""
    document = order_status.to_document(folded(recorded_of(happy_commits())))
    del document["pieceCount"]
    with pytest.raises(KeyError):
        order_status.from_document(document)
    assert order_status.VIEW.schema == order_status.SCHEMA == 4


def test_an_order_cannot_begin_in_the_middle_nor_twice() -> None:
    """An event out of its place is never folded into something that looks right."""
    created, paid = recorded_of(commits_for(groups_of(HAPPY[:1])))
    with pytest.raises(OutOfPlace):
        order_status.evolve(None, paid)
    with pytest.raises(OutOfPlace):
        order_status.evolve(folded([created]), created)


def test_the_document_stays_small_however_long_the_order_is() -> None:
    """5,000 lines leave their number and their total, nothing else."""
    lines = tuple(line(sku=f"SKU-{index}") for index in range(5_000))
    view = folded(recorded_of(commits_for(groups_of((), lines=lines))))

    assert view.line_count == 5_000
    assert len(orjson.dumps(order_status.to_document(view))) < 1_000


def test_a_guest_order_stands_in_no_customer_list() -> None:
    """Without a customer there is no list; with one, newer orders sort behind older ones."""
    guest = folded(recorded_of(commits_for(groups_of((), customer_id=None))))
    known = folded(recorded_of(happy_commits()))

    assert order_status.VIEW.listing(guest) is None
    listing = order_status.VIEW.listing(known)
    assert listing.name == "customer/customer-1"
    assert listing.sort.startswith("2026-03-01T12:00:00.000Z/")


def test_a_document_is_named_by_generation_view_tenant_and_order() -> None:
    """The next generation stands beside this one, and a key tells whose it is."""
    generation = Generation("order_status", 2)

    assert generation.key("main", "o1") == "g2/order_status/main/o1"
    assert generation.order("g2/order_status/a/b/o1") == ("a/b", "o1")
    for foreign in ("g22/order_status/main/o1", "g2/order_status/o1", "pointer/order_status", "g2/order_status/main/"):
        with pytest.raises(ValueError, match="no document"):
            generation.order(foreign)


def test_builders_are_the_facts_that_this_suite_names() -> None:
    """The happy path is the one of the picture: paid, reserved, confirmed, booked, sent, captured, invoiced, delivered."""
    names = [recorded.name for recorded in recorded_of(happy_commits())]

    assert names[:2] == ["OrderCreated", "PaymentCompleted"]
    assert names[-2:] == ["ShipmentDelivered", "OrderCompleted"]
    assert {type(PAID), type(RESERVED), type(BOOKED)} <= {type(event) for group in groups_of(HAPPY) for event in group}


PARTLY_PAID = e.Terms(charge="per_shipment", missing_stock="backorder")


def after(*events: e.Event, **changes: object):
    return folded(recorded_of(commits_for((*groups_of((), **changes), *((event,) for event in events)))))


def booked(number: int) -> e.ShipmentCreated:
    return e.ShipmentCreated(
        shipment_id=f"s{number}",
        carrier="c",
        label_reference="l",
        location="berlin",
        lines=(e.Pieces(line=1, quantity=1),),
    )


def test_each_parcel_is_told_with_its_pieces_and_where_it_was_seen() -> None:
    """The last one that was booked is `shipment` too, as it was when there was one at most."""
    seen = e.TrackingUpdated(shipment_id="s1", code="in_transit", seen_at=NOON, place="Leipzig")
    sent = e.ShipmentDispatched(shipment_id="s1", tracking_number="t1")
    lost = e.ShipmentFailed(shipment_id="s1", code="lost")
    document = order_status.to_answer(after(booked(1), booked(2), sent, seen, lost))

    first, second = document["shipments"]
    assert first == {
        "shipmentId": "s1",
        "status": "LOST",
        "trackingNumber": "t1",
        "location": "berlin",
        "pieces": 1,
        "seen": {"code": "in_transit", "at": "2026-03-01T12:00:00.000Z", "place": "Leipzig"},
    }
    assert second["status"] == "BOOKED"
    assert document["shipment"] == {"shipmentId": "s2", "status": "BOOKED", "trackingNumber": None}


def test_what_grows_is_bounded_and_what_is_left_out_is_counted() -> None:
    """Of very many parcels and credit notes the latest, of open questions the first; what is owed is always in the sums."""
    questions = [
        e.OrderActionRequired(action_id=f"delay:{n}", kind="delay_consent", deadline=NOON)
        for n in range(ACTIONS_MAX + 5)
    ]
    notes = [
        e.CreditNoteIssued(
            series="CN",
            number=n,
            credit_note_number=f"CN-{n}",
            invoice_number="I",
            refund_id=f"r{n}",
            total_minor=1,
            currency="USD",
            issued_at=NOON,
        )
        for n in range(CREDIT_NOTES_MAX + 7)
    ]
    refunds = [e.RefundRequested(refund_id=f"r{n}", amount_minor=10) for n in range(OWED_MAX + 10)]
    parcels = [booked(n) for n in range(SHIPMENTS_MAX + 3)]
    failed = [e.RefundFailed(refund_id=f"r{n}", attempt=1, code="gone") for n in (0, OWED_MAX + 1)]
    view = after(*questions, *notes, *refunds, *parcels, *failed)
    document = order_status.to_answer(view)

    assert [len(document[name]) for name in ("actions", "creditNoteNumbers", "shipments")] == [
        ACTIONS_MAX,
        CREDIT_NOTES_MAX,
        SHIPMENTS_MAX,
    ]
    assert (document["actionsOmitted"], document["creditNotesOmitted"], document["shipmentsOmitted"]) == (5, 7, 3)
    assert (document["shipments"][0]["shipmentId"], document["creditNoteNumbers"][-1]) == ("s3", "CN-26")
    assert (document["payment"]["refundPendingMinor"], document["payment"]["refundFailedMinor"]) == (2_090, 10)
    given = [e.RefundIssued(refund_id=f"r{n}", amount_minor=10, provider_reference="r") for n in range(OWED_MAX + 10)]
    paid = folded(recorded_of(commits_for(((order_created(),), *((event,) for event in (*refunds, *failed, *given))))))
    assert (paid.payment.refund_pending_minor, paid.payment.refund_failed_minor) == (0, 0)
    assert paid.payment.refunded_minor == 10 * (OWED_MAX + 10)
    answered = [e.OrderActionAnswered(action_id=f"delay:{n}", answer="accepted") for n in range(ACTIONS_MAX + 5)]
    settled = after(*questions, *answered)
    assert (settled.actions, settled.actions_omitted) == ((), 0)
    assert len(orjson.dumps(order_status.to_document(view))) < 30_000


def test_an_ordinary_order_is_stored_in_one_write_unit() -> None:
    """With names as long as they really are, and a parcel that was tracked: what says nothing is not stored."""
    long = "0b8f7c1e-5a7c-5b11-8f2e-0d7a4f6f0001"
    groups = (
        *groups_of(HAPPY[:2], customer_id=f"customer-{long}"),
        (e.ShipmentCreated(shipment_id=long, carrier="c", label_reference="l"),),
        (e.ShipmentDispatched(shipment_id=long, tracking_number="00340434161094042557"),),
        (e.TrackingUpdated(shipment_id=long, code="in_transit", seen_at=NOON),),
    )
    view = folded(recorded_of(commits_for(groups)))
    known = Known(view, view.commit, view.commit)
    item = items.item_of(write_of(Target(order_status.VIEW, Generation("order_status", 1)), "main", ORDER, known))

    assert sum(len(name) + len(next(iter(value.values()))) for name, value in item.items()) < 1_024
    assert "shipments" not in order_status.to_document(view)
    assert order_status.answer_of(order_status.to_document(view)) == order_status.to_answer(view)


def test_a_build_from_before_still_finds_what_it_answers() -> None:
    """What was in an answer when there was one parcel is stored as it was, whatever else stands beside it."""
    document = order_status.to_document(after(booked(1), booked(2)))

    assert document["shipment"].items() >= {"shipmentId": "s2", "status": "BOOKED", "trackingNumber": None}.items()
    assert document["payment"].items() >= {"capturedMinor": 0, "refundedMinor": 0, "refundPendingMinor": 0}.items()
    assert (document["holds"], document["cancellation"], document["inventory"]) == ([], None, {"status": "PENDING"})


def test_money_that_is_taken_parcel_by_parcel_adds_up() -> None:
    """Partly captured until the last one; pieces that are cancelled may make what was taken all of it."""
    taken = e.PaymentCaptured(amount_minor=60_000, provider_reference="c", shipment_id="s1", final=False)
    rest = e.PaymentCaptured(amount_minor=30_000, provider_reference="c", shipment_id="s2", final=False)
    gone = e.LinesCancelled(
        cancellation_id="x", lines=(e.Pieces(line=1, quantity=2),), amount_minor=30_000, reason="customer"
    )
    part = after(PAID, taken, terms=PARTLY_PAID)
    assert (part.payment.status, part.payment.captured_minor) == ("PARTIALLY_CAPTURED", 60_000)
    assert after(PAID, taken, rest, terms=PARTLY_PAID).payment.status == "CAPTURED"
    smaller = after(PAID, taken, gone, terms=PARTLY_PAID)
    assert (smaller.payment.status, smaller.due_minor, smaller.cancelled_pieces) == ("CAPTURED", 60_000, 2)
