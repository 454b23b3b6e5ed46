"""The one transaction: a commit and the next number of a series, both or neither."""

import anyio
import pytest

from orderstore.store.errors import CommitConflict, CounterConflict, Throttled, Unavailable
from tests.contract.event_logs import (
    QUICK,
    SERIES,
    STREAM,
    Log,
    cancelled,
    chain_of,
    everywhere,
    over_a_wire,
    time_out,
    where_transactions_hold,
    with_gap,
)


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
async def test_the_counter_is_one_readable_attribute(log: Log) -> None:
    """`{series, taken}`: what an operator sees is what the next number comes from."""
    await log.store.append_numbered(chain_of(STREAM, b"1")[0], counter="DE-2026", taken=1)

    row = (await log.raw.get_item(TableName=SERIES, Key={"series": {"S": "DE-2026"}}))["Item"]

    assert row == {"series": {"S": "DE-2026"}, "taken": {"N": "1"}}


@where_transactions_hold
async def test_no_number_is_ever_seen_without_its_commit(log: Log) -> None:
    """Who reads the counter and then the log finds a commit for every number; while it is written."""
    done = anyio.Event()
    looks = 0

    async def watch() -> None:
        nonlocal looks
        while not done.is_set():
            taken = await log.store.counter("series")
            assert len(await log.store.read(STREAM)) >= taken
            looks += 1

    async with anyio.create_task_group() as watching:
        watching.start_soon(watch)
        for number, commit in enumerate(chain_of(STREAM, *(b"%d" % n for n in range(20))), start=1):
            await log.store.append_numbered(commit, counter="series", taken=number)
        done.set()

    assert looks > 0
    assert await log.store.counter("series") == 20


@over_a_wire
async def test_a_doubt_about_a_number_that_lasts_says_so_and_a_repeat_settles_it(log: Log) -> None:
    """Landed or lost, the same append later takes the number once; so it does when others took numbers in between."""
    assert log.wire is not None
    first, second = chain_of(STREAM, b"1", b"2")
    (other,) = chain_of("shop/order-other", b"1")
    log.wire.fail_after("transact_write_items", time_out())
    log.wire.fail_before("transact_write_items", *(time_out() for _ in range(QUICK.tries_max - 1)))
    with pytest.raises(Unavailable) as landed:
        await log.store.append_numbered(first, counter="series", taken=1)
    log.wire.fail_before("transact_write_items", *(time_out() for _ in range(QUICK.tries_max)))
    with pytest.raises(Unavailable) as lost:
        await log.store.append_numbered(second, counter="series", taken=2)

    await log.store.append_numbered(other, counter="series", taken=2)
    await log.store.append_numbered(first, counter="series", taken=1)
    with pytest.raises(CounterConflict) as moved:
        await log.store.append_numbered(second, counter="series", taken=2)
    await log.store.append_numbered(second, counter="series", taken=moved.value.current + 1)

    assert landed.value.ambiguous
    assert lost.value.ambiguous
    assert await log.store.counter("series") == 3
    assert await log.store.read(STREAM) == (first, second)


@over_a_wire
async def test_a_time_out_whose_number_went_to_another_order_takes_the_next(log: Log) -> None:
    """Ours was lost on the way and the other one got the number: that is a conflict, and not taken for ours."""
    assert log.wire is not None
    (ours,) = chain_of(STREAM, b"ours")
    (theirs,) = chain_of("shop/order-other", b"theirs")
    await log.store.append_numbered(theirs, counter="series", taken=1)
    log.wire.fail_before("transact_write_items", time_out())

    with pytest.raises(CounterConflict) as conflict:
        await log.store.append_numbered(ours, counter="series", taken=1)

    assert conflict.value.current == 1
    assert await log.store.read(STREAM) == ()


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_counter_that_our_own_lost_answer_moved_is_no_conflict(log: Log, *, landed: bool) -> None:
    """Should the repeat be told of the counter alone: the commit is there if it was we who moved it, and else it was not."""
    assert log.wire is not None
    (ours,) = chain_of(STREAM, b"ours")
    (theirs,) = chain_of("shop/order-other", b"theirs")
    if landed:
        log.wire.fail_after("transact_write_items", time_out())
        log.wire.fail_before("transact_write_items", cancelled("None", "ConditionalCheckFailed"))
        await log.store.append_numbered(ours, counter="series", taken=1)
    else:
        await log.store.append_numbered(theirs, counter="series", taken=1)
        log.wire.fail_before("transact_write_items", time_out(), cancelled("None", "ConditionalCheckFailed"))
        with pytest.raises(CounterConflict):
            await log.store.append_numbered(ours, counter="series", taken=1)

    assert await log.store.counter("series") == 1
    assert await log.store.read(STREAM) == ((ours,) if landed else ())


@over_a_wire
async def test_a_transaction_in_the_way_is_waited_out(log: Log) -> None:
    """Cancelled because another one holds the row is no conflict; if it never ends it is told, and no number is taken."""
    assert log.wire is not None
    (commit,) = chain_of(STREAM, b"1")
    in_the_way = cancelled("None", "TransactionConflict")
    log.wire.fail_before("transact_write_items", *(in_the_way for _ in range(3)))
    await log.store.append_numbered(commit, counter="series", taken=1)
    log.wire.fail_before("transact_write_items", *(in_the_way for _ in range(QUICK.tries_max)))

    with pytest.raises(Throttled):
        await log.store.append_numbered(chain_of(STREAM, b"2", after=commit)[0], counter="series", taken=2)

    assert await log.store.counter("series") == 1
    assert await log.store.read(STREAM) == (commit,)


@with_gap("moto", "moto ignores ClientRequestToken and carries the transaction out again")
async def test_a_transaction_repeated_with_its_token_is_carried_out_once(log: Log) -> None:
    """DynamoDB's own promise, for ten minutes (API reference, TransactWriteItems); the store's own conditions hold for ever."""
    add = {
        "TableName": SERIES,
        "Key": {"series": {"S": "added"}},
        "UpdateExpression": "ADD taken :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        await log.raw.transact_write_items(TransactItems=[{"Update": add}], ClientRequestToken="a-token")

    assert await log.store.counter("added") == 1
