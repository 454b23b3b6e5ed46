"""How far a subscription has come, for callers that ask at every request."""

import anyio

from projections.stream import Lease, LeaseStoreUnavailable
from projections.stream.low_water import RecentMark
from projections.stream.memory_leases import MemoryLeaseStore
from projections.stream.observe import SilentObserver
from tests.virtual_time import run_virtual


class Leases(MemoryLeaseStore):
    """Takes a second to answer; counts the questions; fails while it is `away`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.away = False

    async def rows(self, subscription: str) -> tuple[Lease, ...]:
        self.asked += 1
        await anyio.sleep(0.1)
        if self.away:
            raise LeaseStoreUnavailable("out of reach")
        return await super().rows(subscription)


class Reports(SilentObserver):
    def __init__(self) -> None:
        self.operations: list[str] = []

    def unavailable(self, *, operation: str, error: Exception) -> None:
        self.operations.append(operation)


async def leases_at(mark_ms: int) -> Leases:
    leases = Leases()
    await leases.create(Lease(subscription="relay", shard="a", stream="arn", caught_up_to_ms=mark_ms))
    return leases


def test_one_read_serves_all_who_ask_at_once() -> None:
    """A burst of status questions after a quiet second is one question to the lease table."""

    async def scenario() -> None:
        leases = await leases_at(5_000)
        mark = RecentMark(leases, "relay", kept_s=1)
        answers: list[int | None] = []

        async def ask() -> None:
            answers.append(await mark.get())

        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask)
        assert (answers, leases.asked) == ([4_000] * 50, 1)

    run_virtual(scenario)


def test_a_lease_table_out_of_reach_fails_no_question() -> None:
    """The last mark stands, nobody is told more than is known, and the failure is reported."""

    async def scenario() -> None:
        leases, reports = await leases_at(5_000), Reports()
        leases.away = True
        mark = RecentMark(leases, "relay", kept_s=1, observer=reports)
        assert await mark.get() is None

        leases.away = False
        await anyio.sleep(2)
        assert await mark.get() == 4_000

        leases.away = True
        await anyio.sleep(2)
        assert await mark.get() == 4_000
        assert reports.operations == ["low-water mark"] * 2

    run_virtual(scenario)
