"""Every commit is archived exactly once, whatever is asked for twice."""

from contextlib import aclosing

import msgspec
import pytest

from orderstore.archive.errors import ArchiveContended, ArchiveDamaged, LogBehindHint, OrderForked, PositionsAstray
from orderstore.archive.limits import Limits
from orderstore.archive.manifest import manifest_key
from orderstore.archive.positions import MemoryPositions
from orderstore.archive.segment import RAW_BYTES_MAX, line_of, pack
from orderstore.store.errors import CorruptCommit, Unavailable
from orderstore.store.memory import MemoryEventStore
from tests.orderstore.archive.archives import SMALL, Crash, Faults, World, stream_of, wanted
from tests.virtual_time import run_virtual


def test_what_the_log_has_is_in_the_archive_once() -> None:
    """Asked for twice, and once more by another process: the same commits, in their order."""  # A08

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10, 20, 30)
        await world.grow(2, 40)
        first = world.archiver()

        assert (await first.archive(wanted(1, 2))).through == {stream_of(1): 3, stream_of(2): 1}
        assert (await first.archive(wanted(1, 2))).through == {stream_of(1): 3, stream_of(2): 1}
        assert (await world.archiver().archive(wanted(1, commit=2))).through == {stream_of(1): 3}

        assert await world.archived() == await world.history()
        assert await world.manifests() == 1

    run_virtual(scenario)


def test_only_what_is_new_is_added() -> None:
    """An order grows: each segment continues where the last one ended."""

    async def scenario() -> None:
        world = World()
        archiver = world.archiver()
        for _ in range(5):
            await world.grow(1, 10)
            await archiver.archive(wanted(1))
        assert await world.archived() == await world.history()
        assert await world.manifests() == 5
        assert world.reports.counts["commits"] == 5

    run_virtual(scenario)


def test_a_hint_that_is_behind_costs_one_read_of_the_positions() -> None:
    """Nine of ten messages of an order tell of what is archived already: neither the log nor the bucket is asked."""

    async def scenario() -> list[str]:
        world = World()
        await world.grow(1, 10, 10, 10)
        faults = Faults()
        archiver = world.archiver(faults=faults)
        await archiver.archive(wanted(1, commit=3))
        faults.names.clear()
        await archiver.archive(wanted(1, commit=2))
        return faults.names

    assert run_virtual(scenario) == ["positions.get"]


def test_in_peace_an_archiver_asks_for_no_manifest() -> None:
    """It knows the last one, since it wrote it: who is first is decided by writing the next."""

    async def scenario() -> list[str]:
        world = World()
        faults = Faults()
        archiver = world.archiver(faults=faults)
        await world.grow(1, 10)
        await archiver.archive(wanted(1))
        await world.grow(1, 10)
        faults.names.clear()
        await archiver.archive(wanted(1))
        return faults.names

    assert run_virtual(scenario) == [
        "positions.get",
        "log.pages",
        "objects.put_new",
        "objects.put_new",
        "positions.advance",
        "positions.mark_applied",
    ]


def test_segments_are_bounded_and_nothing_is_left_out() -> None:
    """Bytes and orders: many segments, each within bounds, but for the last commit of a full one; a larger commit stands alone."""

    async def scenario() -> None:
        world = World(limits=SMALL)
        for order in range(10):
            await world.grow(order, *[300] * (order % 4 + 1))
        await world.grow("long", *[500] * 20)
        await world.grow("large", 5_000)
        await world.archiver().archive(wanted(*range(10), "long", "large"))

        assert await world.archived() == await world.history()
        sizes = [await _facts(world, number) for number in range(1, await world.manifests() + 1)]
        assert max(orders for orders, _, _ in sizes) == SMALL.segment_orders
        assert all(raw_bytes < 2_000 + 5_500 for _, _, raw_bytes in sizes)
        assert len(sizes) > 5

    run_virtual(scenario)


async def _facts(world: World, number: int) -> tuple[int, int, int]:
    content = await world.objects.get(manifest_key(number))
    assert content is not None
    facts = msgspec.json.decode(content)["segment"]
    return facts["orders"], facts["commits"], facts["raw_bytes"]


def test_a_very_long_order_is_read_no_further_than_a_segment_takes() -> None:
    """Thousands of commits: memory holds a segment's worth of them, not the order; in the end all of it is archived."""

    async def scenario() -> None:
        world = World(limits=Limits(segment_raw_bytes=10_000))
        await world.grow("long", *[200] * 400)
        pages_read = 0
        pages = world.log.pages

        async def counted(stream: str, *, after: int = 0):
            nonlocal pages_read
            async with aclosing(pages(stream, after=after)) as found:
                async for page in found:
                    pages_read += 1
                    yield page

        world.log.pages = counted  # type: ignore[method-assign]
        outcome = await world.archiver().archive(wanted("long", commit=400))
        assert outcome.through == {stream_of("long"): 400}
        assert pages_read < 2 * 400 / 4 + await world.manifests() * (10_000 / 200 / 4)
        assert await world.manifests() > 10
        assert await world.archived() == await world.history()

    run_virtual(scenario)


