"""The fake of DynamoDB Streams keeps to what AWS says of the service, or what it proves of the reader would prove little."""

from random import Random

import anyio
import pytest
from botocore.exceptions import ClientError

from tests.projections.stream.fake_stream import FakeStream, Faults
from tests.projections.stream.streams_api import StreamsClient
from tests.virtual_time import run_virtual


async def iterator_of(client: StreamsClient, stream: FakeStream, kind: str, **more: str) -> str:
    shard = more.pop("shard", next(iter(stream.shards)))
    answer = await client.get_shard_iterator(StreamArn=stream.arn, ShardId=shard, ShardIteratorType=kind, **more)
    return answer["ShardIterator"]


async def numbers_read(client: StreamsClient, iterator: str, **more: int) -> list[str]:
    answer = await client.get_records(ShardIterator=iterator, **more)
    return [record["dynamodb"]["SequenceNumber"] for record in answer["Records"]]


async def code_of(call) -> str:
    with pytest.raises(ClientError) as raised:
        await call
    return raised.value.response["Error"]["Code"]


def test_iterators_of_four_types_begin_where_the_service_says() -> None:
    """The oldest record, the next to come, this one, the one behind it."""

    async def scenario() -> None:
        stream = FakeStream()
        client = stream.api.client()
        sent = [stream.put("order-1").sequence_number for _ in range(4)]
        places = [("TRIM_HORIZON", {}, sent), ("LATEST", {}, [])]
        places.append(("AT_SEQUENCE_NUMBER", {"SequenceNumber": sent[1]}, sent[1:]))
        places.append(("AFTER_SEQUENCE_NUMBER", {"SequenceNumber": sent[1]}, sent[2:]))
        for kind, arguments, expected in places:
            assert await numbers_read(client, await iterator_of(client, stream, kind, **arguments)) == expected
            await anyio.sleep(1)
        latest = await iterator_of(client, stream, "LATEST")
        late = stream.put("order-1").sequence_number
        assert await numbers_read(client, latest) == [late]
        for wrong in ({"kind": "LATEST", "SequenceNumber": "1"}, {"kind": "AT_SEQUENCE_NUMBER"}, {"kind": "SOMEWHERE"}):
            assert await code_of(iterator_of(client, stream, **wrong)) == "ValidationException"

    run_virtual(scenario)


def test_shards_are_listed_a_hundred_a_page_with_their_parent_and_their_range() -> None:
    """Whoever reads one page misses the rest; a closed shard shows where it ended."""

    async def scenario() -> None:
        stream = FakeStream(shards=250)
        last = stream.put("order-1").sequence_number
        (parent,) = [shard for shard in stream.shards.values() if shard.records]
        stream.roll_over(parent)
        client = stream.api.client()
        found: list[dict] = []
        start: dict[str, str] = {}
        for size in (100, 100, 51):
            page = (await client.describe_stream(StreamArn=stream.arn, **start))["StreamDescription"]
            assert len(page["Shards"]) == size
            found += page["Shards"]
            start = {"ExclusiveStartShardId": page.get("LastEvaluatedShardId")}
        assert start == {"ExclusiveStartShardId": None}
        assert {shard["ShardId"] for shard in found} == set(stream.shards)
        closed = [shard for shard in found if shard["ShardId"] == parent.id]
        assert closed[0]["SequenceNumberRange"]["EndingSequenceNumber"] == last
        assert found[-1]["ParentShardId"] == parent.id

    run_virtual(scenario)


def test_a_closed_shard_is_read_to_its_end_and_an_open_one_never_ends() -> None:
    """No next iterator says so, and nothing else."""

    async def scenario() -> None:
        stream = FakeStream()
        client = stream.api.client()
        stream.put("order-1")
        (parent,) = stream.shards
        horizon = await iterator_of(client, stream, "TRIM_HORIZON")
        assert "NextShardIterator" in await client.get_records(ShardIterator=horizon)
        stream.roll_over()
        assert "NextShardIterator" not in await client.get_records(ShardIterator=horizon)
        (child,) = [shard for shard in stream.shards if shard != parent]
        empty = await client.get_records(ShardIterator=await iterator_of(client, stream, "TRIM_HORIZON", shard=child))
        assert empty["Records"] == []
        assert "NextShardIterator" in empty

    run_virtual(scenario)


