"""An order at any moment of its past is a prefix of its history; and what lies between two moments has an author."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.audit.moments import AsOf, AtCommit, Clock, CommitAhead, Moment
from orderstore.audit.time_travel import Difference, flattened, prefix_at
from orderstore.domain.state import INITIAL, Cancelling, Confirmed, Received, fold
from orderstore.history import History
from orderstore.recorded import Recorded
from orderstore.store.port import Commit
from projections.answers.past import STANDING_FIELDS, changes, document_of
from tests.builders import PAID, RESERVED
from tests.orderstore.audit.clocked import START_MS, Clocks, at, commits_of, events_of, pasts
from tests.projections.histories import CANCELLED_LATE, HAPPY, groups_of

CLOCKS = st.sampled_from(["recorded", "occurred"])
TIMES = st.floats(-1, 11).map(
    lambda ms: at(round(ms, 3))
)  # to the microsecond, around and between the clocks of a past
MOMENTS = st.one_of(st.builds(AsOf, TIMES, CLOCKS), st.integers(0, 40).map(AtCommit))
UNHURRIED = settings(deadline=None, max_examples=2 * settings().max_examples)
HAPPY_GROUPS = groups_of(HAPPY)


def within(commits: list[Commit], moment: Moment) -> Moment:
    """The moment, or the head for a commit that is not there."""
    return AtCommit(min(moment.number, len(commits))) if isinstance(moment, AtCommit) else moment


def clock_ms(recorded: Recorded, clock: Clock) -> float:
    if clock == "recorded":
        return recorded.recorded_at_ms - START_MS
    return (recorded.occurred_at - at(0)).total_seconds() * 1000


@UNHURRIED
@given(commits=pasts())
def test_the_state_at_the_head_is_what_everybody_loads(commits: list[Commit]) -> None:
    """Time travel has no fold of its own."""
    history = History(stream=commits[0].stream).then(*commits)

    assert prefix_at(history.events, AtCommit(len(commits))).state == history.state
    assert prefix_at(history.events, AsOf(at(1_000_000))).state == history.state


@UNHURRIED
@given(commits=pasts())
def test_the_state_at_each_commit_is_the_fold_of_its_prefix(commits: list[Commit]) -> None:
    """And before the first commit the order was not placed."""
    events = events_of(commits)

    assert prefix_at(events, AtCommit(0)).state == INITIAL
    for number in range(1, len(commits) + 1):
        then = prefix_at(events, AtCommit(number))
        prefix = events_of(commits[:number])
        assert then.events == prefix
        assert then.state == fold(INITIAL, (recorded.event for recorded in prefix))
        assert (then.commit, then.version) == (number, len(prefix))


@pytest.mark.thorough
@UNHURRIED
@given(commits=pasts(), time=TIMES, clock=CLOCKS)
def test_as_of_is_the_longest_prefix_in_which_no_clock_is_later(commits: list[Commit], time: Any, clock: Clock) -> None:
    """Held against the definition, prefix by prefix: whole commits, and the greatest clock of all that they hold is not after T."""
    events = events_of(commits)
    asked_ms = (time - at(0)).total_seconds() * 1000
    fitting = [
        number
        for number in range(len(commits) + 1)
        if max((clock_ms(recorded, clock) for recorded in events_of(commits[:number])), default=-2) <= asked_ms + 1e-7
    ]

    then = prefix_at(events, AsOf(time, clock))

    assert then.commit == max(fitting)
    assert then.events == events_of(commits[: then.commit])


@UNHURRIED
@given(commits=pasts(), times=st.tuples(TIMES, TIMES), clock=CLOCKS)
def test_a_later_time_never_knows_less(commits: list[Commit], times: tuple[Any, Any], clock: Clock) -> None:
    """Whatever the clocks of the writers did."""
    events = events_of(commits)
    earlier, later = (prefix_at(events, AsOf(time, clock)) for time in sorted(times))

    assert earlier.commit <= later.commit
    assert later.events[: earlier.version] == earlier.events


def happy(clocks: Clocks) -> tuple[Recorded, ...]:
    """Created; paid; reserved and confirmed."""
    return events_of(commits_of(HAPPY_GROUPS[: len(clocks)], clocks))


def test_the_very_moment_belongs_to_it_and_the_microsecond_before_does_not() -> None:
    """As of T includes what happened at T."""
    events = happy([(0, [0]), (250, [250])])

    assert prefix_at(events, AsOf(at(250))).commit == 2
    assert prefix_at(events, AsOf(at(249.999))).commit == 1
    assert prefix_at(events, AsOf(at(0))).commit == 1
    assert prefix_at(events, AsOf(at(-0.001))).commit == 0


def test_commits_of_one_moment_come_together() -> None:
    """Equal times say nothing of the order; the numbers do."""
    events = happy([(5, [5]), (5, [5]), (5, [5])])

    assert prefix_at(events, AsOf(at(5))).commit == 3
    assert prefix_at(events, AsOf(at(4))).commit == 0


def test_inside_a_commit_there_never_was_a_state() -> None:
    """Its two events claim different times: between them, neither has happened for the order."""
    events = happy([(0, [0]), (10, [10]), (20, [12, 18])])

    assert events[2].occurred_at < events[3].occurred_at
    assert prefix_at(events, AsOf(at(15), "occurred")).commit == 2
    assert prefix_at(events, AsOf(at(18), "occurred")).version == 4
    assert isinstance(prefix_at(events, AsOf(at(17), "occurred")).state, Received)


def test_a_writer_whose_clock_is_fast_holds_back_what_follows() -> None:
    """Commit 2 says 60 s, commit 3, which builds on it, says 1 s: until 60 s the answer is commit 1, never 1 and 3 without 2."""
    events = happy([(0, [0]), (60_000, [60_000]), (1_000, [1_000])])

    for ms in (1_000, 30_000, 59_999):
        assert prefix_at(events, AsOf(at(ms))).commit == 1
    assert prefix_at(events, AsOf(at(60_000))).commit == 3


def test_the_two_clocks_answer_two_questions() -> None:
    """Paid at noon, written down at one: at half past twelve it had been paid, and nobody could know."""
    noon, one = 0, 3_600_000
    events = happy([(noon - 10, [noon - 10]), (one, [noon])])
    half_past = at(1_800_000)

    assert prefix_at(events, AsOf(half_past, "occurred")).commit == 2
    assert prefix_at(events, AsOf(half_past, "recorded")).commit == 1


@pytest.mark.parametrize("asked", [4, 99, 999_999_999])
def test_a_commit_beyond_the_head_is_refused_and_the_head_named(asked: int) -> None:
    """Not answered with the head: it would pass for something that has not happened."""
    events = happy([(0, [0]), (1, [1]), (2, [2])])

    with pytest.raises(CommitAhead, match=rf"no commit {asked}: the order's head is commit 3, version 4") as refused:
        prefix_at(events, AtCommit(asked))
    assert (refused.value.asked, refused.value.head_commit, refused.value.head_version) == (asked, 3, 4)


def test_an_order_without_events_was_never_placed() -> None:
    """At no moment."""
    assert prefix_at((), AtCommit(0)).state == INITIAL
    assert prefix_at((), AsOf(at(0))).version == 0
    with pytest.raises(CommitAhead, match="head is commit 0"):
        prefix_at((), AtCommit(1))


@pytest.mark.thorough
@UNHURRIED
@given(commits=pasts(), moments=st.tuples(MOMENTS, MOMENTS))
def test_a_difference_turned_round_is_its_inverse(commits: list[Commit], moments: tuple[Moment, Moment]) -> None:
    """The same fields, events and authors; old and new exchanged."""
    events = events_of(commits)
    first, second = (within(commits, moment) for moment in moments)

    there, back = changes(events, first, second), changes(events, second, first)

    assert (there.old.events, there.new.events) == (back.new.events, back.old.events)
    assert there.events == back.events
    assert [(change.field, change.old, change.new, change.by) for change in there.fields] == [
        (change.field, change.new, change.old, change.by) for change in back.fields
    ]
    assert {there.direction, back.direction} in ({"forward", "backward"}, {"none"})


@pytest.mark.thorough
@UNHURRIED
@given(commits=pasts(), moments=st.tuples(MOMENTS, MOMENTS))
def test_a_difference_leads_from_one_document_to_the_other(
    commits: list[Commit], moments: tuple[Moment, Moment]
) -> None:
    """Put upon the old document, the changes make the new one; nothing is missing, and nothing is told that is the same."""
    events = events_of(commits)
    first, second = (within(commits, moment) for moment in moments)

    found = changes(events, first, second)

    old, new = fields_at(found.old.events), fields_at(found.new.events)
    changed = {**old, **{change.field: change.new for change in found.fields}}
    assert {field: value for field, value in changed.items() if value is not None} == new
    assert all(change.old != change.new for change in found.fields)
    assert [change.old for change in found.fields] == [old.get(change.field) for change in found.fields]
    longer, shorter = sorted((found.old.events, found.new.events), key=len, reverse=True)
    assert (*shorter, *found.events) == longer


@pytest.mark.thorough
@UNHURRIED
@given(commits=pasts(), moments=st.tuples(MOMENTS, MOMENTS))
def test_each_change_names_the_event_from_which_the_field_is_what_it_is(
    commits: list[Commit], moments: tuple[Moment, Moment]
) -> None:
    """Found by looking at the document after every single event: before the named one the field was another, and after it never again."""
    events = events_of(commits)
    found = changes(events, *(within(commits, moment) for moment in moments))
    last = max(found.old.version, found.new.version)

    for change in found.fields:
        values = [fields_at(events[:version]).get(change.field) for version in range(last + 1)]
        settled = max(version for version in range(1, last + 1) if values[version] != values[version - 1])
        assert change.by == events[settled - 1]
        assert change.by in found.events


def fields_at(events: tuple[Recorded, ...]) -> dict[str, Any]:
    """The compared fields of the document that have a value."""
    flat = flattened(document_of(events) or {})
    return {field: value for field, value in flat.items() if field not in STANDING_FIELDS and value is not None}


def told(found: Difference) -> list[tuple[str, Any, Any, int, str, str]]:
    return [
        (change.field, change.old, change.new, change.by.commit, change.by.name, change.by.actor.id)
        for change in found.fields
    ]


def test_a_difference_says_what_changed_by_which_commit_event_and_actor() -> None:
    """In the words of the order's document, in its order."""
    events = happy([(0, [0]), (1, [1]), (2, [2])])

    assert told(changes(events, AtCommit(1), AtCommit(3))) == [
        ("status", "RECEIVED", "CONFIRMED", 3, "OrderConfirmed", "alice"),
        ("payment.status", "PENDING", "AUTHORIZED", 2, "PaymentCompleted", "payment"),
        ("inventory.status", "PENDING", "RESERVED", 3, "InventoryReserved", "alice"),
    ]
    assert [recorded.event for recorded in changes(events, AtCommit(1), AtCommit(3)).events][:2] == [PAID, RESERVED]


