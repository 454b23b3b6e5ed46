"""Which orders are late, and which want somebody: walks over many lists, held to a plain look at every document."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import orjson
import pytest

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.allowances import STAGES
from projections.answers import merged_lists as merging
from projections.answers.merged_lists import MergedLists
from projections.answers.open_exceptions import OpenException, open_exceptions
from projections.answers.overdue import lateness
from projections.answers.ports import InvalidCursor
from projections.projecting.folding import NOTHING, Known, step, write_of
from projections.projecting.targets import Target
from projections.view_store import LIST_PAGE_MAX, Stored
from projections.view_store.memory import MemoryViewStore
from projections.views import deadlines, exceptions
from projections.views.exception_entries import STAGE_KINDS
from projections.views.exceptions import KINDS
from projections.views.view import Generation
from tests.builders import DISPATCHED, NOON
from tests.projections.histories import (
    DECISIONS,
    TENANT,
    commits_for,
    groups_of,
    happy_groups,
    order_number,
    recorded_of,
)
from tests.virtual_time import run_virtual

NOON_MS = int(NOON.timestamp() * 1_000)
DAY_MS = 86_400_000
LATE = ("stalled", "compensation_failed")
HELD = e.OrderHeld(hold_id="h1", reason="address")
TOO_LATE = e.OrderCancellationDeclined(reason="dispatched")
CANCEL = e.OrderCancellationRequested(reason="customer")
REFUND = e.RefundRequested(refund_id="r1", amount_minor=1)


class Views(MemoryViewStore):
    """Both views of many orders, and the documents that were read from lists."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def listed(self, list_key, *, after, limit, newest_first):
        page = await super().listed(list_key, after=after, limit=limit, newest_first=newest_first)
        self.read += len(page.documents)
        return page

    async def put(self, order_id: str, groups, *, generation: int = 1, minute: int = 0, tenant: str = TENANT) -> None:
        """Fold an order, placed `minute` minutes after noon with a commit a minute, into both views."""
        moments = [NOON + timedelta(minutes=minute + number) for number in range(len(groups))]
        commits = commits_for(groups, order_id=order_id, tenant=tenant, moments=moments)
        log = {commit.number: tuple(recorded_of([commit])) for commit in commits}
        for view in (deadlines.VIEW, exceptions.VIEW):
            target = Target(view, Generation(view.name, generation))
            known: Known = step(view, NOTHING, log)
            if known.folded:
                [result] = await self.write([write_of(target, tenant, order_id, known)])
                assert type(result).__name__ == "Written"

    def documents(self, view: str, generation: int = 1) -> list[dict]:
        prefix = Generation(view, generation).prefix
        return [orjson.loads(write.document) for key, write in self._documents.items() if key.startswith(prefix)]

    async def overdue(self, now_ms: int, *, kinds=LATE, **options):
        return await self.exceptions(now_ms, kinds=kinds, **options)

    async def exceptions(self, now_ms: int, *, generation: int = 1, tenant: str = TENANT, **options):
        current = {name: Generation(name, generation) for name in (deadlines.NAME, exceptions.NAME)}
        return await open_exceptions(self, current, tenant=tenant, now_ms=now_ms, **options)


def order(*events: e.Event, order_id: str, **changes):
    return (happy_groups(order_id, **changes)[0], *((event,) for event in events))


async def many(views: Views, seed: int, orders: int = 100) -> None:
    """Orders in all their states, placed over five days."""
    random = Random(seed)
    for _ in range(orders):
        order_id = str(UUID(int=random.getrandbits(128)))
        groups = groups_of(random.choices(DECISIONS, k=random.randint(0, 25)), order_id=order_id)
        await views.put(order_id, groups, minute=random.randrange(7_200))


async def walk(ask, **options) -> list:
    """Every page, to the end."""
    found: list = []
    cursor = None
    for _ in range(10_000):
        page = await ask(cursor=cursor, **options)
        found += page.exceptions
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("a walk without an end")


