"""What is large: a long order, a commit too large for an item, one beyond all bounds."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from botocore.exceptions import ClientError

from orderstore.domain import decisions
from orderstore.history import History
from orderstore.store import items
from orderstore.store.chain import hash_of
from orderstore.store.errors import CommitConflict, CommitTooLarge, CorruptCommit, Unavailable
from orderstore.store.port import BODY_BYTES_MAX, Commit
from tests.builders import line, order_created
from tests.contract.event_logs import (
    EVENTS,
    STREAM,
    Log,
    chain_of,
    everywhere,
    over_a_wire,
    store_over,
    where_much_is_no_burden,
    with_gap,
)
from tests.contract.order_logs import transactor_over
from tests.ordering import cause

LONG = 5_000


@everywhere
async def test_a_stream_of_several_pages_is_complete(log: Log) -> None:
    """DynamoDB answers at most 1 MB at a time; an order is more."""
    noise = random.Random(5)
    commits = chain_of(STREAM, *(noise.randbytes(150_000) for _ in range(9)))
    for commit in commits:
        await log.store.append(commit)

    assert await log.store.read(STREAM) == tuple(commits)
    if log.wire is not None:
        assert log.wire.calls["query"] > 1


@everywhere
@pytest.mark.parametrize(
    "body", [random.Random(6).randbytes(400_000), b"compressible " * 90_000], ids=["noise", "text"]
)
async def test_a_commit_too_large_for_an_item_is_stored_all_the_same(log: Log, body: bytes) -> None:
    """Its body goes to an object first; reading, losing to it and streaming it give it back whole."""
    first, second = chain_of(STREAM, body, b"2")
    await log.store.append(first)
    await log.store.append(second)

    assert await log.store.read(STREAM) == (first, second)
    with pytest.raises(CommitConflict) as conflict:
        await log.store.append(chain_of(STREAM, b"late")[0])
    assert conflict.value.winner == first
    encoded = items.encode(first)
    if encoded.offloaded is not None:
        await log.blobs.put(encoded.offloaded)
    assert await log.store.from_image(encoded.item) == first


@everywhere
async def test_a_commit_beyond_all_bounds_is_refused_and_nothing_is_stored(log: Log) -> None:
    """The limit is told before anything is sent: no item, no object, no number."""
    (small,) = chain_of(STREAM, b"1")
    large = replace(small, body=bytes(BODY_BYTES_MAX + 1))
    sealed = replace(large, hash=hash_of(large))

    with pytest.raises(CommitTooLarge, match="nothing was stored"):
        await log.store.append(sealed)
    with pytest.raises(CommitTooLarge):
        await log.store.append_numbered(sealed, counter="series", taken=1)
    with pytest.raises(CommitTooLarge):
        chain_of(STREAM, large.body)

    if log.wire is not None:
        assert not log.wire.calls
    assert await log.store.read(STREAM) == ()
    assert await log.store.counter("series") == 0
    assert await log.blobs.get(items.blob_key(large.body)) is None


@everywhere
async def test_an_offloaded_body_that_is_gone_is_noticed_and_named(log: Log) -> None:
    """A dangling pointer raises, with stream and commit: it is not an empty body."""
    (large,) = chain_of(STREAM, random.Random(7).randbytes(400_000))

    with pytest.raises(CorruptCommit, match=r"commit 1 of shop/order-.*missing"):
        await log.store.from_image(items.encode(large).item)


@where_much_is_no_burden
async def test_an_order_of_5000_commits_is_read_whole_and_goes_on(log: Log) -> None:
    """Complete and in order over all its pages, from any commit on; and it takes the next commit at the price of any other."""
    commits = chain_of(STREAM, *(b'{"n":%d,"filler":"%s"}' % (n, b"x" * 200) for n in range(LONG)))
    await put_behind_the_store(log, commits)

    assert await log.store.read(STREAM) == tuple(commits)
    assert await log.store.read(STREAM, after=LONG - 10) == tuple(commits[-10:])
    (following,) = chain_of(STREAM, b"5001", after=commits[-1])
    if log.wire is not None:
        assert log.wire.calls["query"] > 2  # it is more than one page, else this shows nothing
        log.wire.calls.clear()
    await log.store.append(following)
    with pytest.raises(CommitConflict) as conflict:
        await log.store.append(chain_of(STREAM, b"late", after=commits[2_499])[0])
    assert conflict.value.winner == commits[2_500]
    if log.wire is not None:
        assert log.wire.calls == {"put_item": 2}
    assert await log.store.read(STREAM, after=LONG) == (following,)


async def put_behind_the_store(log: Log, commits: Sequence[Commit]) -> None:
    """The same items as `append` makes, 25 to a call."""
    if log.raw is None:
        for commit in commits:
            await log.store.append(commit)
        return
    for first in range(0, len(commits), 25):
        puts = [{"PutRequest": {"Item": items.encode(commit).item}} for commit in commits[first : first + 25]]
        answer = await log.raw.batch_write_item(RequestItems={EVENTS: puts})
        assert not answer["UnprocessedItems"]


@everywhere
async def test_an_order_too_large_for_an_item_is_an_order_like_any_other(log: Log) -> None:
    """Through the write path: its first commit offloads its body; what follows it, loads it and loses to it has it whole."""
    noise = random.Random(8)
    lines = tuple(line(sku=noise.randbytes(120).hex(), unit_price="1") for _ in range(3_000))
    placed, because = order_created(lines), cause("order-created")
    transactor = transactor_over(log)
    nothing = History(stream=STREAM)
    first = await transactor.transact(nothing, partial(decisions.place, order=placed), cause=because)
    assert first.head is not None
    assert items.encode(first.head).offloaded is not None

    cancel = partial(decisions.request_cancellation, reason="customer")
    grown = await transactor.transact(first, cancel, cause=cause("cancellation"))
    met = await transactor.transact(nothing, partial(decisions.place, order=placed), cause=cause("repeat"))

    assert met.events == first.events
    loaded = await transactor.load(STREAM)
    assert loaded.events == grown.events
    assert loaded.events[0].event == placed


@over_a_wire
async def test_a_body_that_cannot_be_offloaded_leaves_no_item(log: Log) -> None:
    """The object comes first: where it fails nothing is in the table, and the repeat stores both."""
    assert log.wire is not None
    (large,) = chain_of(STREAM, random.Random(9).randbytes(400_000))
    broken = store_over(log.wire, NoObjects())

    with pytest.raises(Unavailable):
        await broken.append(large)
    with pytest.raises(Unavailable):
        await broken.append_numbered(large, counter="series", taken=1)

    assert not log.wire.calls
    await log.store.append(large)
    assert await log.store.read(STREAM) == (large,)


class NoObjects:
    """A blob store whose service is away."""

    async def put(self, content: bytes) -> str:
        raise Unavailable("PutObject", tries=8, ambiguous=True)

    async def get(self, key: str) -> bytes | None:
        raise Unavailable("GetObject", tries=8, ambiguous=False)


@with_gap("moto", "moto counts a binary value by its base64 text, a third too much")
async def test_the_size_of_an_item_is_what_the_database_says_it_is(log: Log) -> None:
    """The limit is 400 KB by its count; an item of exactly that by ours is taken, and one byte more is not."""
    (commit,) = chain_of(STREAM, b"")
    item = items.encode(commit).item
    room = items.DYNAMODB_ITEM_BYTES_MAX - items.item_bytes(item)

    await log.raw.put_item(TableName=EVENTS, Item={**item, "body": {"B": bytes(room)}})
    with pytest.raises(ClientError, match="size"):
        await log.raw.put_item(TableName=EVENTS, Item={**item, "body": {"B": bytes(room + 1)}})
