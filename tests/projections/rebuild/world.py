"""A log, its views, projectors that run beside a rebuild and are cut off now and then, and faults from a seed. In virtual time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import anyio

from orderstore.objects import MemoryObjectStore
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.comparing.compare import Report, compare
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import LiveTargets, Target
from projections.rebuild.book import MemoryRebuildBook
from projections.rebuild.runner import Rebuilder
from projections.rebuild.state import Rebuild
from projections.view_store import Stored, ViewStoreThrottled, ViewStoreUnavailable, Write, WriteResult
from projections.view_store.memory import MemoryViewStore
from projections.views.view import Generation, Generations, View
from tests.projections.histories import happy_commits, order_number, records_of

FAULTS = 0.03


class SlowViews(MemoryViewStore):
    """Takes its time, and fails now and then: before anything was stored, or after."""

    def __init__(self, random: Random, *, faults: float = FAULTS) -> None:
        super().__init__()
        self._random = random
        self.faults = faults
        self.commits_seen: dict[str, int] = {}

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        await self._delay()
        return await super().get(keys)

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        await self._delay()
        results = await super().write(writes)
        for write in writes:
            current = self._documents[write.key].commit
            assert current >= self.commits_seen.get(write.key, 0), f"{write.key} went backwards"
            self.commits_seen[write.key] = current
        if self._random.random() < self.faults:
            raise ViewStoreUnavailable("the answer was lost")
        return results

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        found = await super().generations(views)
        if self.faults:
            await anyio.sleep(self._random.choice([0.0, 0.05, 3.0]))  # what comes back is old by then
        return found

    async def _delay(self) -> None:
        await anyio.sleep(self._random.uniform(0, 0.1))
        if self._random.random() < self.faults:
            raise ViewStoreThrottled("nothing was done")


class FailingBook(MemoryRebuildBook):
    """One whose owner may be cut off from it, as a process that dies is."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()

    async def replace(self, before: Rebuild | None, after: Rebuild) -> bool:
        owner = after.owner or (before.owner if before is not None else None)
        if owner in self.dead:
            await anyio.sleep_forever()
        return await super().replace(before, after)


@dataclass
class World:
    """Everything, with `orders` in the log already and in the views."""

    seed: int
    view: View[Any]
    views: SlowViews = field(init=False)
    store: MemoryEventStore = field(init=False)
    book: FailingBook = field(default_factory=FailingBook)
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    waiting: list[Commit] = field(default_factory=list)
    delivered: int = 0
    projectors: list[ViewProjector] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.views = SlowViews(self.random)
        self.store = MemoryEventStore(commits_per_scan=7)
        self.projectors = [self.projector() for _ in range(3)]

    def projector(self) -> ViewProjector:
        return ViewProjector(self.store, self.views, LiveTargets(self.views, [self.view]), cache_entries=5)

    def now_ms(self) -> int:
        return 1_800_000_000_000 + round(anyio.current_time() * 1000)

    def rebuilder(self, owner: str, **changes: Any) -> Rebuilder:
        return Rebuilder(
            log=self.store,
            views=self.views,
            book=self.book,
            archive=self.objects,
            owner=owner,
            now_ms=self.now_ms,
            **changes,
        )

    async def fill(self, orders: range, *, commits: int | None = None) -> None:
        """Orders that were there before: in the log and in the first generation."""
        held = [commit for index in orders for commit in happy_commits(order_number(index))[:commits]]
        for commit in held:
            await self.store.append(commit)
        faults, self.views.faults = self.views.faults, 0.0
        await self.projectors[0].apply(records_of(held))
        self.views.faults = faults

    async def traffic(self, orders: range, *, seconds: float) -> None:
        """Commits of these orders, spread over so many seconds, each applied a moment later, some by two projectors, some out of order."""
        commits: list[Commit] = []
        lanes = [happy_commits(order_number(index)) for index in orders]
        for lane in lanes:
            there = len(await self.store.read(lane[0].stream))
            del lane[:there]
        while any(lanes):
            lane = self.random.choice([lane for lane in lanes if lane])
            commits.append(lane.pop(0))
        async with anyio.create_task_group() as tasks:
            for commit in commits:
                await anyio.sleep(self.random.uniform(0, 2 * seconds / len(commits)))
                await self.store.append(commit)
                for _ in range(self.random.choice([1, 1, 2])):
                    tasks.start_soon(partial(self._deliver, commit, after_s=self.random.choice([0.0, 0.5, 4.0])))

    async def _deliver(self, commit: Commit, *, after_s: float) -> None:
        await anyio.sleep(after_s)
        while True:  # as the stream's reader does: until it was applied
            number = self.random.randrange(len(self.projectors))
            if self.random.random() < 0.05:
                self.projectors[number] = self.projector()  # it crashed, and knows nothing any more
            try:
                with anyio.move_on_after(self.random.choice([0.02, 5.0, 20.0])) as limit:
                    await self.projectors[number].apply(records_of([commit]))
                if not limit.cancelled_caught:
                    self.delivered += 1
                    return
            except (ViewStoreThrottled, ViewStoreUnavailable):
                pass
            await anyio.sleep(0.1)

    async def generations(self) -> Generations:
        return (await MemoryViewStore.generations(self.views, [self.view.name]))[self.view.name]

    async def report_of(self, number: int) -> Report:
        self.views.faults = 0.0
        target = Target(self.view, Generation(self.view.name, number))
        return await compare(self.store, self.views, [target], looks_max=2, look_again_after_s=0.1)

    async def assert_all_equal(self) -> None:
        """Each generation that is written equals the log, sums and all."""
        for number in (await self.generations()).written:
            report = await self.report_of(number)
            assert report.equal, (self.seed, number, report.differences[:3], report.sums[:3])
            assert not report.moving

    async def assert_all_equal_in(self, number: int, *, but: frozenset[str] | set[str] = frozenset()) -> None:
        """One generation equals the log, but for orders that cannot be folded."""
        report = await self.report_of(number)
        assert {found.stream for found in report.differences} <= set(but), report.differences
        assert not report.sums

    def documents(self, number: int) -> dict[str, Write]:
        prefix = Generation(self.view.name, number).prefix
        return {
            key.removeprefix(prefix): write for key, write in self.views._documents.items() if key.startswith(prefix)
        }
