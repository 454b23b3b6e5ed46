"""The view that the docs add in ten lines works as they say: it is taken from there, run by the real projector, and held to the log."""

import re
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from projections.comparing.compare import compare
from projections.projecting.folding import NOTHING, step
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.views.view import Generation, View
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import (
    TENANT,
    commits_for,
    groups_of,
    happy_commits,
    histories,
    order_number,
    records_of,
)
from tests.projections.read_side import CountingObserver, CountingStore, WatchedViews
from tests.virtual_time import run_virtual

DOCS = Path(__file__).parents[2] / "docs" / "views.md"
LINES_MAX = 14


def example() -> str:
    """The block of code under "Adding a view"."""
    section = DOCS.read_text().split("## Adding a view", 1)[1]
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return block


def view_of_the_docs() -> View[Any]:
    namespace: dict[str, Any] = {}
    exec(compile(example(), str(DOCS), "exec"), namespace)
    return namespace["VIEW"]


def test_it_takes_about_ten_lines() -> None:
    """Lines of code, the imports among them; what is longer than the docs say is no longer an example."""
    lines = [line for line in example().splitlines() if line.strip()]

    assert len([line for line in lines if not line.startswith(("from ", "import "))]) <= 10
    assert len(lines) <= LINES_MAX


@given(st.lists(histories(), min_size=1, max_size=4), st.integers(1, 9))
def test_it_equals_the_log_for_any_histories(histories_of_orders, batch: int) -> None:
    """Through the real projector onto a store, in any batches, twice: equal to a fold of the log, and nothing beside it."""
    target = Target(view_of_the_docs(), Generation("orders_by_channel", 1))

    async def scenario() -> None:
        store, views, observer = CountingStore(), WatchedViews(), CountingObserver()
        projector = ViewProjector(store, views, [target], observer=observer)
        commits = [
            commit
            for index, groups in enumerate(histories_of_orders)
            for commit in commits_for(named(groups, order_number(index)), order_id=order_number(index))
        ]
        for commit in commits:
            await store.append(commit)
        for start in (*range(0, len(commits), batch), 0):
            await projector.apply(records_of(commits[start : start + batch]))

        report = await compare(store, views, [target], look_again_after_s=1)
        assert report.equal, report.differences
        assert report.documents == len(histories_of_orders)
        assert observer.counts["writes orders_by_channel"] == len(histories_of_orders)

    run_virtual(scenario)


def named(groups, order_id: str):
    """The same history of another order."""
    [created] = groups_of((), order_id=order_id)
    return (created, *groups[1:])


def test_it_lists_the_orders_of_a_channel_newest_last() -> None:
    """What the docs say that it is for."""
    target = Target(view_of_the_docs(), Generation("orders_by_channel", 1))

    async def scenario() -> None:
        store, views = CountingStore(), WatchedViews()
        for index, channel in enumerate(("web", "api", "web")):
            for commit in happy_commits(order_number(index), channel=channel):
                await store.append(commit)
        await bring_up_all(ViewProjector(store, views, [target]))

        page = await views.listed(
            target.generation.list_key(TENANT, "channel/web"), after=None, limit=10, newest_first=False
        )
        assert [orjson.loads(one.document)["orderId"] for one in page.documents] == [order_number(0), order_number(2)]

    run_virtual(scenario)


def test_a_plain_view_may_say_nothing_of_most_orders() -> None:
    """Without a document there is nothing written, listed or compared."""
    silent = View(name="silent", schema=1, evolve=lambda state, recorded: state, to_document=dict, from_document=dict)

    assert step(silent, NOTHING, {1: ()}) == NOTHING
    assert silent.listing({}) is None
