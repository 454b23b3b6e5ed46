"""What can go wrong with a stream, as one record of named probabilities; together with one seed it makes a run repeatable."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Every number is a probability of one call unless its name ends in a unit. All zero: a stream that behaves."""

    throttle: float = 0.0  # GetRecords: LimitExceededException
    unavailable: float = 0.0  # any call but listings: InternalServerError
    lost_answer: float = 0.0  # GetRecords worked, its answer did not arrive
    expire: float = 0.0  # GetRecords: ExpiredIteratorException, long before the 15 minutes are over
    empty_page: float = 0.0  # GetRecords has records and returns none; at most twice in a row for a shard
    short_page: float = 0.0  # GetRecords returns fewer records than it has and was asked for
    rewind: float = 0.0  # a new iterator begins up to three records too early: they come again
    listing_failure: float = 0.0  # ListStreams, DescribeStream: InternalServerError
    late_child_s: float = 0.0  # a child appears in the listing only after up to so long
    late_parent: float = 0.0  # a listing leaves out a parent whose child it shows
    reorder: float = 0.0  # of a write: its record comes half a second late, behind others, also of the same order
    # What happens by itself while `FakeStream.unrest` runs
    roll_over_every_s: float = 5.0
    split: float = 0.0  # of a roll-over: it is a split …
    merge: float = 0.0  # … or two shards get one child
    open_shards_max: int = 6
    trim: float = 0.0  # of a roll-over: what is older than `trim_older_than_s` goes as well
    trim_older_than_s: float = 30.0
    replace: float = 0.0  # of a roll-over: the stream is disabled, and enabled again after `disabled_s`
    disabled_s: float = 3.0


def drawn(seed: int) -> Faults:
    """Some of everything that loses no record and breaks no order: how much of each, the seed decides."""
    random = Random(f"faults {seed}")

    def up_to(most: float) -> float:
        return random.choice((0.0, random.uniform(0, most)))

    return Faults(
        throttle=up_to(0.2),
        unavailable=up_to(0.1),
        lost_answer=up_to(0.1),
        expire=up_to(0.1),
        empty_page=up_to(0.4),
        short_page=up_to(0.5),
        rewind=up_to(0.5),
        listing_failure=up_to(0.3),
        late_child_s=up_to(4),
        roll_over_every_s=random.uniform(2, 8),
        split=up_to(0.4),
        merge=up_to(0.4),
    )


def drawn_with_losses(seed: int) -> Faults:
    """The same, with what only the table can heal: trims, replaced streams, parents that listings hide, disorder."""
    random = Random(f"losses {seed}")
    mild = drawn(seed)
    return Faults(
        **{name: getattr(mild, name) for name in mild.__slots__ if name not in _LOSSES},
        late_parent=random.choice((0.0, 0.3)),
        reorder=random.choice((0.0, 0.3)),
        trim=random.choice((0.0, 0.1, 0.3)),
        replace=random.choice((0.0, 0.05)),
    )


_LOSSES = frozenset({"late_parent", "reorder", "trim", "replace"})
