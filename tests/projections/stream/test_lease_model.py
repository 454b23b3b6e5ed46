"""The lease protocol, searched whole: in every state that any order of steps can bring about, the promises hold.

Effective checkpoints are exclusive, no two workers read a shard at once, parents come before children, no checkpoint goes back, nothing is
stored as applied that was not (what was trimmed unread is a gap until it is back-filled), no shard is forgotten, and from everywhere a
good end can still be reached without another death.
"""

from dataclasses import replace

import pytest

from projections.stream import Gap, Lease
from projections.stream.balance import Sighting
from projections.stream.leases import SHARD_END, taken, with_gap, without_gap, written
from projections.stream.lineage import missing_leases
from tests.projections.stream.lease_model import Model
from tests.projections.stream.lease_search import search
from tests.projections.stream.lease_state import Rules, Shape

ONE = Shape(parents=((),), records=(1,), letters=1)
HANDED_ON = Shape(parents=((), (0,)), records=(1, 1), letters=0)
SPLIT = Shape(parents=((), (0,), (0,)), records=(1, 1, 1), workers=1, letters=0, crashes=0)
MERGED = Shape(parents=((), (), (0, 1)), records=(1, 1, 1), workers=1, letters=0, crashes=0)
UNDYING = replace(ONE, crashes=0)
LOSSY = Shape(parents=((),), records=(3,), workers=1, letters=0, crashes=0, trims=2)
ALONE = replace(HANDED_ON, workers=1, crashes=0)


@pytest.mark.parametrize(
    ("shape", "states_min"),
    [
        pytest.param(ONE, 8_000, id="one shard, a write held up, a death", marks=pytest.mark.thorough),
        pytest.param(replace(HANDED_ON, crashes=0), 5_000, id="parent and child", marks=pytest.mark.thorough),
        pytest.param(replace(ALONE, letters=1), 1_000, id="parent and child, one worker, a write held up"),
        pytest.param(LOSSY, 500, id="records trimmed, read or not"),
        pytest.param(
            replace(ALONE, records=(1, 2), trims=2), 1_000, id="parent and child, trimmed", marks=pytest.mark.thorough
        ),
        pytest.param(replace(LOSSY, workers=2, crashes=1), 5_000, id="trims, a death", marks=pytest.mark.long),
        pytest.param(
            replace(LOSSY, records=(1,), trims=1, workers=2, letters=1, crashes=1),
            10_000,
            id="trims, a death, a write held up",
            marks=pytest.mark.long,
        ),
        pytest.param(
            replace(HANDED_ON, crashes=0, trims=1), 10_000, id="trims in parent and child", marks=pytest.mark.long
        ),
        pytest.param(
            replace(LOSSY, records=(1,), trims=1, workers=2, crashes=1),
            1_000,
            id="a trim, a death",
            marks=pytest.mark.thorough,
        ),
        pytest.param(SPLIT, 500, id="a split, one worker"),
        pytest.param(MERGED, 500, id="two parents, one worker", marks=pytest.mark.thorough),
        pytest.param(replace(ONE, records=(3,)), 10_000, id="three records", marks=pytest.mark.long),
        pytest.param(replace(ONE, letters=2), 10_000, id="two writes held up", marks=pytest.mark.long),
        pytest.param(replace(MERGED, letters=1), 10_000, id="two parents, a write held up", marks=pytest.mark.long),
        pytest.param(replace(SPLIT, letters=1), 5_000, id="a split, a write held up", marks=pytest.mark.long),
        pytest.param(HANDED_ON, 20_000, id="parent and child, a death", marks=pytest.mark.long),
        pytest.param(replace(HANDED_ON, letters=1), 200_000, id="all of it", marks=pytest.mark.long),
        pytest.param(replace(ONE, workers=3, crashes=2, letters=0), 10_000, id="three workers", marks=pytest.mark.long),
    ],
)
def test_the_protocol_keeps_its_promises_in_every_state(shape: Shape, states_min: int) -> None:
    """The search is whole, and large enough to mean something."""  # fault 15, 16, 17, 18, 25
    found = search(Model(shape), states_max=1_000_000)
    print(f"{found.states} states, {found.steps} steps")  # noqa: T201 - shown when it fails
    assert (found.broken, found.trace) == (None, ())
    assert found.whole
    assert found.states >= states_min


def no_fence(row: Lease | None, seen: Lease) -> bool:
    return row is not None


def owner_alone(row: Lease | None, seen: Lease) -> bool:
    return row is not None and row.owner == seen.owner


def every_unfinished(*, listing, rows) -> frozenset[str]:
    return frozenset(row.shard for row in rows if not row.finished)


