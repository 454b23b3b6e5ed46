"""Whole lives of orders at random, over every event there is: after each event, every view says what the order's own state says."""

import json
from collections import Counter
from functools import cache
from typing import Any, get_args

import pytest

from orderstore.domain import deadlines as d
from orderstore.domain import events as e
from orderstore.domain import timers
from orderstore.domain.allowances import STAGES
from orderstore.domain.state import INITIAL, Cancelled, Order, Rejected, evolve
from orderstore.domain.waiting import waits_in
from orderstore.invoicing.parts import due_of
from orderstore.recorded import Recorded
from projections.comparing.agreeing import of_state, of_view
from projections.projecting import contributions
from projections.views import VIEWS, daily_sales, deadlines, exceptions, invoices, order_status
from projections.views.exception_entries import STAGE_KINDS
from tests.builders import order_created
from tests.orderstore.domain.walking import Walk, walk
from tests.projections.histories import commits_for, recorded_of
from tests.projections.rich_histories import stages_of
from tests.projections.sales import sales_from

ALL = range(300)
SEEDS = ALL[:100]
RARE = {  # of people and of other books: no walk comes across them, and no view but the exceptions' hears of them
    e.PersonalDataErased,
    e.PaymentDiscrepancyFound,
    e.DiscrepancyFound,
    e.OrderNoteAdded,
    e.PaymentMethodChosen,
    e.TrackingUpdated,
}


@cache
def lived(seed: int) -> tuple[Walk, tuple[Recorded, ...]]:
    """A life, and its log as it is read."""
    walked = walk(seed)
    moments = [moment for moment, _ in walked.commits]
    commits = commits_for(tuple(events for _, events in walked.commits), moments=moments)
    return walked, tuple(recorded_of(commits))


def stored(view: Any, state: Any) -> Any:
    """The state after it was written and read again."""
    return view.from_document(json.loads(json.dumps(view.to_document(state))))


def test_the_walks_come_across_every_event() -> None:
    """Or the proof would be none."""
    seen = {type(one.event) for seed in ALL for one in lived(seed)[1]}
    assert set(get_args(e.Event)) - seen <= RARE


@pytest.mark.thorough
@pytest.mark.parametrize("start", range(0, len(ALL), 50))
def test_the_status_is_the_orders_own(start: int) -> None:
    """Every field that the state knows, and after each event the document leads back to the view."""
    for seed in ALL[start : start + 50]:
        state, view = INITIAL, None
        for recorded in lived(seed)[1]:
            state, view = evolve(state, recorded.event), order_status.evolve(view, recorded)
            wanted, found = of_state(state), of_view(view)
            different = {name: (wanted[name], found[name]) for name in wanted if wanted[name] != found[name]}
            assert different == {}, (seed, recorded.version, recorded.name)
            assert stored(order_status.VIEW, view) == view
            document = json.loads(json.dumps(order_status.to_document(view)))
            assert order_status.answer_of(document) == order_status.to_answer(view)


def test_what_is_due_is_what_the_order_waits_for() -> None:
    """Its promises, and each stage that it is in, unless somebody was told of it, or wants to hear no more of it."""
    for seed in SEEDS:
        state, view = INITIAL, None
        for recorded in lived(seed)[1]:
            state, view = evolve(state, recorded.event), deadlines.evolve(view, recorded)
            assert isinstance(state, Order)
            assert stored(deadlines.VIEW, view) == view
        waited: d.Deadlines | None = None
        state = INITIAL
        for moment, events in lived(seed)[0].commits:
            for event in events:
                state = evolve(state, event)
                waited = d.begun(event, moment) if waited is None else d.evolve(waited, event, moment)
            promised = [(due.what, due.due_at, due.subject) for due in waited.dues() if due.what not in STAGES]
            assert sorted(promised, key=str) == sorted(
                ((due.timer, due.at, due.subject) for due in timers.dues(state)), key=str
            ), seed
            due = {(one.what, one.subject) for one in waited.dues() if one.what in STAGES}
            silent = {(stage, subject or None) for stage, subject in waited.silent}
            in_them = {(stage, subject) for stage, subject in stages_of(state) if waits_in(state, stage, subject)}
            assert due | silent == in_them, seed


