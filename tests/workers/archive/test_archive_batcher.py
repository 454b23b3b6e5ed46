"""Many messages, one segment: nobody is done before its own order is archived, and nobody waits for ever."""

from functools import partial
from random import Random

import anyio
import pytest

from orderstore.archive.errors import LogBehindHint
from orderstore.archive.limits import Limits
from orderstore.archive.writer import Outcome
from orderstore.store.errors import Unavailable
from tests.orderstore.archive.archives import Reports, World, stream_of
from tests.virtual_time import run_virtual
from workers.archive.batcher import Batcher, FlushFailed
from workers.archive.hint import Hint

LINGER_S = 5.0


class Archive:
    """Stands for the archiver: remembers what it was asked for, takes some time, and fails when told to."""

    def __init__(self, *, takes_s: float = 1.0) -> None:
        self.takes_s = takes_s
        self.asked: list[dict[str, int | None]] = []
        self.done: list[dict[str, int | None]] = []
        self.failures: list[Exception] = []
        self.faults: dict[str, Exception] = {}
        self.at_work = 0

    async def __call__(self, wanted) -> Outcome:
        assert self.at_work == 0, "one at a time"
        self.at_work += 1
        try:
            self.asked.append(dict(wanted))
            await anyio.sleep(self.takes_s)
            if self.failures:
                raise self.failures.pop(0)
            self.done.append(dict(wanted))
            return Outcome({stream: commit or 1 for stream, commit in wanted.items()}, dict(self.faults))
        finally:
            self.at_work -= 1


class Scene:
    def __init__(self, archive: Archive | None = None, *, messages_max: int = 100) -> None:
        self.archive = archive or Archive()
        self.reports = Reports()
        self.batcher = Batcher(
            self.archive,
            linger_s=LINGER_S,
            messages_max=messages_max,
            now_ms=lambda: round(anyio.current_time() * 1_000),
            observer=self.reports,
        )
        self.ended: dict[str, float] = {}
        self.failed: dict[str, BaseException] = {}

    async def message(self, name: str, order: int, commit: int | None, *, deadline_s: float = 60.0) -> None:
        """A handler's call, with its deadline."""
        hint = Hint(stream_of(order), commit, sent_at_ms=round(anyio.current_time() * 1_000))
        with anyio.move_on_after(deadline_s):
            try:
                await self.batcher.archived(hint)
            except Exception as error:  # noqa: BLE001 - what the loop would classify
                self.failed[name] = error
            else:
                self.ended[name] = anyio.current_time()


def test_company_is_waited_for_and_everybody_is_done_together() -> None:
    """Three messages of two orders within the linger: one call, the highest commit of each order."""

    async def scenario() -> None:
        scene = Scene()
        async with anyio.create_task_group() as handlers:
            handlers.start_soon(scene.message, "a", 1, 3)
            await anyio.sleep(2)
            handlers.start_soon(scene.message, "b", 1, 7)
            handlers.start_soon(scene.message, "c", 2, 1)
        assert scene.archive.done == [{stream_of(1): 7, stream_of(2): 1}]
        assert set(scene.ended.values()) == {LINGER_S + 1}

    run_virtual(scenario)


def test_a_hint_without_a_number_asks_for_all_there_is() -> None:
    """Whatever the others of its order name."""

    async def scenario() -> None:
        scene = Scene()
        async with anyio.create_task_group() as handlers:
            for name, commit in (("a", 3), ("b", None), ("c", 5)):
                handlers.start_soon(scene.message, name, 1, commit)
        assert scene.archive.done == [{stream_of(1): None}]

    run_virtual(scenario)


def test_nobody_is_done_before_the_archive_is() -> None:
    """While the segment is being written not one of its messages is acknowledged."""

    async def scenario() -> None:
        scene = Scene(Archive(takes_s=10))
        async with anyio.create_task_group() as handlers:
            for number in range(20):
                handlers.start_soon(scene.message, str(number), number, 1)
            await anyio.sleep(LINGER_S + 9.9)
            assert scene.ended == {}
        assert len(scene.ended) == 20

    run_virtual(scenario)


