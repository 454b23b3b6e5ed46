"""Who did what: every filter means what it says, a scan leaves nobody out, and nothing has happened without an actor."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.audit.history import HistoryRow
from orderstore.audit.trail import ACTOR_TYPES, Newest, NotAFilter, Span, Trail, Wanted, trail_of, trail_of_all
from orderstore.codec import MalformedCommit, decode
from orderstore.domain.ids import stream_of
from orderstore.domain.rejections import TooLateToCancel
from orderstore.recorded import Recorded
from orderstore.registry import BY_NAME
from orderstore.store.chain import seal
from orderstore.store.errors import CorruptCommit, StreamTooLong, Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.orderstore.audit.clocked import ACTORS, ORDER, TENANT, at, commits_of, events_of, pasts, rows_of
from tests.projections.histories import HAPPY, groups_of, order_number
from tests.virtual_time import run_virtual
from tests.workers.world import Faults, World

STREAM = stream_of(TENANT, ORDER)
ALL = Wanted()


def happy_commits(order_id: str = ORDER, *, tenant: str = TENANT, first_ms: int = 0) -> list[Commit]:
    """A commit a second, each event a tenth of a second older than its commit."""
    groups = groups_of(HAPPY, order_id=order_id)
    clocks = [(first_ms + 1_000 * n, [first_ms + 1_000 * n - 100]) for n in range(len(groups))]
    return commits_of(groups, clocks, order_id=order_id, tenant=tenant)


def stored(*logs: Sequence[Commit]) -> MemoryEventStore:
    store = MemoryEventStore()

    async def append() -> None:
        for log in logs:
            for commit in log:
                await store.append(commit)

    run_virtual(append)
    return store


async def all_of(store: Any, wanted: Wanted = ALL, **options: Any) -> list[Trail]:
    async with aclosing(trail_of_all(store, wanted, **{"tenant": TENANT, **options})) as trails:
        return [trail async for trail in trails]


FILTERS: dict[str, tuple[Wanted, Callable[[Recorded], bool]]] = {
    "nothing": (ALL, lambda _: True),
    "actor type": (Wanted(actor_type="service"), lambda r: r.actor.type == "service"),
    "actor id": (Wanted(actor_id="alice"), lambda r: r.actor.id == "alice"),
    "a type": (Wanted(types=frozenset({"OrderConfirmed"})), lambda r: r.name == "OrderConfirmed"),
    "types": (
        Wanted(types=frozenset({"OrderConfirmed", "OrderCreated"})),
        lambda r: r.name in {"OrderConfirmed", "OrderCreated"},
    ),
    "source": (Wanted(source="bank-service"), lambda r: r.source == "bank-service"),
    "correlation": (Wanted(correlation_id=ORDER), lambda r: r.correlation_id == ORDER),
    "another correlation": (Wanted(correlation_id="other"), lambda _: False),
    "causation": (Wanted(causation_id="cause-3"), lambda r: r.commit == 3),
    "recorded from": (Wanted(recorded=Span(start=at(2_000))), lambda r: r.commit >= 3),
    "recorded to": (Wanted(recorded=Span(end=at(2_000))), lambda r: r.commit <= 2),
    "recorded between": (Wanted(recorded=Span(at(1_000), at(3_000))), lambda r: r.commit in {2, 3}),
    "occurred from": (Wanted(occurred=Span(start=at(1_900))), lambda r: r.commit >= 3),
    "occurred to": (Wanted(occurred=Span(end=at(1_900))), lambda r: r.commit <= 2),
    "occurred to, to the microsecond": (Wanted(occurred=Span(end=at(1_900.001))), lambda r: r.commit <= 3),
    "commits": (Wanted(first_commit=2, last_commit=4), lambda r: 2 <= r.commit <= 4),
    "first commit": (Wanted(first_commit=4), lambda r: r.commit >= 4),
    "last commit": (Wanted(last_commit=1), lambda r: r.commit == 1),
    "two at once": (Wanted(actor_type="operator", first_commit=4), lambda r: r.commit >= 4 and r.actor.id == "alice"),
}


@pytest.mark.parametrize("case", FILTERS)
def test_each_filter_lists_exactly_what_it_says(case: str) -> None:
    """Of one order and of all; oldest first, as rows."""
    wanted, expected = FILTERS[case]
    commits = happy_commits()
    store = stored(commits)
    versions = [recorded.version for recorded in events_of(commits) if expected(recorded)]

    one = run_virtual(trail_of, store, STREAM, wanted)
    (among_all,) = run_virtual(all_of, store, wanted) or (replace(one, rows=()),)

    assert [row.version for row in one.rows] == versions
    assert one.rows == tuple(row for row in rows_of(commits) if row.version in versions)
    assert [row.version for row in among_all.rows] == versions
    assert one.commits == len(commits)


WORDS = st.none() | st.sampled_from(["alice", "payment", "shop", "cause-2", ORDER, "alice-service", "nobody"])
SPANS = st.tuples(st.none() | st.integers(-1, 5).map(at), st.none() | st.integers(6, 10).map(at)).map(
    lambda ends: Span(*ends)
)
WANTED = st.builds(
    Wanted,
    actor_type=st.none() | st.sampled_from(ACTOR_TYPES),
    actor_id=WORDS,
    types=st.frozensets(st.sampled_from(sorted(BY_NAME)), max_size=3),
    source=WORDS,
    correlation_id=WORDS,
    causation_id=WORDS,
    recorded=SPANS,
    occurred=SPANS,
    first_commit=st.none() | st.integers(1, 3),
    last_commit=st.none() | st.integers(3, 9),
)


@pytest.mark.thorough
@settings(deadline=None, max_examples=2 * settings().max_examples)
@given(commits=pasts(), wanted=WANTED)
def test_what_is_left_out_before_decoding_would_have_been_left_out_after(commits: list[Commit], wanted: Wanted) -> None:
    """The shortcut changes nothing; and what all filters admit, each of them alone admits."""
    found = run_virtual(trail_of, stored(commits), STREAM, wanted).rows
    alone = [
        Wanted(**{name: getattr(wanted, name)})
        for name in ("actor_type", "actor_id", "types", "source", "correlation_id", "causation_id")
    ] + [
        Wanted(recorded=wanted.recorded),
        Wanted(occurred=wanted.occurred),
        Wanted(first_commit=wanted.first_commit),
        Wanted(last_commit=wanted.last_commit),
    ]

    expected = [r.version for r in events_of(commits) if all(single.admits(r) for single in alone)]

    assert [row.version for row in found] == expected


@pytest.mark.parametrize(
    ("filters", "about", "words"),
    [
        ({"types": frozenset({"OrderCreate"})}, ("types",), "is it OrderCreated"),
        ({"types": frozenset({"???"})}, ("types",), "there are BackorderFilled, CreditNoteIssued"),
        ({"actor_type": "robot"}, ("actor_type",), "customer, operator, service, provider"),
        ({"recorded": Span(at(2), at(1))}, ("recorded_from", "recorded_to"), "not before"),
        ({"occurred": Span(at(1), at(1))}, ("occurred_from", "occurred_to"), "not before"),
        ({"occurred": Span(at(1).replace(tzinfo=None))}, ("occurred_from",), "offset"),
        ({"recorded": Span(end=at(1).replace(tzinfo=None))}, ("recorded_to",), "offset"),
        ({"first_commit": 0}, ("first_commit",), "numbered from 1"),
        ({"last_commit": -1}, ("last_commit",), "numbered from 1"),
        ({"first_commit": 3, "last_commit": 2}, ("first_commit", "last_commit"), "comes after"),
    ],
)
def test_a_filter_that_nothing_could_pass_is_refused(filters: Any, about: tuple[str, ...], words: str) -> None:
    """An empty answer would look like an answer; the error names what is wrong."""
    with pytest.raises(NotAFilter, match=words) as refused:
        Wanted(**filters)
    assert refused.value.about == about


def test_every_order_of_the_tenant_is_looked_at() -> None:
    """Those with nothing too, to count progress by; no other tenant's, and nothing that is no order."""
    mine = [happy_commits(order_number(n)) for n in range(37)]
    theirs = happy_commits(order_number(99), tenant="other")
    nested = happy_commits(order_number(98), tenant=f"{TENANT}/sub")
    foreign = [seal(stream="counter", number=1, recorded_at_ms=1, body=b"{}", previous=None)]
    store = stored(*mine, theirs, nested, foreign)

    trails = run_virtual(all_of, store, Wanted(types=frozenset({"OrderCreated"}), first_commit=2))

    assert {trail.stream for trail in trails} == {log[0].stream for log in mine}
    assert len(trails) == len(mine)
    assert all(trail.rows == () and trail.trouble is None for trail in trails)


