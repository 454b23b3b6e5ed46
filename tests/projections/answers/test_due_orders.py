"""The lists that the sweeper walks: everything that is due by now, page by page, and nothing that is not."""

from datetime import timedelta

import pytest

from orderstore.domain import events as e
from projections.answers.current_generations import CurrentGenerations
from projections.answers.due_orders import VIEWS, DueOrders
from projections.view_store import Page, Stored, UnreadableDocument
from projections.view_store.memory import MemoryViewStore
from projections.views import deadlines
from projections.views.view import Generation
from tests.builders import NOON
from tests.projections.histories import TENANT, commits_for, happy_groups, order_number
from tests.projections.lagging import project, targets_in
from tests.projections.read_side import CountingStore
from tests.virtual_time import run_virtual

NOON_MS = int(NOON.timestamp() * 1_000)


async def placed(count: int) -> MemoryViewStore:
    """Orders a second apart, each late with its outcomes a hundred seconds after that."""
    store, views = CountingStore(), MemoryViewStore()
    for number in range(count):
        order_id = order_number(number)
        groups = (happy_groups(order_id, allowances=e.Allowances(outcomes_s=100))[0],)
        for commit in commits_for(groups, order_id=order_id, moments=[NOON + timedelta(seconds=number)]):
            await store.append(commit)
        await project(store, views, f"{TENANT}/order-{order_id}", targets_in(1))
    return views


def lists_over(views: MemoryViewStore) -> DueOrders:
    return DueOrders(views, tenant=TENANT, generations=CurrentGenerations(views, VIEWS))


@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_pages_show_each_due_order_once_and_end_with_now(limit: int) -> None:
    """Whatever the size of a page; to the millisecond; and with the moment that it was due."""

    async def scenario() -> None:
        due = lists_over(await placed(120))
        for now_ms, expected in (
            (NOON_MS + 99_999, 0),
            (NOON_MS + 100_000, 1),
            (NOON_MS + 150_000, 51),
            (NOON_MS + 10**9, 120),
        ):
            found = {}
            for shard in range(due.shards):
                after: str | None = None
                while True:
                    page = await due.due(shard, now_ms=now_ms, limit=limit, after=after)
                    for one in page.orders:
                        assert one.order_id not in found
                        found[one.order_id] = one.at_ms
                    after = page.next
                    if after is None:
                        break
            assert found == {order_number(number): NOON_MS + (number + 100) * 1_000 for number in range(expected)}

    run_virtual(scenario)


def test_a_switch_of_generation_is_followed_also_in_the_middle_of_a_list() -> None:
    """A place in one generation is the same place in the next."""

    async def scenario() -> None:
        views = await placed(40)
        due = lists_over(views)
        shard = deadlines.shard_of(order_number(0))
        whole = await due.due(shard, now_ms=NOON_MS + 10**9, limit=100, after=None)
        first = await due.due(shard, now_ms=NOON_MS + 10**9, limit=1, after=None)
        assert first.next is not None
        assert first.next.rpartition("/")[2] == whole.orders[0].order_id
        rest = await due.due(shard, now_ms=NOON_MS + 10**9, limit=100, after=first.next)
        assert [*first.orders, *rest.orders] == [*whole.orders]

    run_virtual(scenario)


def test_a_document_in_no_place_is_told_and_never_guessed() -> None:
    """Somebody wrote there who is not us."""

    async def scenario() -> None:
        views = MemoryViewStore()

        async def listed(list_key: str, *, after: object, limit: int, newest_first: bool) -> Page:
            key = Generation(deadlines.NAME, 1).key(TENANT, "x")
            stored = Stored(
                key=key, commit=1, schema=2, document=b"{}", list_key=list_key, list_sort="!/x", contribution=""
            )
            return Page((stored,), None)

        views.listed = listed  # type: ignore[method-assign,assignment]  # what a broken table would say
        with pytest.raises(UnreadableDocument):
            await lists_over(views).due(0, now_ms=NOON_MS, limit=10, after=None)

    run_virtual(scenario)
