"""Whatever the stream does to records, the views end equal to the log, and no document ever goes backwards."""

from dataclasses import replace
from random import Random

import anyio
import pytest

from orderstore.codec import CodecError, decode
from orderstore.store.errors import CorruptCommit
from orderstore.store.port import Commit
from projections.projecting.catching_up import ROUNDS_MAX
from projections.projecting.errors import Contended, LogBehindStream
from projections.projecting.targets import current_targets
from projections.stream import Record
from projections.view_store import ViewStoreUnavailable, Write
from projections.views import VIEWS
from projections.views.view import Generations
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import ORDER, happy_commits, order_number, record_of, records_of
from tests.projections.read_side import TARGETS, ReadSide
from tests.seeds import seeds
from tests.virtual_time import run_virtual

STATUS = "order_status"


def test_a_whole_life_in_one_batch_is_one_write_per_view_and_no_read() -> None:
    """Eight commits of a new order: merged, written once each, nothing asked of the log or of the views."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)

        await side.deliver(*commits)

        assert (side.views.gets, side.views.writes, side.store.reads) == (0, 1, 0)
        assert side.observer.counts[f"writes {STATUS}"] == side.observer.counts["writes invoices"] == 1
        assert side.observer.counts[f"applied {STATUS}"] == 8
        told = [event_id for view, event_id in side.observer.projected_ids if view == STATUS]
        assert told == [recorded.event_id for commit in commits for recorded in decode(commit)]  # E125
        await side.assert_equal()

    run_virtual(scenario)


def test_commit_by_commit_the_steady_state_needs_no_read_of_the_views() -> None:
    """The documents just written are remembered: only the invoice, and whether an exception is over, look back into the log."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        for commit in commits:
            await side.append([commit])
            await side.deliver(commit)

        assert side.views.gets == 2
        assert side.store.reads == 2
        assert side.observer.counts[f"writes {STATUS}"] == 8
        assert side.observer.counts["writes daily_sales"] == 6, "not when money is held, and not when goods are booked"
        assert side.observer.counts["writes invoices"] == 1
        assert side.observer.counts[f"missing {STATUS}"] == 0
        assert side.observer.counts["missing invoices"] == 0, "what a view does not react to is not missing"
        await side.assert_equal()

    run_virtual(scenario)


def test_duplicates_are_dropped_and_counted() -> None:
    """The same records again, by the same worker and by one that knows nothing, change nothing."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits)
        before = dict(side.views._documents)

        await side.deliver(*commits)
        await side.another_projector().apply(records_of(commits))
        await side.another_projector().apply(records_of(commits[3:5]))

        assert side.views._documents == before
        assert side.observer.counts[f"duplicates {STATUS}"] == 8 + 8 + 2
        assert side.observer.counts[f"missing {STATUS}"] == 0

    run_virtual(scenario)


@pytest.mark.parametrize("seed", seeds(8, range(20)))
def test_any_order_any_repeats_any_batches_end_equal(seed: int) -> None:
    """Records of three orders, shuffled, repeated and cut into batches at random; a worker forgets everything now and then."""

    async def scenario() -> None:
        random = Random(seed)
        side = ReadSide(cache_entries=2)
        commits = [commit for index in range(3) for commit in happy_commits(order_number(index))]
        await side.append(commits)
        arriving = [*commits, *random.sample(commits, k=8)]
        random.shuffle(arriving)
        while arriving:
            size = random.randint(1, 6)
            batch, arriving = arriving[:size], arriving[size:]
            if random.random() < 0.2:
                side.projector = side.another_projector()
            await side.deliver(*batch)

        await side.assert_equal()

    run_virtual(scenario)


def test_a_reordered_batch_is_sorted_not_healed() -> None:
    """2, 1, 3 in one batch is no gap."""

    async def scenario() -> None:
        side = ReadSide()
        first, second, third, *rest = happy_commits()
        await side.append([first, second, third, *rest])

        await side.deliver(second, first, third)

        assert side.observer.counts[f"missing {STATUS}"] == 0
        assert side.store.reads == 0
        assert (await side.status(ORDER))["commit"] == 3

    run_virtual(scenario)


def test_a_missing_commit_is_read_from_the_log_and_counted() -> None:
    """1, then 4: two are missing, and everything that the log has is applied at once."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()[:5]
        await side.append(commits)
        await side.deliver(commits[0])

        await side.deliver(commits[3])

        assert side.observer.counts[f"missing {STATUS}"] == 2
        assert (await side.status(ORDER))["commit"] == 5
        await side.deliver(commits[1], commits[2], commits[4])
        assert side.observer.counts[f"duplicates {STATUS}"] == 3
        await side.assert_equal()

    run_virtual(scenario)


