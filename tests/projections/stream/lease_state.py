"""What the lease model is about: rows, what workers believe, writes on their way, and the rules that are searched."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from projections.stream import Lease
from projections.stream.balance import Sighting, is_free, sighted
from projections.stream.leases import is_valid, taken, unmoved, with_gap, without_gap, written
from projections.stream.lineage import missing_leases, readable, removable

DURATION: Final = 2  # ticks
NOBODY: Final = -1


class Row(NamedTuple):
    owner: int
    counter: int
    checkpoint: int
    gap: bool = False  # a back-fill is owed
    start: int = 0  # so many records were trimmed when the last gap was noted: the oldest is the one behind them

    @property
    def reached(self) -> int:
        """Up to where the row says that everything was applied."""
        return self.checkpoint or self.start


class Seen(NamedTuple):
    """How long a worker has seen a row at a version."""

    owner: int
    counter: int
    age: int


class Held(NamedTuple):
    """A worker's belief that a lease is its own."""

    stored: Row  # as it thinks the row is
    now: int  # the checkpoint that it would store
    age: int  # since its last good write began
    current: bool  # nobody has taken the lease since (the worker does not know)
    uncertain: tuple[Row, ...]  # writes whose answers it did not get
    gap: bool = False  # what it would store of these, too
    start: int = 0

    @property
    def reached(self) -> int:
        """Reading goes on behind it."""
        return self.now or self.start


class Letter(NamedTuple):
    """A write on its way."""

    worker: int
    shard: int
    seen: Row
    updated: Row
    take: bool
    current: bool


class Local(NamedTuple):
    seen: Seen | None
    held: Held | None


class State(NamedTuple):
    rows: tuple[Row | None, ...]
    gone: tuple[bool, ...]  # the row was tidied away
    applied: tuple[int, ...]  # of each shard, the records whose effect is durable: bit n - 1 is record n
    trimmed: tuple[int, ...]  # so many of the oldest records are in the stream no more
    closed: tuple[bool, ...]
    listed: tuple[bool, ...]
    workers: tuple[tuple[Local, ...] | None, ...]  # None: dead
    letters: tuple[Letter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is searched: shards with their parents and numbers of records, workers, and how much may go wrong."""

    parents: tuple[tuple[int, ...], ...]
    records: tuple[int, ...]
    workers: int = 2
    letters: int = 1  # writes on their way at once
    crashes: int = 1
    trims: int = 0  # records that leave the stream, read or not

    def end(self, shard: int) -> int:
        return self.records[shard] + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The protocol's decisions, each the function that the product calls. A test that breaks one of them must be found out."""

    unmoved: Callable[[Lease | None, Lease], bool] = unmoved
    sighted: Callable[..., Sighting] = sighted
    is_free: Callable[..., bool] = is_free
    is_valid: Callable[..., bool] = is_valid
    readable: Callable[..., frozenset[str]] = readable
    missing: Callable[..., tuple] = missing_leases
    removable: Callable[..., tuple[Lease, ...]] = removable
    written: Callable[..., Lease] = written
    stores_ends: bool = True
    taken: Callable[..., Lease] = taken
    with_gap: Callable[..., Lease] = with_gap
    without_gap: Callable[[Lease], Lease] = without_gap
    heals_first: bool = True  # the mark is cleared only after its back-fill
    applies_first: bool = True  # a checkpoint follows its effect
    condition_is_sound: bool = True  # what the condition would refuse may be forgotten, which keeps the states few


def first(records: int) -> int:
    """The set of the first so many records."""
    return (1 << records) - 1


class Broken(Exception):
    """An invariant does not hold."""


def with_value(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])


def holding(state: State, worker: int, shard: int, held: Held | None) -> State:
    locals_ = state.workers[worker]
    return state._replace(
        workers=with_value(state.workers, worker, with_value(locals_, shard, locals_[shard]._replace(held=held)))
    )


def sent(state: State, letter: Letter) -> State:
    return state._replace(letters=tuple(sorted((*state.letters, letter))))


def outdated(state: State, shard: int) -> State:
    """From now on whatever rests on the lease as it was is a stale owner's."""
    workers = tuple(
        locals_
        if locals_ is None or locals_[shard].held is None
        else with_value(locals_, shard, locals_[shard]._replace(held=locals_[shard].held._replace(current=False)))
        for locals_ in state.workers
    )
    letters = tuple(letter._replace(current=False) if letter.shard == shard else letter for letter in state.letters)
    return state._replace(workers=workers, letters=tuple(sorted(letters)))