def test_what_lies_behind_a_large_commit_is_archived_too() -> None:
    """The large one fills a segment by itself; the order is not taken for complete because all that was read went in."""

    async def scenario() -> None:
        world = World(limits=Limits(segment_raw_bytes=1_000))
        world.log = MemoryEventStore(commits_per_page=1)
        await world.grow(1, 5_000, 10, 5_000, 10)
        assert (await world.archiver().archive(wanted(1, commit=4))).through == {stream_of(1): 4}
        assert await world.archived() == await world.history()

    run_virtual(scenario)


def test_bounds_that_bound_nothing_are_refused() -> None:
    """And a segment that nobody could unpack."""
    with pytest.raises(ValueError, match="at least 1"):
        Limits(segment_orders=0)
    with pytest.raises(ValueError, match="before compression"):
        Limits(segment_raw_bytes=RAW_BYTES_MAX)


def test_another_archivers_manifest_is_taken_in_before_the_next_is_tried() -> None:
    """Two that both knew manifest 1: the second one meets the first's, and adds only what that one left."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10)
        one, other = world.archiver(), world.archiver()
        await one.archive(wanted(1))
        await other.archive(wanted(1))
        await world.grow(1, 20)
        await world.grow(2, 30)
        await one.archive(wanted(1))  # manifest 2, of which the other has not heard

        assert (await other.archive(wanted(1, 2))).through == {stream_of(1): 2, stream_of(2): 1}

        assert await world.archived() == await world.history()
        assert world.reports.counts["conflicts"] == 1

    run_virtual(scenario)


def test_a_manifest_whose_answer_was_lost_is_known_again() -> None:
    """The store says "somebody has it": it was this archiver itself."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10)
        archiver = world.archiver()
        put_new = world.objects.put_new

        async def lost(key: str, content: bytes) -> bool:
            await put_new(key, content)
            return False

        world.objects.put_new = lost  # type: ignore[method-assign]
        assert (await archiver.archive(wanted(1))).through == {stream_of(1): 1}
        assert await world.archived() == await world.history()
        assert world.reports.counts["conflicts"] == 0

    run_virtual(scenario)


def test_contention_without_end_is_given_up() -> None:
    """Somebody is always first: a bounded number of rounds, and an error that says to try again."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10)
        archiver, rival = world.archiver(), world.archiver()
        put_new = world.objects.put_new
        orders = iter(range(100, 10_000))

        async def overtaken(key: str, content: bytes) -> bool:
            if key.startswith("archive/manifests/"):
                world.objects.put_new = put_new  # type: ignore[method-assign]
                order = next(orders)
                await world.grow(order)
                await rival.archive(wanted(order))
                world.objects.put_new = overtaken  # type: ignore[method-assign]
            return await put_new(key, content)

        world.objects.put_new = overtaken  # type: ignore[method-assign]
        with pytest.raises(ArchiveContended, match="10 times"):
            await archiver.archive(wanted(1))
        world.objects.put_new = put_new  # type: ignore[method-assign]
        await archiver.archive(wanted(1))
        assert await world.archived() == await world.history()

    run_virtual(scenario)


def test_positions_that_were_lost_are_made_anew_from_the_manifests() -> None:
    """They are a cache: an empty table costs a walk, and no commit is archived again."""

    async def scenario() -> None:
        world = World()
        for order in range(4):
            await world.grow(order, 10, 10)
            await world.archiver().archive(wanted(order))
        world.positions = MemoryPositions()
        await world.grow(2, 10)

        await world.archiver().archive(wanted(*range(4)))

        assert await world.archived() == await world.history()
        assert await world.manifests() == 5

    run_virtual(scenario)


def test_positions_of_another_bucket_are_told() -> None:
    """A wrong bucket, or one whose manifests were taken away: nothing is archived, rather than a second archive begun."""

    async def scenario() -> None:
        world, other = World(), World()
        await world.grow(1, 10)
        await world.archiver().archive(wanted(1))
        other.log, other.positions = world.log, world.positions
        with pytest.raises(PositionsAstray, match="none of that number"):
            await other.archiver().archive(wanted(1))
        assert await other.manifests() == 0

        await other.grow(7, 10)
        other.positions = MemoryPositions()
        await other.archiver().archive(wanted(7))
        other.positions = world.positions
        with pytest.raises(PositionsAstray, match="another one"):
            await other.archiver().archive(wanted(1))

    run_virtual(scenario)


class Broken(MemoryEventStore):
    """A log with one order that cannot be read, and another that is unreachable when told so."""

    down = False

    async def pages(self, stream: str, *, after: int = 0, first_commits_max: int | None = None):
        if stream == stream_of("rotten"):
            raise CorruptCommit(stream, 1, "its hash is not that of its content")
        if self.down:
            raise Unavailable("Query", tries=8, ambiguous=False)
        async with aclosing(super().pages(stream, after=after)) as pages:
            async for page in pages:
                yield page


def test_one_rotten_order_does_not_hold_up_the_others() -> None:
    """It is named; the rest of its batch is archived."""

    async def scenario() -> None:
        world = World()
        world.log = Broken()
        await world.grow(1, 10)
        await world.grow(2, 10)
        outcome = await world.archiver().archive(wanted(1, "rotten", 2))
        assert set(outcome.through) == {stream_of(1), stream_of(2)}
        assert isinstance(outcome.faults[stream_of("rotten")], CorruptCommit)
        assert world.reports.counts["CorruptCommit"] == 1

    run_virtual(scenario)


def test_a_log_that_is_unreachable_fails_the_batch() -> None:
    """It is nobody's own fault: everything is tried again later."""

    async def scenario() -> None:
        world = World()
        world.log = log = Broken()
        await world.grow(1, 10)
        log.down = True
        with pytest.raises(Unavailable):
            await world.archiver().archive(wanted(1, 2))
        log.down = False
        await world.archiver().archive(wanted(1))
        assert await world.archived() == await world.history()

    run_virtual(scenario)


