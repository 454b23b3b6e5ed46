"""A back-fill is owed until it is done, whatever ends the worker or the back-fill; and the mark never claims more than was applied."""

from dataclasses import replace

import anyio
import pytest

from projections.stream import GapCause, caught_up_to_ms
from tests.projections.stream.fake_stream import EPOCH_MS, FakeStream, Faults, wall_ms
from tests.projections.stream.world import FAST, caught_up, until, world
from tests.virtual_time import run_virtual

HOUR_S = 3_600
MARGIN_MS = round(FAST.gap_margin_s * 1_000)


def test_the_gap_is_stored_before_the_backfill_and_a_crash_in_it_repeats_it() -> None:
    """Killed twice half-way, the third worker does all of it."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            first = await here.start()
            stream.put("order-1")
            await here.settled()
            await first.stop()
            stream.put("order-1")
            stream.restart_empty()
            here.projection.backfill_s = 1_000
            started = len(here.projection.backfills)
            for attempt in (1, 2):
                worker = await here.start()
                await until(lambda wanted=attempt: len(here.projection.backfills) == started + wanted, within_s=60)
                await anyio.sleep(30)
                (row,) = (await here.leases()).values()
                assert row.gap is not None
                assert row.gap.cause is GapCause.TRIMMED
                await worker.kill()
            here.projection.backfill_s = 0
            await here.start()
            await here.settled()
            assert len(set(here.projection.backfills[started:])) == 1  # each time since the same moment
            (row,) = (await here.leases()).values()
            assert row.gap is None

    run_virtual(scenario)


def test_a_failing_backfill_is_tried_until_it_works_and_no_record_is_applied_before() -> None:
    """The mark stays, the lease is renewed meanwhile, and live reading waits."""

    async def scenario() -> None:
        stream = FakeStream()
        stream.put("order-1")
        async with world(stream) as here:
            here.projection.fail_backfills = 12
            worker = await here.start()
            await anyio.sleep(60)
            assert here.projection.deliveries == 0
            await here.settled(within_s=300)
            assert worker.watch.counts["backfill_failed"] == 12
            assert "lease_lost" not in worker.watch.counts

    run_virtual(scenario)


def test_what_is_written_while_the_backfill_runs_is_read_live_afterwards() -> None:
    """The live position is fixed before the back-fill begins: nothing falls between the two."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            first = await here.start()
            stream.put("order-1")
            await here.settled()
            await first.stop()
            stream.restart_empty()
            here.projection.backfill_s = 20
            here.projection.before_backfill_ends = lambda: [stream.put("order-2") for _ in range(3)] and None
            await here.start()
            await until(lambda: stream.versions.get("order-2", 0) >= 3, within_s=60)
            await here.settled()
            assert here.projection.last["order-2"] >= 3

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_backfill_reaches_behind_the_clocks_difference() -> None:
    """A reader whose clock runs four minutes ahead still asks for everything that it may have missed."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            first = await here.start(skew_ms=240_000)
            await anyio.sleep(600)
            stream.put("order-1")
            await here.settled()
            await anyio.sleep(60)
            await first.stop()
            stream.put("order-1")  # recorded minutes before the reader's low-water mark
            stream.restart_empty()
            await here.start(skew_ms=240_000)
            await here.settled()

    run_virtual(scenario)


def test_spurious_answers_that_a_shard_is_gone_cost_a_backfill_but_lose_nothing() -> None:
    """Some implementations deny a live shard now and then: a shard that is still listed is read on."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(30)
            shard = stream.open_shards()[0]
            stream.put("order-1")
            await here.settled()
            hidden = stream.shards.pop(shard.id)
            real_listing = worker.machine.source.listing

            async def listing():
                stream.shards[shard.id] = hidden
                return await real_listing()

            worker.machine.source.listing = listing
            await until(lambda: len(worker.watch.gaps) == 1, within_s=30)
            await anyio.sleep(5)
            await here.write_for(20)
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.VANISHED]
            assert "shard_finished" not in worker.watch.counts

    run_virtual(scenario)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_when_listings_hide_parents_and_records_are_trimmed(seed: int) -> None:
    """The worst of everything: order may then only be kept by the subscriber's own guard, but nothing is missing."""

    async def scenario() -> None:
        faults = Faults(throttle=0.1, unavailable=0.1, expire=0.1, empty_page=0.2, late_child_s=5, late_parent=0.3)
        stream = FakeStream(seed=seed, shards=2, faults=faults, page_max=5)
        async with world(stream) as here:
            here.tasks.start_soon(here.write_for, 400)
            worker = await here.start()
            for step in range(20):
                await anyio.sleep(20)
                stream.roll_over(stream.random.choice(stream.open_shards()))
                if step % 5 == 4:
                    await worker.kill()
                    stream.trim(older_than_s=15)
                    worker = await here.start()
            await here.settled(within_s=600)

    run_virtual(scenario)


@pytest.mark.thorough
def test_the_low_water_mark_never_claims_what_was_not_applied() -> None:
    """At every moment, everything recorded before the mark has arrived; and the mark moves on, idle or busy."""

    async def scenario() -> None:
        faults = Faults(throttle=0.05, unavailable=0.05, empty_page=0.2, late_child_s=2)
        stream = FakeStream(seed=9, shards=3, faults=faults, page_max=4)
        async with world(stream) as here:
            assert await caught_up_to_ms(here.store, "views") is None
            await here.start()
            here.tasks.start_soon(here.write_for, 150)
            last, recorded_at_ms = 0, {}
            for step in range(300):
                await anyio.sleep(1)
                if step % 20 == 10:
                    stream.roll_over(stream.random.choice(stream.open_shards()))
                mark = await caught_up_to_ms(here.store, "views")
                assert mark is not None
                assert mark >= last
                last = mark
                for record in stream.table[len(recorded_at_ms) :]:
                    name = f"{record.keys['key']['S']}: {record.keys['version']['N']}"
                    recorded_at_ms[name] = int(record.image["at"]["N"])
                assert [name for name in here.projection.missing() if recorded_at_ms[name] < mark] == []
            assert wall_ms() - last < 15_000
            assert last > EPOCH_MS

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_stuck_shard_holds_the_mark_back() -> None:
    """The mark is the least over all shards."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await here.start()
            await anyio.sleep(60)
            here.projection.fail_applies = 1_000_000
            put_at_ms = wall_ms()
            stream.put("order-1")
            await anyio.sleep(600)
            mark = await caught_up_to_ms(here.store, "views")
            assert mark is not None
            assert mark <= put_at_ms

    run_virtual(scenario)


@pytest.mark.thorough
def test_hours_of_throttling_before_the_first_read_may_cost_the_oldest_records_and_are_a_gap() -> None:
    """The position was good when the lease was taken; when the answer came at last, "from the oldest" meant a later record."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)  # nothing was written: the position is "from the oldest record"
            stream.put("order-1")
            await anyio.sleep(23 * HOUR_S)
            stream.put("order-1")
            stream.faults = replace(stream.faults, throttle=1.0)
            worker = await here.start()
            await anyio.sleep(2 * HOUR_S)
            stream.faults = replace(stream.faults, throttle=0.0)
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.UNPROVEN_START]

    run_virtual(scenario)
