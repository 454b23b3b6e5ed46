"""What edits add to orders is sold on the day on which it is applied, and that is no order more."""

from datetime import timedelta
from typing import Any

from orderstore.domain import events as e
from projections.views import daily_sales
from tests.builders import NOON, line, order_created
from tests.projections.histories import commits_for, recorded_of

LAMPS: dict[str, Any] = {"edit_id": "e", "lines": (line("LAMP-003", 2, "19.99"),), "amount_minor": 3_998}


def test_what_is_added_is_sold_on_its_own_day() -> None:
    """The day of the order keeps its figures; an order that is undone had come to all of it; and what costs nothing moves nothing."""
    days = [NOON, NOON + timedelta(days=1), NOON + timedelta(days=1), NOON + timedelta(days=2)]
    undone = e.OrderCancelled(reason="customer", compensations=())
    groups: list[tuple[e.Event, ...]] = [
        (order_created(),),
        (e.OrderEditApplied(**LAMPS),),
        (e.OrderEditApplied(**{**LAMPS, "amount_minor": 0}),),
        (undone,),
    ]
    view = None
    for recorded in recorded_of(commits_for(groups, moments=days)):
        view = daily_sales.evolve(view, recorded)
    assert view is not None
    shown = {
        day: {measure: amount for measure, amount in amounts.items() if amount}
        for day, amounts in daily_sales.sums(view).items()
    }
    assert shown == {
        "2026-03-01/USD": {"placed_count": 1, "placed_minor": 90_000},
        "2026-03-02/USD": {"placed_minor": 3_998},
        "2026-03-03/USD": {"cancelled_count": 1, "cancelled_minor": 93_998},
    }
