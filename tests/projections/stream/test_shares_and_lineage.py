"""The pure parts: who reads what, what may be read now, how far all of it has come, and which numbers fit together."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.stream import Gap, GapCause, Lease, Listing, Shard, StreamSettings
from projections.stream.balance import LeaseWatch, shares_to_give_up, shares_to_take
from projections.stream.lineage import awaiting_children, missing_leases, readable, removable
from projections.stream.low_water import low_water_ms
from projections.stream.pacing import Backoff


def lease(shard: str, *parents: str, checkpoint: str = "TRIM_HORIZON", mark: int = 0, **more) -> Lease:
    return Lease(
        subscription="views",
        shard=shard,
        stream="arn",
        parents=parents,
        checkpoint=checkpoint,
        caught_up_to_ms=mark,
        starting_sequence="1",
        **more,
    )


def listing(*shards: tuple[str, ...], stream: str = "arn") -> Listing:
    return Listing(stream, tuple(Shard(id=name, parents=parents, starting_sequence="1") for name, *parents in shards))


def missing(listed: Listing, *rows: Lease) -> dict[str, GapCause | None]:
    found = missing_leases(subscription="views", listing=listed, rows=rows, margin_s=300)
    return {new.lease.shard: new.lease.gap.cause if new.lease.gap else None for new in found}


def test_only_the_roots_of_a_first_listing_are_bootstrapped() -> None:
    """A child's past is its parents' future; it needs no back-fill of its own."""
    assert missing(listing(("c", "b"), ("b", "a"), ("a", "trimmed"))) == {
        "a": GapCause.BOOTSTRAP,
        "b": None,
        "c": None,
    }


def test_a_shard_with_an_unknown_parent_begins_with_a_gap_once_the_subscription_has_a_past() -> None:
    """Its parents came and went while nobody read; with one of two parents unknown as well."""
    rows = (lease("a", checkpoint="SHARD_END", mark=1_000_000),)
    listed = listing(("b", "a"), ("z", "y"), ("m", "a", "y"))
    assert missing(listed, *rows) == {"b": None, "z": GapCause.LINEAGE_BROKEN, "m": GapCause.LINEAGE_BROKEN}


def test_a_shard_behind_which_something_was_read_is_never_leased_again() -> None:
    """Its row was tidied away; a late listing must not start it over."""
    assert missing(listing(("a",), ("b", "a"), ("c", "b")), lease("c", "b", checkpoint="5")) == {}


def test_a_shard_waits_for_every_parent_and_a_finished_one_is_not_read_again() -> None:
    """Unfinished parents hold back, also one that owes a back-fill."""
    listed = listing(("a",), ("b",), ("c", "a", "b"))
    done = {"checkpoint": "SHARD_END"}
    assert readable(listing=listed, rows=[lease("a"), lease("b"), lease("c", "a", "b")]) == {"a", "b"}
    assert readable(listing=listed, rows=[lease("a", **done), lease("b"), lease("c", "a", "b")]) == {"b"}
    owing = lease("b", **done, gap=Gap(GapCause.VANISHED, 0))
    assert readable(listing=listed, rows=[lease("a", **done), owing, lease("c", "a", "b")]) == {"b"}
    both = [lease("a", **done), lease("b", **done), lease("c", "a", "b")]
    assert readable(listing=listed, rows=both) == {"c"}


def test_a_trimmed_parent_counts_as_finished_unless_a_vanished_shard_may_be_its_ancestor() -> None:
    """The vanished one is healed first."""
    listed = listing(("z", "trimmed"))
    assert readable(listing=listed, rows=[lease("z", "trimmed")]) == {"z"}
    vanished = lease("a", checkpoint="5")
    assert readable(listing=listed, rows=[vanished, lease("z", "trimmed")]) == {"a"}
    older = lease("b", "unknown", checkpoint="5")
    assert readable(listing=listed, rows=[vanished, older, lease("z", "trimmed")]) == {"a", "b"}


def test_rows_are_removed_only_behind_children_that_have_progressed() -> None:
    """And never while the service still lists the shard, or the last one."""
    done = {"checkpoint": "SHARD_END"}
    child, moved = lease("b", "a"), lease("b", "a", checkpoint="5")
    assert removable(listing=listing(("b", "a")), rows=[lease("a", **done), child]) == ()
    assert removable(listing=listing(("a",), ("b", "a")), rows=[lease("a", **done), moved]) == ()
    assert removable(listing=listing(("b", "a")), rows=[lease("a", **done), moved]) == (lease("a", **done),)
    assert removable(listing=listing(), rows=[lease("a", **done)]) == ()
    foreign = Lease(subscription="views", shard="x", stream="old arn")
    assert removable(listing=listing(("b",)), rows=[foreign]) == ()  # nothing of the new stream is leased yet
    assert removable(listing=listing(("b",)), rows=[foreign, lease("b")]) == (foreign,)


def test_an_ended_shard_awaits_children_until_one_is_known() -> None:
    """By the listing or by a row."""
    done = lease("a", checkpoint="SHARD_END")
    assert awaiting_children(listing=listing(("a",)), rows=[done]) == {"a"}
    assert awaiting_children(listing=listing(("a",), ("b", "a")), rows=[done]) == frozenset()
    assert awaiting_children(listing=listing(("a",)), rows=[lease("a")]) == frozenset()


def test_the_low_water_mark_is_the_least_of_what_can_still_hold_a_record() -> None:
    """Waiting children and finished parents do not count; a finished shard without a known child does."""
    assert low_water_ms([]) is None
    assert low_water_ms([lease("a", mark=50), lease("b", "a", mark=10)]) == 50
    done = {"checkpoint": "SHARD_END"}
    assert low_water_ms([lease("a", mark=50, **done)]) == 50
    assert low_water_ms([lease("a", mark=50, **done), lease("b", "a", mark=10)]) == 50
    assert low_water_ms([lease("a", mark=50, **done), lease("b", "a", mark=70)]) == 70
    assert low_water_ms([lease("a", mark=50), lease("c", mark=20)]) == 20


def test_a_lease_expires_by_standing_still_and_never_earlier() -> None:
    """The time that the reads themselves took counts for the owner."""
    watch = LeaseWatch(10)
    row = lease("a", owner="x", counter=1)
    watch.observe([row], asked_at_s=0, answered_at_s=5)
    assert not watch.expired(row)
    watch.observe([row], asked_at_s=14.9, answered_at_s=20)
    assert not watch.expired(row)
    watch.observe([row], asked_at_s=15, answered_at_s=20)
    assert watch.expired(row)
    moved = lease("a", owner="x", counter=2)
    watch.observe([moved], asked_at_s=40, answered_at_s=41)
    assert not watch.expired(moved)
    assert watch.expired(lease("b"))


@given(shards=st.integers(0, 60), workers=st.integers(1, 8), seed=st.integers(0, 10_000))
def test_shares_become_even_and_stay_so(shards: int, workers: int, seed: int) -> None:
    """From any beginning, in any order of turns: nobody is two apart from anybody, and then nothing moves any more."""
    random = Random(seed)
    names = [f"task/{number}" for number in range(workers)]
    held = dict.fromkeys(names, 0)
    free = shards
    for _ in range(random.randrange(shards + 1)):
        held[random.choice(names)] += 1
        free -= 1

    def turn(name: str) -> bool:
        nonlocal free
        give = shares_to_give_up(held=held, me=name, readable=shards, free=free)
        take = 0 if give else min(free, shares_to_take(held=held, me=name, readable=shards, maximum=1_000))
        held[name] += take - give
        free += give - take
        return bool(give or take)

    for _ in range(10 * workers):
        for name in random.sample(names, len(names)):
            turn(name)
    assert free == 0
    assert max(held.values()) - min(held.values()) <= 1
    assert not any(turn(name) for name in names)


def test_back_off_doubles_within_its_bounds_and_begins_anew() -> None:
    """Half a step to a whole one, for any number of failures."""
    backoff = Backoff(initial_s=0.2, maximum_s=20, random=Random(1))
    steps = [backoff.next_s() for _ in range(2_000)]
    assert 0.1 <= steps[0] <= 0.2
    assert 0.2 <= steps[1] <= 0.4
    assert all(10 <= step <= 20 for step in steps[8:])
    backoff.reset()
    assert backoff.next_s() <= 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        {"renew_interval_s": 6.0},
        {"discovery_interval_s": 200.0},
        {"page_records_max": 1_001},
        {"page_records_max": 0},
        {"reads_per_second_max": 0.0},
        {"gap_margin_s": 50_000.0},
        {"discovery_interval_s": 5.0, "gap_margin_s": 10.0},  # shorter than the wait for parents
        {"shards_max": 0},
        {"idle_max_s": 0.1},
        {"backoff_max_s": 0.1},
        {"child_retry_max_s": 0.01},
        {"stop_timeout_s": -1.0},
    ],
)
def test_numbers_that_contradict_each_other_are_refused(wrong: dict) -> None:
    """At the start, not at three in the morning."""
    with pytest.raises(ValueError, match=r"must|bound|interval"):
        StreamSettings(**wrong)
