"""The sweeper beside itself, beside trouble, and beside a crowd."""

from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random

import anyio
import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.state import Confirmed
from orderstore.recorded import Actor, Cause
from orderstore.store.errors import CorruptCommit
from orderstore.store.memory import MemoryEventStore
from tests.builders import BOOKED, DISPATCHED, PAID, RESERVED
from tests.virtual_time import run_seeded, run_virtual
from tests.workers.sweeping.sweep_world import NOON_MS, SweepWorld
from workers.sweeping import sweeper as sweeping
from workers.sweeping.ports import DueOrder, DuePage, ListsUnavailable

MISSING = (e.Pieces(line=1, quantity=1),)


class SlowStore(MemoryEventStore):
    """Every call takes a while, drawn anew each time: so that two instances meet in every way."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.reads = self.appends = 0
        self.broken: set[str] = set()
        self.under_way = self.most = 0

    async def read(self, stream, *, after=0):
        self.reads += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await anyio.sleep(self.random.uniform(0, 0.2))
            if stream in self.broken:
                raise CorruptCommit(stream, 1, "made up")
            return await super().read(stream, after=after)
        finally:
            self.under_way -= 1

    async def append(self, commit):
        self.appends += 1
        await anyio.sleep(self.random.uniform(0, 0.2))
        await super().append(commit)


async def late_orders(world: SweepWorld, count: int) -> list[str]:
    """Orders with a deadline each: some late with their outcomes, some whose customer may pay no longer, some with both."""
    ids = []
    for number in range(count):
        order_id = await world.place(number + 1, allowances=e.Allowances(outcomes_s=60 + number % 7))
        ids.append(order_id)
        if number % 3:
            declined = e.PaymentFailed(
                attempt=1, category="soft", code="c", retry_until=world.inside(seconds=40 + number % 50)
            )
            await world.happen(
                order_id, partial(d.reserve_inventory, outcome=RESERVED), partial(d.fail_payment, outcome=declined)
            )
    return ids


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6))
def test_two_instances_do_each_expiry_exactly_once(seed: int) -> None:
    """Both read the same lists, load the same orders and meet at the same commits: one of them writes, the other finds it done."""

    async def scenario() -> None:
        store = SlowStore(seed)
        world = SweepWorld(seed=seed, store=store)
        ids = await late_orders(world, 40)
        async with world.running(world.sweeper(seed), world.sweeper(seed + 100), lag_s=7):
            await anyio.sleep(400)

        told: Counter[str] = Counter()
        for order_id in ids:
            events = await world.events(order_id)
            told.update(type(event).__name__ for event in events)
            keys = [
                (event.stage, event.subject, event.due_at)
                for event in events
                if isinstance(event, e.OrderProcessStalled)
            ]
            assert len(keys) == len(set(keys)), order_id
            assert sum(isinstance(event, e.OrderExpired) for event in events) <= 1
            assert sum(isinstance(event, e.OrderCancellationRequested) for event in events) <= 1
        counts = world.seen.counts
        assert told["OrderExpired"] == counts["payment_retry"] == sum(1 for number in range(40) if number % 3)
        assert told["OrderProcessStalled"] == counts["late_outcomes"] + counts["late_undo"]
        assert world.seen.failures == []
        ids_of = [recorded.event_id for order_id in ids for recorded in (await world.orders.load(order_id)).events]
        assert len(ids_of) == len(set(ids_of))

    run_seeded(seed, scenario)


def test_an_instance_that_dies_leaves_everything_to_the_other() -> None:
    """Nothing is leased, so nothing has to be taken over."""

    async def scenario() -> None:
        world = SweepWorld(store=SlowStore(3))
        ids = await late_orders(world, 20)
        await anyio.sleep(120)
        with anyio.move_on_after(0.3):
            await world.sweeper().turn()
        done = sum(world.seen.counts.values())
        await world.sweeper(9).turn()

        assert done < world.seen.counts["payment_retry"] + world.seen.counts["late_outcomes"]
        for order_id in ids:
            assert {"OrderExpired", "OrderProcessStalled"} & set(await world.names(order_id))

    run_virtual(scenario)


def test_an_order_that_cannot_be_read_is_told_left_alone_for_a_while_and_stops_no_other() -> None:
    """The first of its list: those behind it are swept all the same, and the failure is counted, not raised."""

    async def scenario() -> None:
        store = SlowStore(1)
        world = SweepWorld(store=store)
        ids = await late_orders(world, 12)
        store.broken = {f"main/order-{ids[0]}"}
        await anyio.sleep(200)
        one = world.sweeper()
        await one.turn()
        assert world.seen.failures == [(ids[0], "CorruptCommit")]
        assert (
            len(
                [
                    name
                    for order_id in ids[1:]
                    for name in await world.names(order_id)
                    if name in ("OrderExpired", "OrderProcessStalled")
                ]
            )
            >= 11
        )

        await one.turn()
        assert len(world.seen.failures) == 1, "left alone"
        await anyio.sleep(sweeping.FAILED_AGAIN_S * 1.3)
        store.broken = set()
        await one.turn()
        assert "OrderProcessStalled" in await world.names(ids[0])

    run_virtual(scenario)


def test_a_list_that_is_behind_the_log_costs_one_look_and_no_more_for_a_while() -> None:
    """The view never moves: each order is decided once, found done once more, and then left alone."""

    async def scenario() -> None:
        store = SlowStore(1)
        world = SweepWorld(store=store)
        await late_orders(world, 9)
        await anyio.sleep(200)
        one = world.sweeper()
        for _ in range(2):
            await one.turn()
        reads = store.reads
        for _ in range(5):
            await one.turn()
        assert store.reads == reads
        await anyio.sleep(sweeping.NOTHING_AGAIN_S * 1.3)
        await one.turn()
        assert store.reads == reads + 9

    run_virtual(scenario)


def test_a_later_deadline_of_an_order_that_was_left_alone_is_another_one() -> None:
    """Nothing was to be done at the first; at the second there is."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(outcomes_s=100))
        stale = Lists([DueOrder(order_id, NOON_MS + 1_000)])
        one = world.sweeper(lists=stale)
        await anyio.sleep(50)
        await one.turn()
        await anyio.sleep(60)
        await one.turn()
        assert "OrderProcessStalled" not in await world.names(order_id)

        stale.orders = [DueOrder(order_id, NOON_MS + 100_000)]
        await one.turn()
        assert "OrderProcessStalled" in await world.names(order_id)

    run_virtual(scenario)


