"""The age of the oldest unpublished event: never less than the truth, whoever is dead, and 0 when nothing waits."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest

from orderstore.store.memory import MemoryEventStore
from projections.commits import order_of_record
from projections.publishing.unpublished import GRAIN_MS, LOOK_EVERY_S, NOTED_MAX, Noted, Unpublished
from projections.stream import Lease, LeaseStoreUnavailable, MemoryLeaseStore, Record
from projections.stream.parking import Cause, LotUnavailable, Parked, ParkedPage
from projections.stream.parking.memory import MemoryParkingLot
from tests.projections.histories import START_MS, happy_commits, record_of
from tests.projections.read_side import CountingObserver
from tests.projections.stream.fake_stream import FakeStream, Faults, wall_ms
from tests.projections.stream.world import FAST, Worker, World
from tests.seeds import seeds
from tests.virtual_time import run_seeded, run_virtual

# What is told may be so much older than the truth: a lease's renewal, a look, a second that the stream floors, one for the clocks.
MORE_MS_MAX = round((FAST.renew_interval_s + FAST.idle_max_s + LOOK_EVERY_S + 3) * 1_000)


class Topic:
    """The relay's subscriber: remembers what was published; `stuck`, it fails."""

    def __init__(self, stream: FakeStream) -> None:
        self.stream = stream
        self.published: set[str] = set()
        self.stuck = False

    async def apply(self, records: Sequence[Record]) -> None:
        if self.stuck:
            raise RuntimeError("stuck")
        await anyio.lowlevel.checkpoint()
        self.published |= {record.sequence_number for record in records}

    async def backfill(self, since_ms: int) -> None:
        del since_ms
        await self.apply([record for shard in self.stream.shards.values() for record in shard.records])

    def true_age_ms(self) -> int:
        """Of what is not published, by the creation times that the stream shows."""
        waiting = [
            record.created_at_ms
            for shard in self.stream.shards.values()
            for record in shard.records
            if record.sequence_number not in self.published
        ]
        return wall_ms() - min(waiting) if waiting else 0


class Views:
    async def apply(self, records: Sequence[Record]) -> None:
        await anyio.lowlevel.checkpoint()

    async def backfill(self, since_ms: int) -> None:
        await anyio.lowlevel.checkpoint()


class Service:
    """A stream, a relay, and a projector with its watch, that can each be killed and started."""

    def __init__(self, tasks: anyio.abc.TaskGroup, stream: FakeStream) -> None:
        self.tasks = tasks
        self.stream = stream
        self.topic = Topic(stream)
        self.lot = MemoryParkingLot()
        self.store = MemoryEventStore()
        self.observer = CountingObserver()
        self.views, self.relay = World(tasks, stream), World(tasks, stream, subscription="relay")
        self.relay.store = self.views.store
        for here in (self.views, self.relay):
            here.lane_of = order_of_record
        self.watch = self.new_watch()

    def new_watch(self) -> Unpublished:
        return Unpublished(
            self.store,
            self.views.store,
            self.lot,
            publishing="relay",
            projecting="views",
            now_ms=wall_ms,
            observer=self.observer,
        )

    async def start_projector(self) -> Worker:
        self.watch = self.new_watch()
        self.tasks.start_soon(self.watch.run)
        return await self.views.start(projection=self.watch.noting(Views()))

    async def start_relay(self) -> Worker:
        return await self.relay.start(projection=self.topic)

    def write(self, number: int = 0) -> None:
        commit = happy_commits()[0]
        record = record_of(commit)
        self.stream.put_item(f"order-{number}", keys=record.keys, image=record.image)

    async def age_ms(self) -> int:
        await self.watch.look()
        return self.watch.oldest_age_ms()


@asynccontextmanager
async def service(stream: FakeStream | None = None) -> AsyncIterator[Service]:
    async with anyio.create_task_group() as tasks:
        yield Service(tasks, stream or FakeStream(seed=1))
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("minutes", [3, pytest.param(60, marks=pytest.mark.thorough)])
def test_nothing_waits_and_nothing_is_told(minutes: int) -> None:
    """A quiet time with a relay that runs: zero at each look, once the relay's leases are up to date."""

    async def scenario() -> None:
        async with service() as here:
            await here.start_relay()
            await here.start_projector()
            here.write()
            await anyio.sleep(60)
            for _ in range(6 * minutes):
                assert await here.age_ms() == 0
                await anyio.sleep(10)

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_dead_relay_makes_no_age_until_there_is_something_to_publish() -> None:
    """Minutes without an order are no delay; then one order is, by as much as it is old."""

    async def scenario() -> None:
        async with service() as here:
            relay = await here.start_relay()
            await here.start_projector()
            here.write()
            await anyio.sleep(60)
            await relay.kill()
            await anyio.sleep(300)
            assert await here.age_ms() == 0

            here.write(1)
            await anyio.sleep(200)
            assert 200_000 <= await here.age_ms() <= 201_000

            await here.start_relay()
            await anyio.sleep(60)
            assert await here.age_ms() == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_relay_that_is_stuck_shows_by_what_it_is_stuck_at() -> None:
    """It lives and renews its leases; the age is that of the event that it does not bring out."""

    async def scenario() -> None:
        async with service() as here:
            await here.start_relay()
            await here.start_projector()
            await anyio.sleep(60)
            here.topic.stuck = True
            here.write()
            await anyio.sleep(100)
            here.write(1)
            await anyio.sleep(100)
            assert 200_000 <= await here.age_ms() <= 202_000
            here.topic.stuck = False
            await anyio.sleep(120)
            assert await here.age_ms() == 0

    run_virtual(scenario)


