"""How orders get on: where each stands is where the domain says it stands, and every figure is counted on the right day, once."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import orjson
import pytest
from hypothesis import given

from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, evolve
from orderstore.store.memory import MemoryEventStore
from projections.projecting import contributions
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store.memory import MemoryViewStore
from projections.views import daily_figures, progress
from projections.views.view import Generation, OutOfPlace
from tests.builders import CAPTURED, DISPATCHED, PAID, order_created
from tests.projections.histories import (
    DECISIONS,
    HAPPY,
    ORDER,
    commits_for,
    groups_of,
    histories,
    order_number,
    recorded_of,
    records_of,
)
from tests.projections.sales import commits_at, counted_from, progress_from, stored_totals
from tests.virtual_time import run_virtual

MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)
TARGET = Target(daily_figures.VIEW, Generation(daily_figures.NAME, 1))


def folded(commits):
    view = None
    for one in recorded_of(commits):
        view = progress.evolve(view, one)
    return view


def sums_of(*events):
    return contributions.moved({}, progress.sums(folded(commits_at(events, ORDER))))


def after(*, days: int = 0, s: int = 0) -> datetime:
    return MORNING + timedelta(days=days, seconds=s)


PLACED = (MORNING, order_created(placed_at=datetime(2010, 12, 1, tzinfo=UTC)))
CONFIRMED = (after(s=45), e.OrderConfirmed())
LEFT = (after(days=1), DISPATCHED)
COMPLETED = (after(days=4), e.OrderCompleted())


def test_a_whole_life_is_counted_on_each_of_its_days() -> None:
    """On the day of its coming here, whenever it was placed elsewhere: how it ended is told of that day, and on the day of its end."""
    assert sums_of(PLACED, (after(s=9), PAID), CONFIRMED, LEFT, (after(days=2), CAPTURED), COMPLETED) == {
        "2026-03-01": {"placed": 1, "confirmed": 1, "confirm_le_60": 1, "of_completed": 1},
        "2026-03-02": {"shipped": 1, "ship_le_86400": 1},
        "2026-03-05": {"completed": 1},
    }


@pytest.mark.parametrize(
    ("events", "status", "since"),
    [
        ((PLACED,), "RECEIVED", "2026-03-01"),
        ((PLACED, CONFIRMED), "CONFIRMED", "2026-03-01"),
        ((PLACED, CONFIRMED, LEFT), "IN_FULFILMENT", "2026-03-02"),
        (
            (PLACED, CONFIRMED, (after(days=3), e.OrderCancellationRequested(reason="customer"))),
            "CANCELLING",
            "2026-03-04",
        ),
    ],
)
def test_an_open_order_stands_in_one_place_since_one_day(events, status: str, since: str) -> None:
    """And is taken away from where it stood before."""
    standing = {
        (day, measure) for day, totals in sums_of(*events).items() for measure in totals if measure.startswith("in_")
    }
    assert standing == {(since, f"in_{status}")}


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (e.OrderCancelled(reason="customer", compensations=()), "cancelled"),
        (e.OrderRejected(reasons=("payment_failed",)), "rejected"),
    ],
)
def test_an_end_counts_for_the_day_of_coming_and_on_its_own(event, end: str) -> None:
    """The success rate of a day is what became of its orders, not what ended on it."""
    assert sums_of(PLACED, (after(days=2), event)) == {
        "2026-03-01": {"placed": 1, f"of_{end}": 1},
        "2026-03-03": {end: 1},
    }


@pytest.mark.parametrize(
    ("took_s", "measure"),
    [(0, "confirm_le_1"), (1, "confirm_le_1"), (2, "confirm_le_2"), (61, "confirm_le_300"), (86_401, "confirm_longer")],
)
def test_a_time_is_counted_under_the_first_bound_that_holds_it(took_s: int, measure: str) -> None:
    """Bounds belong to what they bound, as those of Prometheus do."""
    (counted,) = (
        name
        for totals in sums_of(PLACED, (after(s=took_s), e.OrderConfirmed())).values()
        for name in totals
        if name.startswith("confirm_")
    )
    assert counted == measure


def test_a_clock_that_went_back_is_no_negative_time() -> None:
    """Two machines need not agree to the second."""
    assert sums_of(PLACED, (after(s=-5), e.OrderConfirmed()))["2026-03-01"]["confirm_le_1"] == 1


def test_the_first_parcel_is_what_shipped_means() -> None:
    """The second one moves nothing, be it days later."""
    assert sums_of(PLACED, CONFIRMED, LEFT, (after(days=3), DISPATCHED)) == sums_of(PLACED, CONFIRMED, LEFT)


@given(histories())
def test_an_order_stands_where_the_domain_says(groups) -> None:
    """After every commit of any legal history: a new status of the domain that this view does not know fails here."""
    state, view = INITIAL, None
    for one in recorded_of(commits_for(groups)):
        state, view = evolve(state, one.event), progress.evolve(view, one)
        named = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(state).__name__).upper()
        assert view.status.upper() == named


@given(histories())
def test_any_history_stands_once_and_ends_once(groups) -> None:
    """The sums of a document never say more than one order; and the document is the whole state, from which it goes on."""
    commits = commits_for(groups)
    view = folded(commits)
    summed: Counter[str] = Counter()
    for totals in progress.sums(view).values():
        summed.update(totals)
    assert summed["placed"] == 1
    assert sum(summed[f"in_{status}"] for status in progress.OPEN) + sum(summed[end] for end in progress.ENDS) == 1
    assert all(summed[end] == summed[f"of_{end}"] for end in progress.ENDS)
    assert summed["confirmed"] == sum(n for name, n in summed.items() if name.startswith("confirm_"))

    assert contributions.moved({}, progress.sums(view)) == progress_from(commits)
    document = orjson.loads(orjson.dumps(progress.to_document(view)))
    assert progress.from_document(document) == view
    before = None
    for one in recorded_of(commits):
        before, now = progress.evolve(before, one), before
        assert before == now or type(one.event) in progress.REACTS_TO


@pytest.mark.thorough
def test_duplicates_restarts_and_many_projectors_change_no_figure() -> None:
    """Every commit is brought three times, in pieces of any size, by projectors that know nothing of each other."""

    async def scenario() -> None:
        random = Random(7)
        store, views = MemoryEventStore(), MemoryViewStore()
        logs = [
            commits_for(
                groups_of([*HAPPY, *random.sample(DECISIONS, 3)][: random.randrange(10)], order_id=name), order_id=name
            )
            for name in (order_number(index) for index in range(40))
        ]
        for commit in (commit for log in logs for commit in log):
            await store.append(commit)
        for _ in range(3):
            projector = ViewProjector(store, views, [TARGET])
            for log in random.sample(logs, len(logs)):
                cut = random.randrange(len(log) + 1)
                await projector.apply(records_of(log[:cut]))
                await projector.apply(records_of(log))
        assert await stored_totals(views, TARGET) == counted_from([commit for log in logs for commit in log])

    run_virtual(scenario)


def test_the_row_of_a_day_stays_within_a_unit() -> None:
    """With every measure in it."""
    measures = [*progress.HAPPENED, *(f"of_{end}" for end in progress.ENDS), *(f"in_{one}" for one in progress.OPEN)]
    measures += [progress.within(timed, bound) for timed, bounds in progress.TIMED.items() for bound in (*bounds, None)]
    assert sum(len(name) + 6 for name in measures) + 60 < 1024


def test_an_event_out_of_its_place_is_refused() -> None:
    """A second beginning, or a confirmation of nothing."""
    created, confirmed = recorded_of(commits_at([PLACED, CONFIRMED], ORDER))
    with pytest.raises(OutOfPlace):
        progress.evolve(progress.evolve(None, created), created)
    with pytest.raises(OutOfPlace):
        progress.evolve(None, confirmed)


def test_nobody_is_in_it() -> None:
    """Moments, and a word."""
    document = progress.to_document(folded(commits_for(groups_of([]), order_id=ORDER)))
    assert set(document) == {"cameAt", "status", "since", "confirmedAt", "shippedAt"}
