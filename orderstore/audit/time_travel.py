"""An order at a moment of its past, and what changed between two. Pure: it reads events in hand, and asks no clock.

**A moment is always a prefix of history.** As of a time T, it is the longest one in which no event's clock shows more than T:
everything up to the first commit that came later. The clocks are those of the writers, and two writers' clocks differ. When an
event claims to be older than one that it builds on, the claim cannot be so: nothing has happened for the order before what
it follows from. It is therefore taken to be as late as the latest before it (the running maximum), and the answer errs on
the side of less. Picking events by their time, one by one, would show an order that never was.

**Prefixes end between commits.** All events of a commit became true together: inside of one there was never a state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, TypeVar

from orderstore.audit.moments import AsOf, AtCommit, CommitAhead, Moment, clock_of, microseconds
from orderstore.domain.state import INITIAL, State, fold
from orderstore.recorded import Recorded

V = TypeVar("V")
Direction = Literal["forward", "backward", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """An order as it stood at a moment: the events that it had by then."""

    moment: Moment
    """What was asked for."""
    events: tuple[Recorded, ...]

    @property
    def commit(self) -> int:
        """The last commit by then; 0 when the order was not placed yet."""
        return self.events[-1].commit if self.events else 0

    @property
    def version(self) -> int:
        """How many events it had; 0 when it was not placed yet."""
        return len(self.events)

    @property
    def state(self) -> State:
        """The state, folded from nothing; `NotPlaced` before the first commit. Raises ImpossibleTransition."""
        return fold(INITIAL, (recorded.event for recorded in self.events))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an order's document that is not the same at two moments."""

    field: str
    """Its path, with dots: `payment.status`."""
    old: Any
    """At the first moment that was named; None where there was none."""
    new: Any
    """At the second."""
    by: Recorded
    """The event that gave the field what it has at the later of the two moments, whichever was named first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What lies between two moments of an order, seen from `old` to `new`."""

    old: Prefix
    new: Prefix
    direction: Direction
    """`backward` when `new` is the earlier one: its events then are taken back."""
    events: tuple[Recorded, ...]
    """Those of the later moment that the earlier one has not, in the order of the log, whichever was named first."""
    fields: tuple[FieldChange, ...]
    """In the order of the document. What changed and changed back is no difference; the events tell of it."""


def prefix_at(events: Sequence[Recorded], moment: Moment) -> Prefix:
    """The order with these events (all of them, in the order of the log) as it stood at a moment.

    Raises:
        CommitAhead: the order has no such commit (yet).
    """
    match moment:
        case AtCommit(number):
            head = events[-1] if events else None
            if number > (head.commit if head else 0):
                raise CommitAhead(
                    number, head_commit=head.commit if head else 0, head_version=head.version if head else 0
                )
            kept = sum(1 for recorded in events if recorded.commit <= number)
        case AsOf():
            kept = _until(events, moment)
    return Prefix(moment=moment, events=tuple(events[:kept]))


def state_at(events: Sequence[Recorded], moment: Moment) -> State:
    """The state at a moment; `NotPlaced` before the first commit. Raises CommitAhead, ImpossibleTransition."""
    return prefix_at(events, moment).state


def difference(
    events: Sequence[Recorded],
    old: Moment,
    new: Moment,
    *,
    evolve: Callable[[V | None, Recorded], V],
    to_document: Callable[[V], Mapping[str, Any]],
    apart_from: frozenset[str] = frozenset(),
) -> Difference:
    """What lies between two moments of an order, and which fields of its document it changed.

    `evolve` and `to_document` are those of the view whose document is compared; `apart_from` names fields that only say where
    a document stands. Raises CommitAhead, and what `evolve` raises.
    """
    first, second = prefix_at(events, old), prefix_at(events, new)
    earlier, later = sorted((first, second), key=attrgetter("version"))
    view: V | None = None
    for recorded in earlier.events:
        view = evolve(view, recorded)
    before = after = {} if view is None else flattened(to_document(view))
    set_by: dict[str, Recorded] = {}
    between = later.events[earlier.version :]
    for recorded in between:
        view = evolve(view, recorded)
        was, after = after, flattened(to_document(view))
        set_by.update((field, recorded) for field in (*was, *after) if was.get(field) != after.get(field))
    backward = first is later and bool(between)
    at_first, at_second = (after, before) if backward else (before, after)
    return Difference(
        old=first,
        new=second,
        direction="none" if not between else "backward" if backward else "forward",
        events=between,
        fields=tuple(
            FieldChange(field=field, old=at_first.get(field), new=at_second.get(field), by=set_by[field])
            for field in dict.fromkeys((*after, *before))
            if field not in apart_from and before.get(field) != after.get(field)
        ),
    )


def flattened(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A document's values by path, lists whole: an object that is absent has no values, which is what None says too."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _until(events: Sequence[Recorded], asked: AsOf) -> int:
    """How many events the longest prefix of whole commits has in which no clock shows more than was asked for."""
    limit = microseconds(asked.time)
    kept = 0
    for _, commit in groupby(events, key=attrgetter("commit")):
        clocks = [clock_of(recorded, asked.clock) for recorded in commit]
        if max(clocks) > limit:
            break
        kept += len(clocks)
    return kept