def test_a_projector_that_was_started_anew_does_not_forget_what_waits() -> None:
    """What the one before it had noted is gone: the relay's mark stands for it, which is no younger than what waits."""

    async def scenario() -> None:
        async with service() as here:
            relay = await here.start_relay()
            projector = await here.start_projector()
            await anyio.sleep(60)
            await relay.kill()
            here.write()
            await anyio.sleep(120)
            await projector.kill()
            await here.start_projector()
            await anyio.sleep(120)
            assert await here.age_ms() >= 240_000

    run_virtual(scenario)


@pytest.mark.thorough
def test_what_another_projector_had_noted_is_not_forgotten_when_it_ends() -> None:
    """Two share the shards; the one that met the order dies: the other says what may be, once it sees that."""

    async def scenario() -> None:
        async with service(FakeStream(seed=1, shards=2)) as here:
            relay = await here.start_relay()
            projectors = [(await here.start_projector(), here.watch) for _ in range(2)]
            await anyio.sleep(120)
            await relay.kill()
            here.write()
            await anyio.sleep(120)
            (met, lost), (_, kept) = sorted(projectors, key=lambda each: -each[1].oldest_age_ms())
            assert (lost.oldest_age_ms() >= 115_000, kept.oldest_age_ms()) == (True, 0)
            await met.kill()
            here.watch = kept
            await anyio.sleep(120)
            assert await here.age_ms() >= 240_000

    run_virtual(scenario)


def test_projectors_that_stand_still_say_what_may_be() -> None:
    """Nobody notes anything: what lies behind both subscriptions' marks may wait."""

    async def scenario() -> None:
        async with service() as here:
            relay = await here.start_relay()
            projector = await here.start_projector()
            await anyio.sleep(60)
            await projector.kill()
            await relay.kill()
            here.write()
            await anyio.sleep(600)
            assert 600_000 <= await here.age_ms() <= 600_000 + MORE_MS_MAX

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_relay_that_never_ran_is_told_from_the_projectors_start_on() -> None:
    """Nothing was ever published."""

    async def scenario() -> None:
        async with service() as here:
            await here.start_projector()
            await anyio.sleep(600)
            assert 590_000 <= await here.age_ms() <= 601_000

    run_virtual(scenario)


@pytest.mark.parametrize("seed", seeds(0, range(20), some=4))
def test_never_less_than_the_truth_and_little_more(seed: int) -> None:
    """Relays die, hang and come back, shards roll over and split, while orders come now and then."""
    print(f"seed {seed}")  # noqa: T201 - a run that failed can be run again
    random = Random(seed)

    async def scenario() -> None:
        stream = FakeStream(seed=seed, shards=2, faults=Faults(roll_over_every_s=900, split=0.2))
        async with anyio.create_task_group() as tasks:
            here = Service(tasks, stream)
            tasks.start_soon(stream.unrest)
            relay: Worker | None = await here.start_relay()
            await here.start_projector()
            await anyio.sleep(60)
            well_since_s, judged = anyio.current_time(), 0
            for number in range(100):
                if random.random() < 0.5:
                    here.write(number)
                if random.random() < (0.2 if here.topic.stuck else 0.05):
                    here.topic.stuck = not here.topic.stuck
                if random.random() < (0.2 if relay is None else 0.05):
                    if relay is None:
                        relay = await here.start_relay()
                    else:
                        await relay.kill()
                        relay = None
                await anyio.sleep(random.choice([0.5, 5, 60]))
                told_ms, true_ms = await here.age_ms(), here.topic.true_age_ms()
                assert told_ms >= true_ms - 3_000 or true_ms < 10_000, "noted within the projector's own lag"
                if (
                    relay is None or here.topic.stuck
                ):  # what it published last may not be in its leases: that is told as waiting
                    well_since_s = anyio.current_time()
                if anyio.current_time() - well_since_s > 90:
                    assert told_ms <= true_ms + MORE_MS_MAX
                    judged += 1
            assert judged > 5
            tasks.cancel_scope.cancel()

    run_seeded(seed, scenario)


# -- parked orders


def parked(**changes: object) -> Parked:
    first = record_of(happy_commits()[2]).keys
    row = {
        "subscription": "relay",
        "key": happy_commits()[0].stream,
        "episode": "one",
        "first": first,
        "last": first,
        "cause": Cause("PublishRefused", "the topic refuses an event"),
        "attempts": 3,
        "parked_at_ms": START_MS + 700_000,
        "held": 0,
    }
    return Parked(**(row | changes))


