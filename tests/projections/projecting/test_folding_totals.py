"""What a write adds to the totals: what changes in the contribution that is stored, and no more than one write can carry."""

from dataclasses import replace

import orjson
import pytest

from projections.projecting import contributions
from projections.projecting.folding import NOTHING, known_from, part_that_fits, step, write_of
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store import ADDITIONS_MAX, Stored
from projections.view_store.memory import MemoryViewStore
from projections.views import daily_figures, order_status
from tests.builders import DISPATCHED, order_created
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import ORDER, TENANT, happy_commits, recorded_of, records_of
from tests.projections.read_side import CountingStore
from tests.projections.sales import FIRST_DAY, TARGET, commits_at, counted_from, order_with_refunds, stored_totals
from tests.virtual_time import run_virtual

VIEW = daily_figures.VIEW


def log_of(commits):
    return {commit.number: tuple(recorded_of([commit])) for commit in commits}


def added_by(write) -> contributions.Amounts:
    return {TARGET.generation.bucket(one.sum_key)[1]: dict(one.amounts) for one in write.additions}


def stored_from(write) -> Stored:
    return Stored(
        key=write.key,
        commit=write.commit,
        schema=write.schema,
        document=write.document,
        contribution=write.contribution,
    )


def test_step_by_step_the_additions_come_to_the_whole() -> None:
    """Each commit adds what it moves, and the sum of that is the fold of them all."""
    commits = happy_commits()
    total: contributions.Amounts = {}
    known = NOTHING
    for commit in commits:
        following = step(VIEW, known, log_of(commits[: commit.number]))
        if following is not known:
            write = write_of(TARGET, TENANT, ORDER, following)
            contributions.add(total, added_by(write))
            known = known_from(VIEW, stored_from(write))

    assert contributions.moved({}, total) == counted_from(commits)


def test_a_commit_that_moves_nothing_adds_nothing() -> None:
    """A second parcel: the document goes on, the totals stay."""
    at = FIRST_DAY
    commits = commits_at([(at, order_created(placed_at=at)), (at, DISPATCHED), (at, DISPATCHED)], ORDER)
    first = write_of(TARGET, TENANT, ORDER, step(VIEW, NOTHING, log_of(commits[:2])))
    second = write_of(TARGET, TENANT, ORDER, step(VIEW, known_from(VIEW, stored_from(first)), log_of(commits)))

    assert (second.commit, second.additions, second.counts) == (3, (), False)
    assert second.contribution == first.contribution != ""


def test_a_view_without_sums_adds_nothing() -> None:
    """And contributes nothing."""
    known = step(order_status.VIEW, NOTHING, log_of(happy_commits()))
    write = write_of(Target(order_status.VIEW, TARGET.generation), TENANT, ORDER, known)
    assert (write.additions, write.contribution, write.counts) == ((), "", False)


def test_a_document_of_another_schema_is_counted_out_before_it_is_counted_in() -> None:
    """What it says cannot be read any more; what it contributed can."""
    log = log_of(happy_commits())
    old = Stored(
        key="k",
        commit=8,
        schema=VIEW.schema - 1,
        document=b"gibberish",
        contribution=contributions.written({"2026-03-01/USD": {"placed_count": 1, "weight": 12}, "all": {"n": 1}}),
    )

    write = write_of(TARGET, TENANT, ORDER, step(VIEW, known_from(VIEW, old), log))

    assert (write.expected_commit, write.commit, write.expected_contribution) == (8, 8, old.contribution)
    added = added_by(write)
    assert added["all"] == {"n": -1}
    assert added["2026-03-01/USD"]["weight"] == -12
    assert "placed_count" not in added["2026-03-01/USD"], "it stays as it was"
    assert added["2026-03-01/USD"]["placed_minor"] == 90_000


def test_a_view_that_counts_no_more_takes_back_what_it_counted() -> None:
    """A release without sums: the next write empties the document's part of the totals."""
    counted = write_of(TARGET, TENANT, ORDER, step(VIEW, NOTHING, log_of(happy_commits()[:1])))
    target = replace(TARGET, view=replace(VIEW, sums=None))

    write = write_of(
        target, TENANT, ORDER, step(target.view, known_from(target.view, stored_from(counted)), log_of(happy_commits()))
    )

    assert added_by(write) == {
        "2026-03-01": {"placed": -1, "in_RECEIVED": -1},
        "2026-03-01/USD": {"placed_count": -1, "placed_minor": -90_000},
    }
    assert write.contribution == ""


@pytest.mark.parametrize("refunds", [0, ADDITIONS_MAX - 2, ADDITIONS_MAX - 1, 200])
def test_a_very_long_history_goes_in_several_writes(refunds: int) -> None:
    """Each within the limit, each up to a commit, and together the whole."""
    commits = order_with_refunds(ORDER, refunds)
    log = log_of(commits)
    known, total, writes = NOTHING, {}, 0
    while True:
        whole = step(VIEW, known, log)
        if whole is known:
            break
        write = write_of(TARGET, TENANT, ORDER, part_that_fits(VIEW, known, whole, log))
        assert len(write.additions) <= ADDITIONS_MAX
        contributions.add(total, added_by(write))
        known = known_from(VIEW, stored_from(write))
        writes += 1

    assert writes == -(-(refunds + 2) // ADDITIONS_MAX), "the day on which it came is a bucket of both halves"
    assert known.folded == len(commits)
    assert contributions.moved({}, total) == counted_from(commits)


@pytest.mark.thorough
def test_the_projector_writes_a_very_long_history_to_its_end() -> None:
    """From the stream, and again from the log into an empty store: all of it, in one call of the projector."""

    async def scenario() -> None:
        store = CountingStore()
        commits = order_with_refunds(ORDER, 500)
        for commit in commits:
            await store.append(commit)
        for fill in ("stream", "log"):
            views = MemoryViewStore()
            projector = ViewProjector(store, views, [TARGET])
            if fill == "stream":
                await projector.apply(records_of(commits))
            else:
                await bring_up_all(projector)
            assert await stored_totals(views) == counted_from(commits), fill
            key = TARGET.generation.key(TENANT, ORDER)
            stored = (await views.get([key]))[key]
            assert stored.commit == len(commits)
            assert len(orjson.loads(stored.document)["days"]) == 501

    run_virtual(scenario)


def test_what_cannot_be_split_is_refused_and_not_forgotten() -> None:
    """A document of another schema with more buckets than a write can move: an error that says so, and nothing changes."""
    commits = order_with_refunds(ORDER, 200)
    log = log_of(commits)
    stored = Stored(key="k", commit=len(commits), schema=VIEW.schema - 1, document=b"{}", contribution="")
    known = known_from(VIEW, stored)
    part = part_that_fits(VIEW, known, step(VIEW, known, log), log)

    assert part.folded == len(commits)
    with pytest.raises(ValueError, match="additions are more than"):
        write_of(TARGET, TENANT, ORDER, part)
