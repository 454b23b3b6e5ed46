"""The two halves of the business's figures in one document: each counts as if it were alone, and together they are small."""

import orjson
import pytest
from hypothesis import given

from orderstore.domain import events as e
from projections.projecting import contributions
from projections.projecting.folding import NOTHING, step, write_of
from projections.view_store import items as view_items
from projections.views import VIEWS, daily_figures, daily_sales, progress
from projections.views.view import OutOfPlace
from tests.builders import CAPTURED, DISPATCHED, PAID, PAID_AT_ONCE, order_created
from tests.cost.rules import item_bytes
from tests.projections.histories import ORDER, TENANT, commits_for, happy_commits, histories, recorded_of
from tests.projections.sales import FIRST_DAY, TARGET, commits_at, refunded

PLACED = (FIRST_DAY, order_created(placed_at=FIRST_DAY))
INVOICED = next(one.event for one in recorded_of(happy_commits()) if isinstance(one.event, e.InvoiceIssued))


def folded(commits):
    view = None
    for one in recorded_of(commits):
        view = daily_figures.evolve(view, one)
    return view


def test_it_is_one_of_the_views_under_the_name_that_readers_know() -> None:
    """Sales that were counted before there was the other half stay where they are read."""
    assert daily_figures.VIEW in VIEWS
    assert (daily_figures.NAME, daily_figures.SCHEMA) == ("daily_sales", 2)


@given(histories())
def test_each_half_counts_as_if_it_were_alone(groups) -> None:
    """No bucket of one is one of the other's; and the document is the whole state, from which it goes on."""
    commits = commits_for(groups)
    sales = stands = None
    for one in recorded_of(commits):
        sales, stands = daily_sales.evolve(sales, one), progress.evolve(stands, one)
    view = folded(commits)
    assert daily_figures.sums(view) == {**daily_sales.sums(sales), **progress.sums(stands)}
    assert len(daily_figures.sums(view)) == len(daily_sales.sums(sales)) + len(progress.sums(stands))
    document = orjson.loads(orjson.dumps(daily_figures.to_document(view)))
    assert daily_figures.from_document(document) == view


@given(histories())
def test_only_what_it_is_written_for_changes_it(groups) -> None:
    """An event that it is not written for is as if it had never been."""
    view = None
    for one in recorded_of(commits_for(groups)):
        before, view = view, daily_figures.evolve(view, one)
        assert view == before or daily_figures.VIEW.changed_by((one,))


def test_money_that_is_only_held_is_not_worth_a_write() -> None:
    """It counts when it is taken; what is taken at once is."""
    for event, written in ((PAID, False), (PAID_AT_ONCE, True)):
        commits = commits_at([PLACED, (FIRST_DAY, event)], ORDER)
        assert daily_figures.VIEW.changed_by(tuple(recorded_of(commits[1:]))) is written


@pytest.mark.parametrize("refunds", [0, 2])
def test_an_ordinary_document_and_what_it_contributes_are_one_write_unit(refunds: int) -> None:
    """Placed, sent, and arrived on three days, and given back in part on two more: with its key and every name of an attribute."""
    days = [FIRST_DAY.replace(day=day) for day in (1, 2, 5, 11, 12)]
    events = [
        PLACED,
        (days[0], PAID),
        (days[0], e.OrderConfirmed()),
        (days[1], DISPATCHED),
        (days[1], CAPTURED),
        (days[1], INVOICED),
        (days[2], e.OrderCompleted()),
        *((day, refunded(number)) for number, day in enumerate(days[3 : 3 + refunds])),
    ]
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits_at(events, ORDER)}
    known = step(daily_figures.VIEW, NOTHING, log)
    write = write_of(TARGET, TENANT, ORDER, known)
    assert set(contributions.read(write.contribution)) >= {"2026-03-01", "2026-03-01/USD", "2026-03-05"}
    assert item_bytes(view_items.item_of(write)) < 1024


def test_an_event_out_of_its_place_is_refused() -> None:
    """A second beginning, or a confirmation of nothing."""
    created, confirmed = recorded_of(commits_at([PLACED, (FIRST_DAY, e.OrderConfirmed())], ORDER))
    with pytest.raises(OutOfPlace):
        daily_figures.evolve(daily_figures.evolve(None, created), created)
    with pytest.raises(OutOfPlace):
        daily_figures.evolve(None, confirmed)
