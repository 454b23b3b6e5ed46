"""A fake stream, workers that read it, and a projection that notices what is lost, repeated or out of order."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

import anyio
from anyio.abc import TaskGroup

from projections.stream import (
    GapCause,
    Lease,
    LeaseStoreUnavailable,
    Listing,
    MemoryLeaseStore,
    Page,
    Position,
    Record,
    Shard,
    StreamReader,
    StreamSettings,
    StreamUnavailable,
)
from projections.stream.budget import RecordBudget
from projections.stream.lanes import LaneOf
from tests.projections.stream.fake_stream import FakeStream, wall_ms
from tests.projections.stream.projection import Projection, Watch

FAST = StreamSettings(discovery_interval_s=20)


class Machine:
    """One worker's way to the outside. `dead`: nothing leaves it any more, as after SIGKILL. `cut_off`: its lease table is out of reach."""

    def __init__(self, stream: FakeStream, store: MemoryLeaseStore, projection: Projection, reader: str) -> None:
        self.stream, self.store, self.projection = stream, store, projection
        self.source = stream.source(reader)
        self.dead = False
        self.cut_off = False
        self.lose_answers = 0  # so many lease writes happen without an answer
        self.frozen: anyio.Event | None = None  # what goes to the lease table waits for it
        self.held_up: list[tuple[Lease, Lease]] = []  # writes that waited so; the test delivers them at its moment

    async def listing(self) -> Listing:
        self._check_stream()
        return self.stream.with_second_parents(await self.source.listing())

    async def children(self, shard: str) -> tuple[Shard, ...]:
        self._check_stream()
        found = Listing(self.stream.arn, await self.source.children(shard))
        return self.stream.with_second_parents(found).shards

    async def iterator(self, shard: str, position: Position) -> str:
        self._check_stream()
        return await self.source.iterator(shard, position)

    async def read(self, iterator: str, limit: int) -> Page:
        self._check_stream()
        return await self.source.read(iterator, limit)

    async def apply(self, records: Sequence[Record]) -> None:
        if self.dead:
            raise RuntimeError("dead")
        await self.projection.apply(records)

    async def backfill(self, since_ms: int) -> None:
        await self.projection.backfill(since_ms)

    async def rows(self, subscription: str) -> tuple[Lease, ...]:
        await self._check_store()
        return await self.store.rows(subscription)

    async def create(self, lease: Lease) -> bool:
        await self._check_store()
        return await self.store.create(lease)

    async def replace(self, current: Lease, updated: Lease) -> None:
        if self.frozen is not None:
            self.held_up.append((current, updated))
        await self._check_store()
        await self.store.replace(current, updated)
        if self.lose_answers:
            self.lose_answers -= 1
            raise LeaseStoreUnavailable("the answer was lost")

    async def remove(self, current: Lease) -> None:
        await self._check_store()
        await self.store.remove(current)

    def _check_stream(self) -> None:
        if self.dead:
            raise StreamUnavailable("dead")

    async def _check_store(self) -> None:
        if self.frozen is not None:
            await self.frozen.wait()
        await anyio.sleep(0.003)
        if self.dead or self.cut_off:
            raise LeaseStoreUnavailable("out of reach")


class Worker:
    """A running reader that a test can stop in good order, or kill."""

    def __init__(self, machine: Machine, watch: Watch) -> None:
        self.machine = machine
        self.watch = watch
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()

    async def stop(self) -> None:
        self.scope.cancel()
        await self.ended.wait()

    async def kill(self) -> None:
        self.machine.dead = True
        await self.stop()


class World:
    """Everything that outlives a worker."""

    def __init__(self, tasks: TaskGroup, stream: FakeStream, *, subscription: str = "views") -> None:
        self.tasks = tasks
        self.stream = stream
        self.subscription = subscription
        self.store = MemoryLeaseStore()
        self.projection = Projection(stream)
        self.watches: list[Watch] = []
        self.lane_of: LaneOf | None = None
        self.settings = FAST
        self._boots = 0

    @property
    def causes(self) -> list[GapCause]:
        """Of the gaps that any worker, dead or alive, has reported."""
        return [cause for watch in self.watches for cause, _ in watch.gaps]

    async def start(
        self,
        *,
        settings: StreamSettings | None = None,
        skew_ms: int = 0,
        wait: bool = True,
        projection: Projection | None = None,
        budgets: list[RecordBudget] | None = None,
    ) -> Worker:
        self._boots += 1
        owner = f"task/{self._boots}"
        machine = Machine(self.stream, self.store, projection or self.projection, f"{self.subscription} {owner}")
        worker = Worker(machine, Watch())
        self.watches.append(worker.watch)
        reader = StreamReader(
            subscription=self.subscription,
            source=machine,
            leases=machine,
            subscriber=machine,
            owner=owner,
            now_ms=lambda: wall_ms() + skew_ms,
            random=Random(self._boots),
            lane_of=self.lane_of,
            settings=settings or self.settings,
            observer=worker.watch,
        )
        if budgets is not None:
            budgets.append(reader._context.budget)

        async def run(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            try:
                with worker.scope:
                    if wait:
                        await reader.run(task_status=task_status)
                    else:
                        task_status.started()
                        await reader.run()
            finally:
                worker.ended.set()

        await self.tasks.start(run)
        return worker

    async def write_for(self, seconds: float, *, rate: float = 5, keys: int = 20, seed: int = 1) -> None:
        """Write to random items at random moments."""
        random = Random(seed)
        ends_at_s = anyio.current_time() + seconds
        while anyio.current_time() < ends_at_s:
            self.stream.put(f"order-{random.randrange(keys)}")
            await anyio.sleep(random.expovariate(rate))

    async def settled(self, *, within_s: float = 120) -> None:
        """Wait until everything written has arrived."""
        await until(
            lambda: not self.projection.missing(),
            within_s=within_s,
            otherwise=lambda: f"missing {self.projection.missing()[:5]} …",
        )

    async def leases(self) -> dict[str, Lease]:
        return {
            row.shard: row for row in await self.store.rows(self.subscription) if not row.shard.startswith("worker/")
        }


async def caught_up(here: World) -> None:
    """Bring a subscription up to date and wait until its mark has left the bootstrap behind."""
    worker = await here.start()
    await anyio.sleep(30)
    await here.settled()
    await worker.stop()


async def both_own(first: Worker, second: Worker, count: int) -> None:
    await until(
        lambda: first.watch.owned == second.watch.owned == count,
        within_s=60,
        otherwise=lambda: (first.watch.owned, second.watch.owned),
    )


async def until(
    condition: Callable[[], bool], *, within_s: float, otherwise: Callable[[], object] = lambda: "condition"
) -> None:
    """Wait in virtual time for a condition; fail with `otherwise()` when it does not come about."""
    deadline_s = anyio.current_time() + within_s
    while not condition():
        if anyio.current_time() > deadline_s:
            raise AssertionError(f"not within {within_s} virtual seconds: {otherwise()}")
        await anyio.sleep(0.05)


@asynccontextmanager
async def world(stream: FakeStream, *, subscription: str = "views", heals: bool = True) -> AsyncIterator[World]:
    """A world whose workers end with the block."""
    async with anyio.create_task_group() as tasks:
        here = World(tasks, stream, subscription=subscription)
        here.projection.heals = heals
        yield here
        tasks.cancel_scope.cancel()