def test_a_full_batch_does_not_linger_and_the_next_gathers_meanwhile() -> None:
    """Bounded batches, one call at a time, each message in one of them."""

    async def scenario() -> None:
        scene = Scene(messages_max=10)
        async with anyio.create_task_group() as handlers:
            for number in range(25):
                handlers.start_soon(scene.message, str(number), number, 1)
        assert sorted(len(asked) for asked in scene.archive.done) == [5, 10, 10]
        assert max(scene.ended.values()) == LINGER_S + 1
        assert min(scene.ended.values()) == 1

    run_virtual(scenario)


def test_a_failure_is_everybodys() -> None:
    """Each message of the batch is to be tried again; the next batch is another one."""

    async def scenario() -> None:
        scene = Scene()
        scene.archive.failures = [Unavailable("PutObject", tries=8, ambiguous=True)]
        async with anyio.create_task_group() as handlers:
            handlers.start_soon(scene.message, "a", 1, 1)
            handlers.start_soon(scene.message, "b", 2, 1)
        assert {name: type(error) for name, error in scene.failed.items()} == {"a": FlushFailed, "b": FlushFailed}
        assert isinstance(scene.failed["a"].__cause__, Unavailable)
        await scene.message("c", 1, 1)
        assert set(scene.ended) == {"c"}

    run_virtual(scenario)


def test_one_orders_fault_is_its_own() -> None:
    """The other orders of the batch are archived and done."""

    async def scenario() -> None:
        scene = Scene()
        scene.archive.faults = {stream_of(1): LogBehindHint("it ends before")}
        async with anyio.create_task_group() as handlers:
            handlers.start_soon(scene.message, "a", 1, 9)
            handlers.start_soon(scene.message, "b", 2, 1)
        assert isinstance(scene.failed["a"], LogBehindHint)
        assert set(scene.ended) == {"b"}

    run_virtual(scenario)


def test_when_the_leader_is_cancelled_another_one_leads() -> None:
    """While lingering: the time that has passed counts. While writing: the work is begun again, for all of them."""

    async def lingering() -> None:
        scene = Scene()
        async with anyio.create_task_group() as handlers:
            handlers.start_soon(partial(scene.message, "leader", 1, 1, deadline_s=2))
            await anyio.sleep(1)
            handlers.start_soon(scene.message, "b", 2, 1)
        assert scene.ended == {"b": LINGER_S + 1}
        assert scene.archive.done == [{stream_of(1): 1, stream_of(2): 1}]

    async def writing() -> None:
        scene = Scene(Archive(takes_s=4))
        async with anyio.create_task_group() as handlers:
            handlers.start_soon(partial(scene.message, "leader", 1, 1, deadline_s=LINGER_S + 3))
            await anyio.sleep(1)
            handlers.start_soon(scene.message, "b", 2, 1)
        assert scene.ended == {"b": LINGER_S + 3 + 4}
        assert len(scene.archive.asked) == 2
        assert scene.archive.done == [{stream_of(1): 1, stream_of(2): 1}]

    run_virtual(lingering)
    run_virtual(writing)


def test_when_all_are_cancelled_the_batch_is_forgotten() -> None:
    """A stop that does not wait: nothing hangs, nothing leaks into the next batch, and the lag is not theirs for ever."""

    async def scenario() -> None:
        # One that was cut short is followed by one half as large: of three, by one, which waits for no company.
        for when_s, lingers_s in ((1.0, LINGER_S), (LINGER_S + 0.5, 0)):
            scene = Scene()
            async with anyio.create_task_group() as handlers:
                for number in range(3):
                    handlers.start_soon(partial(scene.message, str(number), number, 1, deadline_s=when_s))
            assert scene.ended == {}
            started = anyio.current_time()
            await scene.message("later", 7, 1)
            assert scene.archive.done == [{stream_of(7): 1}]
            assert scene.ended["later"] == started + lingers_s + 1
            assert scene.reports.lags_ms[-1] == 0

    run_virtual(scenario)


class SlowArchive(Archive):
    """So slow that a full batch takes longer than any message has: a second for each order."""

    async def __call__(self, wanted) -> Outcome:
        self.takes_s = float(len(wanted))
        return await super().__call__(wanted)


