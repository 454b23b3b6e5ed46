"""Totals against the log: what differs is found to the measure, explained where it can be, and what moves is never called equal."""

from dataclasses import replace
from random import Random

import anyio
import pytest

from orderstore.store.memory import MemoryEventStore
from projections.comparing.compare import Report, compare
from projections.comparing.compare_totals import SumDifference, compare_sums
from projections.projecting import contributions
from projections.projecting.projector import ViewProjector
from projections.view_store import Addition, Write
from projections.view_store.memory import MemoryViewStore
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import TENANT, order_number, records_of
from tests.projections.sales import TARGET, counted_from, order_with_refunds, some_order
from tests.virtual_time import run_virtual

DAY_ONE = "2026-03-01/EUR"


class Shop:
    """A log and its totals."""

    def __init__(self) -> None:
        self.store = MemoryEventStore()
        self.views = MemoryViewStore()
        self.projector = ViewProjector(self.store, self.views, [TARGET])
        self.commits = []

    async def sell(self, commits, *, project: bool = True) -> None:
        for commit in commits:
            await self.store.append(commit)
        self.commits += commits
        if project:
            await self.projector.apply(records_of(commits))

    async def compare(self, **options) -> Report:
        return await compare(self.store, self.views, [TARGET], **{"look_again_after_s": 1, **options})

    def rows(self, bucket: str) -> dict[str, int]:
        return self.views._totals[TARGET.generation.sum_key(TENANT, bucket)]

    def key(self, index: int) -> str:
        return TARGET.generation.key(TENANT, order_number(index))


async def shop_of(orders: int) -> Shop:
    shop, random = Shop(), Random(orders)
    for index in range(orders):
        await shop.sell(some_order(index, random))
    return shop


def test_equal_totals_are_proved() -> None:
    """Every bucket of 120 orders, and none is left open."""

    async def scenario() -> None:
        shop = await shop_of(120)

        report = await shop.compare()

        assert report.equal
        assert report.buckets == len(counted_from(shop.commits)) > 9
        assert (report.sums, report.moving) == ([], [])

    run_virtual(scenario)


@pytest.mark.parametrize("by", [1, -1, 10**20])
def test_a_hand_in_a_row_is_found_and_no_order_is_blamed(by: int) -> None:
    """One measure of one bucket, with both figures."""

    async def scenario() -> None:
        shop = await shop_of(40)
        right = shop.rows(DAY_ONE)["placed_minor"]
        shop.rows(DAY_ONE)["placed_minor"] += by

        report = await shop.compare()

        assert not report.equal
        assert report.differences == []
        assert report.sums == [
            SumDifference(
                view="daily_sales",
                bucket=f"main/{DAY_ONE}",
                measure="placed_minor",
                expected=right,
                found=right + by,
            )
        ]
        assert report.differences_count == 1

    run_virtual(scenario)


def test_rows_that_are_gone_or_invented_are_found() -> None:
    """Every measure of the one, and of the other."""

    async def scenario() -> None:
        shop = await shop_of(40)
        lost = shop.views._totals.pop(TARGET.generation.sum_key(TENANT, DAY_ONE))
        shop.views._totals[TARGET.generation.sum_key(TENANT, "1999-01-01/EUR")] = {"placed_count": 3, "placed_minor": 0}

        report = await shop.compare()

        found = {(one.bucket, one.measure): (one.expected, one.found) for one in report.sums}
        assert found.pop(("main/1999-01-01/EUR", "placed_count")) == (0, 3)
        assert found == {(f"main/{DAY_ONE}", measure): (amount, 0) for measure, amount in lost.items() if amount}

    run_virtual(scenario)


def test_a_document_that_contributed_something_else_explains_its_difference() -> None:
    """A write of a faulty build: document and totals agree with each other, and not with the log."""

    async def scenario() -> None:
        shop = await shop_of(40)
        stored = (await shop.views.get([shop.key(3)]))[shop.key(3)]
        wrong = contributions.read(stored.contribution)
        [bucket] = [name for name, amounts in wrong.items() if "placed_count" in amounts]
        wrong[bucket]["placed_count"] += 5
        write = Write(
            key=stored.key,
            expected_commit=stored.commit,
            commit=stored.commit,
            schema=stored.schema,
            document=stored.document,
            contribution=contributions.written(wrong),
            expected_contribution=stored.contribution,
            additions=(Addition(TARGET.generation.sum_key(TENANT, bucket), {"placed_count": 5}),),
        )
        await shop.views.write([write])

        report = await shop.compare()

        [difference] = report.differences
        assert (difference.kind, [field.field for field in difference.fields]) == ("different", ["(totals)"])
        [one] = report.sums
        assert (one.bucket, one.measure, one.found - one.expected) == (f"main/{bucket}", "placed_count", 5)
        [named] = one.explained_by
        assert named.startswith(f"main/order-{order_number(3)} (commit {stored.commit}")

    run_virtual(scenario)


