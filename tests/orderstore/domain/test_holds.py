"""Holds: they stop what brings the goods nearer to their leaving, nothing else, and whatever races them the log decides."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given as property_given
from hypothesis import strategies as st

from orderstore.domain import billing, ids
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.holds import EVER_MAX, OPEN_MAX, hold, release_hold
from orderstore.domain.next_steps import (
    Authorize,
    Book,
    CancelBooking,
    Capture,
    CommitStock,
    Dispatch,
    IssueCreditNote,
    IssueInvoice,
    Release,
    Reserve,
    Track,
    VoidPayment,
    billing_step,
    inventory_step,
    payment_step,
    shipping_step,
)
from orderstore.domain.parcels import Parcel
from orderstore.domain.rejections import CommandRejected, OrderClosed, TooManyHolds, UnknownHold, UnknownOrder
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    ImpossibleTransition,
    InFulfilment,
    NotPlaced,
    Order,
    Placed,
    Rejected,
    State,
    fold,
)
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    PAID_AT_ONCE,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    given,
    order_created,
)

Decide = Callable[[State], tuple[e.Event, ...]]

HELD = e.OrderHeld(hold_id="h", reason="fraud_review")
FREED = e.OrderHoldReleased(hold_id="h")
CONFIRMED = (PAID, RESERVED, e.OrderConfirmed())
ASKED = e.OrderCancellationRequested(reason="customer")
ENDED: dict[type[Placed], tuple[e.Event, ...]] = {
    Completed: (*CONFIRMED, BOOKED, DISPATCHED, CAPTURED, DELIVERED, e.OrderCompleted()),
    Cancelled: (ASKED, VOIDED, RELEASED, e.OrderCancelled(reason="customer", compensations=())),
    Rejected: (DECLINED, SHORT, e.OrderRejected(reasons=("payment_failed", "inventory_failed"))),
}
BOOK = Book(ids.event_id(order_created().order_id, "shipment"), Parcel(None, ()))


def test_an_order_may_be_held_for_several_reasons_and_goes_on_after_the_last() -> None:
    """Each hold has its own release, in any order."""
    state = given(*CONFIRMED)
    for hold_id, reason in (("a", "fraud_review"), ("b", "address")):
        state = fold(state, hold(state, hold_id=hold_id, reason=reason))  # type: ignore[arg-type]  # words of HoldReason
    assert isinstance(state, Confirmed)
    assert [(one.hold_id, one.reason) for one in state.holds] == [("a", "fraud_review"), ("b", "address")]
    assert shipping_step(state) is None

    state = fold(state, release_hold(state, hold_id="a"))
    assert shipping_step(state) is None
    state = fold(state, release_hold(state, hold_id="b"))
    assert shipping_step(state) == BOOK


@pytest.mark.parametrize(
    "again", [partial(hold, hold_id="h", reason="fraud_review"), partial(release_hold, hold_id="h")]
)
def test_saying_it_again_says_nothing(again: Decide) -> None:
    """Also after the release: a hold that was let go never comes back by a repeat that comes late."""
    released = given(*CONFIRMED, HELD, FREED)

    assert again(released) == ()
    assert shipping_step(released) == BOOK
    assert hold(given(HELD), hold_id="h", reason="fraud_review") == ()


@pytest.mark.parametrize(
    ("history", "step"),
    [
        ((*CONFIRMED,), BOOK),
        ((*CONFIRMED, BOOKED), Dispatch("shipment-1")),
    ],
)
def test_a_hold_stops_the_booking_and_the_dispatch(history: tuple[e.Event, ...], step: object) -> None:
    """Whether it came before the order was confirmed, or after."""
    assert shipping_step(given(*history)) == step
    for position in range(len(history) + 1):
        held = given(*history[:position], HELD, *history[position:])
        assert shipping_step(held) is None
        assert shipping_step(fold(held, (FREED,))) == step


@pytest.mark.parametrize(
    ("history", "look", "step"),
    [
        ((), payment_step, Authorize(90_000)),
        ((), inventory_step, Reserve()),
        ((PAID, ASKED), payment_step, VoidPayment()),
        ((RESERVED, ASKED), inventory_step, Release()),
        ((*CONFIRMED, BOOKED, ASKED), shipping_step, CancelBooking("shipment-1")),
        ((*CONFIRMED, BOOKED, DISPATCHED), shipping_step, Track(("shipment-1",))),
        ((*CONFIRMED, BOOKED, DISPATCHED), payment_step, Capture(90_000)),
        ((*CONFIRMED, BOOKED, DISPATCHED), billing_step, IssueInvoice()),
    ],
)
def test_a_hold_stops_nothing_else(history: tuple[e.Event, ...], look: Callable[[State], object], step: object) -> None:
    """Payment, stock, every compensation, and what follows from goods that have left."""
    for position in range(len(history) + 1):
        assert look(given(*history[:position], HELD, *history[position:])) == step


def test_a_held_order_is_confirmed_rejected_and_cancelled_like_any_other() -> None:
    """The join and the ends ask for no hold."""
    assert d.reserve_inventory(given(HELD, PAID), outcome=RESERVED) == (RESERVED, e.OrderConfirmed())
    assert isinstance(d.fail_inventory(given(HELD, DECLINED), outcome=SHORT)[-1], e.OrderRejected)
    assert d.request_cancellation(given(*CONFIRMED, HELD), reason="customer") == (ASKED,)
    cancelled = fold(
        given(*CONFIRMED, HELD, ASKED, VOIDED),
        d.release_inventory(given(*CONFIRMED, HELD, ASKED, VOIDED), outcome=RELEASED),
    )
    assert isinstance(cancelled, Cancelled)


@pytest.mark.parametrize("ended", ENDED)
def test_the_end_of_an_order_ends_its_holds(ended: type[Placed]) -> None:
    """None stays open for ever; a release that comes afterwards finds it over, a new hold is refused, and one that never was is unknown."""
    after = given(HELD, *ENDED[ended])

    assert isinstance(after, ended)
    assert (after.holds, after.hold_ids) == ((), ("h",))
    assert release_hold(after, hold_id="h") == ()
    assert hold(after, hold_id="h", reason="address") == ()
    with pytest.raises(OrderClosed):
        hold(after, hold_id="another", reason="operator")
    with pytest.raises(UnknownHold):
        release_hold(after, hold_id="another")


def test_what_is_not_there_is_unknown() -> None:
    """An order, and a hold of an order that has others."""
    with pytest.raises(UnknownOrder):
        hold(INITIAL, hold_id="h", reason="stock")
    with pytest.raises(UnknownOrder):
        release_hold(INITIAL, hold_id="h")
    with pytest.raises(UnknownHold):
        release_hold(given(HELD), hold_id="H")


def test_open_holds_and_holds_of_a_life_are_bounded() -> None:
    """The 21st open one is refused until one is released; the 201st for ever; a repeat of one that is there never is."""
    state: State = given()
    for number in range(EVER_MAX):
        state = fold(state, hold(state, hold_id=f"h{number}", reason="operator"))
        assert isinstance(state, Placed)
        if len(state.holds) == OPEN_MAX:
            with pytest.raises(TooManyHolds, match="20 open"):
                hold(state, hold_id="one more", reason="operator")
            assert hold(state, hold_id="h0", reason="operator") == ()
            state = fold(state, release_hold(state, hold_id=state.holds[0].hold_id))
    for _ in range(OPEN_MAX - 1):
        assert isinstance(state, Placed)
        state = fold(state, release_hold(state, hold_id=state.holds[0].hold_id))

    with pytest.raises(TooManyHolds, match="200 holds"):
        hold(state, hold_id="one more", reason="operator")


@pytest.mark.parametrize("history", [(FREED,), (HELD, FREED, FREED), (HELD, HELD), (HELD, FREED, HELD)])
def test_a_log_that_holds_twice_or_releases_what_is_not_held_is_refused(history: tuple[e.Event, ...]) -> None:
    """A bug, or tampering."""
    with pytest.raises(ImpossibleTransition):
        given(*history)


# The race, and every order in which an order's facts can come.


def test_the_log_decides_between_a_hold_and_a_dispatch() -> None:
    """Whichever is appended first, the other is decided anew on top of it: the goods that left are told of, and so is the hold."""
    booked = given(*CONFIRMED, BOOKED)
    dispatch, stop = partial(d.dispatch_shipment, outcome=DISPATCHED), partial(hold, hold_id="h", reason="fraud_review")

    held_first = fold(booked, stop(booked))
    assert shipping_step(held_first) is None
    both = fold(
        held_first, dispatch(held_first)
    )  # the carrier had taken the goods before anybody could read of the hold
    left_first = fold(booked, dispatch(booked))
    also_both = fold(left_first, stop(left_first))

    assert both == also_both
    assert isinstance(both, InFulfilment)
    assert [one.hold_id for one in both.holds] == ["h"]
    assert shipping_step(both) == Track(("shipment-1",))


def test_a_booking_that_raced_a_hold_is_recorded_and_goes_no_further() -> None:
    """What the carrier has is a fact; the goods stay."""
    held = given(*CONFIRMED, HELD)
    booked = fold(held, d.create_shipment(held, outcome=BOOKED))

    assert isinstance(booked, Confirmed)
    assert booked.shipments
    assert shipping_step(booked) is None
    assert shipping_step(fold(booked, (FREED,))) == Dispatch("shipment-1")


def _outcomes(state: Order) -> Iterator[Decide]:
    """What the departments do next, each as its next step asks; and every answer that it may get."""
    match payment_step(state):
        case Authorize():
            yield partial(d.complete_payment, outcome=PAID)
            yield partial(d.complete_payment, outcome=PAID_AT_ONCE)
            yield partial(d.fail_payment, outcome=DECLINED)
        case Capture():
            yield partial(d.capture_payment, outcome=CAPTURED)
        case VoidPayment():
            yield partial(d.void_payment, outcome=VOIDED)
        case None:
            pass
        case asked:
            refund = asked.refund
            given_back = e.RefundIssued(
                refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re_1"
            )
            yield partial(d.issue_refund, outcome=given_back)
    match inventory_step(state):
        case Reserve():
            yield partial(d.reserve_inventory, outcome=RESERVED)
            yield partial(d.fail_inventory, outcome=SHORT)
        case Release():
            yield partial(d.release_inventory, outcome=RELEASED)
        case CommitStock(shipment):
            yield partial(d.commit_inventory, outcome=e.InventoryCommitted(shipment_id=shipment.shipment_id))
        case None:
            pass
        case other:
            raise AssertionError(f"nothing here asks for {other}")
    match shipping_step(state):
        case Book():
            yield partial(d.create_shipment, outcome=BOOKED)
        case Dispatch():
            yield partial(d.dispatch_shipment, outcome=DISPATCHED)
        case CancelBooking():
            yield partial(d.cancel_shipment, outcome=BOOKING_CANCELLED)
            yield partial(d.dispatch_shipment, outcome=DISPATCHED)  # too late
        case Track():
            yield partial(d.deliver_shipment, outcome=DELIVERED)
        case None:
            pass
    match billing_step(state):
        case IssueInvoice():
            yield partial(billing.issue_invoice, series="INV-2026", number=1, issued_at=NOON, supplied_at=NOON)
        case IssueCreditNote(refund):
            yield partial(
                billing.issue_credit_note, refund_id=refund.refund_id, series="CN-2026", number=1, issued_at=NOON
            )
        case None:
            pass


PEOPLE: tuple[Decide, ...] = (
    partial(hold, hold_id="a", reason="fraud_review"),
    partial(hold, hold_id="b", reason="address"),
    partial(release_hold, hold_id="a"),
    partial(release_hold, hold_id="b"),
    partial(d.request_cancellation, reason="customer"),
)


def _everything(start: State) -> dict[State, set[State]]:
    """Every state that departments and people can bring about from here, each with those that follow it at once."""
    following: dict[State, set[State]] = {}
    waiting = [start]
    while waiting:
        state = waiting.pop()
        if state in following:
            continue
        assert not isinstance(state, NotPlaced)
        following[state] = set()
        for decide in (*_outcomes(state), *PEOPLE):
            try:
                events = decide(state)
            except CommandRejected:
                continue
            if not events:
                continue
            after = fold(state, events)
            assert isinstance(after, Placed)
            if state.holds and isinstance(state, Confirmed):
                assert not any(isinstance(event, e.ShipmentCreated | e.ShipmentDispatched) for event in events), events
            following[state].add(after)
            waiting.append(after)
    return following


def _free(state: State) -> State:
    """The same order as if it had never been held."""
    assert isinstance(state, Placed)
    return replace(state, holds=(), hold_ids=())


@pytest.mark.thorough
def test_in_every_state_that_can_come_about_a_hold_stops_the_goods_and_loses_nothing() -> None:
    """All interleavings of two holds, their releases, a cancellation and every answer of every department: a held order is never booked or
    dispatched; it reaches the states that an order without holds reaches, and no other; and from each of them an end can be reached."""
    following = _everything(given())
    free = {state for state in following if not state.hold_ids}
    held = {state for state in following if isinstance(state, Placed) and state.holds}

    assert len(following) > 500, len(following)
    assert {type(state) for state in held} == {type(given()), Confirmed, InFulfilment, Cancelling}
    assert {_free(state) for state in following} == free, "a hold makes nothing happen that could not happen without it"
    for state in held:
        assert payment_step(state) == payment_step(_free(state))
        assert inventory_step(state) == inventory_step(_free(state))
        if isinstance(state, Confirmed):
            assert shipping_step(state) is None
        else:
            assert shipping_step(state) == shipping_step(_free(state))
    ends = {state for state in following if isinstance(state, Completed | Cancelled | Rejected)}
    reaching, grown = set(ends), True
    while grown:
        more = {state for state, after in following.items() if state not in reaching and after & reaching}
        grown = bool(more)
        reaching |= more
    assert reaching == set(following), "an order is stuck"


@property_given(data=st.data())
def test_holding_and_releasing_anywhere_is_as_if_each_had_waited_for_the_log(data: st.DataObject) -> None:
    """Two writers who decide on what they read: the loser decides anew, and the end is that of the log's own order, read in one go."""
    state: State = given()
    history: list[e.Event] = []
    for _ in range(data.draw(st.integers(1, 30))):
        assert isinstance(state, Placed)
        decide = data.draw(st.sampled_from([*_outcomes(state), *PEOPLE]))
        rival = data.draw(st.sampled_from(PEOPLE))
        for one in (
            rival,
            decide,
        ):  # the rival's commit is there first: the conflict is decided again, on the state after it
            try:
                events = one(state)
            except CommandRejected:
                continue
            history.extend(events)
            state = fold(state, events)

    assert state == given(*history)
    names = [event.hold_id for event in history if isinstance(event, e.OrderHeld)]
    assert len(names) == len(set(names))


def test_an_order_keeps_what_it_is_while_it_is_held() -> None:
    """A hold changes the holds, and nothing else of the order."""
    for history in ((), CONFIRMED, (*CONFIRMED, BOOKED), (*CONFIRMED, BOOKED, DISPATCHED), (ASKED,)):
        before = given(*history)
        assert _free(fold(before, (HELD,))) == before
        assert _free(fold(before, (HELD, FREED))) == before
    assert order_created() == given(HELD).order
