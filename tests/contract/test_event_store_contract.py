"""One suite for every event store: what `orderstore/store/port.py` promises, tried on memory, moto and the embedded environment."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest

from orderstore.store import items
from orderstore.store.chain import GENESIS, hash_of
from orderstore.store.errors import (
    BrokenChain,
    CommitConflict,
    CommitTooLarge,
    CorruptCommit,
    CounterConflict,
    Refused,
    Throttled,
    Unavailable,
)
from orderstore.store.port import BODY_BYTES_MAX, Commit
from tests.contract.event_logs import EVENTS, QUICK, SERIES, Log, chain_of, dynamo_log, memory_log, refusal, time_out

STREAM = "shop/order-00000000-0000-5000-8000-000000000001"
WRITERS = 64
MEMORY = pytest.param("memory")
MOTO = pytest.param("moto", marks=pytest.mark.moto)
EMULATOR = pytest.param("ministack", marks=pytest.mark.emulator)
everywhere = pytest.mark.parametrize("kind", [MEMORY, MOTO, EMULATOR])
over_a_wire = pytest.mark.parametrize("kind", [MOTO, EMULATOR])
# moto's transactions answer 500 "dictionary changed size" under concurrency, now and then: no place to prove anything.
where_transactions_hold = pytest.mark.parametrize("kind", [MEMORY, EMULATOR])


@pytest.fixture
async def log(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    if kind == "memory":
        yield memory_log()
        return
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    async with dynamo_log(url, kind) as opened:
        yield opened


async def streams_of(log: Log, since_ms: int | None = None) -> set[str]:
    return {stream async for stream in log.store.streams(recorded_since_ms=since_ms)}


@everywhere
async def test_what_was_appended_is_read_back_whole_and_in_order(log: Log) -> None:
    """Every field of every commit comes back as it was, also from the middle on; a stream that never was is empty."""
    commits = chain_of(STREAM, *(f'{{"n":{n}}}'.encode() for n in range(12)))
    for commit in commits:
        await log.store.append(commit)

    assert await log.store.read(STREAM) == tuple(commits)
    assert await log.store.read(STREAM, after=9) == tuple(commits[9:])
    assert await log.store.read(STREAM, after=12) == ()
    assert await log.store.read("shop/order-unknown") == ()


@everywhere
async def test_one_of_64_writers_wins_each_commit_and_the_others_are_told_who(log: Log) -> None:
    """Exactly one append returns; each loser holds the winning commit, and no loser reads to get it."""  # D06
    previous: Commit | None = None
    for number in (1, 2, 3):
        rivals = [chain_of(STREAM, b'{"by":%d}' % n, after=previous, at_ms=n)[0] for n in range(WRITERS)]
        won: list[Commit] = []
        told: list[Commit] = []

        async def write(commit: Commit, won: list[Commit] = won, told: list[Commit] = told) -> None:
            try:
                await log.store.append(commit)
            except CommitConflict as conflict:
                told.append(conflict.winner)
            else:
                won.append(commit)

        async with anyio.create_task_group() as writers:
            for rival in rivals:
                writers.start_soon(write, rival)

        assert len(won) == 1
        assert told == won * (WRITERS - 1)
        previous = won[0]
        assert previous.number == number
    if log.wire is not None:
        assert log.wire.calls == {"put_item": 3 * WRITERS}
    assert len(await log.store.read(STREAM)) == 3


@everywhere
async def test_appending_the_same_commit_again_is_no_news(log: Log) -> None:
    """A repeat returns, however often and however late, and stores nothing."""
    first, second = chain_of(STREAM, b"1", b"2")
    await log.store.append(first)
    await log.store.append(second)

    await log.store.append(first)
    await log.store.append(second)

    assert await log.store.read(STREAM) == (first, second)


@everywhere
async def test_a_commit_cannot_be_made_without_the_one_before_it(log: Log) -> None:
    """A forged commit beyond a hole is refused when it is appended, or by every later read: it is never served."""
    (first,) = chain_of(STREAM, b"1")
    await log.store.append(first)
    unsealed = replace(first, number=3, previous_hash=bytes([7] * 32))
    forged = replace(unsealed, hash=hash_of(unsealed))

    if log.wire is None:
        with pytest.raises(BrokenChain, match=r"commit 3 .* hole"):
            await log.store.append(forged)
    else:
        await log.store.append(forged)
        with pytest.raises(CorruptCommit, match=r"commit 2 .* missing"):
            await log.store.read(STREAM)


@everywhere
async def test_an_unsealed_commit_is_refused_before_it_is_stored(log: Log) -> None:
    """A hash that is not that of the fields, or a first commit with a past, never reaches the log."""
    (first,) = chain_of(STREAM, b"1")
    with_a_past = replace(first, previous_hash=bytes([1] * 32))

    for broken in (
        replace(first, body=b"2"),
        replace(with_a_past, hash=hash_of(with_a_past)),
        replace(replace(first, number=2), hash=hash_of(replace(first, number=2))),
    ):
        with pytest.raises(BrokenChain):
            await log.store.append(broken)

    assert await log.store.read(STREAM) == ()


@everywhere
async def test_a_writer_on_another_past_is_refused(log: Log) -> None:
    """Two commits of one number that follow different commits are no conflict: one of them was not made from the log."""
    first, second = chain_of(STREAM, b"1", b"2")
    (other_first,) = chain_of(STREAM, b"another past")
    await log.store.append(first)
    await log.store.append(second)

    with pytest.raises(BrokenChain):
        await log.store.append(chain_of(STREAM, b"2b", after=other_first)[0])


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
    """The limit is told before anything is sent."""
    (small,) = chain_of(STREAM, b"1")
    large = replace(small, body=bytes(BODY_BYTES_MAX + 1))

    with pytest.raises(CommitTooLarge):
        await log.store.append(replace(large, hash=hash_of(large)))

    assert await log.store.read(STREAM) == ()


@everywhere
async def test_an_offloaded_body_that_is_gone_is_noticed_and_named(log: Log) -> None:
    """A dangling pointer raises, with stream and commit: it is not an empty body."""
    (large,) = chain_of(STREAM, random.Random(7).randbytes(400_000))

    with pytest.raises(CorruptCommit, match=r"commit 1 of shop/order-.*missing"):
        await log.store.from_image(items.encode(large).item)


@everywhere
async def test_a_counter_begins_at_zero_and_moves_with_the_commit(log: Log) -> None:
    """Number and commit are there together."""
    assert await log.store.counter("invoices-2026") == 0
    first, second = chain_of(STREAM, b"invoice 1", b"invoice 2")

    await log.store.append_numbered(first, counter="invoices-2026", taken=1)
    await log.store.append_numbered(second, counter="invoices-2026", taken=2)

    assert await log.store.counter("invoices-2026") == 2
    assert await log.store.counter("invoices-2027") == 0
    assert await log.store.read(STREAM) == (first, second)


@everywhere
async def test_a_numbered_append_tells_the_two_conflicts_apart(log: Log) -> None:
    """A number that is gone says where the counter is; a commit that is gone says who won; neither moves anything."""
    (first,) = chain_of(STREAM, b"first")
    await log.store.append_numbered(first, counter="series", taken=1)
    (elsewhere,) = chain_of("shop/order-elsewhere", b"wants number 1 too")
    (late,) = chain_of(STREAM, b"wants commit 1 too")

    with pytest.raises(CounterConflict) as counter_conflict:
        await log.store.append_numbered(elsewhere, counter="series", taken=1)
    with pytest.raises(CommitConflict) as commit_conflict:
        await log.store.append_numbered(late, counter="series", taken=2)
    with pytest.raises(CommitConflict):
        await log.store.append_numbered(late, counter="series", taken=1)
    with pytest.raises(CounterConflict) as too_far:
        await log.store.append_numbered(elsewhere, counter="series", taken=5)
    with pytest.raises(CounterConflict) as never_used:
        await log.store.append_numbered(elsewhere, counter="new series", taken=2)

    assert counter_conflict.value.current == 1
    assert commit_conflict.value.winner == first
    assert too_far.value.current == 1
    assert never_used.value.current == 0
    assert await log.store.counter("series") == 1
    assert await log.store.counter("new series") == 0
    assert await log.store.read("shop/order-elsewhere") == ()


@everywhere
async def test_a_numbered_append_repeated_takes_no_second_number(log: Log) -> None:
    """The same commit with the same number is the same append; so it is when others took numbers in between."""
    (first,) = chain_of(STREAM, b"first")
    (other,) = chain_of("shop/order-other", b"other")
    await log.store.append_numbered(first, counter="series", taken=1)
    await log.store.append_numbered(first, counter="series", taken=1)
    await log.store.append_numbered(other, counter="series", taken=2)

    await log.store.append_numbered(first, counter="series", taken=1)

    assert await log.store.counter("series") == 2


@where_transactions_hold
async def test_numbers_are_gap_free_under_50_concurrent_takers(log: Log) -> None:
    """Each of 50 invoices has a number, no two the same, none left out, however the takers race."""
    numbers: dict[str, int] = {}

    async def take(stream: str) -> None:
        taken = await log.store.counter("invoices") + 1
        while True:
            (commit,) = chain_of(stream, b'{"invoice":%d}' % taken)
            try:
                await log.store.append_numbered(commit, counter="invoices", taken=taken)
            except CounterConflict as conflict:
                taken = conflict.current + 1
            else:
                numbers[stream] = taken
                return

    with anyio.fail_after(120):
        async with anyio.create_task_group() as takers:
            for n in range(50):
                takers.start_soon(take, f"shop/order-{n}")

    assert sorted(numbers.values()) == list(range(1, 51))
    assert await log.store.counter("invoices") == 50
    for stream, number in numbers.items():
        (stored,) = await log.store.read(stream)
        assert stored.body == b'{"invoice":%d}' % number


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
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_time_out_on_an_append_is_settled_whether_it_landed_or_not(log: Log, *, landed: bool) -> None:
    """The caller sees one successful append, and the log holds it once."""  # D03
    assert log.wire is not None
    first, second = chain_of(STREAM, b"1", b"2")
    (log.wire.fail_after if landed else log.wire.fail_before)("put_item", time_out(), time_out())

    await log.store.append(first)
    await log.store.append(second)

    assert await log.store.read(STREAM) == (first, second)


@over_a_wire
async def test_a_time_out_whose_number_went_to_another_writer_is_a_conflict(log: Log) -> None:
    """Ours was lost on the way and the other one won: that is told, not taken for ours."""
    assert log.wire is not None
    (ours,) = chain_of(STREAM, b"ours")
    (theirs,) = chain_of(STREAM, b"theirs")
    await log.store.append(theirs)
    log.wire.fail_before("put_item", time_out())

    with pytest.raises(CommitConflict) as conflict:
        await log.store.append(ours)

    assert conflict.value.winner == theirs


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_time_out_on_a_numbered_append_takes_one_number(log: Log, *, landed: bool) -> None:
    """The transaction is asked for again and is carried out once: also by an endpoint that forgets its tokens, as moto does."""
    assert log.wire is not None
    first, second = chain_of(STREAM, b"1", b"2")
    fail = log.wire.fail_after if landed else log.wire.fail_before
    fail("transact_write_items", time_out())
    await log.store.append_numbered(first, counter="series", taken=1)
    fail("transact_write_items", time_out())
    await log.store.append_numbered(second, counter="series", taken=2)

    assert await log.store.counter("series") == 2
    assert await log.store.read(STREAM) == (first, second)


@over_a_wire
async def test_a_doubt_that_lasts_says_so_and_a_repeat_settles_it(log: Log) -> None:
    """When every try times out the error says that the commit may be there; the same append later finds out."""
    assert log.wire is not None
    (commit,) = chain_of(STREAM, b"1")
    log.wire.fail_after("put_item", time_out())
    log.wire.fail_before("put_item", *(time_out() for _ in range(QUICK.tries_max - 1)))

    with pytest.raises(Unavailable) as doubt:
        await log.store.append(commit)
    assert doubt.value.ambiguous
    await log.store.append(commit)

    assert await log.store.read(STREAM) == (commit,)


@over_a_wire
async def test_throttling_is_waited_out_and_reported_when_it_does_not_end(log: Log) -> None:
    """A few refusals are not seen by the caller; too many are `Throttled`, and nothing was stored."""
    assert log.wire is not None
    first, second = chain_of(STREAM, b"1", b"2")
    throttled = "ProvisionedThroughputExceededException"
    log.wire.fail_before("put_item", *(refusal(throttled) for _ in range(3)))
    await log.store.append(first)
    log.wire.fail_before("put_item", *(refusal(throttled) for _ in range(QUICK.tries_max)))

    with pytest.raises(Throttled):
        await log.store.append(second)

    assert await log.store.read(STREAM) == (first,)


@over_a_wire
async def test_a_refusal_is_not_tried_again(log: Log) -> None:
    """What will never work is told at once."""
    assert log.wire is not None
    log.wire.fail_before("put_item", refusal("AccessDeniedException"))

    with pytest.raises(Refused, match="AccessDenied"):
        await log.store.append(chain_of(STREAM, b"1")[0])

    assert log.wire.calls == {"put_item": 1}


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


@over_a_wire
async def test_the_counter_is_one_readable_attribute(log: Log) -> None:
    """`{series, taken}`: what an operator sees is what the next number comes from."""
    await log.store.append_numbered(chain_of(STREAM, b"1")[0], counter="DE-2026", taken=1)

    row = (await log.raw.get_item(TableName=SERIES, Key={"series": {"S": "DE-2026"}}))["Item"]

    assert row == {"series": {"S": "DE-2026"}, "taken": {"N": "1"}}