def test_commits_that_the_projector_has_not_applied_explain_theirs() -> None:
    """It stands still: the order is behind, and so are the totals, by what its last commit moves."""

    async def scenario() -> None:
        shop = Shop()
        commits = order_with_refunds(order_number(1), 3)
        await shop.sell(commits[:4])
        await shop.sell(commits[4:], project=False)

        report = await shop.compare(looks_max=2)

        assert [one.kind for one in report.differences] == ["behind"]
        assert {(one.measure, one.expected, one.found) for one in report.sums} == {
            ("refunded_count", 1, 0),
            ("refunded_minor", 100, 0),
        }
        assert all(
            one.explained_by == (f"main/order-{order_number(1)} (commit 4, the log has 5)",) for one in report.sums
        )

    run_virtual(scenario)


def test_a_lost_document_is_one_difference_and_its_totals_are_right() -> None:
    """They still say what the log says. Folded anew it is counted again, and that is found: rebuild then."""

    async def scenario() -> None:
        shop = await shop_of(20)
        await shop.views.delete([shop.key(5)])

        report = await shop.compare(looks_max=1)
        assert [one.kind for one in report.differences] == ["missing"]
        assert report.sums == []

        await bring_up_all(ViewProjector(shop.store, shop.views, [TARGET]))
        report = await shop.compare(looks_max=1)
        assert report.differences == []
        assert report.sums
        assert all(one.explained_by == () for one in report.sums)

    run_virtual(scenario)


def test_a_contribution_that_cannot_be_read_hides_nothing() -> None:
    """The document is named, and the log speaks for it."""

    async def scenario() -> None:
        shop = await shop_of(20)
        document = shop.views._documents[shop.key(2)]
        shop.views._documents[shop.key(2)] = replace(document, contribution="garbage", expected_contribution="")

        report = await shop.compare(looks_max=1)

        assert [one.stream[-1] for one in report.differences] == ["2"]
        assert report.sums == [], "the rows are right"

    run_virtual(scenario)


@pytest.mark.thorough
def test_beside_live_writers_buckets_at_rest_are_proved_and_the_others_called_moving() -> None:
    """Sales go on without end on one day, and the figures of the days before are proved meanwhile."""

    async def scenario() -> None:
        shop = await shop_of(30)
        resting = set(counted_from(shop.commits))
        totals = shop.views.totals

        async def slow_totals(names):
            await anyio.sleep(0.01)
            return await totals(names)

        shop.views.totals = slow_totals

        async def sell_on() -> None:
            for index in range(1_000, 3_000):
                [created, *_] = order_with_refunds(order_number(index), 0)
                await shop.sell([created])
                await anyio.sleep(0.001)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sell_on)
            await anyio.sleep(0.01)
            report = await shop.compare(looks_max=3, look_again_after_s=0.1)
            tasks.cancel_scope.cancel()

        assert report.equal
        assert report.moving == ["main/2026-03-01", "main/2026-03-01/USD"]
        assert report.buckets == len(resting - {"2026-03-01", "2026-03-01/USD"})

    run_virtual(scenario)


def test_a_bucket_that_comes_to_rest_is_proved_by_a_later_look() -> None:
    """It moved during the first look only; and a wrong one that came to rest is a difference."""

    async def scenario(wrong: int) -> None:
        shop = await shop_of(10)
        looks = 0
        totals = shop.views.totals

        async def moving_totals(names):
            nonlocal looks
            looks += 1
            found = await totals(names)
            if looks == 1:
                [created, *_] = order_with_refunds(order_number(77), 0)
                await shop.sell([created])
                shop.rows("2026-03-01/USD")["placed_count"] += wrong
            return found

        shop.views.totals = moving_totals
        report = await compare_sums(shop.store, shop.views, TARGET, look_again_after_s=1)

        assert report.moving == ()
        assert [(one.measure, one.found - one.expected) for one in report.differences] == (
            [("placed_count", wrong)] if wrong else []
        )
        assert report.proved == len(counted_from(shop.commits)) - bool(wrong)

    run_virtual(scenario, 0)
    run_virtual(scenario, 2)


def test_another_generation_is_compared_by_itself() -> None:
    """The totals of one say nothing of another."""

    async def scenario() -> None:
        shop = await shop_of(20)
        following = replace(TARGET, generation=replace(TARGET.generation, number=2))
        assert (await compare_sums(shop.store, shop.views, following)).proved == 0

        await bring_up_all(ViewProjector(shop.store, shop.views, [following]))

        report = await compare_sums(shop.store, shop.views, following)
        assert (report.proved, report.differences, report.moving) == (len(counted_from(shop.commits)), (), ())
        assert (await shop.compare()).equal

    run_virtual(scenario)
