"""The row by which a worker shows that it lives goes with it, also when its last heartbeat was cut short."""

import anyio
import pytest

from projections.stream import Lease, MemoryLeaseStore
from projections.stream.balance import LeaseWatch
from projections.stream.presence import Presence
from tests.virtual_time import run_virtual


class Slow(MemoryLeaseStore):
    """Writes happen at once; their answers take a second. `lost_on_the_way`: a write is cancelled before it happens."""

    def __init__(self, *, lost_on_the_way: bool = False) -> None:
        super().__init__()
        self.lost_on_the_way = lost_on_the_way

    async def create(self, lease: Lease) -> bool:
        if self.lost_on_the_way:
            await anyio.sleep(1)
        done = await super().create(lease)
        await anyio.sleep(1)
        return done

    async def replace(self, current: Lease, updated: Lease) -> None:
        if self.lost_on_the_way:
            await anyio.sleep(1)
        await super().replace(current, updated)
        await anyio.sleep(1)


@pytest.mark.parametrize("lost_on_the_way", [False, True])
@pytest.mark.parametrize("heartbeats", [0, 1, 3])
def test_a_heartbeat_that_was_cancelled_leaves_no_row_behind(heartbeats: int, lost_on_the_way: bool) -> None:
    """Whether its write had happened or not, the first one included: else the others would leave a share to nobody until it expires."""

    async def scenario() -> None:
        store = Slow()
        presence = Presence(store, subscription="views", owner="task/1")
        for _ in range(heartbeats):
            await presence.show()
        store.lost_on_the_way = lost_on_the_way
        with anyio.move_on_after(0.5):
            await presence.show()
        await presence.leave()
        assert await store.rows("views") == ()

    run_virtual(scenario)


def test_a_heartbeat_whose_answer_was_lost_is_gone_on_from() -> None:
    """The next one finds its own row as another version, takes that for its own, and is seen as alive."""

    async def scenario() -> None:
        store = Slow()
        presence = Presence(store, subscription="views", owner="task/1")
        await presence.show()
        with anyio.move_on_after(0.5):
            await presence.show()
        await presence.show()
        (row,) = await store.rows("views")
        await presence.show()
        assert (await store.rows("views"))[0].counter > row.counter
        assert await presence.sweep(await store.rows("views"), LeaseWatch(1)) == {"task/1"}
        await presence.leave()
        assert await store.rows("views") == ()

    run_virtual(scenario)


def test_a_worker_that_never_showed_itself_removes_nothing() -> None:
    """Not even a row under its own name, which it cannot have written."""

    async def scenario() -> None:
        store = MemoryLeaseStore()
        await Presence(store, subscription="views", owner="task/1").show()
        await Presence(store, subscription="views", owner="task/1").leave()
        assert len(await store.rows("views")) == 1

    run_virtual(scenario)
