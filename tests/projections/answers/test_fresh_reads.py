"""Read your writes: whatever the projector does, an answer that names a commit never shows less, and never fails because of it."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderstore import codec
from orderstore.audit.moments import CommitAhead
from orderstore.domain.events import InvoiceIssued
from orderstore.domain.ids import stream_of
from orderstore.domain.rejections import UnknownOrder
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from projections.answers import past
from projections.answers.fresh_reads import FIRST_LOOK_S, FreshReads
from projections.answers.observe import SilentReadObserver
from projections.answers.orders import open_queries
from projections.view_store import Stored, ViewStoreUnavailable
from projections.view_store.memory import MemoryViewStore
from projections.views.view import Generations
from tests.ordering import PlainVault, TickingClock
from tests.projections.histories import HAPPY, ORDER, TENANT, commits_for, groups_of, histories
from tests.projections.lagging import project, targets_in
from tests.virtual_time import run_virtual

STREAM = stream_of(TENANT, ORDER)
LIFE = groups_of(HAPPY)
STATUS, INVOICES = targets_in(1)[:2]


class FailingViews(MemoryViewStore):
    """Counts the reads; fails while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.failing = False
        self.takes_s = 0.0

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.reads += 1
        if self.takes_s:
            await anyio.sleep(self.takes_s)
        if self.failing:
            raise ViewStoreUnavailable("away")
        return await super().get(keys)


class Reports(SilentReadObserver):
    def __init__(self) -> None:
        self.sources: list[str] = []
        self.waits_s: list[float] = []
        self.failed: list[str] = []

    def commit_read(self, *, source: str, waited_s: float) -> None:
        self.sources.append(source)
        self.waits_s.append(waited_s)

    def read_failed(self, *, what: str, error: Exception) -> None:
        self.failed.append(what)


class Side:
    """A log, its views and who reads them."""

    def __init__(self, groups: Any = LIFE) -> None:
        self.log = MemoryEventStore()
        self.views = FailingViews()
        self.reports = Reports()
        self.commits = commits_for(groups)

    async def append(self, up_to: int | None = None) -> None:
        for commit in self.commits[:up_to]:
            await self.log.append(commit)

    async def reads(self, **options: Any) -> FreshReads:
        clock = TickingClock()
        orders = Orders(
            Transactor(self.log, now_ms=clock), tenant=TENANT, vault=PlainVault(), hooks_allowed=False, now_ms=clock
        )
        queries = await open_queries(self.views, tenant=TENANT)
        return FreshReads(queries, orders, random=Random(1), observer=self.reports, **options)

    def document(self, commit: int) -> dict[str, Any] | None:
        """What the order was after this commit."""
        return past.document_of([recorded for one in self.commits[:commit] for recorded in codec.decode(one)])

    def invoice_numbers(self, commit: int) -> list[str]:
        """The invoices that the order had after this commit."""
        events = [recorded.event for one in self.commits[:commit] for recorded in codec.decode(one)]
        return [event.invoice_number for event in events if isinstance(event, InvoiceIssued)]


def test_a_view_that_stands_there_is_answered_at_once() -> None:
    """No wait, no read of the log; a view that stands further on is as good."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1))
        reads = await side.reads()
        began_s, reads_before = anyio.current_time(), side.views.reads
        for commit in (1, 4, 8):
            shown = await reads.order(ORDER, commit=commit)
            assert (shown.source, shown.commit, shown.answer) == ("view", 8, side.document(8))
            listed = await reads.invoices(ORDER, commit=commit)
            assert (listed.source, listed.commit) == ("view", 8)
            assert [invoice["invoiceNumber"] for invoice in listed.answer] == side.invoice_numbers(8)
        assert anyio.current_time() == began_s
        assert side.views.reads - reads_before == 6

    run_virtual(scenario)


def test_a_view_that_is_a_moment_late_is_waited_for() -> None:
    """The answer comes from the view, soon after it is there."""

    async def scenario() -> None:
        side = Side()
        await side.append(3)
        await project(side.log, side.views, STREAM, targets_in(1), up_to=2)
        reads = await side.reads()
        began_s = anyio.current_time()

        async def late() -> None:
            await anyio.sleep(0.4)
            await project(side.log, side.views, STREAM, targets_in(1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late)
            shown = await reads.order(ORDER, commit=3)
        assert (shown.source, shown.commit) == ("view", 3)
        assert 0.4 <= anyio.current_time() - began_s <= 0.61
        assert 0.4 <= side.reports.waits_s[0] <= 0.61

    run_virtual(scenario)


def test_a_projector_that_stands_still_costs_a_second_and_no_more() -> None:
    """Then the log is folded, whole: not an error, not an older answer."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1), up_to=2)
        reads = await side.reads()
        began_s = anyio.current_time()
        shown = await reads.order(ORDER, commit=3)
        assert (shown.source, shown.commit, shown.answer) == ("log", 8, side.document(8))
        assert anyio.current_time() - began_s == pytest.approx(1)
        listed = await reads.invoices(ORDER, commit=7, wait_s=0.25)
        assert (listed.source, listed.commit) == ("log", 8)
        assert anyio.current_time() - began_s == pytest.approx(1.25)
        await reads.order(ORDER, commit=3, wait_s=60)  # the service's own bound holds too
        assert anyio.current_time() - began_s == pytest.approx(2.25)
        await reads.order(ORDER, commit=3, wait_s=0)
        assert anyio.current_time() - began_s == pytest.approx(2.25)
        assert side.reports.sources == ["log"] * 4

    run_virtual(scenario)