def test_a_batch_that_is_too_large_for_its_time_comes_again_in_smaller_ones() -> None:
    """Each message has ten seconds, 64 orders take 64: as large again they would be cut short for ever. Then the archive is quick again."""

    async def scenario() -> None:
        archive = SlowArchive()
        scene = Scene(archive, messages_max=32)

        async def until_done(order: int) -> None:
            while (name := str(order)) not in scene.ended:
                await scene.message(name, order, 1, deadline_s=10)

        with anyio.fail_after(1_200):
            async with anyio.create_task_group() as group:
                for order in range(64):
                    group.start_soon(until_done, order)
        sizes = [len(done) for done in archive.done]
        assert len({stream for done in archive.done for stream in done}) == 64
        assert max(sizes) < 10
        archive.asked.clear()
        for number in range(6):
            async with anyio.create_task_group() as group:
                for order in range(32):
                    group.start_soon(
                        partial(scene.message, f"later {number} {order}", 100 + order, 2, deadline_s=3_600)
                    )
        assert max(len(asked) for asked in archive.asked) == 32

    run_virtual(scenario)


def test_the_lag_is_the_age_of_the_oldest_hint_that_is_not_archived() -> None:
    """It grows while the archive fails, message by message redelivered with its first time, and ends at 0."""

    async def scenario() -> None:
        scene = Scene()
        scene.archive.failures = [Unavailable("PutObject", tries=8, ambiguous=True)] * 2
        for _ in range(3):
            hint = Hint(stream_of(1), 1, sent_at_ms=0)
            try:
                await scene.batcher.archived(hint)
            except FlushFailed:
                await anyio.sleep(10)
        # 5 s of lingering, 1 s of work, 10 s until it comes again
        assert scene.reports.lags_ms == [5_000, 21_000, 37_000, 0]

    run_virtual(scenario)


def test_numbers_that_make_no_sense_are_refused() -> None:
    """At construction."""
    with pytest.raises(ValueError, match="linger_s"):
        Batcher(Archive(), linger_s=-1, messages_max=1, now_ms=lambda: 0)
    with pytest.raises(ValueError, match="messages_max"):
        Batcher(Archive(), linger_s=1, messages_max=0, now_ms=lambda: 0)


async def _storm(seed: int) -> None:
    """The real archiver under messages that are cancelled, redelivered and processed by two workers at once."""
    random = Random(seed)
    world = World(limits=Limits(segment_raw_bytes=2_000, segment_orders=4))
    done: dict[str, int] = {}

    async def deliver(batchers: list[Batcher], order: int, commit: int | None) -> None:
        await anyio.sleep(random.uniform(0, 20))
        hint = Hint(stream_of(order), commit, sent_at_ms=world.time_ms)
        for _ in range(50):
            with anyio.move_on_after(random.choice([0.5, 4, 8, 15])):
                try:
                    await random.choice(batchers).archived(hint)
                except FlushFailed:
                    continue
                position = (await world.positions.get([hint.stream]))[hint.stream]
                assert position.through >= (commit or 1), f"seed {seed}: acknowledged too early"
                done[hint.stream] = max(done.get(hint.stream, 0), position.through)
                return
        raise AssertionError(f"seed {seed}: {hint} was never archived")

    batchers = [
        Batcher(
            world.archiver(slow=random).archive,
            linger_s=random.choice([0.1, 1, 5]),
            messages_max=random.choice([2, 10, 100]),
            now_ms=world.now_ms,
            observer=world.reports,
        )
        for _ in range(2)
    ]
    async with anyio.create_task_group() as messages:
        for _ in range(40):
            order = random.randrange(8)
            number = (await world.grow(order, random.randrange(1, 300))).number
            for _ in range(random.choice([1, 1, 2])):
                messages.start_soon(deliver, batchers, order, random.choice([number, number, None]))
    assert await world.archived() == await world.history()
    assert done == {stream: len(commits) for stream, commits in (await world.history()).items()}


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 60), marks=pytest.mark.thorough)], ids=str)
def test_a_storm_of_messages_over_two_workers_archives_each_commit_once(seeds: range) -> None:
    """And acknowledges none before its commit is there."""  # A08
    for seed in seeds:
        try:
            run_virtual(_storm, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
