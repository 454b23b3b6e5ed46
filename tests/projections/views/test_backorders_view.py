"""The backorders view: who waits for goods, since when, and who no longer does."""

import orjson
from hypothesis import given

from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, Cancelling, InventoryStatus, Received, fold
from projections.projecting.folding import NOTHING, step
from projections.views import backorders
from projections.views.backorders import Backorder
from tests.projections.histories import ORDER, commits_for, recorded_of
from tests.projections.rich_histories import rich_histories


def waits(view: Backorder | None) -> bool:
    return view is not None and backorders.VIEW.listing(view) is not None


@given(rich_histories())
def test_the_list_holds_the_orders_that_wait_for_goods_and_no_others(history) -> None:
    """By the order's own state: something is missing, nobody is asked about it, and nothing is being undone."""
    groups, moments = history
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits_for(groups, moments=moments)}
    view = step(backorders.VIEW, NOTHING, log).state
    state = fold(INITIAL, [event for group in groups for event in group])
    asked = any(question.kind == "missing_stock" for question in state.questions)
    open_statuses = ("Received", "Confirmed", "InFulfilment", "Completed")
    backordered = state.inventory.status in (InventoryStatus.BACKORDERED, InventoryStatus.PARTIAL)

    if isinstance(state, Cancelling):
        return  # what was set aside while it was being undone is listed until it is undone: its stock has a step to do
    short = bool(backordered and state.inventory.missing)
    assert waits(view) == (short and not asked and type(state).__name__ in open_statuses)
    if view is not None:
        stored = orjson.loads(orjson.dumps(backorders.to_document(view)))
        assert backorders.from_document(stored) == view
    if isinstance(state, Received) and waits(view):
        assert view.missing == state.inventory.missing


def test_an_order_that_never_missed_anything_has_no_document() -> None:
    """Nor does any event of it cost this view a look."""
    commits = commits_for(((e.OrderConfirmed(),), (e.InventoryReserved(reservation_id=ORDER),)))
    assert not any(backorders.VIEW.changed_by(tuple(recorded_of([commit]))) for commit in commits)