def test_iterators_live_for_fifteen_minutes_and_records_for_a_day() -> None:
    """Then each is refused with an error of its own; a closed shard goes with its last record."""

    async def scenario() -> None:
        stream = FakeStream()
        client = stream.api.client()
        sent = stream.put("order-1").sequence_number
        (first,) = stream.shards
        old = await iterator_of(client, stream, "TRIM_HORIZON")
        await anyio.sleep(15 * 60 - 1)
        assert await numbers_read(client, old) == [sent]
        await anyio.sleep(1)
        assert await code_of(client.get_records(ShardIterator=old)) == "ExpiredIteratorException"
        await anyio.sleep(24 * 3_600)
        after = {"kind": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sent}
        assert await code_of(iterator_of(client, stream, **after)) == "TrimmedDataAccessException"
        stream.roll_over()
        await anyio.sleep(24 * 3_600 + 1)
        assert await code_of(iterator_of(client, stream, "TRIM_HORIZON", shard=first)) == "ResourceNotFoundException"

    run_virtual(scenario)


def test_reads_past_the_limits_are_refused() -> None:
    """Five a second of one shard, two readers of it, 1,000 records or 1 MB at once."""

    async def scenario() -> None:
        stream = FakeStream()
        keys = {"key": {"S": "order-1"}}
        for _ in range(30):
            stream.put_item("order-1", keys=keys, image={**keys, "body": {"B": bytes(100_000)}})
        client = stream.api.client()
        horizon = await iterator_of(client, stream, "TRIM_HORIZON")
        assert len(await numbers_read(client, horizon)) == 9
        assert await code_of(client.get_records(ShardIterator=horizon, Limit=1_001)) == "ValidationException"
        for _ in range(4):
            assert len(await numbers_read(client, horizon, Limit=2)) == 2
        assert await code_of(client.get_records(ShardIterator=horizon)) == "LimitExceededException"
        await anyio.sleep(2)
        for name in ("first", "second"):
            await numbers_read(stream.api.client(name), horizon)
        third = stream.api.client("third").get_records(ShardIterator=horizon)
        assert await code_of(third) == "LimitExceededException"
        for _ in range(5):
            await client.list_streams(TableName="events")
        assert await code_of(client.list_streams(TableName="events")) == "LimitExceededException"

    run_virtual(scenario)


def test_a_stream_that_was_disabled_stays_readable_for_a_day_and_another_one_follows() -> None:
    """Its shards end; what was written in between is in neither."""

    async def scenario() -> None:
        stream = FakeStream()
        client = stream.api.client()
        before = stream.put("order-1").sequence_number
        old = await iterator_of(client, stream, "TRIM_HORIZON")
        old_arn = stream.arn
        stream.disable()
        stream.put("order-1")
        assert await numbers_read(client, old) == [before]
        stream.enable()
        after = stream.put("order-1").sequence_number
        listed = (await client.list_streams(TableName="events"))["Streams"]
        assert [found["StreamArn"] for found in listed] == [old_arn, stream.arn]
        assert await numbers_read(client, await iterator_of(client, stream, "TRIM_HORIZON")) == [after]
        assert len(stream.table) == 3

    run_virtual(scenario)


def test_one_seed_gives_one_run() -> None:
    """A failure that a seed found can be looked at again."""

    async def story(seed: int) -> list[tuple[str, int, int]]:
        faults = Faults(roll_over_every_s=2, split=0.3, merge=0.3, reorder=0.3)
        stream = FakeStream(seed=seed, shards=2, faults=faults)
        random = Random(seed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.unrest)
            for _ in range(200):
                stream.put(f"order-{random.randrange(9)}")
                await anyio.sleep(0.2)
            tasks.cancel_scope.cancel()
        return [(shard.id, len(shard.records), len(shard.parents)) for shard in stream.shards.values()]

    first = run_virtual(story, 7)
    assert first == run_virtual(story, 7)
    assert first != run_virtual(story, 8)
    assert max(parents for _, _, parents in first) == 2
