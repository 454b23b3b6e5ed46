"""What an order is waited for, held to its own state: every promise, every stage, after every event of any history."""

from datetime import datetime, timedelta

from hypothesis import given

from orderstore.domain import deadlines, timers
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.allowances import STAGES
from orderstore.domain.deadlines import Deadlines, Due
from orderstore.domain.going_on import with_what_went_on
from orderstore.domain.several import KEPT_MAX
from orderstore.domain.state import INITIAL, Cancelled, Rejected, Stall, fold
from orderstore.domain.waiting import waits_in
from tests.builders import NOON, order_created
from tests.projections.rich_histories import rich_histories, stages_of

LATE = e.OrderProcessStalled(stage="outcomes", since=NOON, due_at=NOON + timedelta(seconds=900))


def after(*events: e.Event, every_s: int = 60) -> Deadlines:
    """What is waited for after these, so many seconds apart, from the creation at noon on."""
    waited = deadlines.begun(order_created(), NOON)
    for number, event in enumerate(events, start=1):
        waited = deadlines.evolve(waited, event, NOON + timedelta(seconds=number * every_s))
    return waited


def stages(waited: Deadlines) -> list[str]:
    return [due.what for due in waited.dues() if due.what in STAGES]


@given(rich_histories())
def test_every_promise_of_the_orders_state_is_due_and_no_other(history) -> None:
    """The same timers, at the same moments, about the same questions."""
    groups, moments = history
    state, waited = INITIAL, None
    for events, moment in zip(groups, moments, strict=True):
        for event in events:
            state = fold(state, (event,))
            waited = deadlines.begun(event, moment) if waited is None else deadlines.evolve(waited, event, moment)
        found = [(due.what, due.due_at, due.subject) for due in waited.dues() if due.what not in STAGES]
        assert sorted(found, key=str) == sorted(
            ((due.timer, due.at, due.subject) for due in timers.dues(state)), key=str
        )


@given(rich_histories())
def test_every_stage_that_the_order_is_in_is_due_told_or_skipped(history) -> None:
    """What is due could be said to stall; and of a stage that goes on without anybody being told, somebody said that nobody wants to."""
    groups, moments = history
    state, waited = INITIAL, None
    for events, moment in zip(groups, moments, strict=True):
        for event in events:
            state = fold(state, (event,))
            waited = deadlines.begun(event, moment) if waited is None else deadlines.evolve(waited, event, moment)
        due = {(one.what, one.subject) for one in waited.dues() if one.what in STAGES}
        in_them = {(stage, subject) for stage, subject in stages_of(state) if waits_in(state, stage, subject)}
        silent = {(stage, subject or None) for stage, subject in waited.silent}
        assert due | silent == in_them
        assert not due & silent
        assert {(stall.stage, stall.subject) for stall in state.stalls} <= silent
        if isinstance(state, Cancelled | Rejected):
            assert not due


@given(rich_histories())
def test_what_is_due_can_be_done_and_is_over_when_it_was(history) -> None:
    """At any moment: a promise that is over is expired, a stage that is late can be told so, and neither is due afterwards."""
    groups, moments = history
    state = fold(INITIAL, [event for group in groups for event in group])
    waited = deadlines.begun(groups[0][0], moments[0])
    for events, moment in zip(groups, moments, strict=True):
        for event in events[1 if events is groups[0] else 0 :]:
            waited = deadlines.evolve(waited, event, moment)
    now = moments[-1] + timedelta(days=30)

    for _ in range(30):
        over = timers.first_over(state, now=now)
        late = next((due for due in waited.dues() if due.what in STAGES), None)
        if over is not None:
            events = timers.expire(state, now=now)
        elif late is not None:
            events = d.stall(state, stage=late.what, since=late.since, due_at=late.due_at, subject=late.subject)
        else:
            break
        assert events
        for event in with_what_went_on(state, events):
            waited = deadlines.evolve(waited, event, now)
        state = fold(state, with_what_went_on(state, events))
    assert not [due for due in waited.dues() if due.due_at <= now]  # but what was asked just now


def test_what_was_told_is_due_no_more_and_again_after_somebody_looked() -> None:
    """`retry` and `resume` begin the clock anew, from when they were said."""
    assert stages(after(LATE)) == []
    for action in ("retry", "resume"):
        again = after(LATE, e.OrderProcessResumed(stage="outcomes", action=action))
        assert again.dues() == (Due(what="outcomes", since=at(2), due_at=at(2) + timedelta(seconds=900)),)


def test_nobody_is_told_again_of_what_was_skipped_until_it_begins_anew() -> None:
    """The hold and its release begin another clock of the same stage."""
    late = e.OrderProcessStalled(stage="dispatch", since=NOON, due_at=NOON)
    skipped = (e.OrderConfirmed(), late, e.OrderProcessResumed(stage="dispatch", action="skip"))
    held, released = e.OrderHeld(hold_id="h", reason="address"), e.OrderHoldReleased(hold_id="h")

    assert stages(after(*skipped)) == []
    assert stages(after(*skipped, held, released)) == ["dispatch"]


