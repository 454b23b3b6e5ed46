"""`compare` sees every fault in the views `deadlines` and `exceptions`, also a document that should not be there."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain import events as e
from projections.view_store import Write
from projections.views import deadlines, exceptions
from projections.views.view import Generation
from tests.builders import NOON
from tests.projections.histories import ORDER, TENANT, commits_for, happy_commits, happy_groups, histories, order_number
from tests.projections.read_side import ReadSide
from tests.virtual_time import run_virtual

HELD = e.OrderHeld(hold_id="h1", reason="address")
DUE = Generation(deadlines.NAME, 1).key(TENANT, ORDER)
STOPPED = Generation(exceptions.NAME, 1).key(TENANT, ORDER)


async def held_side() -> ReadSide:
    """A held order, an ordinary one, and views that equal the log."""
    side = ReadSide()
    groups = (*happy_groups()[:3], (HELD,))
    moments = [NOON + timedelta(minutes=number) for number in range(len(groups))]
    commits = [*commits_for(groups, moments=moments), *happy_commits(order_number(1))]
    await side.append(commits)
    await side.deliver(*commits)
    await side.assert_equal()
    return side


async def fault(side: ReadSide) -> tuple[str, str, list[str]]:
    """The one difference that is found: view, kind, fields."""
    report = await side.compare()
    [found] = report.differences
    return found.view, found.kind, [field.field for field in found.fields]


def change(side: ReadSide, key: str, **changes: object) -> None:
    old: Write = side.views._documents[key]
    document = json.loads(old.document) | changes
    side.views._documents[key] = replace(old, document=json.dumps(document).encode())


def test_a_changed_deadline_is_a_difference() -> None:
    """A stage that the order is not in, and a place in a list that is not its own."""

    async def scenario() -> None:
        side = await held_side()
        good = side.views._documents[DUE]
        change(side, DUE, stage="delivery")
        assert await fault(side) == ("deadlines", "different", ["stage"])

        side.views._documents[DUE] = replace(good, list_key="g1/deadlines/main/due/00", list_sort="2026")
        assert await fault(side) == ("deadlines", "different", ["(list)"])

    run_virtual(scenario)


def test_a_changed_exception_is_a_difference() -> None:
    """A hold that the document does not tell of, though the log does."""

    async def scenario() -> None:
        side = await held_side()
        change(side, STOPPED, entries=[])
        assert await fault(side) == ("exceptions", "different", ["entries"])

        del side.views._documents[STOPPED]
        assert await fault(side) == ("exceptions", "missing", [])

    run_virtual(scenario)


def test_an_exception_of_an_ordinary_order_is_a_difference() -> None:
    """Nothing happened to it, and a document says that something did."""

    async def scenario() -> None:
        side = await held_side()
        ordinary = Generation(exceptions.NAME, 1).key(TENANT, order_number(1))
        side.views._documents[ordinary] = replace(side.views._documents[STOPPED], key=ordinary)

        view, kind, _ = await fault(side)

        assert (view, kind) == ("exceptions", "ahead")

    run_virtual(scenario)


@given(histories(), st.integers(1, 5))
def test_views_of_any_history_equal_the_log(groups, batch: int) -> None:
    """Whatever happens to an order, and however its commits arrive: nothing is found."""

    async def scenario() -> None:
        side = ReadSide()
        commits = commits_for(groups)
        await side.append(commits)
        for start in range(0, len(commits), batch):
            await side.deliver(*commits[start : start + batch])
        await side.assert_equal()

    run_virtual(scenario)
