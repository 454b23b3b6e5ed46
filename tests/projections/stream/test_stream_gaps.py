"""A position that the stream no longer holds is a gap: stored, reported, back-filled, and only then is it read live again."""

from dataclasses import replace

import anyio
import pytest

from projections.stream import GapCause, caught_up_to_ms
from tests.projections.stream.fake_stream import FakeStream, wall_ms
from tests.projections.stream.world import FAST, caught_up, until, world
from tests.virtual_time import run_virtual

HOUR_S = 3_600
MARGIN_MS = round(FAST.gap_margin_s * 1_000)


def test_the_first_start_backfills_the_history_and_reports_a_bootstrap_but_no_gap() -> None:
    """What the table held before, even before the stream's oldest record, is there as well."""

    async def scenario() -> None:
        stream = FakeStream()
        for _ in range(5):
            stream.put("order-1")
        stream.open_shards()[0].trimmed = 3
        async with world(stream) as here:
            worker = await here.start()
            await here.settled()
            assert here.projection.backfills == [0]
            assert worker.watch.bootstraps == 1
            assert worker.watch.gaps == []

    run_virtual(scenario)


@pytest.mark.thorough
def test_many_first_shards_need_one_or_two_backfills_in_all() -> None:
    """A back-fill reads the table, so it serves every shard that waits when it begins."""

    async def scenario() -> None:
        stream = FakeStream(shards=40)
        async with world(stream) as here:
            here.projection.backfill_s = 30
            worker = await here.start()
            await anyio.sleep(100)
            assert worker.watch.bootstraps == 40
            assert len(here.projection.backfills) <= 2
            assert not any(row.gap for row in (await here.leases()).values())

    run_virtual(scenario)


def test_a_reader_that_was_away_for_25_hours_heals_from_the_table() -> None:
    """The shard of its position is gone, others have come and gone: the gap is counted and nothing is missing."""

    async def scenario() -> None:
        stream = FakeStream(shards=2)
        async with world(stream) as here:
            await caught_up(here)
            left_at_ms = wall_ms()
            for _ in range(25):
                stream.put("order-1")
                stream.put("order-2")
                await anyio.sleep(HOUR_S / 2)
                stream.roll_over()
                await anyio.sleep(HOUR_S / 2)
            stream.trim(older_than_s=5 * HOUR_S)
            worker = await here.start()
            await here.settled()
            causes = {cause for cause, _ in worker.watch.gaps}
            assert GapCause.VANISHED in causes
            assert worker.watch.bootstraps == 0
            healing_since_ms = min(since for _, since in worker.watch.gaps)
            assert left_at_ms - MARGIN_MS - 10_000 <= healing_since_ms <= left_at_ms - MARGIN_MS
            await here.write_for(20)
            await here.settled()

    run_virtual(scenario)


def test_a_finished_shard_whose_descendants_came_and_went_unread_leaves_a_gap() -> None:
    """No lease was lost here, but nobody read what lay between: the new shard's unknown parent tells."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            first = await here.start()
            await anyio.sleep(30)
            stream.put("order-1")
            await here.settled()
            child_listed_s = anyio.current_time() + HOUR_S
            stream.roll_over()
            stream.open_shards()[0].listed_from_s = child_listed_s  # not before the worker has gone
            await until(lambda: first.watch.counts.get("shard_finished") == 1, within_s=20)
            await first.stop()
            stream.put("order-1")  # in the child, which nobody will ever read
            await anyio.sleep(HOUR_S)
            stream.roll_over()
            await anyio.sleep(10)
            stream.roll_over()
            await anyio.sleep(25 * HOUR_S)
            stream.trim(older_than_s=24 * HOUR_S)
            assert len(stream.shards) == 1
            second = await here.start()
            await here.settled()
            assert [cause for cause, _ in second.watch.gaps] == [GapCause.LINEAGE_BROKEN]

    run_virtual(scenario)


def test_a_trimmed_position_in_a_shard_that_still_exists_is_a_gap() -> None:
    """The reader goes on from the oldest record left, after the table has given what is missing."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            first = await here.start()
            stream.put("order-1")
            await here.settled()
            await first.stop()
            for _ in range(10):
                stream.put("order-1")
            stream.open_shards()[0].trimmed = 8
            second = await here.start()
            await here.settled()
            assert [cause for cause, _ in second.watch.gaps] == [GapCause.TRIMMED]
            (row,) = (await here.leases()).values()
            assert row.gap is None

    run_virtual(scenario)


