"""The deadlines view: what an order is waited for, held to a brute-force reading of its history and to the order's own state."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.holds import OPEN_MAX
from orderstore.domain.several import KEPT_MAX, Waiting
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Confirmed,
    InFulfilment,
    PaymentStatus,
    Placed,
    Received,
    Rejected,
    ShipmentStatus,
    fold,
)
from orderstore.recorded import Recorded
from projections.projecting.folding import NOTHING, step, write_of
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store.memory import MemoryViewStore
from projections.views import deadlines
from projections.views.deadlines import SHARDS, Deadlines, Due
from projections.views.view import Generation, OutOfPlace
from tests.builders import BOOKED, CAPTURED, DECLINED, DELIVERED, DISPATCHED, NOON, PAID, PAID_AT_ONCE, RESERVED, SHORT
from tests.projections.histories import (
    ORDER,
    TENANT,
    Groups,
    commits_for,
    happy_commits,
    happy_groups,
    histories,
    order_number,
    recorded_of,
    records_of,
)
from tests.projections.read_side import CountingStore
from tests.projections.rich_histories import rich_histories
from tests.virtual_time import run_virtual

TARGET = Target(deadlines.VIEW, Generation(deadlines.NAME, 1))
SHORTEST = e.Allowances(outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5)
HELD = e.OrderHeld(hold_id="h1", reason="address")
HELD_AGAIN = e.OrderHeld(hold_id="h2", reason="stock")
RELEASED = e.OrderHoldReleased(hold_id="h1")
RELEASED_AGAIN = e.OrderHoldReleased(hold_id="h2")
CONFIRMED = e.OrderConfirmed()
CANCEL = e.OrderCancellationRequested(reason="customer")
REFUND = e.RefundRequested(refund_id="r1", amount_minor=1)


def folded(recorded: Iterable[Recorded], view: Deadlines | None = None) -> Deadlines:
    for one in recorded:
        view = deadlines.evolve(view, one)
    assert view is not None
    return view


def after(*events: e.Event, every_s: int = 60, **changes: object) -> Deadlines:
    """The view after these events, a commit each, so many seconds apart; OrderCreated comes first by itself."""
    groups = (happy_groups(**changes)[0], *((event,) for event in events))
    return folded(recorded_of(commits_for(groups, moments=[minute(number, every_s) for number in range(len(groups))])))


def minute(number: int, every_s: int = 60) -> datetime:
    return NOON + timedelta(seconds=number * every_s)


def told(view: Deadlines) -> list[tuple[str, str | None, str]]:
    """What is due, without the parcel that it is about: there is but one."""
    return [(due.what, due.subject if due.what == "refund" else None, due.due_at) for due in view.dues()]


def at(number: int, allowance_s: int) -> str:
    return timestamp(minute(number) + timedelta(seconds=allowance_s))


# Stage by stage


def test_a_new_order_waits_for_its_outcomes_for_a_quarter_of_an_hour() -> None:
    """An order without allowances of its own has the defaults."""
    assert told(after()) == [("outcomes", None, "2026-03-01T12:15:00.000Z")]


def test_an_order_keeps_the_allowances_that_it_was_placed_with() -> None:
    """Stage by stage its own numbers, whatever the defaults are."""
    assert told(after(allowances=SHORTEST)) == [("outcomes", None, at(0, 1))]
    assert told(after(PAID, RESERVED, CONFIRMED, allowances=SHORTEST)) == [("dispatch", None, at(3, 2))]
    assert told(after(CONFIRMED, DISPATCHED, allowances=SHORTEST)) == [("delivery", None, at(2, 3))]
    assert told(after(CONFIRMED, CANCEL, allowances=SHORTEST)) == [("undo", None, at(2, 4))]
    assert told(after(CONFIRMED, DISPATCHED, DELIVERED, REFUND, allowances=SHORTEST)) == [("refund", "r1", at(4, 5))]


def test_one_outcome_alone_leaves_the_other_due() -> None:
    """Paid, and nobody knows of the stock."""
    assert told(after(PAID)) == told(after())


@pytest.mark.parametrize(
    "end",
    [
        (PAID, RESERVED, CONFIRMED, BOOKED, DISPATCHED, CAPTURED, DELIVERED),
        (DECLINED, SHORT, e.OrderRejected(reasons=("payment_failed",))),
        (CANCEL, e.OrderCancelled(reason="customer", compensations=())),
        (PAID, REFUND, CANCEL, e.OrderCancelled(reason="customer", compensations=())),
        (REFUND, DECLINED, SHORT, e.OrderRejected(reasons=("payment_failed",))),
    ],
    ids=["delivered", "rejected", "cancelled", "cancelled before a refund", "rejected before a refund"],
)
def test_nothing_is_due_at_the_end(end: tuple[e.Event, ...]) -> None:
    """However an order ends, it stands in no list."""
    view = after(*end)

    assert told(view) == []
    assert deadlines.VIEW.listing(view) is None
    assert deadlines.to_document(view)["next"] is None


def test_a_cancellation_that_came_too_late_is_followed_by_a_delivery() -> None:
    """The goods had left: what is due is that they arrive."""
    declined = e.OrderCancellationDeclined(reason="dispatched")

    assert told(after(CONFIRMED, BOOKED, CANCEL, DISPATCHED, declined)) == [("delivery", None, at(4, 432_000))]


def test_each_refund_has_a_deadline_of_its_own() -> None:
    """Two are asked for, the first is given: the second is still due, from when it was asked for."""
    first = e.RefundRequested(refund_id="r1", amount_minor=1)
    second = e.RefundRequested(refund_id="r2", amount_minor=2)
    given_back = e.RefundIssued(refund_id="r1", amount_minor=1, provider_reference="re_1")

    both = after(CONFIRMED, DISPATCHED, DELIVERED, first, second)
    assert told(both) == [("refund", "r1", at(4, 1_209_600)), ("refund", "r2", at(5, 1_209_600))]
    assert told(after(CONFIRMED, DISPATCHED, DELIVERED, first, second, given_back)) == told(both)[1:]


def test_what_is_due_first_is_listed() -> None:
    """A refund of an order on its way: whichever ends first, with the order's shard and id."""
    view = after(PAID_AT_ONCE, RESERVED, CONFIRMED, REFUND)

    assert [due.what for due in view.dues()] == ["dispatch", "refund"]
    shard = deadlines.shard_of(ORDER)
    assert deadlines.VIEW.listing(view) == (f"due/{shard:02d}", f"{at(3, 172_800)}/{ORDER}")
    assert deadlines.to_document(view)["next"] == {"what": "dispatch", "dueAt": at(3, 172_800)}


