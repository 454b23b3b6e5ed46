"""The reader on services of other makes than the fake: MiniStack and AWS's own DynamoDB Local, with real tables and a real clock.

What they cannot show (roll-overs, splits, trims by age) the fake shows. Where one of them answers differently from AWS, the test says so.
"""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest

from projections.stream import (
    GapCause,
    IteratorExpired,
    Lease,
    Listing,
    Page,
    Position,
    Shard,
    StreamSource,
    caught_up_to_ms,
)
from projections.stream.dynamo_leases import DynamoLeaseStore
from projections.stream.dynamo_source import DynamoStreamSource
from tests.contract.event_logs import DYNAMODB_LOCAL, MINISTACK
from tests.projections.stream.projection import Watch
from tests.projections.stream.real_tables import Table, eventually, reading, table

Place = tuple[Table, DynamoStreamSource, DynamoLeaseStore]
pytestmark = pytest.mark.parametrize("kind", [MINISTACK, DYNAMODB_LOCAL])
_accounts = itertools.count(320_000_000_001)


@pytest.fixture
async def place(store_url: str) -> AsyncIterator[Place]:
    """A table with a stream in an account of its own, and the table of its readers' leases."""
    async with table(store_url, "events", account=str(next(_accounts))) as opened:
        await opened[0].create()
        yield opened


class Forgetful:
    """A source whose iterators expire after every read."""

    def __init__(self, source: StreamSource) -> None:
        self._source = source
        self._used: set[str] = set()
        self.expired = 0

    async def listing(self) -> Listing:
        return await self._source.listing()

    async def children(self, shard: str) -> tuple[Shard, ...]:
        return await self._source.children(shard)

    async def iterator(self, shard: str, position: Position) -> str:
        return await self._source.iterator(shard, position)

    async def read(self, iterator: str, limit: int) -> Page:
        if self._used:
            self._used.clear()
            self.expired += 1
            raise IteratorExpired("15 minutes have passed")
        self._used.add(iterator)
        return await self._source.read(iterator, limit)


def excuse(kind: str, events: Table, *watches: Watch) -> None:
    """DynamoDB Local now and then says of a live iterator that its records were trimmed: nothing is lost by that, but some come twice.

    A race in it, so no strict xfail; the reader believes a service that speaks of loss, and is not bent to one that does so in vain.
    See https://github.com/aws/aws-sdk-java/issues/2923.
    """
    said = {cause for watch in watches for cause, _ in watch.gaps}
    if kind == "dynamodb-local" and said == {GapCause.TRIMMED}:
        assert events.complete()
        pytest.xfail("DynamoDB Local spoke of trimmed records in a stream that is seconds old")


async def shard_row(leases: DynamoLeaseStore) -> Lease:
    """The one shard's row."""
    (row,) = [row for row in await leases.rows("views") if not row.shard.startswith("worker/")]
    return row


async def written_and_left(place: Place, count: int) -> Lease:
    """A reader came, read so much and left in good order; its row."""
    events, source, leases = place
    async with reading(events, source, leases):
        await events.put(count)
        await eventually(lambda: len(events.live) >= count)
    return await shard_row(leases)


async def test_everything_written_arrives_once_and_in_order_for_each_item(place: Place, kind: str) -> None:
    """A hundred and fifty versions of ten items, over several pages and lanes; the mark passes what was written."""
    events, source, leases = place
    async with reading(events, source, leases) as watch:
        await eventually(lambda: watch.owned == 1)
        await events.put_versions(items=10, versions=15)
        await eventually(lambda: len(events.live) >= 150)
        written_by_ms = round(time.time() * 1_000)
        with anyio.fail_after(60):
            while (await caught_up_to_ms(leases, "views") or 0) < written_by_ms:  # noqa: ASYNC110 - the table tells nobody of its rows
                await anyio.sleep(0.1)
    excuse(kind, events, watch)
    assert events.versions == {f"order-{item}": list(range(1, 16)) for item in range(10)}
    assert (watch.bootstraps, watch.gaps) == (1, [])


