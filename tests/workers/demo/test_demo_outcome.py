"""The demonstration judges each order by its own log: an end that was not asked for is never counted as a success."""

import json
from dataclasses import replace

import msgspec
import pytest

from orderstore.domain import billing, decisions
from orderstore.domain.events import InvoiceDocumentStored
from orderstore.domain.state import NotPlaced, Order, State, fold
from orderstore.history import History
from tests.builders import (
    BOOKED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    given,
)
from tests.ordering import cause, orders_over, request
from workers.demo.feed import Fed
from workers.demo.outcome import Summary, as_expected, status_name
from workers.intake.generator import Expectation

DECIDED = {
    type(DECLINED): decisions.fail_payment,
    type(PAID): decisions.complete_payment,
    type(RESERVED): decisions.reserve_inventory,
    type(SHORT): decisions.fail_inventory,
    type(VOIDED): decisions.void_payment,
    type(RELEASED): decisions.release_inventory,
    type(BOOKED): decisions.create_shipment,
    type(DISPATCHED): decisions.dispatch_shipment,
    type(DELIVERED): decisions.deliver_shipment,
    type(CAPTURED): decisions.capture_payment,
}


def ended(*outcomes: object, cancelled: bool = False) -> Order:
    """The order after these outcomes of workers, each with what follows from it."""
    state: State = given()
    if cancelled:
        state = fold(state, decisions.request_cancellation(state, reason="customer"))
    for outcome in outcomes:
        state = fold(state, DECIDED[type(outcome)](state, outcome=outcome))
        state = fold(state, billing.issue_invoice(state, series="INV", number=1, issued_at=NOON, supplied_at=NOON))
    assert isinstance(state, Order)
    return state


COMPLETED = ended(PAID, RESERVED, BOOKED, DISPATCHED, CAPTURED, DELIVERED)
UNPAID = ended(RESERVED, DECLINED, RELEASED)
SHORT_OF_STOCK = ended(PAID, SHORT, VOIDED)
NEITHER = ended(DECLINED, SHORT)
CANCELLED = ended(VOIDED, RELEASED, cancelled=True)
UNDER_WAY = ended(PAID)
ENDS = {
    "completed": COMPLETED,
    "unpaid": UNPAID,
    "short": SHORT_OF_STOCK,
    "neither": NEITHER,
    "cancelled": CANCELLED,
    "under way": UNDER_WAY,
}


def test_the_ends_are_what_their_names_say() -> None:
    """Else the table below would prove nothing."""
    assert {name: status_name(state) for name, state in ENDS.items()} == {
        "completed": "completed",
        "unpaid": "cancelled",
        "short": "cancelled",
        "neither": "rejected",
        "cancelled": "cancelled",
        "under way": "received",
    }


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("expectation", "only"),
    [
        (Expectation.COMPLETED, "completed"),
        (Expectation.PAYMENT_DECLINED, "unpaid"),
        (Expectation.OUT_OF_STOCK, "short"),
        (Expectation.BOTH_FAILED, "neither"),
        (Expectation.CANCEL_REQUESTED, "cancelled"),
    ],
)
def test_each_expectation_is_met_by_one_end_only(expectation: Expectation, only: str, end: str) -> None:
    """Cancelled is not enough: the reason has to be the expected one."""
    fed = Fed("order-1", expectation, new=True)

    assert as_expected(fed, History(stream="main/order-1", state=ENDS[end])) is (end == only)


@pytest.mark.parametrize(("state", "met"), [(COMPLETED, True), (CANCELLED, False)])
def test_a_cancellation_that_came_too_late_expects_the_order_to_go_on(state: State, met: bool) -> None:
    """The API had answered that the goods have left."""
    fed = Fed("order-1", Expectation.CANCEL_REQUESTED, new=True, too_late=True)

    assert as_expected(fed, History(stream="main/order-1", state=state)) is met


