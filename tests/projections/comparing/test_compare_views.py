"""`compare` finds every difference that somebody plants, and none where there is none."""

from dataclasses import replace

import anyio
import orjson
import pytest

from orderstore.store.chain import seal
from orderstore.store.errors import CorruptCommit
from orderstore.store.port import Commit
from projections.comparing.compare import DIFFERENCES_MAX, Report, compare
from projections.view_store import Write
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import ORDER, happy_commits, order_number
from tests.projections.read_side import TARGETS, ReadSide
from tests.virtual_time import run_virtual

STATUS_KEY = TARGETS[0].generation.key("main", ORDER)
INVOICES_KEY = TARGETS[1].generation.key("main", ORDER)


async def equal_side(orders: int = 0) -> ReadSide:
    side = ReadSide()
    commits = happy_commits()
    for index in range(orders):
        commits += happy_commits(order_number(index))
    await side.append(commits)
    await side.deliver(*commits)
    return side


def change(side: ReadSide, key: str, **fields) -> None:
    old = side.views._documents[key]
    document = orjson.dumps(orjson.loads(old.document) | fields)
    side.views._documents[key] = replace(old, document=document)


async def only_difference(side: ReadSide):
    report = await side.compare()
    assert not report.equal
    [difference] = report.differences
    assert report.differences_count == 1
    return difference


def test_an_order_that_cannot_be_read_hides_no_other_difference() -> None:
    """Tampering with one order is reported, and the rest is compared all the same."""

    async def scenario() -> None:
        side = await equal_side(orders=3)
        broken = f"main/order-{order_number(0)}"
        read = side.store.read

        async def read_unless_broken(stream: str, *, after: int = 0) -> tuple[Commit, ...]:
            if stream == broken:
                raise CorruptCommit(stream, 3, "its hash is not that of its content")
            return await read(stream, after=after)

        side.store.read = read_unless_broken
        change(side, STATUS_KEY, status="SHIPPED")
        report = await side.compare()

        assert sorted((found.stream == broken, found.kind) for found in report.differences) == [
            (False, "different"),
            (True, "unreadable_order"),
        ]

    run_virtual(scenario)


def test_a_stream_with_a_foreign_name_is_reported_and_hides_no_other_difference() -> None:
    """Somebody put an item under a name that no order has: it is named, and the rest is compared all the same."""

    async def scenario() -> None:
        side = await equal_side(orders=3)
        await side.append([seal(stream="zzz", number=1, recorded_at_ms=1, body=b"{}", previous=None)])
        change(side, STATUS_KEY, status="SHIPPED")
        report = await side.compare()

        assert sorted((found.stream == "zzz", found.kind) for found in report.differences) == [
            (False, "different"),
            (True, "unreadable_order"),
        ]
        [foreign] = [found for found in report.differences if found.stream == "zzz"]
        assert (foreign.cause, foreign.detail) == ("ValueError", "not an order's stream: 'zzz'")
        assert report.orders == 5

    run_virtual(scenario)


def test_a_foreign_stream_is_reported_once_though_others_are_looked_at_again() -> None:
    """A view in the same batch that is only late costs more looks."""

    async def scenario() -> None:
        side = ReadSide()
        await side.append([seal(stream="zzz", number=1, recorded_at_ms=1, body=b"{}", previous=None)])
        await side.append(happy_commits())
        report = await side.compare()

        assert [found.kind for found in report.differences if found.stream == "zzz"] == ["unreadable_order"]

    run_virtual(scenario)


@pytest.mark.parametrize(
    "orders", [pytest.param(129, marks=pytest.mark.thorough), 65, pytest.param(250, marks=pytest.mark.thorough)]
)
def test_equal_views_are_equal(orders: int) -> None:
    """Everything is looked at, and nothing is found; progress is told on the way."""

    async def scenario() -> None:
        side = await equal_side(orders=orders)
        seen: list[int] = []

        report = await side.compare(progress=lambda report: seen.append(report.orders))

        assert report.equal
        assert (report.orders, report.documents) == (orders + 1, (orders + 1) * 4)
        assert len(seen) >= 3
        assert seen == sorted(seen)

    run_virtual(scenario)


def test_a_changed_field_is_named_with_the_commit_that_set_it() -> None:
    """Somebody wrote another status into a document: expected, found, and the commit of the log that says otherwise."""

    async def scenario() -> None:
        side = await equal_side()
        change(side, STATUS_KEY, status="CANCELLED", totalMinor=1)

        difference = await only_difference(side)

        assert (difference.kind, difference.view, difference.commit, difference.log_commit) == (
            "different",
            "order_status",
            8,
            8,
        )
        assert [(f.field, f.expected, f.found, f.commit) for f in difference.fields] == [
            ("status", "COMPLETED", "CANCELLED", 8),
            ("totalMinor", 90_000, 1, 1),
        ]

    run_virtual(scenario)


def test_a_missing_or_an_added_field_is_a_difference() -> None:
    """Also when its value would be null."""

    async def scenario() -> None:
        side = await equal_side()
        change(side, INVOICES_KEY, surprise=None)
        difference = await only_difference(side)
        assert [(f.field, f.found) for f in difference.fields] == [("surprise", None)]

    run_virtual(scenario)