def test_the_document_of_invoices_need_not_move_with_every_commit() -> None:
    """It is written when there is an invoice; commits before and after it say nothing of invoices, and cost no wait."""

    async def scenario() -> None:
        side = Side()
        reads = await side.reads()
        await side.append(4)
        await project(side.log, side.views, STREAM, targets_in(1))
        none_yet = await reads.invoices(ORDER, commit=4)
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1))
        after = await reads.invoices(ORDER, commit=8)
        key = INVOICES.generation.key(TENANT, ORDER)

        assert (none_yet.source, list(none_yet.answer)) == ("view", [])
        assert (await side.views.get([key]))[key].commit == 7
        assert (after.source, len(after.answer)) == ("view", 1)
        assert side.reports.waits_s == [0, 0]

    run_virtual(scenario)


def test_a_status_that_is_ahead_of_the_invoices_is_no_proof_that_there_are_none() -> None:
    """The two documents are written apart: the status knows of the invoice that the other does not show yet."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, [STATUS])
        listed = await (await side.reads()).invoices(ORDER, commit=8)

        assert listed.source == "log"
        assert [invoice["invoiceNumber"] for invoice in listed.answer] == side.invoice_numbers(8)

    run_virtual(scenario)


def test_a_commit_that_the_log_does_not_have_is_said_so() -> None:
    """With what it has; and an order that is not there is not there."""

    async def scenario() -> None:
        side = Side()
        await side.append(3)
        await project(side.log, side.views, STREAM, targets_in(1))
        reads = await side.reads()
        for ask in (reads.order, reads.invoices):
            with pytest.raises(CommitAhead) as ahead:
                await ask(ORDER, commit=4)
            assert (ahead.value.asked, ahead.value.head_commit) == (4, 3)
            with pytest.raises(UnknownOrder):
                await ask("nowhere", commit=1)

    run_virtual(scenario)


def test_views_that_cannot_be_read_are_no_reason_to_fail() -> None:
    """The log answers at once, and the failure is reported: before the wait, and in the middle of it."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        reads = await side.reads()
        side.views.failing = True
        began_s = anyio.current_time()
        assert (await reads.order(ORDER, commit=8)).source == "log"
        assert anyio.current_time() == began_s
        side.views.failing = False

        async def fail() -> None:
            await anyio.sleep(0.3)
            side.views.failing = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            assert (await reads.invoices(ORDER, commit=8)).source == "log"
        assert 0.3 <= anyio.current_time() - began_s <= 0.51
        assert side.reports.failed == ["views", "views"]

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_crowd_behind_a_dead_projector_does_not_read_the_view_more_often() -> None:
    """A thousand who wait for one order share the looks; those for whom there is no room read the log at once."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        reads = await side.reads(waiters_max=300)
        waits_s: list[float] = []

        async def ask() -> None:
            began_s = anyio.current_time()
            shown = await reads.order(ORDER, commit=8)
            assert (shown.source, shown.commit) == ("log", 8)
            waits_s.append(anyio.current_time() - began_s)

        async with anyio.create_task_group() as tasks:
            for _ in range(1_000):
                tasks.start_soon(ask)
        assert sum(1 for wait_s in waits_s if wait_s == 0) == 700
        assert max(waits_s) == pytest.approx(1)
        assert side.views.reads - 1_000 <= 14  # each looks once by itself, before it waits

    run_virtual(scenario)


def test_a_view_that_does_not_answer_is_given_up_within_the_wait() -> None:
    """Throttled for half a minute: the log answers after the second that there is, or after what the caller has, and it is reported."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1))
        reads = await side.reads()
        side.views.takes_s = 30.0
        for asked_s, wait_s in ((None, 1.0), (0.5, 0.5), (0.0, FIRST_LOOK_S)):
            for ask in (reads.order, reads.invoices):
                began_s = anyio.current_time()
                shown = await ask(ORDER, commit=8, wait_s=asked_s)
                assert (shown.source, shown.commit) == ("log", 8)
                assert anyio.current_time() - began_s == pytest.approx(wait_s)
        assert side.reports.failed == ["views"] * 6

    run_virtual(scenario)