def test_a_hint_beyond_the_log_is_no_success() -> None:
    """A commit was announced and is not there: somebody has taken it away. What is there is archived by the hint of another."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10)
        archiver = world.archiver()
        for asked in (wanted(1, commit=2), wanted("unknown")):
            outcome = await archiver.archive(asked)
            assert [type(fault) for fault in outcome.faults.values()] == [LogBehindHint]
            assert outcome.through == {}
        await archiver.archive(wanted(1))
        [fault] = (await archiver.archive(wanted(1, commit=2))).faults.values()
        assert "ends at commit 1, and commit 2 was announced" in str(fault)

    run_virtual(scenario)


def test_history_that_was_rewritten_is_not_archived_on_top() -> None:
    """The log's next commit does not follow the archived one: told, and the archive stays as it is."""

    async def scenario() -> None:
        world, forger = World(), World()
        await world.grow(1, 10)
        archiver = world.archiver()
        await archiver.archive(wanted(1))
        await forger.grow(1, b"other", b"past")
        world.log = forger.log
        outcome = await world.archiver().archive(wanted(1))
        assert isinstance(outcome.faults[stream_of(1)], OrderForked)
        assert await world.manifests() == 1

    run_virtual(scenario)


def test_a_damaged_object_under_a_segments_key_is_never_named() -> None:
    """The key is the content's checksum: what lies there and is something else must not become part of the archive."""

    async def scenario() -> None:
        world = World()
        commit = await world.grow(1, 10)
        await world.objects.put_new(pack([line_of(commit)]).key, b"noise")
        with pytest.raises(ArchiveDamaged, match="not what its key says"):
            await world.archiver().archive(wanted(1))
        assert await world.manifests() == 0

    run_virtual(scenario)


def test_a_manifest_that_does_not_follow_stops_the_archiver() -> None:
    """It was put in, or the one before it changed: nothing is written behind it."""

    async def scenario() -> None:
        world, other = World(), World()
        await world.grow(1, 10)
        await world.archiver().archive(wanted(1))
        for order in (7, 8):
            await other.grow(order, 10)
            await other.archiver().archive(wanted(order))
        content = await other.objects.get(manifest_key(2))
        assert content is not None
        await world.objects.put_new(manifest_key(2), content)
        with pytest.raises(ArchiveDamaged, match="altered_manifest"):
            await world.archiver().archive(wanted(1))
        await world.objects.put_new(manifest_key(3), b"noise")

        broken = World()
        await broken.objects.put_new(manifest_key(1), b"noise")
        with pytest.raises(ArchiveDamaged, match="unreadable_manifest"):
            await broken.archiver().archive(wanted(1))

    run_virtual(scenario)


def test_large_bodies_are_in_the_archive_in_full() -> None:
    """What the table only names is carried whole: a claim check of an order stays readable from the archive alone."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 400_000)
        await world.archiver().archive(wanted(1))
        [commit] = (await world.archived())[stream_of(1)]
        assert len(commit.body) == 400_000

    run_virtual(scenario)


def test_a_death_between_segment_and_manifest_leaves_an_orphan_and_nothing_else() -> None:
    """It is named by no manifest, and so means nothing."""

    async def scenario() -> None:
        world = World()
        await world.grow(1, 10)
        with pytest.raises(Crash):
            await world.archiver(faults=Faults(at=5, after=True)).archive(wanted(1))
        assert (await world.manifests(), await world.orphans()) == (0, 1)
        await world.grow(1, 10)
        await world.archiver().archive(wanted(1))
        assert await world.archived() == await world.history()
        assert await world.orphans() == 1

    run_virtual(scenario)
