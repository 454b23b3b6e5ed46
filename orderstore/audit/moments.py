"""Moments of an order: a commit, or a time by one of two clocks; how people write them, and what is refused.

    MomentError
    ├── NotAMoment       it cannot be understood, or nobody could say which moment it means
    └── CommitAhead      the order has no such commit (yet); carries where its head is

An order has two clocks. *Recorded* is when a commit was written down: what could be known then. *Occurred* is when an event
happened, by whoever decided it. Both are wall clocks of the writers, and only people read them; the order of things is the
number of the commit.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from orderstore.recorded import Recorded

Clock = Literal["recorded", "occurred"]
CLOCKS: Final[tuple[Clock, ...]] = get_args(Clock)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBER: Final = re.compile(
    r"[0-9]{1,9}"
)  # more digits than `COMMITS_PER_STREAM_MAX` has, and few enough for any integer
_RFC_3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?P<offset>[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


class MomentError(ValueError):
    """There is no such moment of the order."""


class NotAMoment(MomentError):
    """It cannot be understood, or nobody could say which moment it means."""


class CommitAhead(MomentError):
    """The order has no such commit (yet)."""

    def __init__(self, asked: int, *, head_commit: int, head_version: int) -> None:
        """Carry the commit that was asked for, and where the order's head is."""
        super().__init__(
            f"there is no commit {asked}: the order's head is commit {head_commit}, version {head_version}"
        )
        self.asked = asked
        self.head_commit = head_commit
        self.head_version = head_version


@dataclass(frozen=True, slots=True)
class AtCommit:
    """Right after the commit with this number; 0 is before the first. Raises NotAMoment."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise NotAMoment(f"commits are numbered from 1 (0 is before the first), not {self.number}")

    def __str__(self) -> str:
        return f"commit {self.number}"


@dataclass(frozen=True, slots=True)
class AsOf:
    """As things were at this time, by this clock; what has exactly this time belongs to it. Raises NotAMoment."""

    time: datetime
    clock: Clock = "recorded"

    def __post_init__(self) -> None:
        if self.time.utcoffset() is None:
            raise NotAMoment(
                f"{self.time.isoformat()} names no offset from UTC: nobody could say which moment it means"
            )
        if self.clock not in CLOCKS:
            raise NotAMoment(f"the clocks are {' and '.join(CLOCKS)}, not {self.clock!r}")

    def __str__(self) -> str:
        return f"{instant(self.time)} ({self.clock})"


Moment = AtCommit | AsOf


def parse_moment(text: str, *, clock: Clock = "recorded") -> Moment:
    """A commit's number, or a time by `clock`. Raises NotAMoment."""
    if _NUMBER.fullmatch(text):
        return AtCommit(int(text))
    if text.isdecimal():
        raise NotAMoment("a commit's number has at most nine digits")
    return AsOf(parse_time(text), clock)


def parse_time(text: str) -> datetime:
    """The moment, in UTC, that an RFC 3339 time names: with an offset, or in summer's last hour nobody knows which one is meant.

    What is finer than a microsecond is cut off: events have milliseconds. Raises NotAMoment.
    """
    example = "write it as 2026-03-01T12:00:00Z or 2026-03-01T13:00:00.250+01:00 (RFC 3339)"
    found = _RFC_3339.fullmatch(text)
    if found is None:
        unescaped = " " in text and _RFC_3339.fullmatch("+".join(text.rsplit(" ", 1)))
        hint = "in an address, + is written %2B" if unescaped else example
        raise NotAMoment(f"this is no time: {hint}")
    if found["offset"] is None:
        raise NotAMoment(
            f"the time names no offset from UTC, such as Z: nobody could say which moment it means; {example}"
        )
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAMoment(f"there is no such time: {error}") from error


def instant(moment: datetime) -> str:
    """A time in UTC as text, to the microsecond where it has any: what was asked for is shown as it was understood."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds" if moment.microsecond % 1_000 else "milliseconds")
    return text.replace("+00:00", "Z")


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def clock_of(recorded: Recorded, clock: Clock) -> int:
    """What an event's clock shows, in microseconds since 1970."""
    return recorded.recorded_at_ms * 1_000 if clock == "recorded" else microseconds(recorded.occurred_at)