class Lists:
    """One list that says what a test wants."""

    shards = 1

    def __init__(self, orders: list[DueOrder], *, fails: int = 0) -> None:
        self.orders = orders
        self.fails = fails
        self.pages = 0

    async def due(self, shard, *, now_ms, limit, after):
        await anyio.lowlevel.checkpoint()
        self.pages += 1
        if self.fails:
            self.fails -= 1
            raise ListsUnavailable("throttled")
        begin = 0 if after is None else int(after)
        found = self.orders[begin : begin + limit]
        return DuePage(found, str(begin + limit) if begin + limit < len(self.orders) else None)


@pytest.mark.thorough
def test_a_turn_is_bounded_and_the_next_one_follows_soon() -> None:
    """A crowd after an outage: so many orders a turn, so many at once, in the order of their deadlines, and no pause of half a minute."""

    async def scenario() -> None:
        store = SlowStore(2)
        world = SweepWorld(store=store)
        crowd = [DueOrder(f"00000000-0000-4000-8000-{number:012x}", NOON_MS + number) for number in range(2_300)]
        lists = Lists(crowd)
        one = world.sweeper(lists=lists)
        assert await one.turn()
        assert world.seen.turns[0][0] == sweeping.ORDERS_MAX
        assert store.most <= sweeping.AT_ONCE
        assert [order_id for order_id, _ in world.seen.failures[:50]] != []
        assert {name for _, name in world.seen.failures} == {"UnknownOrder"}

        with anyio.move_on_after(150):
            async with anyio.create_task_group() as group:
                await group.start(one.run)
        assert len({order_id for order_id, _ in world.seen.failures}) == 2_300

    run_virtual(scenario)


