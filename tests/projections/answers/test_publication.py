"""Publication, from the relay's mark and its parking lot: never `published` of what was left behind, and no write per event."""

from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from orderstore.codec import decode
from orderstore.recorded import Recorded
from projections.answers.observe import SilentReadObserver
from projections.answers.publication import Publication, RecentPublication
from projections.stream.parking import LotUnavailable, Parked, ParkedPage
from projections.stream.parking.memory import MemoryParkingLot
from tests.projections.histories import HAPPY, ORDER, TENANT, commits_for, groups_of, order_number
from tests.projections.parked import row
from tests.virtual_time import run_virtual


def events() -> list[Recorded]:
    """A whole life of eight commits."""
    return [recorded for commit in commits_for(groups_of(HAPPY)) for recorded in decode(commit)]


class Lot(MemoryParkingLot):
    """Counts pages, and fails while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0
        self.failing = False

    async def page(self, subscription: str, *, after: str | None = None, limit: int = 200) -> ParkedPage:
        self.pages += 1
        await anyio.sleep(0.01)
        if self.failing:
            raise LotUnavailable("away")
        return await super().page(subscription, after=after, limit=limit)


class Reports(SilentReadObserver):
    def __init__(self) -> None:
        self.failed: list[str] = []

    def read_failed(self, *, what: str, error: Exception) -> None:
        self.failed.append(what)


def test_each_event_says_where_it_stands() -> None:
    """Before the mark: published; at it or after it: pending; what nobody is told of: internal."""
    history = events()
    mark_ms = history[4].recorded_at_ms
    told = [Publication(mark_ms).of_event(recorded) for recorded in history]

    for recorded, said in zip(history, told, strict=True):
        if recorded.name == "PaymentCaptured":
            assert said == "internal"
        else:
            assert said == ("published" if recorded.recorded_at_ms < mark_ms else "pending")
    assert {"internal", "published", "pending"} == set(told)
    assert {Publication(None).of_event(recorded) for recorded in history} == {"internal", "pending"}


@pytest.mark.parametrize(("state", "said"), [("parked", "pending"), ("skipped", "skipped")])
def test_what_was_left_behind_is_not_published_however_far_the_mark_is(state: Any, said: str) -> None:
    """From its first commit on; what came before is with the topic, and other orders are none the worse."""
    publication = Publication(10**15, {ORDER: row(commit=3, state=state)})
    for recorded in events():
        expected = "internal" if recorded.name == "PaymentCaptured" else said if recorded.commit >= 3 else "published"
        assert publication.of_event(recorded) == expected
        other = structs.replace(recorded, order_id=order_number(1))
        assert publication.of_event(other) in {"published", "internal"}


def test_in_doubt_an_event_is_pending() -> None:
    """Parked by a back-fill: everything since then, and everything at all while neither time nor commit is known."""
    history = events()
    owed_ms = history[5].recorded_at_ms
    for parked, left in (
        (row(commit=None), lambda _: True),
        (row(commit=None, owed_since_ms=owed_ms), lambda recorded: recorded.recorded_at_ms >= owed_ms),
        (
            row(commit=7, owed_since_ms=owed_ms),
            lambda recorded: recorded.recorded_at_ms >= owed_ms or recorded.commit >= 7,
        ),
        (
            row(commit=2, owed_since_ms=owed_ms),
            lambda recorded: recorded.recorded_at_ms >= owed_ms or recorded.commit >= 2,
        ),
    ):
        publication = Publication(10**15, {ORDER: parked})
        for recorded in (one for one in history if one.name != "PaymentCaptured"):
            assert publication.of_event(recorded) == ("pending" if left(recorded) else "published")


def passed(*numbers: int, order_id: str = ORDER) -> Parked:
    """What a parking lot keeps of an order that went on without these commits."""
    return row(order_id, commit=None, state="passed", passed=numbers)


def test_a_commit_that_was_passed_over_is_skipped_for_good() -> None:
    """However far the mark is, and whatever of the order waits besides: never published, and never pending."""
    for publication, others in (
        (Publication(10**15, {}, {ORDER: passed(3)}), "published"),
        (Publication(None, {}, {ORDER: passed(3)}), "pending"),
        (Publication(10**15, {ORDER: row(commit=2)}, {ORDER: passed(3)}), "left"),
        (Publication(10**15, {ORDER: row(commit=2, passed=(3,))}), "left"),
    ):
        for recorded in (one for one in events() if one.name != "PaymentCaptured"):
            expected = others if others != "left" else "pending" if recorded.commit >= 2 else "published"
            assert publication.of_event(recorded) == ("skipped" if recorded.commit == 3 else expected)
            other = structs.replace(recorded, order_id=order_number(1))
            assert publication.of_event(other) != "skipped"


def test_an_order_that_went_on_without_a_commit_is_not_called_published() -> None:
    """Pending while something is to come, skipped once nothing is; parked again, it is parked."""
    view = {"orderId": ORDER, "lastRecordedAtMs": 5}
    told = {ORDER: passed(3)}
    assert Publication(6, {}, told).of_order(view) == "skipped"
    assert Publication(5, {}, told).of_order(view) == "pending"
    assert Publication(6, {ORDER: row(commit=7)}, told).of_order(view) == "pending"
    assert Publication(6, {}, {order_number(1): passed(3)}).of_order(view) == "published"
    assert not Publication(6, {}, told).is_complete(view)


def test_what_was_passed_over_is_read_with_what_is_parked() -> None:
    """One question to the lot, and what it keeps once the order goes on; of this tenant's orders."""

    async def scenario() -> None:
        lot = Lot()
        for parked in (row(passed=(3,)), row(tenant="other", passed=(4,)), row(order_number(2))):
            assert await lot.park(parked)
            if parked.passed:
                await lot.release(parked)

        async def mark() -> int | None:
            return 10**15

        publication = await RecentPublication(mark, lot, subscription="relay", tenant=TENANT).get()
        assert {order_id: one.passed for order_id, one in publication.passed.items()} == {ORDER: (3,)}
        assert list(publication.left) == [order_number(2)]
        assert {one.commit for one in events() if publication.of_event(one) == "skipped"} == {3}
        assert lot.pages == 1

    run_virtual(scenario)


