"""From the archive alone to an environment that is the lost one, whatever interrupts the restore."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import pytest

from orderstore.archive import restore as restoring
from orderstore.archive.errors import ArchiveUnfit, RestoreRefused, RestoreStopped
from orderstore.archive.manifest import manifest_key
from orderstore.archive.positions import MemoryPositions
from orderstore.archive.restore import Restored, Target, invoice_numbers
from orderstore.objects import MemoryObjectStore
from orderstore.store import items
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.comparing.compare import compare
from tests.orderstore.archive.archives import Crash, Faults, Reports, World
from tests.projections.histories import happy_commits, order_number, records_of
from tests.projections.read_side import TARGETS, ReadSide
from tests.virtual_time import run_virtual

ORDERS = 6
restore = partial(restoring.restore, commits_at_once=15)


class Counters:
    """The counters of a memory store, as only a restore may touch them."""

    def __init__(self, store: MemoryEventStore) -> None:
        self.store = store

    async def raise_to(self, name: str, taken: int) -> None:
        self.store._counters[name] = max(taken, self.store._counters.get(name, 0))


class Fresh:
    """A new environment with a read side, of which nothing is known to the old one."""

    def __init__(self) -> None:
        self.side = ReadSide()
        self.objects = MemoryObjectStore()
        self.positions = MemoryPositions()
        self.passed_over = 0

    @property
    def log(self) -> MemoryEventStore:
        return self.side.store

    def target(self, *, own_bucket: bool = True, faults: Faults | None = None) -> Target:
        """As the command puts it together."""
        faults = faults or Faults()
        projector = faults.wrap("views", self.side.another_projector())

        async def project(commits: Sequence[Commit]) -> None:
            await projector.apply(records_of(commits))

        async def pass_over() -> None:
            self.passed_over += 1

        return Target(
            log=_Log(faults.wrap("log", self.log), self.log),  # type: ignore[arg-type]  # what a restore calls
            counters=faults.wrap("counters", Counters(self.log)),
            positions=faults.wrap("positions", self.positions),
            objects=faults.wrap("objects", self.objects) if own_bucket else None,
            project=project,
            pass_over=faults.wrap("stream", _Called(pass_over)).call,
        )


class _Called:
    def __init__(self, call) -> None:
        self.call = call


class _Log:
    """A log whose calls are counted, but for its walk."""

    def __init__(self, faulty, log: MemoryEventStore) -> None:
        self.append = faulty.append
        self.streams = log.streams


async def _lost() -> World:
    """An environment with orders of a whole life, archived in some segments; its log is then out of reach."""
    world = World()
    archiver = world.archiver()
    for index in range(ORDERS):
        for commit in happy_commits(order_number(index)):
            await world.log.append(commit)
        if index % 3 == 2:
            await archiver.archive({stream: None async for stream in world.log.streams()})
    await world.grow("large", 500_000)
    await archiver.archive({stream: None async for stream in world.log.streams()})
    return world


async def _check(world: World, fresh: Fresh, *, views: bool = True) -> None:
    """The same log, item by item, and byte for byte; the counters; the views; the archive goes on in the new bucket."""
    found = {stream: list(await fresh.log.read(stream)) async for stream in fresh.log.streams()}
    history = await world.history()
    assert found == history
    for stream, commits in history.items():
        assert [items.encode(commit) for commit in found[stream]] == [items.encode(commit) for commit in commits]
    assert await fresh.log.counter("INV-2026") == ORDERS - 1
    if views:
        report = await compare(fresh.log, fresh.side.views, TARGETS, look_again_after_s=0)
        assert [wrong for wrong in report.differences if "order-large" not in wrong.stream] == []
    assert fresh.objects._contents == world.objects._contents
    going_on = World()
    going_on.log, going_on.objects, going_on.positions = fresh.log, fresh.objects, fresh.positions
    going_on.reports = Reports()
    await going_on.grow("new", 10)
    await going_on.archiver().archive({stream: None async for stream in fresh.log.streams()})
    assert going_on.reports.counts["commits"] == 1
    assert await going_on.archived() == await going_on.history()


class _NoBrokenOrder(Fresh):
    """The large order's body is no order: the read side leaves it out."""

    def target(self, **options) -> Target:
        target = super().target(**options)
        project = target.project

        async def orders_only(commits: Sequence[Commit]) -> None:
            await project([commit for commit in commits if not commit.stream.endswith("order-large")])

        return Target(
            log=target.log,
            counters=target.counters,
            positions=target.positions,
            objects=target.objects,
            project=orders_only,
            pass_over=target.pass_over,
        )