def test_a_hole_inside_a_batch_is_a_gap_too() -> None:
    """1 and 3 without 2: the document is not written with a hole in it."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()[:3]
        await side.append(commits)

        await side.deliver(commits[0], commits[2])

        assert side.observer.counts[f"missing {STATUS}"] == 1
        await side.assert_equal()

    run_virtual(scenario)


def test_what_another_worker_wrote_meanwhile_is_no_gap() -> None:
    """A shard that went away and came back: the remembered document is old, the stored one is not, nothing is missing."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()[:6]
        await side.append(commits)
        await side.deliver(*commits[:2])
        await side.another_projector().apply(records_of(commits[2:5]))

        await side.deliver(commits[5])

        assert side.observer.counts[f"missing {STATUS}"] == 0
        assert (await side.status(ORDER))["commit"] == 6

    run_virtual(scenario)


def test_two_projectors_racing_apply_each_commit_once() -> None:
    """The one that lost reads again, finds the work done, and drops it; nothing is applied twice."""

    async def scenario() -> None:
        side = ReadSide()
        commits = [commit for index in range(10) for commit in happy_commits(order_number(index))]
        await side.append(commits)
        others = [side.another_projector() for _ in range(4)]

        async with anyio.create_task_group() as tasks:
            for projector in others:
                tasks.start_soon(projector.apply, records_of(commits))

        assert side.observer.counts[f"applied {STATUS}"] == 80
        assert side.observer.counts[f"writes {STATUS}"] == 10
        assert side.observer.counts[f"conflicts {STATUS}"] == 30
        await side.assert_equal()

    run_virtual(scenario)


def test_a_write_that_lands_between_read_and_write_is_not_lost() -> None:
    """Another worker applies commit 2 right before this one writes 1 to 3: 3 goes on top of 2."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()[:3]
        await side.append(commits)
        other = side.another_projector()

        async def intrude() -> None:
            await other.apply(records_of(commits[:2]))

        side.views.before_write = intrude

        await side.deliver(*commits)

        assert side.observer.counts[f"applied {STATUS}"] == 3
        assert side.observer.counts[f"conflicts {STATUS}"] == 1
        assert (await side.status(ORDER))["commit"] == 3

    run_virtual(scenario)


@pytest.mark.parametrize("failure", ["fail_before", "fail_after"])
def test_a_crash_around_the_write_is_mended_by_the_repeat(failure: str) -> None:
    """Whether the write landed or only its answer was lost: the same records come again, and end the same."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:2])
        setattr(side.views, failure, 1)

        with pytest.raises(ViewStoreUnavailable):
            await side.deliver(*commits[2:])
        await side.deliver(*commits[2:])

        await side.assert_equal()

    run_virtual(scenario)


