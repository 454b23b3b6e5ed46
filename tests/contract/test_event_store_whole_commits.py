"""A commit holds all its events or is not there: in the table, to a reader, after a failure."""

import anyio
import pytest

from orderstore.history import History
from orderstore.store.errors import Unavailable
from tests.contract.event_logs import EVENTS, QUICK, STREAM, Log, everywhere, over_a_wire, time_out
from tests.contract.order_logs import confirming, order_of_four_events, order_of_two_events, transactor_over


@over_a_wire
async def test_one_append_is_one_item_and_one_call_whatever_it_holds(log: Log) -> None:
    """Four events in three commits are three items, made by three calls."""
    await order_of_four_events(log)

    assert log.wire is not None
    assert log.wire.calls == {"put_item": 3}
    assert (await log.raw.scan(TableName=EVENTS, Select="COUNT", ConsistentRead=True))["Count"] == 3


@everywhere
async def test_no_reader_ever_sees_half_a_commit(log: Log) -> None:
    """The order is seen at versions 0, 1, 2 and 4, while it is written: never at 3."""
    seen: set[int] = set()
    written = anyio.Event()

    async def watch() -> None:
        transactor = transactor_over(log)
        while not written.is_set():
            seen.add((await transactor.load(STREAM)).version)

    async with anyio.create_task_group() as watching:
        for _ in range(4):
            watching.start_soon(watch)
        await order_of_four_events(log)
        written.set()

    seen.add((await transactor_over(log).load(STREAM)).version)
    assert seen <= {0, 1, 2, 4}
    assert 4 in seen


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_failed_append_leaves_all_its_events_or_none(log: Log, *, landed: bool) -> None:
    """The writer knows that it does not know; the log is at version 2 or 4, and the repeat makes it 4 and no more."""
    assert log.wire is not None
    before = await order_of_two_events(log)
    decide, because = confirming()
    if landed:
        log.wire.fail_after("put_item", time_out())
    log.wire.fail_before("put_item", *(time_out() for _ in range(QUICK.tries_max - landed)))

    with pytest.raises(Unavailable) as doubt:
        await transactor_over(log).transact(before, decide, cause=because)

    assert doubt.value.ambiguous
    stored = await transactor_over(log).load(STREAM)
    assert stored.version == (4 if landed else 2)
    for known in (before, stored, History(stream=STREAM).then(*await log.store.read(STREAM))):
        assert (await transactor_over(log).transact(known, decide, cause=because)).version == 4
    assert len(await log.store.read(STREAM)) == 3
