"""An order as far as somebody has read it."""

from dataclasses import dataclass, replace

from orderstore import codec
from orderstore.domain.state import INITIAL, State, fold
from orderstore.recorded import Recorded
from orderstore.store.port import Commit


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """An order as far as it has been read: its state, its events, and the commit that the next one must follow."""

    stream: str
    state: State = INITIAL
    events: tuple[Recorded, ...] = ()
    head: Commit | None = None

    @property
    def version(self) -> int:
        """How many events the order has."""
        return len(self.events)

    def then(self, *commits: Commit) -> "History":
        """The history with more commits."""
        events = tuple(recorded for commit in commits for recorded in codec.decode(commit))
        state = fold(self.state, (recorded.event for recorded in events))
        return replace(self, state=state, events=(*self.events, *events), head=commits[-1] if commits else self.head)