def test_a_document_in_the_wrong_list_is_a_difference() -> None:
    """A customer would not find the order: the document is right, its place is not."""

    async def scenario() -> None:
        side = await equal_side()
        old = side.views._documents[STATUS_KEY]
        side.views._documents[STATUS_KEY] = replace(old, list_key="g1/order_status/main/customer/other")
        difference = await only_difference(side)
        assert [f.field for f in difference.fields] == ["(list)"]

    run_virtual(scenario)


@pytest.mark.parametrize("key", [STATUS_KEY, INVOICES_KEY])
def test_a_missing_document_is_a_difference(key: str) -> None:
    """In either view; an order without an invoice misses nothing in the invoices."""

    async def scenario() -> None:
        side = await equal_side()
        del side.views._documents[key]
        difference = await only_difference(side)
        assert (difference.kind, difference.commit) == ("missing", 0)

        early = ReadSide()
        await early.append(happy_commits()[:6])
        await bring_up_all(early.projector)
        await early.assert_equal()

    run_virtual(scenario)


def test_a_document_without_an_order_is_a_difference() -> None:
    """The log knows no such order: the view holds something that never happened."""

    async def scenario() -> None:
        side = await equal_side()
        ghost = TARGETS[1].generation.key("main", order_number(77))
        side.views._documents[ghost] = replace(side.views._documents[INVOICES_KEY], key=ghost)
        difference = await only_difference(side)
        assert (difference.kind, difference.view) == ("unknown_order", "invoices")
        assert difference.stream.endswith(order_number(77))

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"commit": 12}, "ahead"), ({"schema": 9}, "other_schema"), ({"commit": 7}, "different")],
)
def test_a_document_at_the_wrong_commit_or_schema_is_a_difference(changes, kind) -> None:
    """Ahead of the log, of another release, or with another commit's content."""

    async def scenario() -> None:
        side = await equal_side()
        side.views._documents[STATUS_KEY] = replace(side.views._documents[STATUS_KEY], **changes)
        assert (await only_difference(side)).kind == kind

    run_virtual(scenario)


def test_an_invoice_at_a_commit_that_issued_none_is_a_difference() -> None:
    """The invoices stand at the commit of the invoice, not at any other."""

    async def scenario() -> None:
        side = await equal_side()
        side.views._documents[INVOICES_KEY] = replace(side.views._documents[INVOICES_KEY], commit=5)
        assert (await only_difference(side)).kind == "different"

    run_virtual(scenario)


def test_a_view_that_is_only_late_is_given_time() -> None:
    """Live traffic: the projector catches up between two looks, and nothing is reported."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:5])
        reports: list[Report] = []

        async def look() -> None:
            reports.append(await side.compare())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await anyio.sleep(2.5)
            await side.deliver(*commits[5:])

        assert reports[0].equal
        assert reports[0].orders == 1

    run_virtual(scenario)


def test_a_view_that_stays_behind_is_a_difference() -> None:
    """The projector stands still: after a bounded number of looks that is a finding."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:5])

        report = await side.compare()

        assert [(one.view, one.kind, one.commit, one.log_commit) for one in report.differences][:3] == [
            ("order_status", "behind", 5, 8),
            ("invoices", "missing", 0, 7),
            ("daily_sales", "behind", 5, 8),
        ]

    run_virtual(scenario)


@pytest.mark.thorough
def test_differences_are_all_counted_and_boundedly_kept() -> None:
    """A view that was thrown away does not fill the memory with its differences."""

    async def scenario() -> None:
        side = ReadSide()
        orders = DIFFERENCES_MAX + 50
        await side.append([happy_commits(order_number(index))[0] for index in range(orders)])

        report = await compare(side.store, side.views, TARGETS[:1], looks_max=1)

        assert report.differences_count == orders
        assert len(report.differences) == DIFFERENCES_MAX

    run_virtual(scenario)


@pytest.mark.thorough
def test_each_order_is_read_once_while_there_is_room_to_remember_it(monkeypatch) -> None:
    """The second question (whose are these documents?) costs reads only for orders that are not remembered; the answer is the same."""

    async def scenario(expected_reads: int) -> None:
        side = await equal_side(orders=99)
        side.store.reads = 0
        report = await side.compare()
        assert report.equal
        assert report.orders == 100
        assert side.store.reads == expected_reads

    views_of_every_order = sum(1 for target in TARGETS if target.view.name not in ("exceptions", "backorders"))
    run_virtual(scenario, 100)
    monkeypatch.setattr("projections.comparing.compare.SEEN_MAX", 40)
    run_virtual(scenario, 100 + 60 * views_of_every_order)


def test_comparing_writes_nothing() -> None:
    """Looking changes nothing, whatever it finds."""

    async def scenario() -> None:
        side = await equal_side()
        change(side, STATUS_KEY, status="CANCELLED")
        before: dict[str, Write] = dict(side.views._documents)
        writes = side.views.writes

        await side.compare()

        assert side.views._documents == before
        assert side.views.writes == writes

    run_virtual(scenario)