async def test_a_restarted_reader_goes_on_behind_its_checkpoint(place: Place, kind: str) -> None:
    """Nothing twice, nothing missing, no gap."""
    events, source, leases = place
    await written_and_left(place, 30)
    await events.put(5)  # while nobody reads
    async with reading(events, source, leases) as watch:
        await events.put(5)
        await eventually(lambda: len(events.live) >= 40)
    excuse(kind, events, watch)
    assert events.live == events.written
    assert (watch.bootstraps, watch.gaps) == (0, [])


async def test_an_iterator_that_expired_is_replaced_by_one_behind_the_last_record(place: Place, kind: str) -> None:
    """Whenever it expires, nothing comes twice and nothing is left out."""
    events, source, leases = place
    forgetful = Forgetful(source)
    async with reading(events, forgetful, leases) as watch:
        for _ in range(3):
            await events.put(10)
            await eventually(lambda: len(events.live) >= len(events.written))
    excuse(kind, events, watch)
    assert events.live == events.written
    assert forgetful.expired >= 3
    assert watch.gaps == []


async def test_two_workers_hand_a_shard_over(place: Place, kind: str) -> None:
    """One shard, two workers, one of which leaves in the middle: the other goes on behind it, and nothing is repeated."""
    events, source, leases = place
    async with reading(events, source, leases) as second:
        await eventually(lambda: second.owned == 1)
        async with reading(events, source, leases) as first:
            await events.put(20)
            await eventually(lambda: len(events.live) >= 20)
            assert (first.owned, second.owned) == (0, 1)
        await events.put(10)
        await eventually(lambda: len(events.live) >= 30)
    async with reading(events, source, leases) as third:
        await events.put(10)
        await eventually(lambda: len(events.live) >= 40)
    excuse(kind, events, first, second, third)
    assert events.live == events.written
    assert second.gaps == third.gaps == []


async def test_a_stream_that_is_switched_off_and_on_is_a_gap_and_is_healed(place: Place) -> None:
    """A new ARN, and on one of these services the same shard id."""  # fault 26
    events, source, leases = place
    async with reading(events, source, leases) as watch:
        await events.put(5)
        await eventually(lambda: len(events.live) >= 5)
        await events.switch(on=False)
        await events.put(5)
        await events.switch(on=True)
        await events.put(5)
        await eventually(events.complete)
        await eventually(lambda: GapCause.STREAM_REPLACED in {cause for cause, _ in watch.gaps})
        await events.put(5)
        await eventually(lambda: events.live[-5:] == events.written[-5:])


async def test_a_position_that_the_stream_does_not_hold_is_a_gap_and_is_healed(place: Place) -> None:
    """A sequence number from before the oldest record: what may be missing comes from the table, then it is read live."""  # fault 20
    events, source, leases = place
    row = await written_and_left(place, 10)
    await leases.replace(row, replace(row, counter=row.counter + 1, checkpoint="000000000000000000001"))
    async with reading(events, source, leases) as watch:
        await eventually(lambda: bool(watch.gaps))
        await eventually(lambda: set(events.healed) == set(events.written))
        await events.put(5)
        await eventually(lambda: events.live[-5:] == events.written[-5:])
    assert {cause for cause, _ in watch.gaps} == {GapCause.TRIMMED}


async def test_a_shard_that_is_gone_unread_is_a_gap_and_is_healed(place: Place, kind: str) -> None:
    """Its row is over once the table was read; the shard that is there goes on by itself."""
    events, source, leases = place
    row = await written_and_left(place, 10)
    gone = "shardId-00000000000000000001-00000001"
    assert await leases.create(replace(row, shard=gone, counter=0))
    async with reading(events, source, leases) as watch:
        await eventually(lambda: bool(watch.gaps))
        await eventually(lambda: set(events.healed) == set(events.written))
        await events.put(5)
        await eventually(lambda: events.live[-5:] == events.written[-5:])
        await eventually(lambda: watch.counts.get("shard_finished") == 1)
    excused = {GapCause.TRIMMED} if kind == "dynamodb-local" else set()  # see `excuse`
    assert {cause for cause, _ in watch.gaps} - excused == {GapCause.VANISHED}