def shown(found: Sequence[OpenException]) -> list[tuple[str, list[str]]]:
    return [(one.order_id, [entry.cause for entry in one.entries]) for one in found]


def test_late_begins_with_the_due_time_itself() -> None:
    """One millisecond before, nothing; at it, late."""

    async def scenario() -> None:
        views = Views()
        await views.put(order_number(1), order(order_id=order_number(1)))
        due_ms = NOON_MS + 900_000

        assert (await views.overdue(due_ms - 1)).exceptions == ()
        assert shown((await views.overdue(due_ms)).exceptions) == [(order_number(1), ["outcomes"])]

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_page_reads_little_more_than_it_shows() -> None:
    """600 orders are on their way and none is late: a look costs two documents a list, not all of them."""

    async def scenario() -> None:
        views = Views()
        for index in range(600):
            order_id = order_number(index)
            await views.put(order_id, order(order_id=order_id), minute=index)

        assert (await views.overdue(NOON_MS, limit=16)).exceptions == ()
        assert views.read <= 2 * deadlines.SHARDS

        views.read = 0
        page = await views.overdue(NOON_MS + 30 * DAY_MS, limit=160)
        assert len(page.exceptions) == 160
        assert views.read < 400

    run_virtual(scenario)


def test_a_cursor_survives_a_switch_of_generation() -> None:
    """Page one from the first generation, page two from the second: nobody twice, nobody left out."""

    async def scenario() -> None:
        views = Views()
        for index in range(40):
            order_id = order_number(index)
            for generation in (1, 2):
                await views.put(order_id, order(HELD, order_id=order_id), minute=index, generation=generation)
        now_ms = NOON_MS + DAY_MS

        first = await views.overdue(now_ms, limit=15)
        second = await views.overdue(now_ms, limit=100, cursor=first.next_cursor, generation=2)
        assert [one.order_id for one in (*first.exceptions, *second.exceptions)] == [order_number(n) for n in range(40)]

        one = await views.exceptions(now_ms, limit=15, kinds=("held",))
        two = await views.exceptions(now_ms, limit=100, kinds=("held",), cursor=one.next_cursor, generation=2)
        assert [found.order_id for found in (*one.exceptions, *two.exceptions)] == [order_number(n) for n in range(40)]

    run_virtual(scenario)


def test_a_cursor_of_another_question_is_refused() -> None:
    """Other kinds, another tenant, or no cursor at all."""

    async def scenario() -> None:
        views = Views()
        for index in range(5):
            await views.put(order_number(index), order(HELD, order_id=order_number(index)))
        late = (await views.overdue(NOON_MS + DAY_MS, limit=1)).next_cursor
        held = (await views.exceptions(NOON_MS + DAY_MS, limit=1, kinds=("held",))).next_cursor
        assert None not in (late, held)

        for wrong in (
            views.overdue(NOON_MS, kinds=("stalled",), cursor=late),
            views.overdue(NOON_MS, tenant="other", cursor=late),
            views.overdue(NOON_MS, cursor=held),
            views.overdue(NOON_MS, cursor="?"),
            views.exceptions(NOON_MS, cursor=held),
            views.exceptions(NOON_MS, kinds=("held",), cursor=late),
        ):
            with pytest.raises(InvalidCursor):
                await wrong

    run_virtual(scenario)