def by_wall_clock(row: Lease, seen: Sighting | None, *, me: str, duration_s: float) -> bool:
    """A clock that is ahead by a lease's duration sees every lease as expired."""
    return True


def whatever_the_counter(before: Sighting | None, row: Lease, *, asked_at_s: float, answered_at_s: float) -> Sighting:
    same = before is not None and before.owner == row.owner
    since_s = before.since_s if before is not None and same else answered_at_s
    return Sighting(row.owner, row.counter, since_s, asked_at_s)


def counter_stays(stored: Lease, now: Lease, *, tried=(), release: bool = False) -> Lease:
    return replace(written(stored, now, release=release), counter=stored.counter)


def counter_used_twice(stored: Lease, now: Lease, *, tried=(), release: bool = False) -> Lease:
    return written(stored, now, release=release)


def finished_at_once(*, listing, rows) -> tuple[Lease, ...]:
    return tuple(row for row in rows if row.finished)


def roots_alone(**arguments) -> tuple:
    return tuple(new for new in missing_leases(**arguments) if not new.lease.parents)


def silent_restart(now: Lease, gap: Gap, *, starting_sequence: str | None) -> Lease:
    """What the readers do that log a warning and go on from the oldest record."""
    return replace(with_gap(now, gap, starting_sequence=starting_sequence), gap=None)


def mark_forgotten(lease: Lease, **arguments) -> Lease:
    return replace(taken(lease, **arguments), gap=None)


def cleared_as_finished(now: Lease) -> Lease:
    return replace(without_gap(now), checkpoint=SHARD_END)


def position_kept(now: Lease, gap: Gap, *, starting_sequence: str | None) -> Lease:
    return replace(now, gap=gap)


@pytest.mark.parametrize(
    ("rules", "shape", "expected"),
    [
        pytest.param(Rules(unmoved=no_fence), ONE, "stored though", id="no fence"),
        pytest.param(Rules(unmoved=owner_alone), ONE, "stored though", id="no counter in the condition"),
        pytest.param(Rules(readable=every_unfinished), HANDED_ON, "before the last of its", id="child before parent"),
        pytest.param(Rules(is_free=by_wall_clock), ONE, "at once", id="expiry by wall clocks"),
        pytest.param(Rules(stores_ends=False), ALONE, "no good end", id="the shard's end is not stored"),
        pytest.param(
            Rules(sighted=whatever_the_counter),
            ONE,
            "at once",
            id="taken though the counter moved",
            marks=pytest.mark.thorough,
        ),
        pytest.param(Rules(applies_first=False), ONE, "further than", id="the checkpoint before the effect"),
        pytest.param(Rules(is_valid=lambda **_: True), ONE, "at once", id="no expiry by the owner's own clock"),
        pytest.param(Rules(written=counter_stays), ONE, "goes back", id="a write that moves no counter"),
        pytest.param(
            Rules(written=counter_used_twice),
            UNDYING,
            "at once",
            id="a repeated write taken for a new one",
            marks=pytest.mark.thorough,
        ),
        pytest.param(Rules(removable=finished_at_once), ALONE, "leased anew", id="rows tidied away too early"),
        pytest.param(Rules(with_gap=silent_restart), LOSSY, "further than", id="a silent restart after a trim"),
        pytest.param(Rules(heals_first=False), LOSSY, "further than", id="the mark cleared before the back-fill"),
        pytest.param(
            Rules(taken=mark_forgotten), replace(LOSSY, workers=2), "further than", id="a new owner forgets the mark"
        ),
        pytest.param(Rules(without_gap=cleared_as_finished), LOSSY, "further than", id="a healed shard taken for read"),
        pytest.param(Rules(with_gap=position_kept), LOSSY, "no good end", id="a gap that moves no position"),
        pytest.param(Rules(missing=roots_alone), ALONE, "no good end", id="children forgotten"),
    ],
)
def test_the_search_finds_a_protocol_that_was_broken_on_purpose(rules: Rules, shape: Shape, expected: str) -> None:
    """The model bites: each rule is there because without it something breaks, and the search says how."""
    found = search(Model(shape, replace(rules, condition_is_sound=False)), states_max=200_000)
    assert found.broken is not None
    assert expected in found.broken, found


@pytest.mark.thorough
def test_what_the_search_leaves_out_can_have_no_effect() -> None:
    """With and without what the store would refuse, a small world has the same outcome."""
    small = replace(ONE, letters=0, crashes=0)
    lean, full = (search(Model(small, Rules(condition_is_sound=sound)), states_max=200_000) for sound in (True, False))
    assert lean.broken is full.broken is None
    assert lean.whole
    assert full.whole
    assert lean.states < full.states
