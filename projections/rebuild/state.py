"""What is known of a view's rebuild: one row, kept through crashes, and what may follow what. Pure."""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from projections.views.view import Generations

State = Literal["filling", "paused", "comparing", "ready", "switched", "discarding", "discarded"]
Source = Literal["log", "archive"]

NAMED_MAX: Final = 100  # orders that are named in the row; all are counted
DETAIL_CHARACTERS_MAX: Final = 200
_COMMIT: Final = re.compile(r"\bcommit \d{1,9}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """How far one part of the source has been read: `after` is a position of `EventStore.commits`, or the last manifest of the archive."""

    after: str | None = None
    done: bool = False
    orders: int = 0
    commits: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """An order that could not be folded into the new generation, and why; or a document that is not what it should be.

    In names, fields and numbers, never in what an order or an error says: the row is kept, and an erasure has nothing to look for in it.
    """

    stream: str
    cause: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of comparing the new generation with the live one, document by document of the live one."""

    documents: int = 0
    equal: int = 0
    """The same in both; or in both what the log says at the commit at which they stand."""
    brought_up: int = 0
    """The live one was ahead, and the new one was brought up from the log."""
    other_schema: int = 0
    """Written by another release: what they say cannot be compared. The new one has the document, and is not behind."""
    mended: int = 0
    """The live one is not what the log says, the new one is: what the rebuild puts right."""
    blocking: int = 0
    """The new one lacks the document, is behind, or is not what the log says; or one of its totals is not the sum of its documents. Readers
    would lose something."""
    totals_equal: int = 0
    """Buckets of totals of the new one that are the sum of its documents."""
    totals_moving: int = 0
    """Buckets that moved during every look: neither proved nor found wrong. `views compare` proves them when they rest."""
    mended_orders: tuple[Trouble, ...] = ()
    blocking_orders: tuple[Trouble, ...] = ()
    moving_totals: tuple[str, ...] = ()

    @property
    def may_switch(self) -> bool:
        """Whether readers lose nothing."""
        return self.blocking == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """The row. Whoever writes it makes `version` one more, on the condition that nobody else did; the owner also raises `beat`."""

    view: str
    generation: int
    """The one that is filled; after the switch, the current one. No number is ever given twice."""
    source: Source = "log"
    state: State
    segments: tuple[Segment, ...] = ()
    log_segments: tuple[Segment, ...] = ()
    """Of a rebuild from the archive: the log, which is read after it for what the archive lacks."""
    settled: bool = False
    """Every projector writes the generation: it was announced, and the time in which they hear of it is over."""
    started_at_ms: int
    changed_at_ms: int
    running_s: float = 0.0
    documents: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    commits_expected: int | None = None
    """About how many there are in the source, where that is known."""
    troubles: int = 0
    """Orders that could not be folded, when they were met; past NAMED_MAX of them one that is met again counts again."""
    troubled: tuple[Trouble, ...] = ()
    verdict: Verdict | None = None
    discarding: int | None = None
    pause_wanted: bool = False
    owner: str | None = None
    beat: int = 0
    version: int = 1

    @property
    def orders(self) -> int:
        """How many were read from the source."""
        return sum(segment.orders for segment in self.segments)

    @property
    def commits(self) -> int:
        """How many were read from the source."""
        return sum(segment.commits for segment in self.segments)

    @property
    def segments_done(self) -> int:
        """How many have been read to their end."""
        return sum(segment.done for segment in self.segments)

    @property
    def unfinished(self) -> bool:
        """Whether there is something to go on with."""
        return self.state in ("filling", "paused", "comparing", "ready")

    def with_segment(self, number: int, segment: Segment) -> "Rebuild":
        """The same with one segment of the source further."""
        return replace(self, segments=(*self.segments[:number], segment, *self.segments[number + 1 :]))

    def with_log_segment(self, number: int, segment: Segment) -> "Rebuild":
        """The same with one segment of the log that is read after the archive further."""
        return replace(self, log_segments=(*self.log_segments[:number], segment, *self.log_segments[number + 1 :]))

    def with_trouble(self, trouble: Trouble) -> "Rebuild":
        """One more, named while there is room."""
        known = any(one.stream == trouble.stream for one in self.troubled)
        named = self.troubled if known or len(self.troubled) >= NAMED_MAX else (*self.troubled, trouble)
        return replace(self, troubles=self.troubles + (not known), troubled=named)


def trouble_of(stream: str, error: Exception) -> Trouble:
    """What is kept of an error: its class, and the commit where it names one."""
    commit = _COMMIT.search(str(error))
    return Trouble(stream, type(error).__name__, "" if commit is None else commit[0])


def next_generation(generations: Generations, row: Rebuild | None) -> int:
    """A number that was never used: what a slow projector may still write to one that was discarded touches nobody."""
    used = [*generations.written, *([] if row is None else [row.generation])]
    return max(used) + 1


def announced(generations: Generations, number: int) -> Generations:
    """With the generation that is to be filled."""
    return replace(generations, building=number)


def switched(generations: Generations, to: int) -> Generations:
    """Readers use `to`; the one that they used is still written. Raises ValueError for one that is not written."""
    if to == generations.current:
        return generations
    if to not in generations.written:
        raise ValueError(f"generation {to} is not written: there are {', '.join(map(str, generations.written))}")
    building = None if generations.building == to else generations.building
    return Generations(current=to, building=building, former=generations.current)


def without(generations: Generations, number: int) -> Generations:
    """No longer written. Raises ValueError for the one that readers use."""
    if number == generations.current:
        raise ValueError(f"generation {number} is the one that readers use")
    return replace(
        generations,
        building=None if generations.building == number else generations.building,
        former=None if generations.former == number else generations.former,
    )