def test_a_refund_that_is_due_before_the_delivery_is_listed_before_it() -> None:
    """What is due next is not always the stage that the order is in."""
    allowances = e.Allowances(refund_s=60)
    view = after(CONFIRMED, REFUND, DISPATCHED, allowances=allowances)

    assert told(view) == [("refund", "r1", at(2, 60)), ("delivery", None, at(3, 432_000))]
    assert deadlines.VIEW.listing(view).sort == f"{at(2, 60)}/{ORDER}"


def test_refunds_of_writers_whose_clocks_differ_stand_by_their_times() -> None:
    """The second was asked for, by its writer's clock, before the first."""
    second = e.RefundRequested(refund_id="r2", amount_minor=2)
    groups = (happy_groups()[0], (CONFIRMED,), (DISPATCHED,), (DELIVERED,), (REFUND,), (second,))
    moments = [minute(number) for number in (0, 1, 2, 3, 9, 5)]

    view = folded(recorded_of(commits_for(groups, moments=moments)))

    assert [due.subject for due in view.dues()] == ["r2", "r1"]


# Holds


def test_a_hold_stops_the_clock_of_dispatch_and_its_release_starts_it_anew() -> None:
    """Held for an hour: the department has its whole time again, and an order that is held is late with nothing."""
    assert told(after(CONFIRMED, HELD)) == []
    assert told(after(CONFIRMED, HELD, RELEASED)) == [("dispatch", None, at(3, 172_800))]


def test_the_clock_starts_with_the_release_of_the_last_hold() -> None:
    """Two holds, in whichever order they are released."""
    assert told(after(CONFIRMED, HELD, HELD_AGAIN, RELEASED)) == []
    assert told(after(CONFIRMED, HELD, HELD_AGAIN, RELEASED, RELEASED_AGAIN)) == [("dispatch", None, at(5, 172_800))]
    assert told(after(CONFIRMED, HELD, HELD_AGAIN, RELEASED_AGAIN, RELEASED)) == [("dispatch", None, at(5, 172_800))]


