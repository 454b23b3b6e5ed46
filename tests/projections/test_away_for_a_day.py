"""The projector is down for longer than the stream keeps records, under load; afterwards every view equals the log."""

from collections.abc import Callable
from random import Random

import anyio
import pytest

from orderstore.codec import encode
from orderstore.domain.ids import stream_of
from orderstore.recorded import Actor, Cause
from orderstore.store import items
from orderstore.store.chain import seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.commits import order_of_record
from projections.comparing.compare import Report, compare
from projections.projecting.projector import ViewProjector
from projections.stream import GapCause
from tests.builders import NOON
from tests.projections.bringing_up import Unquarantined
from tests.projections.histories import TENANT, Groups, happy_groups, order_number
from tests.projections.read_side import TARGETS, CountingObserver, WatchedViews
from tests.projections.stream.fake_stream import FakeStream, Faults, wall_ms
from tests.projections.stream.world import World, until, world
from tests.virtual_time import run_seeded

HOUR_S = 3_600
SEEDS = range(1, 4)
pytestmark = pytest.mark.thorough


class Order:
    """One order that grows by a commit at a time, at whatever moment."""

    def __init__(self, order_id: str, groups: Groups) -> None:
        self.id = order_id
        self._groups = list(groups)
        self._version = 1
        self._last: Commit | None = None

    @property
    def over(self) -> bool:
        return not self._groups

    def next_commit(self) -> Commit:
        events = self._groups.pop(0)
        number = 1 if self._last is None else self._last.number + 1
        cause = Cause(
            causation_id=f"{self.id}-{number}",
            purpose="test",
            correlation_id=self.id,
            actor=Actor("service", "test"),
            source="test",
        )
        body = encode(events, cause=cause, first_version=self._version, occurred_at=NOON)
        self._version += len(events)
        self._last = seal(
            stream=stream_of(TENANT, self.id), number=number, recorded_at_ms=wall_ms(), body=body, previous=self._last
        )
        return self._last


class Service:
    """The log with its stream, the views, and customers who never stop."""

    def __init__(self, stream: FakeStream, seed: int) -> None:
        self.stream = stream
        self.store = MemoryEventStore(on_append=[self._to_stream])
        self.views = WatchedViews()
        self.observer = CountingObserver()
        self._random = Random(seed)
        self._growing: list[Order] = []
        self._orders = 0
        self.commits = 0

    def projector(self) -> Unquarantined:
        return Unquarantined(ViewProjector(self.store, self.views, TARGETS, observer=self.observer))

    async def load(self, seconds: float, *, every_s: float) -> None:
        """Orders begin and go on at random moments, up to ten of them at a time."""
        ends_at_s = anyio.current_time() + seconds
        while anyio.current_time() < ends_at_s:
            await anyio.sleep(self._random.expovariate(1 / every_s))
            if len(self._growing) < 10:
                self._orders += 1
                order_id = order_number(self._orders)
                self._growing.append(Order(order_id, happy_groups(order_id)))
            order = self._random.choice(self._growing)
            for _ in range(self._random.choice((1, 1, 1, 3))):  # now and then several in a moment
                if not order.over:
                    await self.store.append(order.next_commit())
                    self.commits += 1
            self._growing = [order for order in self._growing if not order.over]

    async def compare(self) -> Report:
        return await compare(self.store, self.views, TARGETS, look_again_after_s=1)

    def _to_stream(self, commit: Commit) -> None:
        image = items.encode(commit).item
        keys = {"stream": image["stream"], "commit": image["commit"]}
        self.stream.put_item(commit.stream, keys=keys, image=image)


async def equal(service: Service, *, within_s: float) -> None:
    """Wait until every view equals the log; the load has ended."""
    with anyio.move_on_after(within_s):
        while not (await service.compare()).equal:  # noqa: ASYNC110 - virtual time
            await anyio.sleep(5)
    report = await service.compare()
    assert report.equal, report.differences[:3]
    assert report.orders > 0


