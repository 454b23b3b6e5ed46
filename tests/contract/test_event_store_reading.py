"""Everything that is stored is found, and what is not as it was written is not served."""

import random

import pytest

from orderstore.store import items
from orderstore.store.chain import GENESIS
from orderstore.store.errors import CommitConflict, CorruptCommit
from tests.contract.event_logs import EVENTS, STREAM, Log, chain_of, everywhere, over_a_wire, stream_images


async def streams_of(log: Log, since_ms: int | None = None) -> set[str]:
    return {stream async for stream in log.store.streams(recorded_since_ms=since_ms)}


@everywhere
async def test_every_stream_is_named_and_old_ones_are_left_out_when_asked(log: Log) -> None:
    """Without a bound every stream; with one, those with any commit recorded at or after it."""
    for n in range(30):
        for commit in chain_of(f"shop/order-{n}", b"1", b"2", at_ms=n * 1_000):
            await log.store.append(commit)

    assert await streams_of(log) == {f"shop/order-{n}" for n in range(30)}
    assert await streams_of(log, since_ms=25_002) == {f"shop/order-{n}" for n in range(25, 30)}
    assert await streams_of(log, since_ms=10**13) == set()


@everywhere
async def test_an_image_of_the_stream_becomes_the_commit_again(log: Log) -> None:
    """What a table's stream shows of an append is the append; an image with another content is refused."""
    (commit,) = chain_of(STREAM, b'{"events":[]}' * 300)
    image = items.encode(commit).item

    assert await log.store.from_image(image) == commit
    with pytest.raises(CorruptCommit, match="hash"):
        await log.store.from_image({**image, "recorded_at": {"N": "1"}})
    with pytest.raises(CorruptCommit):
        await log.store.from_image({"subscription": {"S": "views"}})


@over_a_wire
async def test_what_the_table_streams_is_what_was_appended(log: Log) -> None:
    """One record for each commit and none for a refused or repeated one; each image is its commit again, the offloaded body fetched."""
    await log.raw.update_table(
        TableName=EVENTS, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )
    small, large = chain_of(STREAM, b'{"events":[]}' * 300, random.Random(10).randbytes(310_000))
    for commit in (small, large, small):
        await log.store.append(commit)
    with pytest.raises(CommitConflict):
        await log.store.append(chain_of(STREAM, b"late")[0])

    images = await stream_images(log)

    assert [await log.store.from_image(image) for image in images] == [small, large]


@over_a_wire
@pytest.mark.parametrize("change", ["body", "recorded_at", "hash", "encoding", "dropped"])
async def test_what_was_tampered_with_in_the_table_is_not_served(log: Log, change: str) -> None:
    """Reading raises and names stream and commit, whatever was done to the item."""
    for commit in chain_of(STREAM, b"1", b"2", b"3"):
        await log.store.append(commit)
    key = {"stream": {"S": STREAM}, "commit": {"N": "2"}}
    if change == "dropped":
        await log.raw.delete_item(TableName=EVENTS, Key=key)
    else:
        value = {"body": {"B": b"0"}, "recorded_at": {"N": "5"}, "hash": {"B": GENESIS}, "encoding": {"S": "xml"}}[
            change
        ]
        await log.raw.update_item(
            TableName=EVENTS,
            Key=key,
            UpdateExpression="SET #changed = :value",
            ExpressionAttributeNames={"#changed": change},
            ExpressionAttributeValues={":value": value},
        )

    with pytest.raises(CorruptCommit, match=f"commit 2 of {STREAM}"):
        await log.store.read(STREAM)