def test_each_parcel_is_late_by_itself() -> None:
    """The first arrives, the second is told to be late: neither hides the other."""
    first = e.ShipmentDispatched(shipment_id="s1", tracking_number="t1")
    second = e.ShipmentDispatched(shipment_id="s2", tracking_number="t2")
    told = e.OrderProcessStalled(stage="delivery", since=NOON, due_at=NOON, subject="s2")
    arrived = e.ShipmentDelivered(shipment_id="s1", proof_reference="p")

    assert [due.subject for due in after(e.OrderConfirmed(), first, second).dues()] == ["s1", "s2"]
    assert [due.subject for due in after(e.OrderConfirmed(), first, second, told).dues()] == ["s1"]
    assert after(e.OrderConfirmed(), first, second, told, arrived).dues() == ()


def test_a_promise_is_over_at_the_very_moment_that_was_said() -> None:
    """Not a millisecond before, and not only after it."""
    declined = e.PaymentFailed(attempt=1, category="soft", code="c", retry_until=at(10))
    state = fold(INITIAL, (order_created(), declined))

    assert timers.expire(state, now=at(10) - timedelta(milliseconds=1)) == ()
    assert timers.first_over(state, now=at(10)) == timers.Due("payment_retry", at(10))
    assert timers.expire(state, now=at(10)) != ()


def test_what_was_told_of_a_parcel_is_forgotten_when_it_arrives() -> None:
    """The next one of the same order is told by itself."""
    sent = e.ShipmentDispatched(shipment_id="s1", tracking_number="t1")
    told = e.OrderProcessStalled(stage="delivery", since=NOON, due_at=NOON, subject="s1")
    other = e.ShipmentDispatched(shipment_id="s2", tracking_number="t2")
    arrived = e.ShipmentDelivered(shipment_id="s1", proof_reference="p")

    assert after(e.OrderConfirmed(), sent, told).silent == (("delivery", "s1"),)
    assert after(e.OrderConfirmed(), sent, told, other, arrived).silent == ()


def test_parcels_beyond_a_hundred_are_counted_and_told_once() -> None:
    """Nothing that is under way is forgotten, and what is known of it stays small."""
    sent = [e.ShipmentDispatched(shipment_id=f"s{n}", tracking_number="t") for n in range(KEPT_MAX + 20)]
    waited = after(e.OrderConfirmed(), *sent)

    assert len(waited.parcels.kept) == KEPT_MAX
    assert (waited.parcels.more, waited.dues()[-1].subject) == (20, None)
    told = e.OrderProcessStalled(stage="delivery", since=NOON, due_at=NOON, subject=f"s{KEPT_MAX}")
    assert len(deadlines.evolve(waited, told, NOON).dues()) == KEPT_MAX


def test_a_stage_that_goes_on_can_stall_again() -> None:
    """The order forgets what was said of a stage that is over, and says itself that it went on."""
    state = fold(INITIAL, (order_created(), LATE))
    assert state.stalls == (Stall("outcomes", None),)

    undone = with_what_went_on(state, d.request_cancellation(state, reason="customer"))
    assert undone[-1] == e.OrderProcessResumed(stage="outcomes", action="resume")
    assert fold(state, undone).stalls == ()


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_promise_that_moves_by_less_than_a_second_is_not_due_again() -> None:
    """Its question was asked: what the order's state asks once is not due for ever."""
    ship_by = NOON + timedelta(hours=1, milliseconds=200)
    order, waited = (order_created(ship_by=ship_by), deadlines.begun(order_created(ship_by=ship_by), NOON))
    state = fold(INITIAL, (order,))
    later = ship_by + timedelta(milliseconds=600)
    delayed = e.ShipmentDelayed(delay_id="d", promised_at=later, reason="late")
    for event in (*timers.expire(state, now=ship_by), delayed):
        state, waited = fold(state, (event,)), deadlines.evolve(waited, event, ship_by)
    assert [due.timer for due in timers.dues(state)] == ["answer"]
    assert [due.what for due in waited.dues() if due.what not in STAGES] == ["answer"]


def test_money_that_is_held_anew_is_watched_anew() -> None:
    """That the old hold was running out was told, or nobody wanted to hear of it: of the new one somebody is told."""
    held = e.PaymentCompleted(
        attempt=1, mode="authorized", amount_minor=1, provider_reference="r", capture_before=NOON + timedelta(days=5)
    )
    told = e.OrderProcessStalled(stage="capture", since=NOON, due_at=NOON + timedelta(days=4))
    assert stages(after(held, told)) == ["outcomes"]
    assert stages(after(held, told, held)) == ["outcomes", "capture"]
