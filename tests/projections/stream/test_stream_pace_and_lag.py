"""How fast a shard is read, how far behind a subscription is, and how fast it ends."""

from dataclasses import replace
from random import Random

import anyio
import pytest

from projections.stream import StreamReader, StreamSettings
from projections.stream.pacing import ReadPace
from tests.projections.stream.fake_stream import FakeStream, wall_ms
from tests.projections.stream.world import FAST, until, world
from tests.virtual_time import run_virtual
from workers.service import Cancellable, Service

HOUR_MS = 3_600_000


def test_throttled_reads_halve_the_rate_and_good_ones_bring_it_back() -> None:
    """A fixed rate above the limit would be refused again and again."""

    async def scenario() -> None:
        pace = ReadPace(per_second_max=4, idle_initial_s=0.25, idle_maximum_s=1)

        async def pause_s() -> float:
            began_s = anyio.current_time()
            await pace.next_read()
            return anyio.current_time() - began_s

        await pace.next_read()
        assert await pause_s() == 0.25
        for expected_s in (0.5, 1.0, 2.0, 2.0):
            pace.was_throttled()
            assert abs(await pause_s() - expected_s) < 1e-6
        for _ in range(100):
            pace.found_records()
        assert abs(await pause_s() - 0.25) < 1e-6

    run_virtual(scenario)


@pytest.mark.thorough
def test_two_subscriptions_that_catch_up_on_one_shard_settle_below_its_limit() -> None:
    """Each would read four times a second and the shard allows five in all: few reads are refused, and both come to the end."""

    async def scenario() -> None:
        stream = FakeStream(page_max=1)
        async with (
            world(stream, subscription="views", heals=False) as views,
            world(stream, subscription="relay", heals=False) as relay,
        ):
            for _ in range(600):
                stream.put("order-1")
            workers = [await views.start(), await relay.start()]
            await views.settled(within_s=600)
            await relay.settled(within_s=600)
            throttled = sum(worker.watch.counts.get("throttled", 0) for worker in workers)
            assert 0 < throttled < len(stream.reads) / 4
            assert views.projection.holes == relay.projection.holes == []

    run_virtual(scenario)