def test_a_trim_under_a_running_reader_is_a_gap() -> None:
    """Its subscriber was stuck for longer than the stream keeps records."""

    async def scenario() -> None:
        stream = FakeStream(page_max=2)
        async with world(stream) as here:
            worker = await here.start(settings=replace(FAST, records_in_flight_max=1))  # nothing is read meanwhile
            await anyio.sleep(30)
            here.projection.fail_applies = 1_000_000
            for _ in range(9):
                stream.put("order-1")
            await anyio.sleep(60)
            stream.open_shards()[0].trimmed = 6
            here.projection.fail_applies = 0
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.TRIMMED]

    run_virtual(scenario)


def test_from_the_oldest_record_is_no_position_to_trust_after_a_day() -> None:
    """The trim horizon never fails: a reader that stored nothing and was away would lose what was trimmed in silence."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)  # nothing was written: the position is "from the oldest record"
            for _ in range(4):
                stream.put("order-1")
            await anyio.sleep(25 * HOUR_S)
            stream.put("order-1")
            stream.open_shards()[0].trimmed = 4
            worker = await here.start()
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.UNPROVEN_START]

    run_virtual(scenario)


def test_from_the_oldest_record_is_trusted_when_the_shard_still_starts_where_it_did() -> None:
    """A short absence before the first record costs no scan of the table."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            stream.put("order-1")
            worker = await here.start()
            await here.settled()
            assert worker.watch.gaps == []
            assert here.projection.backfills == [0]

    run_virtual(scenario)


def test_a_stream_that_was_disabled_and_enabled_again_is_a_gap() -> None:
    """Another ARN, other shards: what was written meanwhile is in no stream at all."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await here.write_for(30)
            await here.settled()
            mark = await caught_up_to_ms(here.store, "views")
            assert mark is not None
            stream.put("order-1")
            stream.replace_stream()
            stream.put("order-1")
            await here.settled()
            await anyio.sleep(60)
            assert GapCause.STREAM_REPLACED in {cause for cause, _ in worker.watch.gaps}
            assert all(since >= mark - MARGIN_MS - 1_000 for _, since in worker.watch.gaps)
            assert {row.stream for row in (await here.leases()).values()} == {stream.arn}
            await here.write_for(20)
            await here.settled()

    run_virtual(scenario)


def test_the_same_shard_id_in_a_new_stream_is_not_mistaken_for_the_old_shard() -> None:
    """Some implementations name every stream's only shard alike."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            await caught_up(here)
            (old,) = stream.open_shards()
            stream.put("order-1")
            stream.replace_stream()
            (new,) = stream.shards.values()
            stream.shards = {old.id: new}
            new.id = old.id
            stream.put("order-1")
            worker = await here.start()
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.STREAM_REPLACED]
            (row,) = (await here.leases()).values()
            assert (row.shard, row.stream, row.gap) == (old.id, stream.arn, None)

    run_virtual(scenario)


@pytest.mark.parametrize("written_before", [0, 3])
def test_a_stream_that_lost_its_records_under_a_running_reader_is_noticed(written_before: int) -> None:
    """The old iterator is still accepted and silently returns nothing: the shard's start, listed anew, tells the truth."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(30)
            for _ in range(20):
                stream.put("order-1")
            await here.settled()
            await anyio.sleep(30)
            for _ in range(written_before):
                stream.put("order-1")  # unread when the records go
            stream.restart_empty()
            for _ in range(5):
                stream.put("order-1")  # behind the old iterator's back
            await here.settled(within_s=2 * FAST.discovery_interval_s)
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.TRIMMED]
            await here.write_for(20)
            await here.settled()
            assert len(worker.watch.gaps) == 1

    run_virtual(scenario)


def test_a_stream_that_lost_its_records_is_noticed_even_when_the_new_ones_have_caught_up() -> None:
    """By the next listing the old iterator already returns new records; the position of the listing before is the witness."""

    async def scenario() -> None:
        stream = FakeStream()
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(30)
            for _ in range(3):
                stream.put("order-1")
            await here.settled()
            await anyio.sleep(30)
            stream.restart_empty()
            for _ in range(9):
                stream.put("order-1")
            await here.settled(within_s=2 * FAST.discovery_interval_s)
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.TRIMMED]

    run_virtual(scenario)


def test_a_service_that_failed_before_the_first_record_may_have_been_made_anew() -> None:
    """With nothing read and no start known there is no proof: the table is asked."""

    async def scenario() -> None:
        stream = FakeStream()
        stream.open_shards()[0].starting_sequence = ""
        async with world(stream) as here:
            worker = await here.start()
            await anyio.sleep(30)
            stream.down = True
            await anyio.sleep(5)
            stream.put("order-1")
            stream.restart_empty()
            stream.down = False
            await here.settled()
            assert [cause for cause, _ in worker.watch.gaps] == [GapCause.UNPROVEN_START]

    run_virtual(scenario)