def test_lists_that_cannot_be_read_are_told_and_read_again() -> None:
    """It never ends the process; the lag is of what was found."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(outcomes_s=10))
        lists = Lists([DueOrder(order_id, NOON_MS + 10_000)], fails=2)
        with anyio.move_on_after(150):
            async with anyio.create_task_group() as group:
                await group.start(world.sweeper(lists=lists).run)

        assert world.seen.lists == ["ListsUnavailable"] * 2
        assert "OrderProcessStalled" in await world.names(order_id)
        looked_at, lag_s = next(turn for turn in world.seen.turns if turn[0])
        assert looked_at == 1
        assert 20 < lag_s < 80

    run_virtual(scenario)


def test_a_hint_that_is_not_taken_loses_nothing() -> None:
    """The order says that it is late; the next look of the worker comes with its next message, or by a person."""

    async def scenario() -> None:
        world = SweepWorld()
        world.seen.deaf = True
        order_id = await world.place(allowances=e.Allowances(outcomes_s=10))
        await anyio.sleep(11)
        await world.sweeper().turn()
        assert "OrderProcessStalled" in await world.names(order_id)
        assert (world.seen.counts["payment missed"], world.seen.counts["inventory missed"]) == (1, 1)

    run_virtual(scenario)


def test_a_worker_that_is_faster_than_the_sweeper_wins() -> None:
    """The outcomes come between the sweeper's look and its append: nothing is said to be late."""

    async def scenario() -> None:
        world = SweepWorld(store=MeanwhileStore())
        order_id = await world.place(allowances=e.Allowances(outcomes_s=10))
        await anyio.sleep(11)

        async def meanwhile() -> None:
            await world.happen(
                order_id, partial(d.complete_payment, outcome=PAID), partial(d.reserve_inventory, outcome=RESERVED)
            )

        world.store.meanwhile = meanwhile
        await world.sweeper().turn()
        assert "OrderProcessStalled" not in await world.names(order_id)
        assert isinstance((await world.orders.load(order_id)).state, Confirmed)
        assert world.seen.hints == []

    run_virtual(scenario)


def test_two_promises_of_one_order_that_end_together_are_two_events() -> None:
    """Another instance has done the first between this one's look and its append: the second is not done under the first one's name."""

    async def scenario() -> None:
        world = SweepWorld(store=MeanwhileStore())
        order_id = await world.place(
            terms=e.Terms(missing_stock="backorder"), allowances=e.Allowances(delivery_s=10**6)
        )
        partly = e.InventoryPartiallyReserved(
            reservation_id="r",
            allocations=(e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1),)),),
            missing=(e.Pieces(line=1, quantity=2),),
        )
        parcel = replace(BOOKED, location="main", lines=(e.Pieces(line=0, quantity=1),))
        await world.happen(
            order_id,
            partial(d.complete_payment, outcome=PAID),
            partial(d.partly_reserve_inventory, outcome=partly),
            lambda state: (parcel, DISPATCHED),
        )
        for name in ("d1", "d2"):
            late = e.ShipmentDelayed(
                delay_id=name, promised_at=world.inside(days=9), reason="late", consent_by=world.inside(seconds=60)
            )
            await world.happen(order_id, partial(d.delay_shipment, outcome=late))
        await anyio.sleep(60)
        world.store.meanwhile = partial(world.sweep().sweep, order_id)
        await world.sweep().sweep(order_id)

        recorded = (await world.orders.load(order_id)).events
        answered = [one.event.action_id for one in recorded if isinstance(one.event, e.OrderActionAnswered)]
        assert answered == ["delay:d1", "delay:d2"]
        assert len({one.event_id for one in recorded}) == len(recorded)

    run_virtual(scenario)


def test_the_second_of_two_is_left_to_its_own_name() -> None:
    """The other instance has come as far as the first and no further."""

    async def scenario() -> None:
        world = SweepWorld(store=MeanwhileStore())
        order_id = await world.place(
            terms=e.Terms(missing_stock="backorder"), allowances=e.Allowances(delivery_s=10**6)
        )
        partly = e.InventoryPartiallyReserved(
            reservation_id="r",
            allocations=(e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1),)),),
            missing=(e.Pieces(line=1, quantity=2),),
        )
        parcel = replace(BOOKED, location="main", lines=(e.Pieces(line=0, quantity=1),))
        await world.happen(
            order_id,
            partial(d.complete_payment, outcome=PAID),
            partial(d.partly_reserve_inventory, outcome=partly),
            lambda state: (parcel, DISPATCHED),
        )
        for name in ("d1", "d2"):
            late = e.ShipmentDelayed(
                delay_id=name, promised_at=world.inside(days=9), reason="late", consent_by=world.inside(seconds=60)
            )
            await world.happen(order_id, partial(d.delay_shipment, outcome=late))
        await anyio.sleep(60)

        async def first_alone() -> None:
            await world.happen(order_id, partial(d.answer, action_id="delay:d1", answer="accepted"))

        world.store.meanwhile = first_alone
        await world.sweep().sweep(order_id)
        await world.sweep().sweep(order_id)
        recorded = (await world.orders.load(order_id)).events
        [expired] = [one for one in recorded if one.name == "OrderActionAnswered" and one.event.answer == "expired"]
        first = recorded[0]
        wanted = Cause(
            causation_id=first.event_id,
            purpose=f"expired:answer:delay:d2:{expired_at(recorded)}",
            correlation_id=first.correlation_id,
            actor=Actor("service", "sweeper"),
            source="sweeper",
        )
        assert expired.event_id == wanted.event_id(0)

    run_virtual(scenario)


