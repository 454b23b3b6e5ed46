"""What the consume loop reports. Metrics, logs and traces are implementations of `QueueObserver`; silent by default.

Each detail names its queue. An observer is called in the loop's own task: it must be quick and must not raise.
"""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A receive call returned messages."""

    queue: str
    count: int
    oldest_age_s: float
    """Age of the oldest of them: the best estimate of the queue's oldest that a consumer has."""
    call_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyReceive:
    """A receive call returned nothing."""

    queue: str
    call_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailed:
    """A receive call failed; the next one waits `retry_in_s`."""

    queue: str
    error: Exception
    failures_in_a_row: int
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A handler starts on a message."""

    queue: str
    message_id: str
    receive_count: int
    waited_s: float
    """Since the receive call was made."""
    age_s: float
    """Since the message was sent, by the wall clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """A handler's work came to an outcome."""

    queue: str
    message_id: str
    receive_count: int
    duration_s: float
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The message becomes visible again after `after_s`."""

    work: Handled
    reason: str
    after_s: float
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisoned:
    """The message was put into the dead-letter queue."""

    work: Handled
    reason: str
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The handler is called again after `after_s`: here (`held`), or after the queue has delivered the message again."""

    work: Handled
    after_s: float
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateDropped:
    """A second delivery was not handled: its message is still `held` here, or was `settled` before."""

    queue: str
    message_id: str
    cause: Literal["held", "settled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibilityLost:
    """The message may be someone else's now: its handler was cancelled and it is not acknowledged."""

    queue: str
    message_id: str
    reason: str
    handled: bool
    """The handler had already succeeded; a redelivery to this process is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """A heartbeat call extended `count` messages."""

    queue: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """A batch call, or some entries of it, failed; they are tried again until their visibility ends."""

    queue: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """`count` messages were deleted."""

    queue: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """A message that was not started, or not finished, was made visible again because the worker stops or has too little time."""

    queue: str
    message_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The loop has ended."""

    queue: str
    duration_s: float
    """Since it was told to stop."""
    given_back: int
    unsettled: int
    """Messages whose acknowledgement or return did not get through in time: they come back when their visibility ends."""


class QueueObserver(Protocol):
    """One method per fact."""

    def received(self, detail: Received, /) -> None: ...
    def empty_receive(self, detail: EmptyReceive, /) -> None: ...
    def poll_failed(self, detail: PollFailed, /) -> None: ...
    def started(self, detail: Started, /) -> None: ...
    def done(self, detail: Handled, /) -> None: ...
    def retried(self, detail: Retried, /) -> None: ...
    def poisoned(self, detail: Poisoned, /) -> None: ...
    def deferred(self, detail: Deferred, /) -> None: ...
    def duplicate_dropped(self, detail: DuplicateDropped, /) -> None: ...
    def visibility_lost(self, detail: VisibilityLost, /) -> None: ...
    def extended(self, detail: Extended, /) -> None: ...
    def heartbeat_failed(self, detail: CallFailed, /) -> None: ...
    def ack_failed(self, detail: CallFailed, /) -> None: ...
    def return_failed(self, detail: CallFailed, /) -> None: ...
    def deleted(self, detail: Deleted, /) -> None: ...
    def given_back(self, detail: GivenBack, /) -> None: ...
    def drained(self, detail: Drained, /) -> None: ...


class SilentObserver:
    """Reports nothing."""

    def received(self, detail: Received, /) -> None: ...
    def empty_receive(self, detail: EmptyReceive, /) -> None: ...
    def poll_failed(self, detail: PollFailed, /) -> None: ...
    def started(self, detail: Started, /) -> None: ...
    def done(self, detail: Handled, /) -> None: ...
    def retried(self, detail: Retried, /) -> None: ...
    def poisoned(self, detail: Poisoned, /) -> None: ...
    def deferred(self, detail: Deferred, /) -> None: ...
    def duplicate_dropped(self, detail: DuplicateDropped, /) -> None: ...
    def visibility_lost(self, detail: VisibilityLost, /) -> None: ...
    def extended(self, detail: Extended, /) -> None: ...
    def heartbeat_failed(self, detail: CallFailed, /) -> None: ...
    def ack_failed(self, detail: CallFailed, /) -> None: ...
    def return_failed(self, detail: CallFailed, /) -> None: ...
    def deleted(self, detail: Deleted, /) -> None: ...
    def given_back(self, detail: GivenBack, /) -> None: ...
    def drained(self, detail: Drained, /) -> None: ...