def test_a_crash_between_write_and_checkpoint_repeats_to_no_effect() -> None:
    """A new worker, with nothing remembered, is given the last page again."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:4])

        side.projector = side.another_projector()
        await side.deliver(*commits[2:])

        assert side.observer.counts[f"applied {STATUS}"] == 8
        assert side.observer.counts[f"missing {STATUS}"] == 0
        await side.assert_equal()

    run_virtual(scenario)


def test_batches_that_end_anywhere_in_an_order_need_no_read_either() -> None:
    """What a batch brought behind the last commit that changes a document is remembered as seen."""

    async def scenario(cut: int) -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        asked: list[str] = []
        get = side.views.get

        async def noted(keys):
            asked.extend(keys)
            return await get(keys)

        side.views.get = noted
        for part in (commits[:cut], commits[cut:]):
            await side.deliver(*part)

        looked_at = {key.split("/")[1] for key in asked}
        assert looked_at <= {target.view.name for target in TARGETS if not target.view.from_the_start}
        assert side.observer.counts["writes daily_sales"] == 2
        await side.assert_equal()

    for cut in range(1, 8):
        run_virtual(scenario, cut)


def test_documents_that_vanished_are_folded_anew() -> None:
    """Every view can be thrown away, even under a running projector."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:7])
        side.views._documents.clear()
        side.views._totals.clear()  # they go with the documents: what is folded anew is added anew
        side.views.commits_seen.clear()

        await side.deliver(commits[7])

        assert (await side.status(ORDER))["commit"] == 8
        await bring_up_all(side.projector)
        await side.assert_equal()

    run_virtual(scenario)


def test_a_document_of_another_schema_is_folded_anew_from_the_log() -> None:
    """A new release changes what a document says: the next commit, or a back-fill, brings the old ones along."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:4])
        key = TARGETS[0].generation.key("main", ORDER)
        old = side.views._documents[key]
        side.views._documents[key] = replace(old, schema=0, document=b'{"old":true}')

        await side.another_projector().apply(records_of(commits[4:]))
        assert side.observer.counts[f"refolded {STATUS}"] == 1
        await side.assert_equal()

        current: dict[str, Write] = side.views._documents
        side.views._documents = {key: replace(write, schema=0) for key, write in current.items()}
        await bring_up_all(side.projector)
        await side.assert_equal()

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_backfill_brings_up_what_was_recorded_since() -> None:
    """A gap in the stream: orders with a commit since then are brought up to the log, older ones are not touched."""

    async def scenario() -> None:
        side = ReadSide()
        old = happy_commits(order_number(1), start_ms=1_000_000_000_000)
        new = [commit for index in range(2, 250) for commit in happy_commits(order_number(index))]
        await side.append([*old, *new])
        await side.deliver(*new[:3])

        await bring_up_all(side.projector, since_ms=1_700_000_000_000)

        assert side.observer.counts["back-filled views"] == 248
        assert await side.status(order_number(1)) is None
        assert {(await side.status(order_number(index)))["commit"] for index in range(2, 250)} == {8}
        assert side.observer.counts[f"missing {STATUS}"] == 0, "a back-fill is no gap of an order"
        await bring_up_all(side.projector)
        await side.assert_equal()

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_backfill_and_live_records_may_overlap() -> None:
    """Both write the same documents at once; they end equal, none twice."""

    async def scenario() -> None:
        side = ReadSide()
        commits = [commit for index in range(30) for commit in happy_commits(order_number(index))]
        await side.append(commits)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bring_up_all, side.projector)
            for start in range(0, len(commits), 16):
                tasks.start_soon(side.projector.apply, records_of(commits[start : start + 16]))

        assert side.observer.counts[f"applied {STATUS}"] == 240
        await side.assert_equal()

    run_virtual(scenario)


def test_a_removed_record_is_reported_and_changes_nothing() -> None:
    """Nobody deletes from the log; if somebody did, the views keep what they have and an alarm goes off."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        removal = Record(sequence_number="9", event_name="REMOVE", keys={}, image=None, created_at_ms=0)

        await side.projector.apply([*records_of(commits), removal])

        assert side.observer.counts["removed views"] == 1
        await side.assert_equal()

    run_virtual(scenario)


def tampered(commit: Commit) -> Record:
    record = record_of(commit)
    return replace(record, image={**record.image, "recorded_at": {"N": "1"}})


