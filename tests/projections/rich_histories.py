"""Histories in which everything happens that can: several parcels, declines, questions, disputes, returns, stages that stall and go on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import holds as h
from orderstore.domain import timers
from orderstore.domain.going_on import with_what_went_on
from orderstore.domain.next_steps import Book, shipping_step
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import INITIAL, Placed, ShipmentStatus, State, fold
from tests.builders import DECLINED, NOON, PAID_AT_ONCE, RELEASED, RESERVED, SHORT, VOIDED, order_created
from tests.projections.histories import DECISIONS, Groups

Decide = Callable[[State, datetime], tuple[e.Event, ...]]
MISSING = (e.Pieces(line=1, quantity=1),)
TERMS = (
    None,
    e.Terms(missing_stock="ask", payment_retry_s=600, reservation_s=900, review=True),
    e.Terms(missing_stock="backorder", charge="per_shipment", payment_retry_s=600, reservation_s=900),
    e.Terms(missing_stock="cancel_lines"),
)


def _pay(state: State, now: datetime) -> tuple[e.Event, ...]:
    payment = state.payment
    paid = e.PaymentCompleted(
        attempt=payment.attempt,
        mode="authorized",
        amount_minor=state.due_minor,
        provider_reference=f"ch_{payment.attempt}",
        capture_before=now + timedelta(hours=3),
    )
    return d.complete_payment(state, outcome=paid)


def _decline(state: State, now: datetime) -> tuple[e.Event, ...]:
    failed = e.PaymentFailed(
        attempt=state.payment.attempt, category="soft", code="no_funds", retry_until=now + timedelta(minutes=10)
    )
    return d.fail_payment(state, outcome=failed)


def _act(state: State, now: datetime) -> tuple[e.Event, ...]:
    asked = e.PaymentActionRequired(
        attempt=state.payment.attempt, provider_reference="pi_1", deadline=now + timedelta(hours=1)
    )
    return d.require_payment_action(state, outcome=asked)


def _reserve(state: State, now: datetime) -> tuple[e.Event, ...]:
    expires = now + timedelta(minutes=15)
    return d.reserve_inventory(
        state, outcome=e.InventoryReserved(reservation_id=state.order.order_id, expires_at=expires)
    )


def _reserve_partly(state: State, now: datetime) -> tuple[e.Event, ...]:
    partly = e.InventoryPartiallyReserved(
        reservation_id=state.order.order_id,
        allocations=(
            e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1),)),
            e.Allocation(location="berlin", lines=(e.Pieces(line=1, quantity=1),)),
        ),
        missing=MISSING,
        expires_at=now + timedelta(minutes=20),
        answer_by=now + timedelta(hours=2),
    )
    return d.partly_reserve_inventory(state, outcome=partly)


def _fill(state: State, now: datetime) -> tuple[e.Event, ...]:
    filled = e.BackorderFilled(
        reservation_id=state.order.order_id, allocations=(e.Allocation(location="main", lines=MISSING),)
    )
    return d.fill_backorder(state, outcome=filled)


def _book(state: State, now: datetime) -> tuple[e.Event, ...]:
    step = shipping_step(state)
    if not isinstance(step, Book):
        return ()
    booked = e.ShipmentCreated(
        shipment_id=step.shipment_id,
        carrier="c",
        label_reference="l",
        location=step.parcel.location,
        lines=step.parcel.lines,
    )
    return d.create_shipment(state, outcome=booked)


def _of_parcel(status: ShipmentStatus, decide: Callable[..., Any], event: Callable[[str], Any]) -> Decide:
    def decided(state: State, now: datetime) -> tuple[e.Event, ...]:
        found = [one.shipment_id for one in state.shipments if one.status is status]
        return decide(state, outcome=event(found[-1])) if found else ()

    return decided


def _stall(state: State, now: datetime) -> tuple[e.Event, ...]:
    """Say of the first stage that is not said to stall that it does."""
    for stage, subject in stages_of(state):
        said = d.stall(state, stage=stage, since=now - timedelta(hours=1), due_at=now, subject=subject)
        if said:
            return said
    return ()


def stages_of(state: State) -> list[tuple[str, str | None]]:
    """Every stage that an order could be in."""
    return [
        ("outcomes", None),
        ("capture", None),
        ("dispatch", None),
        ("undo", None),
        *(("dispatch", one.shipment_id) for one in state.shipments),
        *(("delivery", one.shipment_id) for one in state.shipments),
        *(("refund", one.refund_id) for one in state.payment.refunds),
    ]


def _resume(action: str) -> Decide:
    def decided(state: State, now: datetime) -> tuple[e.Event, ...]:
        if not state.stalls:
            return ()
        stall = state.stalls[-1]
        return d.resume(state, stage=stall.stage, action=action, subject=stall.subject, note=None)

    return decided


def _refund(outcome: Callable[[Any], Any], decide: Callable[..., Any]) -> Decide:
    def decided(state: State, now: datetime) -> tuple[e.Event, ...]:
        owed = state.payment.refunds_owed
        return decide(state, outcome=outcome(owed[-1])) if owed else ()

    return decided


def _plain(decide: Any) -> Decide:
    return lambda state, now: decide(state)


RICH: tuple[Decide, ...] = (
    _pay,
    _decline,
    _act,
    _reserve,
    _reserve_partly,
    _fill,
    _book,
    _of_parcel(
        ShipmentStatus.BOOKED,
        d.dispatch_shipment,
        lambda one: e.ShipmentDispatched(shipment_id=one, tracking_number="t"),
    ),
    _of_parcel(ShipmentStatus.BOOKED, d.fail_shipment, lambda one: e.ShipmentFailed(shipment_id=one, code="address")),
    _of_parcel(ShipmentStatus.BOOKED, d.cancel_shipment, lambda one: e.ShipmentCancelled(shipment_id=one)),
    _of_parcel(
        ShipmentStatus.DISPATCHED,
        d.deliver_shipment,
        lambda one: e.ShipmentDelivered(shipment_id=one, proof_reference="p"),
    ),
    _of_parcel(ShipmentStatus.DISPATCHED, d.fail_shipment, lambda one: e.ShipmentFailed(shipment_id=one, code="lost")),
    _stall,
    _stall,
    _resume("retry"),
    _resume("resume"),
    _resume("skip"),
    _resume("cancel"),
    _refund(
        lambda one: e.RefundIssued(refund_id=one.refund_id, amount_minor=one.amount_minor, provider_reference="r"),
        d.issue_refund,
    ),
    _refund(lambda one: e.RefundFailed(refund_id=one.refund_id, attempt=one.attempt, code="gone"), d.fail_refund),
    _plain(partial(d.retry_refund, refund_id="r1")),
    _plain(d.retry_payment),
    _plain(d.lose_sight_of_payment),
    lambda state, now: timers.expire(state, now=now + timedelta(days=1)),
    lambda state, now: d.capture_payment(
        state, outcome=e.PaymentCaptured(amount_minor=state.due_minor, provider_reference="ch")
    ),
    lambda state, now: d.delay_shipment(
        state,
        outcome=e.ShipmentDelayed(
            delay_id=now.isoformat(), promised_at=now, reason="late", consent_by=now + timedelta(hours=5)
        ),
    ),
    lambda state, now: (
        d.answer(state, action_id=state.questions[0].action_id, answer="accepted") if state.questions else ()
    ),
    lambda state, now: (
        d.answer(state, action_id=state.questions[0].action_id, answer="declined") if state.questions else ()
    ),
    _plain(partial(d.dispute_payment, outcome=e.PaymentDisputed(dispute_id="dp", amount_minor=5, reason="fraud"))),
    _plain(partial(d.close_dispute, outcome=e.PaymentDisputeClosed(dispute_id="dp", outcome="won"))),
    _plain(partial(d.pass_review, outcome=e.FraudReviewPassed())),
    _plain(partial(d.fail_review, outcome=e.FraudReviewFailed())),
    _plain(partial(d.cancel_lines, cancellation_id="c1", lines=MISSING, reason="customer")),
    _plain(partial(d.add_note, note_id="n1", note=e.FreeText(plain="looked"))),
    _plain(
        partial(
            d.note_discrepancy, finding=e.DiscrepancyFound(area="view", kind="behind", subject="v", ours=2, theirs=1)
        )
    ),
    *(_plain(partial(d.fail_payment, outcome=DECLINED)) for _ in range(1)),
    _plain(partial(d.void_payment, outcome=VOIDED)),
    _plain(partial(d.reserve_inventory, outcome=RESERVED)),
    _plain(partial(d.fail_inventory, outcome=SHORT)),
    _plain(partial(d.release_inventory, outcome=RELEASED)),
    _plain(partial(d.complete_payment, outcome=PAID_AT_ONCE)),
    *(_plain(decide) for decide in DECISIONS[12:]),
    _plain(partial(h.release_hold, hold_id="dispute:dp")),
)
FORWARD = (_pay, _reserve, _book, RICH[7], RICH[24], RICH[10])
PARTS = (_reserve_partly, _pay, _book, RICH[7], _book, RICH[7], RICH[10])


@st.composite
def rich_histories(draw: st.DrawFn) -> tuple[Groups, list[datetime]]:
    """Any of them, with any time between two commits; what the order refuses appends nothing."""
    begun = draw(
        st.sampled_from(
            [
                (),
                FORWARD,
                PARTS,
                FORWARD[:4],
                PARTS[:4],
                (_decline, _reserve),
                (_reserve, _act),
                (_pay, _stall),
                (*FORWARD[:4], _stall, RICH[10]),
            ]
        )
    )
    rest = draw(st.lists(st.sampled_from(RICH), min_size=3, max_size=25))
    cut = draw(st.integers(0, len(begun)))
    created = order_created(
        terms=draw(st.sampled_from(TERMS)),
        allowances=e.Allowances(outcomes_s=900, dispatch_s=7_200, delivery_s=9_000, undo_s=600, refund_s=5_000),
        grace_until=draw(st.sampled_from((None, None, NOON + timedelta(minutes=20)))),
        ship_by=draw(st.sampled_from((None, NOON + timedelta(hours=1), NOON + timedelta(hours=9)))),
    )
    opening = d.place(INITIAL, order=created)
    groups, moments, now = [opening], [NOON], NOON
    state = fold(INITIAL, opening)
    for decide in (*begun[:cut], *rest[:5], *begun[cut:], *rest[5:]):
        now += timedelta(seconds=draw(st.integers(0, 4_000)))
        assert isinstance(state, Placed)
        try:
            events = with_what_went_on(state, decide(state, now))
        except CommandRejected:
            continue
        if events:
            groups.append(events)
            moments.append(now)
            state = fold(state, events)
    return tuple(groups), moments