def test_an_order_that_is_confirmed_while_it_is_held_waits_for_the_release() -> None:
    """Payment and stock go on under a hold."""
    assert told(after(HELD)) == told(after())
    assert told(after(HELD, PAID, RESERVED, CONFIRMED)) == []
    assert told(after(HELD, PAID, RESERVED, CONFIRMED, RELEASED)) == [("dispatch", None, at(5, 172_800))]
    assert told(after(HELD, RELEASED, CONFIRMED)) == [("dispatch", None, at(3, 172_800))]


def test_a_hold_stops_no_other_clock() -> None:
    """A delivery, an undoing and a refund are due all the same, and the document says that the order is held."""
    for view, stages in (
        (after(CONFIRMED, DISPATCHED, HELD), ["delivery"]),
        (after(CONFIRMED, HELD, CANCEL), ["undo"]),
        (after(CONFIRMED, HELD, REFUND), ["refund"]),
        (after(CONFIRMED, DISPATCHED, HELD, RELEASED), ["delivery"]),
    ):
        assert [due.what for due in view.dues()] == stages
    assert after(CONFIRMED, DISPATCHED, HELD).waited.holds
    assert told(after(CONFIRMED, DISPATCHED, HELD, RELEASED)) == told(after(CONFIRMED, DISPATCHED))


# Bounds and cost


def test_refunds_beyond_a_hundred_are_counted_and_still_due() -> None:
    """A document stays small, and no promised money is forgotten: the last of 150 refunds keeps the order listed."""
    asked = [e.RefundRequested(refund_id=f"r{number}", amount_minor=1) for number in range(150)]
    given_back = [e.RefundIssued(refund_id=f"r{n}", amount_minor=1, provider_reference="re") for n in range(150)]
    view = after(CONFIRMED, DISPATCHED, DELIVERED, *asked)

    assert (len(view.waited.refunds.kept), view.waited.refunds.more) == (KEPT_MAX, 50)
    assert view.dues()[-1] == Due(what="refund", since=at(104, 0), due_at=at(104, 1_209_600))
    assert len(orjson.dumps(deadlines.to_document(view))) < 12_000
    for issued in (given_back, given_back[::-1]):
        almost = folded(recorded_of(commits_for(((e.OrderCompleted(),), *((one,) for one in issued[:-1])))), view)
        assert len(almost.dues()) == 1
        assert almost.waited.refunds.more + len(almost.waited.refunds.kept) == 1
        done = after(CONFIRMED, DISPATCHED, DELIVERED, *asked, *issued)
        assert (told(done), bool(done.waited.refunds)) == ([], False)


def test_a_happy_order_costs_four_writes_of_a_kilobyte() -> None:
    """Created, confirmed, dispatched, delivered: eight commits, one after the other, write the document four times."""

    async def scenario() -> None:
        store, views = CountingStore(), CountingViews()
        projector = ViewProjector(store, views, [TARGET])
        for commit in happy_commits():
            await store.append(commit)
            await projector.apply(records_of([commit]))

        assert [write.commit for write in views.written] == [1, 3, 5, 8]
        assert all(len(write.document) + len(write.key) + len(write.list_sort or "") < 700 for write in views.written)

    run_virtual(scenario)


class CountingViews(MemoryViewStore):
    """Keeps every write."""

    def __init__(self) -> None:
        super().__init__()
        self.written = []

    async def write(self, writes):
        self.written += writes
        return await super().write(writes)


def test_sixteen_lists_share_the_orders_evenly() -> None:
    """None has more than a tenth of ten thousand orders, and the names sort as the numbers do."""
    shares = [0] * SHARDS
    for index in range(10_000):
        shares[deadlines.shard_of(order_number(index))] += 1

    assert max(shares) < 1_000
    names = [deadlines.due_list(shard) for shard in range(SHARDS)]
    assert names == sorted(set(names))


def test_an_event_out_of_its_place_is_never_skipped() -> None:
    """No order before it, or an order created twice."""
    created, paid = recorded_of(happy_commits()[:2])
    with pytest.raises(OutOfPlace):
        deadlines.evolve(None, paid)
    with pytest.raises(OutOfPlace):
        deadlines.evolve(folded([created]), created)


def test_the_document_of_a_much_held_order_stays_small() -> None:
    """The domain bounds the open holds."""
    holds = [e.OrderHeld(hold_id=order_number(index), reason="operator") for index in range(OPEN_MAX)]

    assert len(orjson.dumps(deadlines.to_document(after(CONFIRMED, *holds)))) < 1_500


# Any history


