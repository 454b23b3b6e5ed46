"""Many writers, one order: one wins each commit, and the others know who without asking."""

import anyio
import pytest

from orderstore.domain.events import RefundRequested
from orderstore.domain.rejections import RefundTooLarge
from orderstore.store.errors import CommitConflict
from orderstore.store.port import Commit
from orderstore.transact import Contended
from tests.contract.event_logs import STREAM, WRITERS, Log, chain_of, everywhere, where_much_is_no_burden
from tests.contract.order_logs import PIECES, order_of_four_events, refund, transactor_over


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


@pytest.mark.thorough
@where_much_is_no_burden
async def test_all_64_rivals_land_in_the_end_each_once(log: Log) -> None:
    """Through the write path: who loses folds the winner and decides again without a read; who loses 16 rounds is told that nothing
    was stored, and comes back."""  # D06
    placed = await order_of_four_events(log)
    transactor = transactor_over(log)
    returned = 0
    if log.wire is not None:
        log.wire.calls.clear()

    async def give_back(n: int) -> None:
        nonlocal returned
        decide, because = refund(f"refund-{n}")
        known = placed
        while True:
            try:
                await transactor.transact(known, decide, cause=because)
            except Contended:
                returned += 1
                known = await transactor.load(STREAM)
            else:
                return

    with anyio.fail_after(120):
        async with anyio.create_task_group() as writers:
            for n in range(WRITERS):
                writers.start_soon(give_back, n)

    if log.wire is not None:
        assert log.wire.calls["query"] == returned
        assert set(log.wire.calls) <= {"put_item", "query"}
    history = await transactor.load(STREAM)
    assert [recorded.version for recorded in history.events] == list(range(1, 4 + WRITERS + 1))
    assert [recorded.commit for recorded in history.events[4:]] == list(range(4, 3 + WRITERS + 1))
    assert len({recorded.event_id for recorded in history.events}) == 4 + WRITERS
    assert {past.event.refund_id for past in history.events if isinstance(past.event, RefundRequested)} == {
        f"refund-{n}" for n in range(WRITERS)
    }


@pytest.mark.thorough
@where_much_is_no_burden
async def test_a_limit_holds_however_many_try_to_pass_it_at_once(log: Log) -> None:
    """64 pieces were ordered and 72 ask for one back: each decides on what is stored by then, so eight are refused."""
    placed = await order_of_four_events(log)
    transactor = transactor_over(log)
    refused: list[int] = []

    async def give_back(n: int) -> None:
        decide, because = refund(f"refund-{n}")
        known = placed
        while True:
            try:
                await transactor.transact(known, decide, cause=because)
            except Contended:
                known = await transactor.load(STREAM)
            except RefundTooLarge:
                refused.append(n)
                return
            else:
                return

    with anyio.fail_after(120):
        async with anyio.create_task_group() as writers:
            for n in range(PIECES + 8):
                writers.start_soon(give_back, n)

    assert len(refused) == 8
    assert (await transactor.load(STREAM)).version == 4 + PIECES


@everywhere
async def test_the_same_command_by_64_at_once_is_carried_out_once(log: Log) -> None:
    """Deliveries of one message to many workers: each returns the same history, and the log has its event once."""
    placed = await order_of_four_events(log)
    decide, because = refund("the one")
    seen: list[int] = []

    async def work() -> None:
        history = await transactor_over(log).transact(placed, decide, cause=because)
        seen.append(history.version)

    async with anyio.create_task_group() as workers:
        for _ in range(WRITERS):
            workers.start_soon(work)

    assert seen == [5] * WRITERS
    assert (await transactor_over(log).load(STREAM)).version == 5


@everywhere
async def test_rivals_on_different_orders_never_meet(log: Log) -> None:
    """64 orders, 64 writers, no conflict: what is contended is one order, never the table."""
    orders = {f"shop/order-{n}": chain_of(f"shop/order-{n}", b"1", b"2") for n in range(WRITERS)}

    async def write(stream: str) -> None:
        for commit in orders[stream]:
            await log.store.append(commit)

    async with anyio.create_task_group() as writers:
        for stream in orders:
            writers.start_soon(write, stream)

    if log.wire is not None:
        assert log.wire.calls == {"put_item": 2 * WRITERS}
    for stream, commits in orders.items():
        assert await log.store.read(stream) == tuple(commits)
