"""Which commits of an order this relay has published lately: so that one that the stream brings too early waits for those in front of it,
one that comes again is not sent again, and a call that was cut short goes on where it was.

DynamoDB Streams promises the order of changes of one item, and each commit is an item of its own: commits of one order that were written
in quick succession can arrive as 1, 3, 2 (the event stores Equinox and AWS's .NET SDK met that: jet/equinox#403, aws/aws-sdk-net#1601).
Pure. What is forgotten, in a new process or after a while, is taken as it comes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orderstore.store.port import Commit

# Records overtake each other by fractions of a second; what was published long ago may have been taken up by somebody else since.
REMEMBERED_S: Final = 60.0
REMEMBERED_MAX: Final = 20_000


@dataclass(slots=True)
class _Stretch:
    first: int
    last: int
    noted_at_s: float


@dataclass(frozen=True, slots=True)
class Hole:
    """Of this stream, what lies between the commit `after` and the ones that came too early: they are to be published behind it."""

    stream: str
    after: int
    early: Sequence[Commit]

    @property
    def missing(self) -> int:
        """How many commits are not at hand."""
        return self.early[0].number - self.after - 1


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What can be published as it is, each stream's in its order; behind that, where the log has to be read, each stream's in order too;
    and how many commits were published already."""

    ready: Sequence[Commit]
    holes: Sequence[Hole]
    repeated: int


class Lately:
    """The stretch of each stream that was published without a hole. Times are seconds of the caller's own clock."""

    def __init__(self) -> None:
        self._stretches: OrderedDict[str, _Stretch] = OrderedDict()

    def note(self, stream: str, number: int, now_s: float) -> None:
        """This commit is published, whole."""
        stretch = self._of(stream, now_s)
        if stretch is None or number > stretch.last + 1:
            stretch = self._stretches[stream] = _Stretch(number, number, now_s)
        elif number == stretch.last + 1:
            stretch.last, stretch.noted_at_s = number, now_s
        self._stretches.move_to_end(stream)
        if len(self._stretches) > REMEMBERED_MAX:
            self._stretches.popitem(last=False)

    def forget(self, streams: Iterable[str]) -> None:
        """Something of these could not be published: whoever decides what becomes of it may not be this process."""
        for stream in streams:
            self._stretches.pop(stream, None)

    def unpublished(self, commits: Sequence[Commit], now_s: float) -> Sequence[Commit]:
        """Those of the commits that are not known to be published, in the same order."""
        stretches = {commit.stream: self._of(commit.stream, now_s) for commit in commits}
        return [
            commit
            for commit in commits
            if (stretch := stretches[commit.stream]) is None or not stretch.first <= commit.number <= stretch.last
        ]

    def sequence(self, commits: Sequence[Commit], now_s: float) -> Sequenced:
        """Put commits as the stream brought them into the order of their streams."""
        by_stream: dict[str, dict[int, Commit]] = {}
        for commit in commits:
            by_stream.setdefault(commit.stream, {})[commit.number] = commit
        ready: list[Commit] = []
        holes: list[Hole] = []
        for stream, numbered in by_stream.items():
            stretch = self._of(stream, now_s)
            numbers = sorted(
                number for number in numbered if stretch is None or not stretch.first <= number <= stretch.last
            )
            last = None if stretch is None else stretch.last
            behind = ready
            for number in numbers:
                if last is not None and number > last + 1:
                    behind = []
                    holes.append(Hole(stream, last, behind))
                behind.append(numbered[number])
                last = number if last is None else max(last, number)
        return Sequenced(ready, holes, len(commits) - len(ready) - sum(len(hole.early) for hole in holes))

    def _of(self, stream: str, now_s: float) -> _Stretch | None:
        stretch = self._stretches.get(stream)
        if stretch is None or not 0 <= now_s - stretch.noted_at_s <= REMEMBERED_S:
            return None
        return stretch