def test_what_was_lost_stands_again() -> None:
    """Log, large bodies, counters, views, positions; and the history is passed over once."""  # A08

    async def scenario() -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        seen: list[int] = []
        report = await restore(world.objects, fresh.target(), progress=lambda report: seen.append(report.manifests))
        assert report.orders == ORDERS + 1
        assert report.commits == sum(len(commits) for commits in (await world.history()).values())
        assert report.series == {"INV-2026": ORDERS - 1}
        assert len(seen) > 3
        assert seen == sorted({*seen, report.manifests})
        assert fresh.passed_over == 1
        await _check(world, fresh)

    run_virtual(scenario)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.thorough)], ids=["some", "all"])
def test_a_restore_that_dies_anywhere_is_completed_by_the_next(step: int, after: bool) -> None:
    """Before or after any call to the log, the counters, the views, the bucket, the table or the stream."""

    async def measure() -> list[str]:
        faults = Faults()
        await restore((await _lost()).objects, _NoBrokenOrder().target(faults=faults))
        return faults.names

    async def scenario(number: int) -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        with suppress(Crash):
            try:
                await restore(world.objects, fresh.target(faults=Faults(at=number, after=after)))
            except ExceptionGroup as group:
                if group.split(Crash)[1] is not None:
                    raise
        await restore(world.objects, fresh.target())
        assert fresh.passed_over >= 1
        await _check(world, fresh)

    names = run_virtual(measure)
    assert {name.partition(".")[0] for name in names} == {"log", "counters", "views", "objects", "positions", "stream"}
    for number in range(len(names), 0, -step):
        try:
            run_virtual(scenario, number)
        except BaseException as error:
            error.add_note(f"{'after' if after else 'before'} call {number}, {names[number - 1]}")
            raise


def test_into_the_same_bucket_nothing_is_copied() -> None:
    """The tables were lost and the bucket was not: the archive goes on where it was."""

    async def scenario() -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        before = dict(world.objects._contents)
        await restore(world.objects, fresh.target(own_bucket=False))
        assert world.objects._contents == before
        assert fresh.objects._contents == {}
        fresh.objects = world.objects
        applied = await fresh.positions.applied()
        assert applied is not None
        assert applied.manifest == await world.manifests()

    run_virtual(scenario)


def test_a_target_that_is_not_fresh_is_refused_untouched() -> None:
    """A log with an order in it; an archive of its own; another archive that was restored there; a life that began since."""

    async def scenario() -> None:
        world = await _lost()
        in_use = _NoBrokenOrder()
        await in_use.log.append(happy_commits()[0])
        with pytest.raises(RestoreRefused, match="not fresh: its log has main/order-"):
            await restore(world.objects, in_use.target())
        assert await in_use.positions.restoration() is None

        archived = _NoBrokenOrder()
        archived.objects._contents[manifest_key(1)] = b"{}"
        with pytest.raises(RestoreRefused, match="has an archive already"):
            await restore(world.objects, archived.target())

        other = World()
        await other.grow(7, 10)
        await other.archiver().archive({"main/order-7": None})
        restored = _NoBrokenOrder()
        await restore(world.objects, restored.target())
        with pytest.raises(RestoreRefused, match="another archive"):
            await restore(other.objects, restored.target())

        await world.grow("late", 10)
        await world.archiver().archive({"main/order-late": None})
        with pytest.raises(RestoreRefused, match="and lives"):
            await restore(world.objects, restored.target())

    run_virtual(scenario)


def test_a_finished_restore_is_not_done_again() -> None:
    """Nothing is written and nothing is passed over a second time: live events may be in the stream by then."""

    async def scenario() -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        first = await restore(world.objects, fresh.target())
        again = await restore(world.objects, fresh.target())
        assert (again.manifests, again.resumed_after) == (0, first.manifests)
        assert (first.was_complete, again.was_complete) == (False, True)
        assert (again.orders_in_all, again.commits_in_all) == (first.orders, first.commits) == await _in_log(fresh)
        assert again.through == await world.manifests()
        assert fresh.passed_over == 1

    run_virtual(scenario)


def _segments(world: World) -> list[str]:
    return [key for key in world.objects._contents if key.startswith("archive/segments/")]


