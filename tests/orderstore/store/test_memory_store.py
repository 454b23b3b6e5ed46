"""What the memory store has beyond the contract: it shows its appends, and it runs on virtual time."""

import anyio
import pytest

from orderstore.store.chain import seal
from orderstore.store.errors import CommitConflict
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.virtual_time import run_virtual


def first_commit(body: bytes = b"1") -> Commit:
    return seal(stream="a/order-1", number=1, recorded_at_ms=1, body=body, previous=None)


def test_every_commit_is_shown_once_and_in_order() -> None:
    """Repeats and conflicts are not shown: nothing was stored."""
    seen: list[Commit] = []
    late: list[Commit] = []

    async def scenario() -> None:
        store = MemoryEventStore(on_append=[seen.append])
        first = first_commit()
        second = seal(stream="a/order-1", number=2, recorded_at_ms=2, body=b"2", previous=first)
        await store.append(first)
        store.subscribe(late.append)
        await store.append(first)
        with pytest.raises(CommitConflict):
            await store.append(first_commit(b"other"))
        await store.append_numbered(second, counter="n", taken=1)
        await store.append_numbered(second, counter="n", taken=1)

        assert seen == [first, second]
        assert late == [second]

    run_virtual(scenario)


def test_writers_interleave_and_one_of_them_wins() -> None:
    """Each operation lets others run first, as a real one does: so races are raced."""

    async def scenario() -> None:
        store = MemoryEventStore()
        order: list[int] = []
        winners: set[Commit] = set()

        async def write(n: int) -> None:
            try:
                await store.append(first_commit(b"%d" % n))
            except CommitConflict as conflict:
                order.append(-1)
                winners.add(conflict.winner)
            else:
                order.append(n)

        async with anyio.create_task_group() as writers:
            for n in range(64):
                writers.start_soon(write, n)

        assert len([n for n in order if n >= 0]) == 1
        assert len(order) == 64
        assert tuple(winners) == await store.read("a/order-1")

    run_virtual(scenario)
