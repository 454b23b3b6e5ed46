"""Expired iterators, subscribers that fail or hang, throttling, a stream out of reach: the reader waits, and loses nothing."""

import itertools
from dataclasses import replace

import anyio
import pytest

from projections.stream import Page, StreamUnavailable, caught_up_to_ms
from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.world import FAST, world
from tests.virtual_time import run_virtual


@pytest.mark.thorough
def test_iterators_that_expire_before_the_first_record_and_after_an_idle_time_are_renewed_from_the_right_place() -> (
    None
):
    """Nothing was read: from the start. Something was: right behind it."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            stream.faults = replace(stream.faults, expire=1.0)
            worker = await here.start()
            stream.put("order-1")
            await anyio.sleep(30)
            assert here.projection.last == {}
            stream.faults = replace(stream.faults, expire=0.0)
            await here.settled()
            stream.faults = replace(stream.faults, expire=1.0)  # an hour in which no iterator lives
            await anyio.sleep(3_600)
            stream.put("order-1")
            stream.faults = replace(stream.faults, expire=0.0)
            await here.settled()
            assert here.projection.holes == []
            assert here.projection.duplicates == 0
            assert worker.watch.counts["iterator_expired"] > 2
            assert worker.watch.gaps == []

    run_virtual(scenario)


def test_empty_answers_with_a_lost_one_among_them_are_not_the_tip() -> None:
    """The lost answer may be the one that had records: the mark must not pass what was written before it."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(10)
            stream.put("order-1")
            await here.settled()
            await anyio.sleep(10)
            answers = itertools.cycle([False, False, True])  # at most two empty ones in a row are seen

            async def read(iterator: str, limit: int) -> Page:
                await anyio.sleep(0.01)
                if next(answers):
                    raise StreamUnavailable("the answer was lost")
                return Page((), iterator)

            really, worker.machine.source.read = worker.machine.source.read, read
            await anyio.sleep(12)  # the mark of before is stored
            before_ms = await caught_up_to_ms(here.store, "views")
            stream.put("order-1")
            await anyio.sleep(120)
            assert await caught_up_to_ms(here.store, "views") == before_ms
            worker.machine.source.read = really
            await here.settled()
            assert worker.watch.gaps == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_an_iterator_grows_old_while_the_subscriber_is_busy() -> None:
    """A page whose application took half an hour is not applied again, and reading goes on behind it."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            here.projection.fail_applies = 10_000
            worker = await here.start(settings=replace(FAST, records_in_flight_max=1))  # nothing is read meanwhile
            stream.put("order-1")
            await anyio.sleep(1_800)
            here.projection.fail_applies = 0
            stream.put("order-1")
            await here.settled()
            assert worker.watch.counts["apply_failed"] > 50
            assert worker.watch.counts["iterator_expired"] == 1
            assert worker.watch.counts.get("lease_lost", 0) == 0
            assert here.projection.duplicates == 0
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_failing_subscriber_gets_the_same_records_again_and_none_is_skipped() -> None:
    """What the best-known reader does, namely to log and go on with the next page, would lose them."""

    async def scenario() -> None:
        stream = FakeStream(page_max=3)
        async with world(stream, heals=False) as here:
            worker = await here.start()
            await anyio.sleep(10)
            for _ in range(9):
                stream.put("order-1")
            here.projection.fail_applies = 4
            await here.settled()
            assert worker.watch.counts["apply_failed"] == 4
            assert here.projection.holes == []

    run_virtual(scenario)


def test_a_subscriber_that_hangs_is_tried_again_and_never_passed() -> None:
    """Its deadline turns the hang into a failure."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream, heals=False) as here:
            here.projection.apply_s = 100_000
            worker = await here.start()
            stream.put("order-1")
            await anyio.sleep(200)
            assert worker.watch.counts["apply_failed"] >= 2
            here.projection.apply_s = 0
            await here.settled()

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_shard_is_read_at_most_four_times_a_second_and_rarely_while_idle() -> None:
    """Two subscriptions have to share what the service allows."""

    async def scenario() -> None:
        stream = FakeStream(page_max=1)
        async with world(stream, heals=False) as here:
            for _ in range(400):
                stream.put("order-1")
            await here.start()
            await here.settled()
            moments = [at for at, _ in stream.reads]
            windows = [sum(1 for other in moments if at <= other < at + 0.99) for at in moments]
            assert max(windows) <= 4
            stream.reads.clear()
            await anyio.sleep(100)
            assert len(stream.reads) <= 105  # one a second at the most

    run_virtual(scenario)


def test_throttling_slows_the_reader_down_and_loses_nothing() -> None:
    """A third reader on the shard, or a burst of the service's own trouble."""

    async def scenario() -> None:
        stream = FakeStream(faults=Faults(throttle=1.0))
        async with world(stream, heals=False) as here:
            worker = await here.start()
            stream.put("order-1")
            await anyio.sleep(120)
            assert len(stream.reads) < 40
            assert worker.watch.counts["throttled"] == len(stream.reads)
            stream.faults = replace(stream.faults, throttle=0.0)
            await here.settled(within_s=30)

    run_virtual(scenario)


def test_the_stream_may_be_out_of_reach_when_the_reader_starts() -> None:
    """It waits, reports and begins when the stream is back; it does not end."""

    async def scenario() -> None:
        stream = FakeStream()
        stream.down = True
        async with world(stream, heals=False) as here:
            worker = await here.start(wait=False)
            await anyio.sleep(300)
            stream.put("order-1")
            stream.down = False
            await here.settled(within_s=60)
            assert worker.watch.counts["unavailable coordinate"] > 3

    run_virtual(scenario)


def test_two_subscriptions_read_the_same_stream_independently() -> None:
    """One that stands still does not hold up the other, and each keeps its own rows."""

    async def scenario() -> None:
        stream = FakeStream()
        async with (
            world(stream, subscription="views", heals=False) as views,
            world(stream, subscription="relay", heals=False) as relay,
        ):
            relay.store = views.store
            relay.projection.fail_applies = 1_000_000
            await views.start()
            await relay.start()
            await views.write_for(30)
            await views.settled()
            assert relay.projection.last == {}
            relay.projection.fail_applies = 0
            await relay.settled()
            assert relay.projection.holes == views.projection.holes == []
            assert set(await views.leases()) == set(await relay.leases())

    run_virtual(scenario)