@pytest.mark.thorough
def test_a_damaged_archive_is_told_whole_before_the_first_write() -> None:
    """Every fault by name, also of the last segment; the environment stays fresh; mended, it is restored."""

    async def scenario() -> None:
        with pytest.raises(RestoreRefused, match="no archive"):
            await restore(MemoryObjectStore(), _NoBrokenOrder().target())

        world, fresh = await _lost(), _NoBrokenOrder()
        contents = world.objects._contents
        keys = _segments(world)
        damaged = {key: contents[key] for key in (keys[3], keys[-1])}
        contents[keys[3]] = b"something else"
        del contents[keys[-1]]
        seen: list[int] = []
        with pytest.raises(ArchiveUnfit, match="faults: nothing was written;") as unfit:
            await restore(world.objects, fresh.target(), proving=lambda proven: seen.append(proven.manifests))
        assert {fault.kind for fault in unfit.value.faults} >= {"altered_segment", "missing_segment"}
        assert unfit.value.count == len(unfit.value.faults)
        assert seen == list(range(1, await world.manifests() + 1))
        assert [stream async for stream in fresh.log.streams()] == []
        assert fresh.objects._contents == {}
        assert await fresh.positions.restoration() is None
        assert await fresh.positions.applied() is None

        contents |= damaged
        report = await restore(world.objects, fresh.target())
        assert (report.resumed_after, report.through) == (0, await world.manifests())
        await _check(world, fresh)

    run_virtual(scenario)


async def _in_log(fresh: Fresh) -> tuple[int, int]:
    """The orders and the commits that are there."""
    counts = [len(await fresh.log.read(stream)) async for stream in fresh.log.streams()]
    return len(counts), sum(counts)


@pytest.mark.thorough
@pytest.mark.parametrize("own_bucket", [True, False], ids=["copied", "in place"])
def test_damage_that_shows_while_tables_are_made_is_told_with_what_is_in_them(own_bucket: bool) -> None:
    """The counts are the log's; the mark stays; another try before it is mended says the same counts; mended, it goes on."""

    async def scenario() -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        contents = world.objects._contents
        lost = dict(contents)

        def take_away(report: Restored) -> None:
            contents.pop(_segments(world)[-1] if len(contents) == len(lost) else "", None)

        with pytest.raises(RestoreStopped, match="missing_segment") as stopped:
            await restore(world.objects, fresh.target(own_bucket=own_bucket), progress=take_away)
        orders, commits = await _in_log(fresh)
        assert orders > 0
        assert f"{orders:,} orders, {commits:,} commits are in the tables" in str(stopped.value)
        assert "marked as being restored" in str(stopped.value)
        assert "run the same command again: it goes on" in str(stopped.value)
        noted = await fresh.positions.restoration()
        assert noted is not None
        assert noted.state == "running"
        assert f"through manifest {noted.manifest}" in str(stopped.value)

        marked = await fresh.positions.restoration()
        with pytest.raises(ArchiveUnfit, match="nothing was written by this run") as unfit:
            await restore(world.objects, fresh.target(own_bucket=own_bucket))
        assert f"through manifest {noted.manifest}, and the environment is marked" in str(unfit.value)
        assert await fresh.positions.restoration() == marked
        assert await _in_log(fresh) == (orders, commits)

        contents |= lost
        report = await restore(world.objects, fresh.target(own_bucket=own_bucket))
        assert report.resumed_after == noted.manifest
        assert (report.orders_in_all, report.commits_in_all) == await _in_log(fresh)
        if own_bucket:
            await _check(world, fresh)

    run_virtual(scenario)


def test_another_object_in_the_way_of_the_copy_is_not_overwritten() -> None:
    """Somebody put it there since the restore began."""

    async def scenario() -> None:
        world, fresh = await _lost(), _NoBrokenOrder()
        fresh.objects._contents[manifest_key(2)] = b"{}"
        with pytest.raises(RestoreRefused, match="has another"):
            await restore(world.objects, fresh.target())

    run_virtual(scenario)


def test_invoice_numbers_are_read_from_the_invoices() -> None:
    """The highest of each series, and nothing from a text that only looks like one."""
    commits = [commit for index in (3, 1, 2) for commit in happy_commits(order_number(index))]
    assert invoice_numbers(commits) == {"INV-2026": 3}
    assert invoice_numbers(commits[:2]) == {}
    assert Restored().series == {}