def test_tenants_do_not_see_each_other() -> None:
    """Neither what is late, nor what is held, nor how much of it there is."""

    async def scenario() -> None:
        views = Views()
        await views.put(order_number(1), order(HELD, order_id=order_number(1)), tenant="other")
        now_ms = NOON_MS + DAY_MS

        assert (await views.overdue(now_ms)).exceptions == ()
        assert (await views.exceptions(now_ms)).exceptions == ()
        assert len((await views.exceptions(now_ms, tenant="other")).exceptions) == 2

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_walk_goes_on_while_orders_move() -> None:
    """Orders that get done between two pages leave the lists; those that stay late are all seen, each once."""

    async def scenario() -> None:
        views = Views()
        random = Random(20_260_301)
        ids = [order_number(index) for index in range(200)]
        for index, order_id in enumerate(ids):
            await views.put(order_id, order(order_id=order_id), minute=index)
        gone: set[str] = set()
        found: list[str] = []
        cursor = None
        while True:
            page = await views.overdue(NOON_MS + DAY_MS, limit=10, cursor=cursor)
            found += [one.order_id for one in page.exceptions]
            cursor = page.next_cursor
            if cursor is None:
                break
            for order_id in random.sample(ids, k=5):
                gone.add(order_id)
                key = Generation(deadlines.NAME, 1).key(TENANT, order_id)
                views._documents[key] = replace(views._documents[key], list_key=None, list_sort=None)

        assert len(found) == len(set(found))
        assert set(ids) - gone <= set(found)

    run_virtual(scenario)


