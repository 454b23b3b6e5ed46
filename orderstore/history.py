"""An order as far as somebody has read it: where it stands, or its whole history.

Standing    state, version and head: all that a decision needs. It may have been read from a snapshot on.
└── History the same, with every event since the first. Only this one can be searched: there is no event to be missed in it.
"""

from dataclasses import dataclass
from typing import Self

from orderstore import codec
from orderstore.domain.state import INITIAL, State, fold
from orderstore.recorded import Recorded
from orderstore.store.chain import seal
from orderstore.store.port import Commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an order stands: its state, how many events it has, and the commit that the next one must follow."""

    stream: str
    state: State = INITIAL
    version: int = 0
    head: Commit | None = None

    def then(self, *commits: Commit) -> Self:
        """The same with more commits. Raises CodecError, ImpossibleTransition."""
        return self._with(commits, [recorded for commit in commits for recorded in codec.decode(commit)])

    def following(self, body: bytes, *, recorded_at_ms: int) -> Commit:
        """The commit that follows, not stored yet. Raises CommitTooLarge, StreamTooLong."""
        number = 1 if self.head is None else self.head.number + 1
        return seal(stream=self.stream, number=number, recorded_at_ms=recorded_at_ms, body=body, previous=self.head)

    def _with(self, commits: tuple[Commit, ...], events: list[Recorded]) -> Self:
        if not commits:
            return self
        state = fold(self.state, [recorded.event for recorded in events])
        return type(self)(stream=self.stream, state=state, version=self.version + len(events), head=commits[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Standing):
    """An order as far as it has been read: where it stands, and every event since the first."""

    events: tuple[Recorded, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError when events are missing: a part of a history is a `Standing`."""
        if self.version != len(self.events):
            raise ValueError(
                f"{self.stream} is at version {self.version}: {len(self.events)} events are not its history"
            )

    def _with(self, commits: tuple[Commit, ...], events: list[Recorded]) -> Self:
        if not commits:
            return self
        state = fold(self.state, [recorded.event for recorded in events])
        together = (*self.events, *events)
        return type(self)(stream=self.stream, state=state, version=len(together), head=commits[-1], events=together)