def test_an_order_is_not_complete_while_it_is_parked_or_skipped() -> None:
    """304 would hide it."""
    view = {"orderId": ORDER, "lastRecordedAtMs": 5}
    assert Publication(6).is_complete(view)
    assert not Publication(5).is_complete(view)
    for state in ("parked", "skipped"):
        assert not Publication(6, {ORDER: row(state=state)}).is_complete(view)


def test_one_read_a_second_serves_all() -> None:
    """However many ask; other tenants' orders, and keys that are no orders, are left out."""

    async def scenario() -> None:
        lot = Lot()
        for parked in (row(), row(order_number(1), tenant="other"), replace(row(), key="not an order")):
            assert await lot.park(parked)

        async def mark() -> int | None:
            return 7

        recent = RecentPublication(mark, lot, subscription="relay", tenant=TENANT)
        found: list[Publication] = []

        async def ask() -> None:
            found.append(await recent.get())

        for pages in (1, 1, 2):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(ask)
            assert lot.pages == pages
            await anyio.sleep(0.6)
        assert {one.through_ms for one in found} == {7}
        assert {tuple(one.left) for one in found} == {(ORDER,)}

    run_virtual(scenario)


def test_a_lot_that_is_away_leaves_both_as_they_were() -> None:
    """A mark that moved on beside a parking lot of before would call published what was parked in between."""

    async def scenario() -> None:
        lot, reports, marks = Lot(), Reports(), iter(range(100, 200))

        async def mark() -> int | None:
            return next(marks)

        recent = RecentPublication(mark, lot, subscription="relay", tenant=TENANT, observer=reports)
        lot.failing = True
        assert await recent.get() == Publication()
        await anyio.sleep(1.1)
        lot.failing = False
        assert (await recent.get()).through_ms == 101
        lot.failing = True
        await anyio.sleep(1.1)
        assert (await recent.get()).through_ms == 101
        assert reports.failed == ["parked", "parked"]

    run_virtual(scenario)


@given(parks_at_s=st.floats(0, 3), asks_at_s=st.lists(st.floats(0, 3), max_size=8), mark_s=st.floats(0, 0.3))
def test_an_order_that_the_mark_passed_because_it_was_parked_is_never_called_published(
    parks_at_s: float, asks_at_s: list[float], mark_s: float
) -> None:
    """The relay parks first and moves its mark after that; whoever reads in between, at whatever moment, sees one or the other."""

    async def scenario() -> None:
        lot, view = Lot(), {"orderId": ORDER, "lastRecordedAtMs": 500}
        through_ms = 400

        async def mark() -> int | None:
            await anyio.sleep(mark_s / 2)
            seen = through_ms
            await anyio.sleep(mark_s / 2)
            return seen

        recent = RecentPublication(mark, lot, subscription="relay", tenant=TENANT)

        async def relay() -> None:
            nonlocal through_ms
            await anyio.sleep(parks_at_s)
            await lot.park(row())
            through_ms = 600

        async def ask(at_s: float) -> None:
            await anyio.sleep(at_s)
            assert not (await recent.get()).is_complete(view)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay)
            for at_s in asks_at_s:
                tasks.start_soon(ask, at_s)

    run_virtual(scenario)
