"""When the database is slow, away or silent: waited out, told, or settled; and never a commit twice."""

import random

import anyio
import pytest

from orderstore.history import History
from orderstore.store.errors import CommitConflict, Refused, Throttled, Unavailable
from orderstore.transact import Contended
from tests.contract.event_logs import (
    QUICK,
    STREAM,
    Log,
    Wire,
    chain_of,
    over_a_wire,
    refusal,
    store_over,
    time_out,
)
from tests.contract.order_logs import order_of_four_events, refund, transactor_over

TURNS = 12


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
@pytest.mark.parametrize("trouble", [time_out(), refusal("InternalServerError", 500)], ids=["time-out", "server-error"])
async def test_a_read_is_tried_again_and_told_when_it_stays_impossible(log: Log, trouble: Exception) -> None:
    """Nothing is doubtful about a read; half a history is never given for a whole one."""
    assert log.wire is not None
    noise = random.Random(3)
    commits = chain_of(STREAM, *(noise.randbytes(280_000) for _ in range(5)))
    for commit in commits:
        await log.store.append(commit)
    log.wire.fail_before("query", trouble, trouble)
    assert await log.store.read(STREAM) == tuple(commits)
    log.wire.fail_before("query", *(trouble for _ in range(QUICK.tries_max)))

    with pytest.raises(Unavailable) as away:
        await log.store.read(STREAM)

    assert not away.value.ambiguous


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_throttled_after_a_time_out_is_still_a_doubt(log: Log, *, landed: bool) -> None:
    """The last word was slower, please; but an earlier try may have landed, and that is what is told."""
    assert log.wire is not None
    (commit,) = chain_of(STREAM, b"1")
    (log.wire.fail_after if landed else log.wire.fail_before)("put_item", time_out())
    log.wire.fail_before("put_item", *(refusal("ThrottlingException") for _ in range(QUICK.tries_max - 1)))

    with pytest.raises(Unavailable) as doubt:
        await log.store.append(commit)
    assert doubt.value.ambiguous
    assert await log.store.read(STREAM) == ((commit,) if landed else ())

    await log.store.append(commit)
    assert await log.store.read(STREAM) == (commit,)


@over_a_wire
async def test_a_doubtful_commit_that_others_have_built_upon_is_still_ours(log: Log) -> None:
    """It landed, unknown to its writer; others read it and went on. The repeat finds it, however long after."""
    assert log.wire is not None
    ours, *theirs = chain_of(STREAM, b"1", b"2", b"3")
    log.wire.fail_after("put_item", time_out())
    log.wire.fail_before("put_item", *(time_out() for _ in range(QUICK.tries_max - 1)))
    with pytest.raises(Unavailable):
        await log.store.append(ours)
    for commit in theirs:
        await log.store.append(commit)

    await log.store.append(ours)

    assert await log.store.read(STREAM) == (ours, *theirs)


@over_a_wire
async def test_no_time_out_ever_makes_a_duplicate(log: Log) -> None:
    """Five writers of 12 events each over a line that loses a third of all answers and a third of all requests (seed 11)."""
    assert log.wire is not None
    dice = random.Random(11)
    placed = await order_of_four_events(log)
    log.wire.spoil = lambda: dice.choice(["before", "after", None])

    async def write(n: int) -> None:
        for turn in range(TURNS):
            decide, because = refund(f"refund-{n}-{turn}")
            known = placed
            while True:
                try:
                    await transactor_over(log).transact(known, decide, cause=because)
                except (Contended, Unavailable):
                    known = History(stream=STREAM).then(*await calm.read(STREAM))
                else:
                    break

    calm = store_over(Wire(log.raw), log.blobs)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as writers:
            for n in range(5):
                writers.start_soon(write, n)

    history = History(stream=STREAM).then(*await calm.read(STREAM))
    assert history.version == 4 + 5 * TURNS
    assert len({recorded.event_id for recorded in history.events}) == history.version