def test_a_slow_look_is_part_of_the_wait() -> None:
    """0.8 s for the first look leave 0.2 s for the others; and who has no time to wait is still answered from a view that is there."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1), up_to=2)
        reads = await side.reads()
        side.views.takes_s = 0.8
        began_s = anyio.current_time()
        assert (await reads.order(ORDER, commit=3)).source == "log"
        assert anyio.current_time() - began_s == pytest.approx(1)
        side.views.takes_s = 0.02
        assert (await reads.order(ORDER, commit=2, wait_s=0)).source == "view"

    run_virtual(scenario)


def test_a_crowd_before_a_table_that_does_not_answer_is_answered_within_the_second() -> None:
    """Fifty at once, and the generations cannot be asked for either: a second for each of them, and few reads."""

    async def scenario() -> None:
        side = Side()
        await side.append()
        await project(side.log, side.views, STREAM, targets_in(1))
        reads = await side.reads()
        await anyio.sleep(2)  # what is known of the generations is old by now
        asked = 0

        async def stuck(views: Sequence[str]) -> Mapping[str, Generations]:
            nonlocal asked
            asked += 1
            await anyio.sleep(30)
            raise ViewStoreUnavailable("throttled")

        side.views.generations = stuck  # type: ignore[method-assign]  # this one store, from now on
        began_s = anyio.current_time()

        async def ask() -> None:
            assert (await reads.order(ORDER, commit=8)).source == "log"
            assert anyio.current_time() - began_s == pytest.approx(1)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(ask)
        assert asked == 1

    run_virtual(scenario)


LATENESS = st.lists(st.one_of(st.floats(0, 2), st.none()), min_size=1, max_size=12)


@pytest.mark.thorough
@settings(deadline=None)
@given(groups=histories(), status_late_s=LATENESS, invoices_late_s=LATENESS, data=st.data())
@example(groups=LIFE, status_late_s=[0.0], invoices_late_s=[None], data=None)
@example(groups=LIFE, status_late_s=[None], invoices_late_s=[0.5], data=None)
def test_no_answer_ever_shows_less_than_it_was_asked_for(
    groups: Any, status_late_s: list[float | None], invoices_late_s: list[float | None], data: Any
) -> None:
    """Whatever the history, however late each commit is projected in each view, and also when a projector dies half-way: who names the
    commit of a write that was acknowledged gets an answer, in bounded time, with that commit in it; and it is what the order was then."""
    appended_at_s = [0.3 * number for number in range(len(groups))]
    asks = (
        [(0.1, 0), (0.5, 1), (2.5, len(groups) - 1)]
        if data is None
        else data.draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, len(groups) - 1)), min_size=1, max_size=6))
    )

    async def scenario() -> None:
        side = Side(groups)
        reads = await side.reads()

        async def write() -> None:
            for at_s, commit in zip(appended_at_s, side.commits, strict=True):
                await anyio.sleep_until(began_s + at_s)
                await side.log.append(commit)

        async def follow(target: Any, late_s: list[float | None]) -> None:
            for number, at_s in enumerate(appended_at_s, start=1):
                late = late_s[(number - 1) % len(late_s)]
                if late is None:
                    return  # it died, and nobody takes its place
                await anyio.sleep_until(began_s + at_s + late)
                await project(side.log, side.views, STREAM, [target], up_to=number)

        async def ask(after_s: float, position: int) -> None:
            await anyio.sleep_until(began_s + appended_at_s[position] + after_s)
            await anyio.sleep(1e-6)  # the write is acknowledged before its writer reads
            commit = position + 1
            asked_at_s = anyio.current_time()
            shown = await reads.order(ORDER, commit=commit)
            assert shown.commit >= commit
            assert shown.answer["commit"] == shown.commit
            assert shown.answer == side.document(shown.commit)
            listed = await reads.invoices(ORDER, commit=commit)
            assert listed.commit >= commit
            numbers = [invoice["invoiceNumber"] for invoice in listed.answer]
            assert numbers[: len(side.invoice_numbers(listed.commit))] == side.invoice_numbers(listed.commit)
            assert anyio.current_time() - asked_at_s <= 2 + 1e-6

        began_s = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            tasks.start_soon(follow, STATUS, status_late_s)
            tasks.start_soon(follow, INVOICES, invoices_late_s)
            for after_s, position in asks:
                tasks.start_soon(ask, after_s, position)

    run_virtual(scenario)