def test_a_time_range_spares_orders_that_ended_before_it() -> None:
    """The store is told from when on; what it names is still filtered, and the first millisecond is not lost."""
    old, new = happy_commits(order_number(1)), happy_commits(order_number(2), first_ms=100_000)
    store = stored(old, new)
    last_recorded = at(7_000)

    def streams(start: Any) -> list[str]:
        return [trail.stream for trail in run_virtual(all_of, store, Wanted(recorded=Span(start=start)))]

    assert len(old) == 8
    assert streams(last_recorded) == [old[0].stream, new[0].stream]
    assert streams(at(7_000.001)) == [old[0].stream, new[0].stream]  # the store knows milliseconds; the filter the rest
    assert run_virtual(all_of, store, Wanted(recorded=Span(start=at(7_000.001))))[0].rows == ()
    assert streams(at(7_001)) == [new[0].stream]
    assert len(streams(at(-(10**13)))) == 2


class Watched(MemoryEventStore):
    """Names some streams twice, fails at some, and counts how many are read at once."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        super().__init__()
        self.failing = failing or {}
        self.reading = self.reading_max = self.named = 0

    async def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        async for stream in super().streams(recorded_since_ms=recorded_since_ms):
            for _ in range(2):
                self.named += 1
                yield stream

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        self.reading += 1
        self.reading_max = max(self.reading_max, self.reading)
        found = await super().read(stream, after=after)
        self.reading -= 1
        if stream in self.failing:
            raise self.failing[stream]
        return found


async def watched(count: int, failing: dict[str, Exception] | None = None) -> Watched:
    store = Watched(failing)
    for number in range(count):
        for commit in happy_commits(order_number(number)):
            await store.append(commit)
    return store


def test_a_scan_holds_some_orders_at_a_time_and_begins_to_tell_at_once() -> None:
    """Memory is bounded by `streams_at_once`, however many orders there are: the first answer comes before the second batch is named."""

    async def scenario() -> None:
        store = await watched(40)
        async with aclosing(trail_of_all(store, ALL, tenant=TENANT, streams_at_once=4)) as trails:
            first = await anext(trails)
            assert first.rows
            assert store.named <= 5
            rest = [trail.stream async for trail in trails]

        assert store.reading_max <= 4
        assert len({first.stream, *rest}) == 40, "each at least once"

    run_virtual(scenario)


@pytest.mark.parametrize(
    "trouble",
    [CorruptCommit("s", 3, "it is missing"), StreamTooLong("s", "100,000 commits"), MalformedCommit("not JSON")],
    ids=lambda error: type(error).__name__,
)
def test_an_order_that_cannot_be_read_is_named_and_the_others_are_told(trouble: Exception) -> None:
    """One bad order neither ends the trail nor goes missing from it."""

    async def scenario() -> None:
        bad = stream_of(TENANT, order_number(2))
        found = {trail.stream: trail for trail in await all_of(await watched(5, {bad: trouble}))}

        assert len(found) == 5
        assert (found[bad].trouble, found[bad].rows) == (str(trouble), ())
        assert all(trail.trouble is None and len(trail.rows) > 5 for name, trail in found.items() if name != bad)

    run_virtual(scenario)


def test_a_log_that_cannot_be_read_ends_the_trail() -> None:
    """With its own error, not inside a group: what was not told was not looked at."""

    async def scenario() -> None:
        away = Unavailable("Query", tries=8, ambiguous=False)
        with pytest.raises(Unavailable):
            await all_of(await watched(5, {stream_of(TENANT, order_number(2)): away}))

    run_virtual(scenario)


def test_an_order_that_never_was_has_no_commits() -> None:
    """Which is not the same as one in which nothing passes."""
    store = stored(happy_commits())

    assert run_virtual(trail_of, store, "main/order-none", ALL).commits == 0
    assert run_virtual(trail_of, store, STREAM, Wanted(actor_id="nobody")).commits == 8


ROWS = rows_of(happy_commits())


@settings(deadline=None)
@given(
    shown=st.lists(st.tuples(st.sampled_from(ROWS), st.integers(0, 3), st.integers(0, 3))),
    limit=st.integers(1, 8),
)
def test_the_newest_rows_are_kept_each_once(shown: list[tuple[HistoryRow, int, int]], limit: int) -> None:
    """As if everything had been sorted: whatever the order of coming, however often one comes."""
    made = [replace(row, order_id=f"order-{order}", recorded_at=at(ms)) for row, order, ms in shown]
    newest = Newest(limit)
    for start in range(0, len(made), 3):
        newest.see(made[start : start + 3])

    every = sorted({(row.recorded_at, row.order_id, row.version) for row in made})

    assert [(row.recorded_at, row.order_id, row.version) for row in newest.rows()] == every[-limit:]


def test_newest_keeps_something() -> None:
    """None at all would be a trail that is empty by mistake."""
    with pytest.raises(ValueError, match="at least one"):
        Newest(0)


ORDINARY = {
    "OrderCreated", "OrderConfirmed", "OrderRejected", "OrderCompleted", "OrderHeld", "OrderHoldReleased",
    "OrderCancellationRequested", "OrderCancellationDeclined", "OrderCancelled",
    "PaymentMethodChosen", "PaymentCompleted", "PaymentFailed", "PaymentCaptured", "PaymentVoided",
    "RefundRequested", "RefundIssued", "InventoryReserved", "InventoryFailed", "InventoryReleased", "InventoryCommitted",
    "ShipmentCreated", "ShipmentCancelled", "ShipmentDispatched", "ShipmentDelivered", "InvoiceIssued", "CreditNoteIssued",
}  # fmt: skip


async def _lives() -> list[Recorded]:
    """Every way that an order can go: by the workers, with a cancellation at every single point, with refunds."""
    events: list[Recorded] = []

    async def live(world: World, **hooks: Any) -> World:
        order_id = await world.place(**hooks)
        await world.deliver()
        if not hooks:
            await world.refund(order_id, line=0, quantity=1)
            await world.deliver()
            held = await world.place()
            await world.hold(held, "h")
            await world.release(held, "h")
            events.extend((await world.orders.load(held)).events)
        world.faults.armed = False
        events.extend((await world.orders.load(order_id)).events)
        return world

    calls = (await live(World())).faults.calls
    await live(World(), paymentOutcome="declined", inventoryOutcome="out_of_stock")
    await live(World(), paymentOutcome="declined", paymentMethod="pm_1")
    await live(World(), inventoryOutcome="out_of_stock")
    for number, everybody_runs in product(range(1, calls + 1), (False, True)):
        faults = Faults(at=number)
        world = World(faults=faults)
        order_id = await world.place()

        async def cancel(world: World = world, order_id: str = order_id, runs: bool = everybody_runs) -> None:
            with suppress(TooLateToCancel):
                await world.cancel(order_id)
            if runs:
                await world.deliver()

        faults.meanwhile = cancel
        await world.deliver()
        events.extend((await world.orders.load(order_id)).events)
    return events


@pytest.mark.thorough
def test_every_event_that_any_role_appends_has_an_actor() -> None:
    """The departments as themselves, customers as customers."""
    events = run_virtual(_lives)
    by_type = {recorded.name: recorded.actor for recorded in events}

    assert all(recorded.actor.type in ACTOR_TYPES and recorded.actor.id for recorded in events)
    assert all(recorded.causation_id and recorded.correlation_id and recorded.source for recorded in events)
    assert set(by_type) >= ORDINARY, "what every order may meet, whatever its terms are"
    assert {(by_type[name].type, by_type[name].id) for name in by_type if BY_NAME[name].owner != "order"} == {
        ("service", "payment"),
        ("service", "inventory"),
        ("service", "shipping"),
        ("service", "billing"),
    }
    assert by_type["OrderCreated"].type == by_type["RefundRequested"].type == "customer"


@pytest.mark.parametrize("damage", ["no actor", "no type", "no id", "another type"])
def test_a_commit_without_an_actor_is_no_commit(damage: str) -> None:
    """No reader ever meets an event that nobody did."""
    (first, *_) = happy_commits()
    body = json.loads(first.body)
    match damage:
        case "no actor":
            del body["actor"]
        case "no type":
            del body["actor"]["type"]
        case "no id":
            del body["actor"]["id"]
        case _:
            body["actor"]["type"] = "robot"

    with pytest.raises(MalformedCommit):
        decode(replace(first, body=orjson.dumps(body)))


def test_actors_of_every_kind_are_told_apart() -> None:
    """Each type finds its own events, together they find all."""
    store = stored(happy_commits())
    found = {kind: run_virtual(trail_of, store, STREAM, Wanted(actor_type=kind)).rows for kind in ACTOR_TYPES}

    assert {row.actor for kind in ACTOR_TYPES for row in found[kind]} == set(ACTORS)
    assert sum(map(len, found.values())) == len(ROWS)