@st.composite
def timed_histories(draw: st.DrawFn) -> tuple[Groups, list[datetime]]:
    """Any legal history, with any time between its commits; now and then a writer's clock stands still or goes back."""
    groups = draw(histories())
    [created] = groups[0]
    seconds = st.integers(1, 1_000_000)
    allowances = st.none() | st.builds(
        e.Allowances, outcomes_s=seconds, dispatch_s=seconds, delivery_s=seconds, undo_s=seconds, refund_s=seconds
    )
    groups = ((replace(created, allowances=draw(allowances)),), *groups[1:])
    steps = draw(st.lists(st.integers(-5, 400_000), min_size=len(groups), max_size=len(groups)))
    moments = [NOON + timedelta(seconds=sum(steps[: number + 1])) for number in range(len(groups))]
    return groups, moments


def expected_dues(groups: Groups, moments: list[datetime]) -> list[tuple[str, str | None, str]]:
    """The same from the order's own states: each stage since the last moment at which its condition began to hold. Shares no rule."""
    state = INITIAL
    since: dict[tuple[str, str | None], datetime] = {}
    [created] = groups[0]
    own = created.allowances
    numbers = (
        (900, 172_800, 432_000, 3_600, 1_209_600)
        if own is None
        else (own.outcomes_s, own.dispatch_s, own.delivery_s, own.undo_s, own.refund_s)
    )
    allowed = dict(zip(("outcomes", "dispatch", "delivery", "undo", "refund"), numbers, strict=True))
    for events, moment in zip(groups, moments, strict=True):
        for event in events:
            state = fold(state, (event,))
            wanted = set(unfinished(state))
            since = {key: began for key, began in since.items() if key in wanted}
            for key in wanted:
                since.setdefault(key, moment)
    found = [
        (stage, refund, timestamp(began + timedelta(seconds=allowed[stage])))
        for (stage, refund), began in since.items()
    ]
    return sorted(found, key=lambda due: (due[2], due[0]))


def unfinished(state: object) -> Iterable[tuple[str, str | None]]:
    """What the domain's own state says is not done yet."""
    assert isinstance(state, Placed)
    if isinstance(state, Received):
        yield "outcomes", None
    if isinstance(state, Confirmed) and not state.holds:
        yield "dispatch", None
    if isinstance(state, InFulfilment) and state.shipments[-1].status is ShipmentStatus.DISPATCHED:
        yield "delivery", None
    if isinstance(state, Cancelling):
        yield "undo", None
    if not isinstance(state, Cancelled | Rejected):
        for refund in state.payment.refunds_owed:
            yield "refund", refund.refund_id


@given(timed_histories())
def test_what_is_due_equals_brute_force_over_the_orders_own_states(history) -> None:
    """Whatever happens to an order, and whenever: the same stages, the same refunds, the same times, after every commit."""
    groups, moments = history
    recorded = [tuple(recorded_of([commit])) for commit in commits_for(groups, moments=moments)]
    view = None
    for number in range(1, len(groups) + 1):
        view = folded(recorded[number - 1], view)
        wanted = expected_dues(groups[:number], moments[:number])
        assert sorted(told(view), key=str) == sorted(wanted, key=str)
        listing = deadlines.VIEW.listing(view)
        assert (listing.sort if listing else None) == (f"{wanted[0][2]}/{ORDER}" if wanted else None)


@given(timed_histories())
def test_no_final_order_is_listed(history) -> None:
    """Cancelled or rejected, or completed with all its money given back."""
    groups, moments = history
    state = fold(INITIAL, [event for group in groups for event in group])
    view = folded(recorded_of(commits_for(groups, moments=moments)))

    if not list(unfinished(state)):
        assert deadlines.VIEW.listing(view) is None


@given(timed_histories(), st.data())
def test_the_document_is_the_same_however_the_log_was_cut(history, data) -> None:
    """Folded in one go, or stored and read again at any commits between: equal bytes, place and commit."""
    groups, moments = history
    commits = commits_for(groups, moments=moments)
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits}
    whole = step(deadlines.VIEW, NOTHING, log)

    known = NOTHING
    cuts = sorted(data.draw(st.sets(st.integers(1, len(commits)))) | {len(commits)})
    for first, last in pairwise([0, *cuts]):
        part = {number: log[number] for number in log if known.folded < number <= last}
        assert first < last
        stepped = step(deadlines.VIEW, known, part)
        if stepped is not known:
            stored = orjson.loads(orjson.dumps(deadlines.to_document(stepped.state)))
            known = type(stepped)(deadlines.from_document(stored), stepped.folded, stepped.folded)

    assert write_document(known) == write_document(whole)