def expired_at(recorded) -> str:
    asked = [one.event for one in recorded if one.name == "OrderActionRequired"]
    return asked[-1].deadline.isoformat()


class MeanwhileStore(MemoryEventStore):
    """Lets something happen before the next append."""

    meanwhile = None

    async def append(self, commit):
        if self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            await happening()
        await super().append(commit)


@pytest.mark.thorough
def test_more_parcels_than_are_kept_singly_are_told_one_after_the_other() -> None:
    """The list says only that there is one more; the log says which."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(delivery_s=100))
        sent = tuple(
            event
            for number in range(103)
            for event in (
                replace(BOOKED, shipment_id=f"s{number}"),
                replace(DISPATCHED, shipment_id=f"s{number}"),
            )
        )
        await world.happen(order_id, lambda state: (PAID, RESERVED, e.OrderConfirmed(), *sent))
        await anyio.sleep(101)
        one = world.sweeper()
        for _ in range(6):
            await one.turn()
            await world.project(order_id)
        told = [event.subject for event in await world.events(order_id) if isinstance(event, e.OrderProcessStalled)]
        assert len(told) == len(set(told))
        assert set(told) >= {f"s{number}" for number in range(101)}
        event_ids = [recorded.event_id for recorded in (await world.orders.load(order_id)).events]
        assert len(event_ids) == len(set(event_ids))

    run_virtual(scenario)


# Orders that wait for goods


def test_orders_that_wait_for_goods_are_looked_at_once_an_hour_and_no_others() -> None:
    """Not while the customer is asked, not when the goods came, not when the order is undone."""

    async def scenario() -> None:
        world = SweepWorld()
        kinds = ("waits", "asked", "filled", "undone", "never")
        ids = {}
        for number, kind in enumerate(kinds):
            terms = e.Terms(missing_stock="ask" if kind == "asked" else "backorder")
            ids[kind] = await world.place(number, terms=terms, allowances=e.Allowances(outcomes_s=10**6, undo_s=10**6))
            if kind != "never":
                partly = e.InventoryPartiallyReserved(
                    reservation_id="r",
                    allocations=(
                        e.Allocation(
                            location="main", lines=(e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1))
                        ),
                    ),
                    missing=MISSING,
                    answer_by=world.inside(days=3),
                )
                await world.happen(
                    ids[kind],
                    partial(d.complete_payment, outcome=PAID),
                    partial(d.partly_reserve_inventory, outcome=partly),
                )
        came = e.BackorderFilled(reservation_id="r", allocations=(e.Allocation(location="main", lines=MISSING),))
        await world.happen(ids["filled"], partial(d.fill_backorder, outcome=came))
        await world.happen(ids["undone"], partial(d.request_cancellation, reason="customer"))

        with anyio.move_on_after(3_600.5):
            async with anyio.create_task_group() as group:
                await group.start(world.rechecking().run)
        assert world.seen.hints == [("inventory", ids["waits"])]

    run_virtual(scenario)


def test_what_cannot_be_looked_at_does_not_end_the_walk() -> None:
    """An order that cannot be read, and a list that cannot be."""

    async def scenario() -> None:
        store = SlowStore(4)
        world = SweepWorld(store=store)
        ids = []
        for number in range(60):
            order_id = await world.place(number, terms=e.Terms(missing_stock="backorder"))
            partly = e.InventoryPartiallyReserved(
                reservation_id="r",
                allocations=(e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1),)),),
                missing=MISSING,
            )
            await world.happen(
                order_id, partial(d.complete_payment, outcome=PAID), partial(d.partly_reserve_inventory, outcome=partly)
            )
            ids.append(order_id)
        store.broken = {f"main/order-{ids[7]}"}

        assert await world.rechecking().walk() == 60
        assert world.seen.failures == [(ids[7], "CorruptCommit")]
        assert {order_id for _, order_id in world.seen.hints} == set(ids) - {ids[7]}

    run_virtual(scenario)
