"""Things of an order that wait each by itself: the first hundred are kept singly, of the others how many. Part of `deadlines`."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

KEPT_MAX: Final = 100
"""Parcels, refunds and questions that are kept singly; of the others the count, and since when the oldest waits."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that is booked or under way since then, or a refund that is promised since then; of a booked parcel also what is in it."""

    subject: str
    since: datetime
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Several:
    """The first `KEPT_MAX` of something, and how many there are beside them; the oldest of those has waited since `more_since`, unless
    that has been told already."""

    kept: tuple[Waiting, ...] = ()
    more: int = 0
    more_since: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self.kept or self.more)

    def has(self, subject: str) -> bool:
        """Whether this one is kept singly."""
        return any(one.subject == subject for one in self.kept)

    def pieces_of(self, subject: str) -> int:
        """What is in this one; 0 where it is not kept singly."""
        return sum(one.pieces for one in self.kept if one.subject == subject)

    def with_one(self, subject: str, now: datetime, *, pieces: int = 0) -> "Several":
        """With one more."""
        if len(self.kept) < KEPT_MAX:
            return replace(self, kept=(*self.kept, Waiting(subject, now, pieces)))
        oldest = now if self.more_since is None else min(self.more_since, now)
        return replace(self, more=self.more + 1, more_since=oldest)

    def without(self, subject: str) -> "Several":
        """Without this one."""
        left = tuple(one for one in self.kept if one.subject != subject)
        if len(left) < len(self.kept):
            return replace(self, kept=left)
        more = max(0, self.more - 1)
        return replace(self, more=more, more_since=self.more_since if more else None)

    def anew(self, now: datetime, subject: str) -> "Several":
        """The same with the clock of one begun anew."""
        if not self.has(subject):
            return replace(self, more_since=now if self.more else None)
        kept = tuple(replace(one, since=now) if one.subject == subject else one for one in self.kept)
        return replace(self, kept=kept)

    def all_anew(self, now: datetime) -> "Several":
        """The same with every clock begun anew."""
        kept = tuple(replace(one, since=now) for one in self.kept)
        return replace(self, kept=kept, more_since=now if self.more else None)


NONE: Final = Several()