async def test_a_cancellation_that_the_carrier_declined_expects_the_order_to_go_on() -> None:
    """The API took it, the carrier was quicker; the log says so, and the order completes."""
    orders = orders_over()
    history = (await orders.place(request(), actor=cause("x").actor, idempotency_key="k")).history
    for number, decide in enumerate(
        (
            lambda state: decisions.complete_payment(state, outcome=PAID),
            lambda state: decisions.reserve_inventory(state, outcome=RESERVED),
            lambda state: decisions.create_shipment(state, outcome=BOOKED),
            lambda state: decisions.request_cancellation(state, reason="customer"),
            lambda state: decisions.dispatch_shipment(state, outcome=DISPATCHED),
        )
    ):
        history = await orders.record(history, decide, cause=cause(f"step-{number}"))
    fed = Fed(history.events[0].order_id, Expectation.CANCEL_REQUESTED, new=True)

    assert not as_expected(fed, history)  # it is still under way
    assert as_expected(fed, replace(history, state=COMPLETED))
    assert not as_expected(fed, replace(history, state=CANCELLED))


def test_the_summary_counts_and_names_what_went_wrong() -> None:
    """One as expected, one not: the run is no success, and says which order it was."""
    summary = Summary()
    summary.add(Fed("order-1", Expectation.COMPLETED, new=True), History(stream="s", state=COMPLETED))
    assert summary.as_it_should_be
    summary.add(Fed("order-2", Expectation.COMPLETED, new=False), History(stream="s", state=NEITHER))

    assert not summary.as_it_should_be
    assert summary.unexpected == ["order-2: rejected, expected completed"]
    document = json.loads(json.dumps(summary.document()))
    assert (document["orders"], document["orders_new"], document["ok"]) == (2, 1, False)
    assert document["orders_by_state"] == {"completed": 1, "rejected": 1}


def test_a_dead_letter_is_no_success_either() -> None:
    """Every order ended well, and yet a message was given up."""
    summary = Summary(dead_letters={"payment": 0, "billing": 0})
    assert summary.as_it_should_be
    summary.dead_letters["billing"] = 1

    assert not summary.as_it_should_be


async def test_an_event_that_stands_in_the_log_twice_is_no_success() -> None:
    """Whatever the order's end: something was done twice."""
    history = (await orders_over().place(request(), actor=cause("x").actor, idempotency_key="k")).history
    summary = Summary()
    once = replace(history, state=COMPLETED)

    summary.add(Fed("order-1", Expectation.COMPLETED, new=True), once)
    assert summary.as_it_should_be
    summary.add(Fed("order-2", Expectation.COMPLETED, new=True), replace(once, version=2, events=once.events * 2))

    assert (summary.doubled, summary.as_it_should_be) == (1, False)


async def test_each_rendering_of_each_document_is_stored_once() -> None:
    """A document has several; the same one again was done twice."""
    history = (await orders_over().place(request(), actor=cause("x").actor, idempotency_key="k")).history
    renderings = [
        InvoiceDocumentStored(
            number=number, document="invoice", media_type=kind, object_key="k", sha256="0" * 64, size=1
        )
        for number in ("A-1", "A-2")
        for kind in ("application/pdf", "text/html")
    ]
    for stored, doubled in ((renderings, 0), ([*renderings, renderings[0]], 1)):
        events = tuple(
            msgspec.structs.replace(history.events[0], name="InvoiceDocumentStored", event=event) for event in stored
        )
        summary = Summary()
        summary.add(
            Fed("order-1", Expectation.COMPLETED, new=True),
            replace(history, state=COMPLETED, version=len(events), events=events),
        )
        assert summary.doubled == doubled


async def test_the_summary_counts_events_and_invoices() -> None:
    """From the log, not from what the workers say."""
    orders = orders_over()
    history = (await orders.place(request(), actor=cause("x").actor, idempotency_key="k")).history
    summary = Summary()
    summary.add(Fed("order-1", Expectation.COMPLETED, new=True), history)

    assert (summary.events, summary.invoices) == (1, 0)


def test_an_order_that_is_not_there_has_a_name_too() -> None:
    """It shows as what it is."""
    assert status_name(NotPlaced()) == "not_placed"