def test_a_tampered_image_is_refused_and_nothing_of_its_batch_is_written() -> None:
    """A commit whose hash is wrong never reaches a view: while the table is not right either, the batch raises, to come again."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        records = [tampered(commits[0]), *records_of(commits[1:])]
        with pytest.raises(CorruptCommit, match="commit 1"):  # the table does not have it
            await side.projector.apply(records)

        await side.append(commits)

        async def broken(stream: str, *, after: int = 0, first_commits_max: int | None = None):
            raise CorruptCommit(stream, after + 1, "its hash is not that of its content")
            yield

        side.store.pages = broken
        with pytest.raises(CorruptCommit, match="commit 1"):
            await side.projector.apply(records)
        assert side.views._documents == {}
        assert side.observer.counts.total() == 0

    run_virtual(scenario)


@pytest.mark.parametrize("position", [0, 3, 7])
def test_a_tampered_image_that_was_put_right_in_the_table_holds_nobody(position: int) -> None:
    """The stream keeps the bad image for a day, the table has the commit as it was written: it is read there, and told."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        records = records_of(commits)
        records[position] = tampered(commits[position])

        await side.projector.apply(records)

        await side.assert_equal()
        assert side.observer.counts[f"replaced views {position + 1}"] == 1
        assert side.observer.counts[f"applied {STATUS}"] == len(commits)

    run_virtual(scenario)


def test_a_commit_that_the_log_does_not_have_is_an_error() -> None:
    """The stream shows commit 3, a consistent read of the log ends at 1: that is not healed by silence."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits[:1])

        with pytest.raises(LogBehindStream):
            await side.deliver(commits[2])

    run_virtual(scenario)


def test_a_document_that_is_ahead_of_the_log_is_an_error() -> None:
    """The log lost its tail (a restore, a hand): a view never follows it backwards."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits[:3])
        await bring_up_all(side.projector)
        key = TARGETS[0].generation.key("main", ORDER)
        old = side.views._documents[key]
        side.views._documents[key] = replace(old, commit=9, schema=0)

        with pytest.raises(LogBehindStream):
            await bring_up_all(side.another_projector())

    run_virtual(scenario)


def test_endless_contention_ends_as_an_error() -> None:
    """A bound on everything: a document that changes under every round is given back to the reader."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        key = TARGETS[0].generation.key("main", ORDER)

        async def restless() -> None:
            side.views.commits_seen.clear()
            old = side.views._documents[key]
            side.views._documents[key] = replace(old, commit=2 if old.commit == 1 else 1)
            side.views.before_write = restless

        await side.deliver(commits[0])
        side.views.before_write = restless

        with pytest.raises(Contended):
            await side.deliver(*commits[1:])
        assert side.observer.counts[f"conflicts {STATUS}"] == ROUNDS_MAX

    run_virtual(scenario)


def test_a_commit_of_a_later_release_stops_the_batch() -> None:
    """An event that this build does not know is never skipped."""

    async def scenario() -> None:
        side = ReadSide()
        from orderstore.store.chain import seal

        [created] = happy_commits()[:1]
        body = created.body.replace(b"OrderCreated", b"OrderTwisted")
        strange = seal(stream=created.stream, number=1, recorded_at_ms=1, body=body, previous=None)
        await side.append([strange])

        with pytest.raises(CodecError):
            await side.deliver(strange)
        assert side.views._documents == {}

    run_virtual(scenario)


def test_the_views_are_written_in_the_generation_that_readers_use() -> None:
    """The pointer is read at start; where there is none, it is the first generation."""

    async def scenario() -> None:
        side = ReadSide()
        await side.views.change_generations("invoices", before=Generations(), after=Generations(current=3, building=4))

        targets = await current_targets(side.views)

        prefixes = {target.view.name: target.generation.prefix for target in targets}
        assert prefixes == {view.name: f"g{3 if view.name == 'invoices' else 1}/{view.name}/" for view in VIEWS}
        assert all(target.served for target in targets)

    run_virtual(scenario)