def test_the_documents_looked_at_for_a_page_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many are late, none in a stage that is asked for: empty pages, each with a cursor, and an end."""

    async def scenario() -> None:
        views = Views()
        monkeypatch.setattr(merging, "DOCUMENTS_MAX", 60)
        orders = 90
        for index in range(orders):
            await views.put(order_number(index), order(order_id=order_number(index)), minute=index)
        late = order_number(orders)
        await views.put(late, order(REFUND, order_id=late), minute=orders)

        first = await views.overdue(NOON_MS + 30 * DAY_MS, kinds=("compensation_failed",), limit=10)
        assert (first.exceptions, first.next_cursor is not None) == ((), True)
        second = await views.overdue(
            NOON_MS + 30 * DAY_MS, kinds=("compensation_failed",), limit=10, cursor=first.next_cursor
        )
        assert (shown(second.exceptions), second.next_cursor) == ([(late, ["refund"])], None)

    run_virtual(scenario)


# What wants somebody


def test_an_exception_says_what_stopped_since_when_and_who_acts() -> None:
    """Late, and held: once from each view."""

    async def scenario() -> None:
        views = Views()
        order_id = order_number(1)
        await views.put(order_id, order(e.OrderConfirmed(), DISPATCHED, HELD, TOO_LATE, REFUND, order_id=order_id))

        late, stopped = (await views.exceptions(NOON_MS + 30 * DAY_MS)).exceptions[::-1]
        if late.entries[0].due_at is None:
            late, stopped = stopped, late
        assert [entry.document() for entry in late.entries] == [
            {
                "kind": "stalled",
                "cause": "delivery",
                "since": "2026-03-01T12:02:00.000Z",
                "dueAt": "2026-03-06T12:02:00.000Z",
                "reference": DISPATCHED.shipment_id,
                "owner": "shipping",
                "actions": ["retry", "resume", "skip", "refund"],
            },
            {
                "kind": "compensation_failed",
                "cause": "refund",
                "since": "2026-03-01T12:05:00.000Z",
                "dueAt": "2026-03-15T12:05:00.000Z",
                "reference": "r1",
                "owner": "payment",
                "actions": ["retry", "resume", "skip"],
            },
        ]
        assert [(entry.kind, entry.cause, entry.reference) for entry in stopped.entries] == [("held", "address", "h1")]

    run_virtual(scenario)


@pytest.mark.parametrize(
    "limit", [pytest.param(1, marks=pytest.mark.thorough), 13, pytest.param(LIST_PAGE_MAX, marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("kinds", [KINDS, *((kind,) for kind in KINDS), ("held", "stalled")])
def test_a_walk_over_exceptions_equals_a_look_at_every_document(limit: int, kinds) -> None:
    """Any kinds together: what is late by the clock, what was stopped, longest waiting first, each once."""

    async def scenario() -> None:
        views = Views()
        await many(views, seed=limit)
        for index, events in enumerate([(HELD, TOO_LATE), (TOO_LATE,), (TOO_LATE, REFUND), (HELD,), (CANCEL, HELD)]):
            order_id = order_number(2**41 + index)
            await views.put(order_id, order(*events, order_id=order_id), minute=index)
        for days in (1, 3, 30):
            now_ms = NOON_MS + days * DAY_MS
            now = timestamp(NOON + timedelta(days=days))
            expected = []
            for document in views.documents(deadlines.NAME):
                dues = deadlines.from_document(document).dues()
                late = [STAGE_KINDS[due.what] for due in dues if due.due_at <= now and due.what in STAGES]
                late = [kind for kind in late if kind in kinds]
                if late:
                    expected.append((dues[0].due_at, document["orderId"], late))
            for document in views.documents(exceptions.NAME):
                opened = exceptions.from_document(document).open
                stopped = [entry.kind for entry in opened if entry.kind in kinds]
                if stopped:
                    expected.append((min(entry.since for entry in opened), document["orderId"], stopped))

            async def ask(*, cursor, now_ms=now_ms):
                return await views.exceptions(now_ms, kinds=kinds, limit=limit, cursor=cursor)

            found: list[OpenException] = await walk(ask)
            told = [(one.order_id, [entry.kind for entry in one.entries]) for one in found]
            assert told == [(order_id, late) for _, order_id, late in sorted(expected, key=lambda one: one[:2])]
        assert found or not set(kinds) & {"stalled", "compensation_failed", "held", "cancellation_declined"}

    run_virtual(scenario)


def test_what_two_views_say_of_one_moment_is_not_torn_apart() -> None:
    """Held in the very millisecond in which it became late: a page takes both, since a cursor does not tell them apart."""

    async def scenario() -> None:
        views = Views()
        ids = [order_number(index) for index in range(3)]
        for minute, order_id in enumerate(ids):
            await views.put(order_id, order(*[PAID_AGAIN] * 14, HELD, order_id=order_id), minute=minute)

        async def ask(*, cursor):
            return await views.exceptions(NOON_MS + DAY_MS, limit=1, cursor=cursor)

        assert [one.order_id for one in await walk(ask)] == [order_id for order_id in ids for _ in range(2)]
        page = await views.exceptions(NOON_MS + DAY_MS, limit=1)
        assert len(page.exceptions) == 2

    run_virtual(scenario)


PAID_AGAIN = e.PersonalDataErased(subject="customer:1", certificate="c", key_classes=("operational",))


# Counts


def test_lateness_counts_orders_and_ages_stage_by_stage() -> None:
    """For a metric: every stage is there, also with nothing; an order with two late refunds counts once."""

    async def scenario() -> None:
        views = Views()
        await views.put(order_number(1), order(order_id=order_number(1)))
        await views.put(order_number(2), order(order_id=order_number(2)), minute=10)
        refunds = (REFUND, e.RefundRequested(refund_id="r2", amount_minor=1))
        await views.put(order_number(3), order(e.OrderConfirmed(), *refunds, order_id=order_number(3)))
        current = {name: Generation(name, 1) for name in (deadlines.NAME, exceptions.NAME)}

        found = await lateness(views, current, tenant=TENANT, now_ms=NOON_MS + 30 * 60_000)
        assert found.complete
        assert set(found.stages) == set(STAGES)
        assert (found.stages["outcomes"].orders, found.stages["outcomes"].oldest_s) == (2, 15 * 60)
        assert (found.stages["refund"].orders, found.stages["refund"].oldest_s) == (0, 0.0)

        found = await lateness(views, current, tenant=TENANT, now_ms=NOON_MS + 30 * DAY_MS)
        assert (found.stages["refund"].orders, found.stages["refund"].oldest_s) == (1, 16 * 86_400 - 120)
        assert found.stages["dispatch"].orders == 1

    run_virtual(scenario)


def test_what_is_told_to_be_late_is_still_counted_and_listed() -> None:
    """The sweeper takes it out of what is due, and it stands in the exceptions from then on: at no time twice, or not at all."""

    async def scenario() -> None:
        views = Views()
        told = e.OrderProcessStalled(stage="outcomes", since=NOON, due_at=NOON + timedelta(minutes=15))
        await views.put(order_number(1), order(told, order_id=order_number(1)))
        await views.put(order_number(2), order(order_id=order_number(2)), minute=10)
        refunds = (REFUND, e.RefundRequested(refund_id="r2", amount_minor=1))
        one_told = e.OrderProcessStalled(stage="refund", since=NOON, due_at=NOON + timedelta(days=14), subject="r1")
        await views.put(order_number(3), order(e.OrderConfirmed(), *refunds, one_told, order_id=order_number(3)))
        current = {name: Generation(name, 1) for name in (deadlines.NAME, exceptions.NAME)}
        much_later = await lateness(views, current, tenant=TENANT, now_ms=NOON_MS + 30 * DAY_MS)
        assert much_later.stages["refund"].orders == 1, "one refund is told, the other is not: one order"

        found = await lateness(views, current, tenant=TENANT, now_ms=NOON_MS + 30 * 60_000)
        assert (found.stages["outcomes"].orders, found.stages["outcomes"].oldest_s) == (2, 15 * 60)
        page = await views.exceptions(NOON_MS + 30 * 60_000, kinds=("stalled",))
        assert shown(page.exceptions) == [(order_number(1), ["outcomes"]), (order_number(2), ["outcomes"])]
        assert [one.entries[0].due_at for one in page.exceptions] == [
            timestamp(NOON + timedelta(minutes=minutes)) for minutes in (15, 25)
        ]

    run_virtual(scenario)


def test_lateness_is_bounded_and_says_so() -> None:
    """More are late than are looked at: at least so many, and the oldest is among them."""

    async def scenario() -> None:
        views = Views()
        for index in range(50):
            await views.put(order_number(index), order(order_id=order_number(index)), minute=index)
        current = {name: Generation(name, 1) for name in (deadlines.NAME, exceptions.NAME)}
        now_ms = NOON_MS + DAY_MS

        found = await lateness(views, current, tenant=TENANT, now_ms=now_ms, documents_max=20)
        assert (found.complete, found.stages["outcomes"].orders) == (False, 20)
        assert found.stages["outcomes"].oldest_s == 86_400 - 900
        assert (await lateness(views, current, tenant=TENANT, now_ms=now_ms, documents_max=50)).complete

    run_virtual(scenario)


# The merge itself


@pytest.mark.parametrize("seed", range(10))
def test_merged_lists_are_one_list(seed: int) -> None:
    """Any number of lists of any lengths, some with a bound: every sort once, ascending, behind `after`."""

    async def scenario() -> None:
        random = Random(seed)
        views = Views()
        lists: dict[str, str | None] = {}
        sorts: list[str] = []
        target = Target(exceptions.VIEW, Generation(exceptions.NAME, 1))
        for number in range(random.randint(1, 20)):
            name, until = f"list-{number}", random.choice([None, f"{random.randint(0, 999):03d}"])
            lists[name] = until
            for count in range(random.choice([0, 1, 2, 40])):
                sort = f"{random.randint(0, 999):03d}/{number:02d}-{count:02d}"
                known = Known(exceptions.Exceptions(order_id=sort, entries=()), 1, None)
                write = write_of(target, TENANT, sort.replace("/", "-"), known)
                await views.write([replace(write, list_key=name, list_sort=sort)])
                sorts += [sort] if until is None or sort <= until else []
        after = random.choice([None, f"{random.randint(0, 999):03d}"])

        merged = MergedLists(views, lists, expected=random.randint(1, 50), after=after)
        found: list[Stored] = []
        while (one := await merged.next()) is not None:
            found.append(one)
        assert await merged.next() is None
        assert [one.list_sort for one in found] == sorted(sort for sort in sorts if after is None or sort > after)

    run_virtual(scenario)