def test_what_is_open_is_what_wants_somebody() -> None:
    """Holds, stalls, what nobody knows, what could not be given back, disputes, reviews: after every commit, and nothing that is over."""
    own = ("held", "stalled", "compensation_failed", "payment_unknown", "dispute", "refund_failed", "review")
    for seed in SEEDS:
        walked, log = lived(seed)
        state, view, at = INITIAL, None, 0
        for _, events in walked.commits:
            for recorded in log[at : at + len(events)]:
                state, view = evolve(state, recorded.event), exceptions.evolve(view, recorded)
            at += len(events)
            assert view is None or stored(exceptions.VIEW, view) == view
            ended = isinstance(state, Cancelled | Rejected)
            wanted: set[tuple[str, str | None]] = {("held", hold.hold_id) for hold in state.holds}
            wanted |= {(STAGE_KINDS[stall.stage], stall.subject) for stall in state.stalls}
            wanted |= {("payment_unknown", "payment")} if state.payment.unknown else set()
            wanted |= {("dispute", one.dispute_id) for one in state.payment.disputes if one.status == "open"}
            wanted |= {("refund_failed", one.refund_id) for one in state.payment.refunds if one.failed and not ended}
            wanted |= {("review", None)} if state.review == "open" and not ended else set()
            found = set() if view is None else {(entry.kind, entry.reference) for entry in view.open}
            assert {one for one in found if one[0] in own} == wanted, seed


def test_an_invoice_shows_what_is_left_of_the_order() -> None:
    """Piece by piece what the paper shows, whatever was cancelled and given back before; its credit notes take the rest."""
    in_part = 0
    for seed in SEEDS:
        state, view = INITIAL, None
        for recorded in lived(seed)[1]:
            before, state, view = state, evolve(state, recorded.event), invoices.evolve(view, recorded)
            if isinstance(recorded.event, e.InvoiceIssued):
                assert isinstance(before, Order)
                parts = due_of(before)
                assert [(line.index, line.quantity) for line in view.lines] == [
                    (at, part.count) for at, part in enumerate(parts) if part.count
                ]
                in_part += bool(before.cancelled)
                assert view.open is None
            if view.invoices:
                assert stored(invoices.VIEW, view) == view
        assert isinstance(state, Order)
        assert [note.total_minor for note in view.credit_notes] == [note.total_minor for note in state.credit_notes]
    assert in_part > 5


def test_days_of_sales_add_up_to_the_orders_money() -> None:
    """Each capture once, of one parcel or of all; what was given back, invoiced and credited; whatever the order went through."""
    captured_apart = 0
    for seed in SEEDS:
        walked, log = lived(seed)
        view = None
        for recorded in log:
            view = daily_sales.evolve(view, recorded)
        state = walked.order
        summed: Counter[str] = Counter()
        for amounts in daily_sales.sums(view).values():
            summed.update(amounts)
        payment = state.payment
        assert summed["captured_minor"] == payment.captured_minor
        assert summed["captured_count"] == len(payment.captures)
        assert summed["refunded_minor"] == sum(one.amount_minor for one in payment.refunds if one.issued)
        assert summed["invoiced_minor"] == (0 if state.invoice is None else state.invoice.total_minor)
        assert summed["credited_minor"] == sum(note.total_minor for note in state.credit_notes)
        captured_apart += len(payment.captures) > 1
        moments = [moment for moment, _ in walked.commits]
        commits = commits_for(tuple(events for _, events in walked.commits), moments=moments)
        assert contributions.moved({}, daily_sales.sums(view)) == sales_from(commits)
    assert captured_apart > 5


@pytest.mark.parametrize("view", [view for view in VIEWS if view.unmoved_by is None], ids=lambda view: view.name)
def test_only_what_it_reacts_to_changes_a_document(view: Any) -> None:
    """Or it would be wrong until something else happens. (A view that says `unmoved_by` means to be late, and has a test of its own.)"""
    for seed in SEEDS[:40]:
        state, document = None, None
        for recorded in lived(seed)[1]:
            state = view.evolve(state, recorded)
            after = None if state is None else view.to_document(state)
            if not view.changed_by((recorded,)) and document is not None:
                assert after == document, (seed, recorded.name)
            document = after


def test_an_answer_that_was_stored_before_parcels_were_several_can_still_be_told() -> None:
    """What a build of then had stored has another schema: it is told until it is folded anew, with nothing that it did not say."""
    view = None
    for recorded in recorded_of(commits_for(((order_created(),),))):
        view = order_status.evolve(view, recorded)
    old = {name: value for name, value in order_status.to_document(view).items() if name != "pieceCount"}
    assert order_status.answer_of(old)["shipments"] == []
    assert order_status.answer_of(old)["payment"]["dueMinor"] == 90_000