def run_away(seed: int, faults: Faults, story: Callable[[World, Service], object]) -> None:
    print(f"seed {seed}: {faults}")  # noqa: T201 - shown when it fails

    async def scenario() -> None:
        stream = FakeStream(seed=seed, shards=2, faults=faults)
        async with world(stream) as here:
            here.lane_of = order_of_record
            here.tasks.start_soon(stream.unrest)
            await story(here, Service(stream, seed))

    run_seeded(seed, scenario)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_projector_that_was_down_for_25_hours_under_load_ends_with_equal_views(seed: int) -> None:
    """The gap is noticed, told with its cause, healed from the table; then it is read live again."""  # fault 20, design 4
    faults = Faults(roll_over_every_s=4 * HOUR_S, split=0.2, reorder=0.2, throttle=0.02, unavailable=0.02, rewind=0.1)

    async def story(here: World, service: Service) -> None:
        first = await here.start(projection=service.projector())
        await service.load(HOUR_S, every_s=20)
        await first.kill()
        assert first.watch.gaps == []
        before = service.commits

        await service.load(25 * HOUR_S, every_s=120)
        here.stream.trim(older_than_s=24 * HOUR_S)
        kept = sum(len(shard.records) - shard.trimmed for shard in here.stream.shards.values())
        assert kept < service.commits - before - 10
        assert service.commits - before > 500
        assert not (await service.compare()).equal

        second = await here.start(projection=service.projector(), wait=False)
        await service.load(HOUR_S / 2, every_s=10)
        await equal(service, within_s=600)

        causes = {cause for cause, _ in second.watch.gaps}
        assert causes <= {GapCause.TRIMMED, GapCause.VANISHED, GapCause.UNPROVEN_START, GapCause.LINEAGE_BROKEN}
        assert causes
        assert second.watch.bootstraps == 0
        assert service.observer.counts["back-filled commits views"] > 500
        assert service.observer.counts["missing order_status"] > 0  # commits that came before their predecessors
        # It was a matter of hours, one could see that it was over, and after the healing that all is well again.
        assert min(left_ms for _, left_ms in second.watch.behind_ms) < 0
        lag_ms, left_ms = second.watch.behind_ms[-1]
        assert lag_ms < 30_000
        assert left_ms > 23.9 * HOUR_S * 1_000

    run_away(seed, faults, story)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_projector_that_was_down_for_an_hour_needs_no_backfill(seed: int) -> None:
    """What the stream still has is read from the stream."""
    faults = Faults(roll_over_every_s=600, split=0.2, throttle=0.02, short_page=0.2)

    async def story(here: World, service: Service) -> None:
        first = await here.start(projection=service.projector())
        await service.load(HOUR_S / 4, every_s=20)
        await first.stop()
        await service.load(HOUR_S, every_s=20)
        filled = service.observer.counts["back-filled commits views"]
        second = await here.start(projection=service.projector())
        await service.load(HOUR_S / 4, every_s=20)
        await equal(service, within_s=600)
        assert second.watch.gaps == []
        assert service.observer.counts["back-filled commits views"] == filled

    run_away(seed, faults, story)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_that_was_off_for_an_hour_under_load_is_healed_from_the_table(seed: int) -> None:
    """What was written meanwhile is in no stream at all."""  # fault 26

    async def story(here: World, service: Service) -> None:
        worker = await here.start(projection=service.projector())
        await service.load(HOUR_S / 4, every_s=20)
        here.stream.disable()
        await service.load(HOUR_S, every_s=20)
        here.stream.enable()
        await service.load(HOUR_S / 4, every_s=20)
        await equal(service, within_s=600)
        assert {cause for cause, _ in worker.watch.gaps} == {GapCause.STREAM_REPLACED}

    run_away(seed, Faults(roll_over_every_s=600 * HOUR_S, reorder=0.2), story)


def test_a_commit_that_the_stream_never_brought_is_read_from_the_log_with_the_next_one_and_counted() -> None:
    """It is missing in no view, and somebody is told."""

    async def story(here: World, service: Service) -> None:
        await here.start(projection=service.projector())
        await anyio.sleep(10)
        order = Order(order_number(1), happy_groups(order_number(1)))
        await service.store.append(order.next_commit())
        here.stream.enabled = False  # the next record is lost
        await service.store.append(order.next_commit())
        here.stream.enabled = True
        await anyio.sleep(60)
        assert not (await service.compare()).equal
        await service.store.append(order.next_commit())
        await until(lambda: service.observer.counts["missing order_status"] == 1, within_s=10)
        await equal(service, within_s=60)

    run_away(1, Faults(roll_over_every_s=600 * HOUR_S), story)