def test_from_before_the_beginning_everything_is_new() -> None:
    """Each field of the first document is the first event's; what has no value is no difference."""
    events = happy([(0, [0])])
    found = changes(events, AtCommit(0), AtCommit(1))

    assert found.direction == "forward"
    assert {change.by.name for change in found.fields} == {"OrderCreated"}
    assert all(change.old is None and change.new is not None for change in found.fields)
    assert "shipment" not in {change.field for change in found.fields}
    assert changes(events, AtCommit(0), AsOf(at(-1))).direction == "none"


def test_backwards_says_what_is_taken_back() -> None:
    """Old is what the first moment had, whichever is later; the author is still who brought it about."""
    events = happy([(0, [0]), (1, [1])])
    found = changes(events, AtCommit(2), AtCommit(1))

    assert found.direction == "backward"
    assert told(found) == [("payment.status", "AUTHORIZED", "PENDING", 2, "PaymentCompleted", "payment")]


def test_what_changed_more_than_once_is_the_last_ones_work() -> None:
    """Confirmed, then being cancelled: from before both, the cancellation is what stands."""
    events = events_of(commits_of(groups := groups_of(CANCELLED_LATE), [(n, [n]) for n in range(len(groups))]))
    cancelling = next(recorded for recorded in events if recorded.name == "OrderCancellationRequested")
    (status,) = (c for c in changes(events, AtCommit(1), AtCommit(cancelling.commit)).fields if c.field == "status")

    assert (status.old, status.new, status.by) == ("RECEIVED", "CANCELLING", cancelling)
    assert isinstance(prefix_at(events, AtCommit(cancelling.commit)).state, Cancelling)
    assert isinstance(prefix_at(events, AtCommit(cancelling.commit - 1)).state, Confirmed)


def test_lists_are_compared_whole_and_objects_by_their_fields() -> None:
    """A field's path has dots."""
    assert flattened({"a": {"b": {"c": 1}, "d": None}, "e": [{"f": 1}], "g": {}}) == {
        "a.b.c": 1,
        "a.d": None,
        "e": [{"f": 1}],
    }
