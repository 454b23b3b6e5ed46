"""The one shape of all verbs of people.

KeyReused        the Idempotency-Key named another request before
CustomerErased   the customer's personal data were erased, and none can be kept any more
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orderstore.domain.events import Event, FreeText
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.recorded import Recorded

Find = Callable[[Sequence[Recorded]], Recorded | None]


class KeyReused(Exception):
    """The Idempotency-Key named another request before. Nothing was stored; use a new key for a new request."""


class CustomerErased(Exception):
    """The customer's personal data were erased, and none can be kept under this id any more. Nothing was stored."""


def _always(_event: Event) -> bool:
    return True


def _another() -> Exception:
    return KeyReused("this Idempotency-Key was used for another request about this order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What somebody wrote: sealed for `sealed_for` of the order's stream, when it is known that they will be kept."""

    text: str
    sealed_for: Callable[[str], str]
    kept: Callable[[Event], FreeText | None] | None = None
    """Where the log has the words of the first time; None: a repeat may say it in other words."""


NO_WORDS: Final = Words(text="", sealed_for=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of an order.

    purpose   names the wish among all of its order: the events that it makes have ids that follow from it
    decide    what to append to an order in this state; `()` when it is so already; raises CommandRejected
    found     the event that says that it was done, by this wish or before it
    same      whether that event says what this wish says, its words aside
    reused    what to raise when it says something else
    by_key    the state does not tell whether it was done already: the log is searched for the event that this very wish would make
    """

    purpose: str
    decide: Callable[[State, FreeText | None], tuple[Event, ...]]
    found: Find
    same: Callable[[Event], bool] = _always
    reused: Callable[[], Exception] = _another
    words: Words = NO_WORDS
    by_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The order's history with what was wanted; `recorded` says so. `new` is False when it had been done already."""

    history: History
    recorded: Recorded
    new: bool

    @property
    def event(self) -> Any:  # noqa: ANN401 - which event it is, the wish knows
        """What happened."""
        return self.recorded.event


def says(kind: type | tuple[type, ...], **fields: object) -> Callable[[Recorded], bool]:
    """Whether an event is of this kind and has these values."""

    def does(recorded: Recorded) -> bool:
        event = recorded.event
        return isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())

    return does


def first(*wanted: Callable[[Recorded], bool]) -> Find:
    """The first event that fits the first of these; where there is none, the first that fits the second, and so on."""

    def find(events: Sequence[Recorded]) -> Recorded | None:
        return next((recorded for fits in wanted for recorded in events if fits(recorded)), None)

    return find


def last(wanted: Callable[[Recorded], bool]) -> Find:
    """The last event that fits."""

    def find(events: Sequence[Recorded]) -> Recorded | None:
        return next((recorded for recorded in reversed(events) if wanted(recorded)), None)

    return find
