"""One lease in its owner's hands: what it may believe, and what its writes do."""

from random import Random

import anyio
import pytest

from projections.stream import (
    Lease,
    LeaseLost,
    LeaseStoreUnavailable,
    MemoryLeaseStore,
    SilentObserver,
    StreamSettings,
)
from projections.stream.coordinator import Coordinator
from projections.stream.discovery import Discovery
from projections.stream.held import HeldLease
from projections.stream.leases import AT_TRIM_HORIZON, SHARD_END, is_ahead
from tests.projections.stream.fake_stream import FakeStream, wall_ms
from tests.virtual_time import run_virtual

ROW = Lease(subscription="views", shard="shardId-1", stream="arn", owner="task/1", counter=1)


class SilentStore(MemoryLeaseStore):
    """Does what it is asked and, while it is told to, does not say so."""

    silent = False

    async def replace(self, current: Lease, updated: Lease) -> None:
        await super().replace(current, updated)
        if self.silent:
            raise LeaseStoreUnavailable("the answer was lost")


async def held_in(store: MemoryLeaseStore) -> HeldLease:
    await store.create(ROW)
    return HeldLease(store, ROW, duration_s=15, write_timeout_s=5, taken_at_s=anyio.current_time())


def test_a_write_that_happened_long_ago_is_no_renewal_now() -> None:
    """Others count from the write, so its owner must too: the second try is a write of its own, which they can see."""

    async def scenario() -> None:
        store = SilentStore()
        held = await held_in(store)
        store.silent = True
        with pytest.raises(LeaseStoreUnavailable):
            await held.store()
        (silent,) = await store.rows("views")
        store.silent = False
        await anyio.sleep(10)
        await held.store()
        (row,) = await store.rows("views")
        assert row.counter > silent.counter
        await anyio.sleep(14)
        assert held.valid()

    run_virtual(scenario)


def test_after_many_writes_without_an_answer_the_owner_still_knows_its_own_row() -> None:
    """Whichever of them was the last to happen."""

    async def scenario() -> None:
        store = SilentStore()
        held = await held_in(store)
        store.silent = True
        for number in range(1, 4):
            held.advance(sequence=str(number))
            with pytest.raises((LeaseStoreUnavailable, LeaseLost)):
                await held.store()
        store.silent = False
        held.advance(sequence="9")
        await held.store()
        (row,) = await store.rows("views")
        assert (row.owner, row.checkpoint) == ("task/1", "9")

    run_virtual(scenario)


def test_a_checkpoint_never_goes_back() -> None:
    """Records that come again are applied again, and move nothing; the mark neither."""

    async def scenario() -> None:
        held = await held_in(MemoryLeaseStore())
        for sequence, mark_ms in (("100", 5), ("99", 3), ("101", 4)):
            held.advance(sequence=sequence, caught_up_to_ms=mark_ms)
        assert (held.now.checkpoint, held.now.caught_up_to_ms) == ("101", 5)
        held.note_end()
        held.advance(sequence="102")
        assert held.now.checkpoint == SHARD_END

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("checkpoint", "of", "expected"),
    [
        ("1", AT_TRIM_HORIZON, True),
        (AT_TRIM_HORIZON, "1", False),
        (AT_TRIM_HORIZON, AT_TRIM_HORIZON, False),
        ("1000", "999", True),
        ("999", "1000", False),
        ("999", "999", False),
        (SHARD_END, "999", True),
        ("999", SHARD_END, False),
        (SHARD_END, SHARD_END, False),
    ],
)
def test_checkpoints_are_compared_as_numbers_between_the_shard_s_two_ends(
    checkpoint: str, of: str, expected: bool
) -> None:
    """Not as texts: a number with one digit more is larger."""
    assert is_ahead(checkpoint, of) is expected


def test_a_lease_that_an_earlier_try_had_taken_counts_from_the_look_before_it() -> None:
    """The take that got its answer found itself done already; others may have seen it done since right after the rows were read."""

    class Slow(MemoryLeaseStore):
        async def replace(self, current: Lease, updated: Lease) -> None:
            await super().replace(current, updated)  # the earlier try arrives
            await anyio.sleep(5)
            await super().replace(current, updated)

    async def scenario() -> None:
        stream, store, settings = FakeStream(), Slow(), StreamSettings()
        begun: list[tuple[Lease, float]] = []
        coordinator = Coordinator(
            subscription="views",
            owner="task/1",
            store=store,
            discovery=Discovery(stream.source("task/1"), settings, Random(1)),
            settings=settings,
            observer=SilentObserver(),
            random=Random(1),
            now_ms=wall_ms,
            held={},
            begin=lambda lease, taken_at_s: begun.append((lease, taken_at_s)),
        )
        await coordinator.coordinate()
        ((lease, taken_at_s),) = begun
        assert lease.owner == "task/1"
        assert taken_at_s < anyio.current_time() - 4.9

    run_virtual(scenario)