def write_document(known) -> tuple[object, ...]:
    write = write_of(TARGET, TENANT, ORDER, known)
    return write.document, write.list_key, write.list_sort, write.commit


@given(rich_histories())
def test_only_commits_that_it_reacts_to_change_what_is_listed(history) -> None:
    """Otherwise an order would be missed until something else happens. Two things may wait for the next such commit: a first payment's end
    while the order has not been confirmed, and that what was held is taken: the order stands in the list a little too early then."""
    groups, moments = history
    view: Deadlines | None = None
    for commit in commits_for(groups, moments=moments):
        events = tuple(recorded_of([commit]))
        before, view = view, folded(events, view)
        if not deadlines.VIEW.changed_by(events):
            assert before is not None
            assert without_what_is_held(view) == without_what_is_held(before)


def without_what_is_held(view: Deadlines) -> list[Due]:
    return [due for due in view.dues() if due.what not in ("authorization", "capture")]


@given(rich_histories())
def test_an_authorization_is_listed_once_the_order_waits_for_its_goods_to_leave(history) -> None:
    """Whatever the commit that brought it: the document that is stored knows it by then."""
    groups, moments = history
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits_for(groups, moments=moments)}
    state = fold(INITIAL, [event for group in groups for event in group])
    stored = step(deadlines.VIEW, NOTHING, log).state
    assert stored is not None
    held = state.payment.capture_before if state.payment.status is PaymentStatus.AUTHORIZED else None

    listed = [due.due_at for due in stored.dues() if due.what == "authorization"]
    if isinstance(state, Confirmed | InFulfilment) and held is not None:
        assert listed == [timestamp(held)]


@given(rich_histories())
def test_a_document_of_any_history_is_read_as_it_was_written(history) -> None:
    """Questions, promises, parcels, what is told and what is skipped."""
    groups, moments = history
    view = folded(recorded_of(commits_for(groups, moments=moments)))
    stored = orjson.loads(orjson.dumps(deadlines.to_document(view)))

    assert deadlines.to_document(deadlines.from_document(stored)) == deadlines.to_document(view)
    assert deadlines.from_document(stored).dues() == view.dues()
    assert len(orjson.dumps(stored)) < 3_000


def test_a_first_payment_and_a_reservation_without_an_end_cost_no_write() -> None:
    """Every order has both; what they promise is due long after the confirmation that follows them."""
    for event, writes in (
        (PAID, False),
        (RESERVED, False),
        (replace(PAID, attempt=2), True),
        (replace(RESERVED, expires_at=NOON), True),
        (CAPTURED, False),
        (BOOKED, False),
    ):
        [commit] = commits_for(((event,),))
        assert deadlines.VIEW.changed_by(tuple(recorded_of([commit]))) == writes, event


def test_a_document_holds_ids_and_times_and_nothing_else() -> None:
    """What people write, and who they are, stays in the log: not even the sealed words come here."""
    words = e.FreeText(plain="call 555-0199, ask for Wilhelmina")
    view = after(
        CONFIRMED,
        e.OrderHeld(hold_id="h1", reason="address", note=words),
        e.RefundRequested(refund_id="r1", amount_minor=1, reason=words),
        customer_id="customer-17",
        contact=e.SealedText(subject="customer:17", ciphertext="c2VhbGVk"),
        reference="PO 4711",
    )

    shown = orjson.dumps(deadlines.to_document(view)).decode()
    for secret in ("555", "Wilhelmina", "customer", "c2VhbGVk", "4711"):
        assert secret not in shown
    assert view.waited.refunds.kept == (Waiting("r1", minute(3)),)


@pytest.mark.parametrize(("held_days", "written"), [(None, False), (1, True), (2, False), (7, False)])
def test_money_that_is_held_for_a_short_time_is_listed_at_once(held_days: int | None, written: bool) -> None:
    """Else the order could be allowed to wait for its outcomes for longer than that: a day at most, of which somebody is told."""
    until = None if held_days is None else NOON + timedelta(days=held_days)
    paid = replace(PAID, capture_before=until)
    [commit] = commits_for(((paid,),), moments=[NOON])
    assert deadlines.VIEW.changed_by(tuple(recorded_of([commit]))) is written
