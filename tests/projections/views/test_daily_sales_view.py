"""Daily sales: what counts, on which day, as what; and nothing of anybody."""

from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given

from orderstore.domain import events as e
from projections.projecting import contributions
from projections.views import VIEWS, daily_figures, daily_sales
from projections.views.view import OutOfPlace
from tests.builders import CAPTURED, PAID, PAID_AT_ONCE, VOIDED, order_created
from tests.projections.histories import ORDER, commits_for, happy_commits, histories, recorded_of
from tests.projections.sales import FIRST_DAY, commits_at, refunded, sales_from

GROSS = 90_000


def folded(commits):
    view = None
    for one in recorded_of(commits):
        view = daily_sales.evolve(view, one)
    return view


def sums_of(*events):
    return daily_sales.sums(folded(commits_at(events, ORDER)))


def at(day: int, hour: int = 9) -> datetime:
    return FIRST_DAY.replace(day=day, hour=hour)


PLACED = (at(1), order_created(placed_at=at(1)))


def test_it_is_half_of_one_of_the_views() -> None:
    """One line among the others."""
    assert daily_figures.VIEW in VIEWS


def test_each_fact_counts_on_its_own_day() -> None:
    """Placed on the first, captured on the second, given back on the fourth and fifth: four days, one currency."""
    assert sums_of(
        PLACED,
        (at(1), PAID),
        (at(2), CAPTURED),
        (at(4), refunded(1, 700)),
        (at(5), refunded(2, 50)),
        (at(5), refunded(3, 8)),
    ) == {
        "2026-03-01/USD": {"placed_count": 1, "placed_minor": GROSS},
        "2026-03-02/USD": {"captured_count": 1, "captured_minor": GROSS},
        "2026-03-04/USD": {"refunded_count": 1, "refunded_minor": 700},
        "2026-03-05/USD": {"refunded_count": 2, "refunded_minor": 58},
    }


def test_money_is_captured_once_whichever_way() -> None:
    """With the authorisation or after it; money that is only held, or let go, is not in it."""
    captured = {"captured_count": 1, "captured_minor": GROSS}
    assert sums_of(PLACED, (at(2), PAID_AT_ONCE))["2026-03-02/USD"] == captured
    assert sums_of(PLACED, (at(2), PAID), (at(2), CAPTURED))["2026-03-02/USD"] == captured
    assert "2026-03-02/USD" not in sums_of(PLACED, (at(2), PAID), (at(2), VOIDED))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (e.OrderCancelled(reason="customer", compensations=()), "cancelled"),
        (e.OrderRejected(reasons=("payment_failed",)), "rejected"),
    ],
)
def test_what_is_undone_stays_placed_and_counts_where_it_was_undone(event, kind: str) -> None:
    """A day that is over keeps its figures."""
    assert sums_of(PLACED, (at(3), event)) == {
        "2026-03-01/USD": {"placed_count": 1, "placed_minor": GROSS},
        "2026-03-03/USD": {f"{kind}_count": 1, f"{kind}_minor": GROSS},
    }


def test_a_request_to_refund_or_to_cancel_moves_nothing() -> None:
    """Only what was carried out counts."""
    asked = (at(2), e.RefundRequested(refund_id="r", amount_minor=5))
    cancelling = (at(3), e.OrderCancellationRequested(reason="customer"))
    assert sums_of(PLACED, asked, cancelling) == sums_of(PLACED)


def test_days_are_those_of_utc() -> None:
    """Half past midnight in Berlin is the evening before."""
    berlin = timezone(timedelta(hours=1))
    placed_at = datetime(2026, 3, 2, 0, 30, tzinfo=berlin)
    events = ((placed_at, order_created(placed_at=placed_at)), (datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC), CAPTURED))

    assert set(sums_of(*events)) == {"2026-03-01/USD", "2026-03-02/USD"}


def test_an_imported_order_counts_on_the_day_that_it_was_placed() -> None:
    """Written down today, placed in 2010."""
    assert set(sums_of((at(1), order_created(placed_at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC))))) == {
        "2010-12-01/USD"
    }


def test_buckets_are_named_as_readers_name_them() -> None:
    """By day and currency, with every measure by its kind."""
    [name] = sums_of(PLACED)
    assert name == daily_sales.bucket(date(2026, 3, 1), "USD")
    assert len(daily_sales.MEASURES) == 14
    assert daily_sales.MEASURES[:2] == ("placed_count", "placed_minor")


@given(histories())
def test_any_history_counts_what_its_events_say(groups) -> None:
    """Whatever the order went through; and the document is the whole state, from which it goes on."""
    commits = commits_for(groups)
    view = folded(commits)

    assert contributions.moved({}, daily_sales.sums(view)) == sales_from(commits)
    document = orjson.loads(orjson.dumps(daily_sales.to_document(view)))
    assert daily_sales.from_document(document) == view
    for cut in range(len(commits)):
        resumed = None if cut == 0 else daily_sales.from_document(daily_sales.to_document(folded(commits[:cut])))
        for one in recorded_of(commits[cut:]):
            resumed = daily_sales.evolve(resumed, one)
        assert resumed == view


@given(histories())
def test_only_what_it_reacts_to_changes_it(groups) -> None:
    """So that nothing is missed when the others are skipped."""
    view = None
    for one in recorded_of(commits_for(groups)):
        before, view = view, daily_sales.evolve(view, one)
        assert view == before or daily_sales.moved_by(one.event)


def test_nobody_is_in_it() -> None:
    """No name, no customer, no text: days, a currency and numbers."""
    document = daily_sales.to_document(folded(happy_commits()))

    assert set(document) == {"currency", "grossMinor", "days"}
    assert all(isinstance(n, int) for kinds in document["days"].values() for pair in kinds.values() for n in pair)


def test_an_event_out_of_its_place_is_refused() -> None:
    """A second beginning, or a payment of nothing."""
    created, paid = recorded_of(commits_at([PLACED, (at(1), PAID_AT_ONCE)], ORDER))
    with pytest.raises(OutOfPlace):
        daily_sales.evolve(daily_sales.evolve(None, created), created)
    with pytest.raises(OutOfPlace):
        daily_sales.evolve(None, paid)