class Clock:
    now_ms = START_MS + 1_000_000

    def __call__(self) -> int:
        return self.now_ms


async def with_leases(lot: MemoryParkingLot, store: MemoryEventStore, clock: Clock, observer: CountingObserver):
    leases = MemoryLeaseStore()
    for subscription in ("relay", "views"):
        await leases.create(
            Lease(subscription=subscription, shard="a", stream="arn", caught_up_to_ms=clock.now_ms, owner="me")
        )
    watch = Unpublished(store, leases, lot, publishing="relay", projecting="views", now_ms=clock, observer=observer)
    return watch, leases


def test_a_parked_order_counts_from_the_commit_that_it_owes() -> None:
    """Not from when it was parked; the log is asked once. One that was set aside is not waited for, nor is a released one."""

    async def scenario() -> None:
        lot, store, clock, observer = MemoryParkingLot(), MemoryEventStore(), Clock(), CountingObserver()
        log = happy_commits()
        for commit in log:
            await store.append(commit)
        watch, _ = await with_leases(lot, store, clock, observer)
        row = parked()
        await lot.park(row)
        await watch.look()
        assert watch.oldest_age_ms() == clock.now_ms - log[2].recorded_at_ms

        store.pages = None  # the log is not asked again
        await watch.look()
        assert watch.oldest_age_ms() == clock.now_ms - log[2].recorded_at_ms

        await lot.replace(row, parked(state="skipped", version=2))
        await watch.look()
        assert watch.oldest_age_ms() == 0

    run_virtual(scenario)


def test_a_parked_order_whose_log_cannot_be_read_counts_from_its_parking() -> None:
    """It may be parked for that very reason."""

    async def scenario() -> None:
        lot, clock, observer = MemoryParkingLot(), Clock(), CountingObserver()
        watch, _ = await with_leases(lot, MemoryEventStore(), clock, observer)
        await lot.park(parked())
        await lot.park(parked(key="main/order-2", first=None, parked_at_ms=START_MS + 800_000))
        await watch.look()
        assert watch.oldest_age_ms() == 300_000

    run_virtual(scenario)


def test_what_cannot_be_read_stays_what_it_was_and_is_reported() -> None:
    """The age grows, and never falls to zero for want of an answer."""

    class Away(MemoryParkingLot):
        away = False

        async def page(self, subscription: str, *, after: str | None = None, limit: int = 200) -> ParkedPage:
            if self.away:
                raise LotUnavailable("out of reach")
            return await super().page(subscription, after=after, limit=limit)

    async def scenario() -> None:
        lot, clock, observer = Away(), Clock(), CountingObserver()
        watch, leases = await with_leases(lot, MemoryEventStore(), clock, observer)
        await lot.park(parked())
        await watch.look()

        async def rows(subscription: str) -> tuple[Lease, ...]:
            raise LeaseStoreUnavailable("out of reach")

        lot.away, leases.rows = True, rows
        clock.now_ms += 50_000
        await watch.look()
        assert watch.oldest_age_ms() == 350_000
        assert observer.counts["unseen LotUnavailable"] == observer.counts["unseen LeaseStoreUnavailable"] == 1

    run_virtual(scenario)


def test_the_age_is_told_again_and_again_until_the_process_ends() -> None:
    """Also when a look hangs: then what was known before is told."""

    async def scenario() -> None:
        lot, clock, observer = MemoryParkingLot(), Clock(), CountingObserver()
        watch, leases = await with_leases(lot, MemoryEventStore(), clock, observer)

        async def hangs(subscription: str) -> tuple[Lease, ...]:
            await anyio.sleep_forever()

        with anyio.move_on_after(60):
            await watch.run()
        assert len(observer.ages_ms) == 60 / LOOK_EVERY_S
        leases.rows = hangs
        with anyio.move_on_after(70):
            await watch.run()
        assert len(observer.ages_ms) == 60 / LOOK_EVERY_S + 2

    run_virtual(scenario)


# -- what is noted


@pytest.mark.parametrize("seed", range(20))
def test_the_oldest_noted_second_behind_the_mark(seed: int) -> None:
    """As a list of all records would say it; the mark only grows."""
    print(f"seed {seed}")  # noqa: T201 - a run that failed can be run again
    random = Random(seed)
    noted, all_of_them, mark_ms = Noted(), [], 0
    for _ in range(300):
        created_ms = random.randrange(0, 200) * GRAIN_MS
        noted.note(created_ms)
        all_of_them.append(created_ms)
        mark_ms += random.choice([0, 0, 300, 2_000])
        waiting = [at_ms for at_ms in all_of_them if at_ms + 2 * GRAIN_MS > mark_ms]
        assert noted.oldest_ms(mark_ms) == min(waiting, default=None)


def test_what_is_noted_has_a_bound_and_keeps_the_oldest() -> None:
    """A relay that is dead for longer than the stream keeps records fills no memory."""
    noted = Noted()
    for second in range(NOTED_MAX + 1_000):
        noted.note(second * GRAIN_MS)
    assert len(noted._seconds) == NOTED_MAX
    assert noted.oldest_ms(0) == 0