@pytest.mark.parametrize("still_ms", [HOUR_MS // 6, pytest.param(HOUR_MS, marks=pytest.mark.thorough)])
def test_a_subscriber_that_stands_still_shows_by_a_lag_that_grows(still_ms: int) -> None:
    """No record is applied, so nothing else would tell; and the readers stay as they are, however long it takes."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(30)
            here.projection.fail_applies = 1_000_000
            stream.put("order-1")
            await anyio.sleep(still_ms / 1_000)
            assert worker.watch.waited_ms == sorted(worker.watch.waited_ms)
            assert worker.watch.waited_ms[-1] > still_ms - 5_000
            lag_ms, left_ms = worker.watch.behind_ms[-1]
            assert still_ms - 10_000 < lag_ms < still_ms + 40_000
            assert lag_ms + left_ms == 24 * HOUR_MS
            assert worker.watch.counts["lease_taken"] == 1
            assert worker.watch.owned == 1
            here.projection.fail_applies = 0
            await here.settled()
            await anyio.sleep(30)
            lag_ms, _ = worker.watch.behind_ms[-1]
            assert lag_ms < 15_000

    run_virtual(scenario)


@pytest.mark.thorough
def test_an_idle_subscription_is_not_behind() -> None:
    """Its marks ride on the renewals, so it is never more than two of them late."""

    async def scenario() -> None:
        async with world(FakeStream(shards=3)) as here:
            worker = await here.start()
            await anyio.sleep(60)
            worker.watch.behind_ms.clear()
            await anyio.sleep(3_600)
            assert max(lag_ms for lag_ms, _ in worker.watch.behind_ms) < 3 * FAST.renew_interval_s * 1_000

    run_virtual(scenario)


@pytest.mark.parametrize("unread_ms", [HOUR_MS // 2, pytest.param(2 * HOUR_MS, marks=pytest.mark.thorough)])
def test_a_shard_that_nobody_reads_is_in_the_lag_of_the_whole(unread_ms: int) -> None:
    """A lost child would show by no shard's own figures: that is how a reader falls silent for a day."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await anyio.sleep(40)
            stream.roll_over()
            stream.open_shards()[0].listed_from_s = float("inf")
            stream.put("order-1")
            await anyio.sleep(unread_ms / 1_000)
            lag_ms, _ = worker.watch.behind_ms[-1]
            assert lag_ms > 0.95 * unread_ms

    run_virtual(scenario)


def test_the_lag_goes_on_growing_while_the_leases_are_out_of_reach() -> None:
    """The worst moment for a figure to stand still."""

    async def scenario() -> None:
        async with world(FakeStream()) as here:
            worker = await here.start()
            await anyio.sleep(60)
            worker.machine.cut_off = True
            await anyio.sleep(1_800)
            lag_ms, _ = worker.watch.behind_ms[-1]
            assert lag_ms > 1_700_000

    run_virtual(scenario)


@pytest.mark.thorough
def test_all_farewells_together_keep_the_one_deadline() -> None:
    """Forty shards, a lease table that answers slowly or not at all: the process is gone when it said it would be."""

    async def scenario() -> None:
        for answers in (True, False):
            stream = FakeStream(shards=40)
            async with world(stream) as here:
                worker = await here.start(settings=StreamSettings(stop_timeout_s=3))
                here.tasks.start_soon(here.write_for, 20)
                here.projection.apply_s = 1_000.0
                await anyio.sleep(15)
                if not answers:
                    worker.machine.frozen = anyio.Event()
                began_s = anyio.current_time()
                await worker.stop()
                assert anyio.current_time() - began_s <= 3.1
                if answers:
                    assert all(row.owner is None for row in (await here.leases()).values())

    run_virtual(scenario)


@pytest.mark.thorough
def test_ten_restarts_in_a_minute_lose_nothing_and_leave_no_lease_behind() -> None:
    """A deployment that churns."""  # fault 30

    async def scenario() -> None:
        random = Random(30)
        stream = FakeStream(shards=3)
        async with world(stream, heals=False) as here:
            here.tasks.start_soon(here.write_for, 90)
            for _ in range(10):
                worker = await here.start()
                await anyio.sleep(random.uniform(1, 10))
                await worker.stop()
            assert {row.owner for row in await here.store.rows("views")} == {None}
            await here.start()
            await until(lambda: not here.projection.missing(), within_s=200)
            await anyio.sleep(60)
            await here.settled()
            assert here.projection.holes == []
            assert here.causes == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_throttled_lease_table_costs_no_lease_that_another_could_want() -> None:
    """A renewal that fails now and then is made up for by the next."""  # fault 25

    async def scenario() -> None:
        stream = FakeStream(shards=4)
        async with world(stream, heals=False) as here:
            workers = [await here.start() for _ in range(2)]
            await until(lambda: [worker.watch.owned for worker in workers] == [2, 2], within_s=60)
            here.tasks.start_soon(here.write_for, 100)
            for _ in range(12):
                workers[0].machine.cut_off = True
                await anyio.sleep(6)
                workers[0].machine.cut_off = False
                await anyio.sleep(6)
            await here.settled(within_s=200)
            assert "lease_lost" not in workers[0].watch.counts | workers[1].watch.counts
            assert here.projection.holes == []

    run_virtual(scenario)


def test_readers_of_three_subscriptions_lose_nothing_though_the_service_allows_two() -> None:
    """Somebody starts a third one by mistake: it is refused, the rate falls, and all arrive."""  # fault 23

    async def scenario() -> None:
        stream = FakeStream()
        async with (
            world(stream, subscription="a", heals=False) as first,
            world(stream, subscription="b", heals=False) as second,
            world(stream, subscription="c", heals=False) as third,
        ):
            for here in (first, second, third):
                await here.start(settings=replace(FAST, idle_max_s=2.0))
            await first.write_for(60)
            for here in (first, second, third):
                await here.settled(within_s=600)
                assert here.projection.holes == []
            assert sum(world_.watches[0].counts.get("throttled", 0) for world_ in (first, second, third)) > 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_readiness_does_not_flip_on_lag() -> None:
    """Six hours behind, with the stream out of reach as well: taking the worker out would make it slower, so it stays ready."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            reader = StreamReader(
                subscription="views",
                source=stream.source("task/1"),
                leases=here.store,
                subscriber=here.projection,
                owner="task/1",
                now_ms=wall_ms,
                random=Random(1),
            )
            service = Service([Cancellable("views reader", reader.run)])
            stop = anyio.Event()
            await here.tasks.start(service.run, stop)
            here.projection.fail_applies = 1_000_000
            await here.write_for(60)
            seen = set()
            for hour in range(6):
                stream.down = hour > 3
                await anyio.sleep(HOUR_MS / 1_000)
                seen.add(service.readiness()["views reader"])
            assert seen == {True}
            stop.set()

    run_virtual(scenario)
