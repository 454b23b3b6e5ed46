"""What a handler's work came to: the loop turns each outcome into the queue's own means."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from workers.runtime.queue import Message


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done, or needed no doing (a business "no" is also done): the message is deleted."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Technical trouble: the message becomes visible again after a while, and this counts as one of its receives.

    `after_s` None means full-jitter back-off by receive count. `reason` must hold no personal data: it is logged.
    """

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Poison:
    """No retry can help (undecodable, unknown schema): straight to the dead-letter queue with this cause."""

    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now, and nobody's fault (a breaker is open, a dependency is late): the handler is called again after `after_s`.

    The message is kept, hidden by the heartbeat, so that waiting burns no receive; only a wait longer than
    `ConsumeSettings.defer_hold_s_max` gives it back to the queue. While it waits it takes up a credit, so a worker whose
    every message is deferred stops polling: an outage pauses it.
    """

    after_s: float


Outcome = Done | Retry | Poison | Defer

Handler = Callable[[Message], Awaitable[Outcome]]
"""Does one message's work. Called more than once for the same message, in any order: it must be idempotent."""

Classify = Callable[[Exception], Outcome]
"""Turns a handler's exception into an outcome; whoever wires the loop brings the table (`workers/classify.py`)."""


def classify_unknown(error: Exception) -> Outcome:
    """The default table: every exception is worth a retry. The reason is the type's name, since texts may hold personal data."""
    return Retry(reason=f"{type(error).__module__}.{type(error).__qualname__}")
