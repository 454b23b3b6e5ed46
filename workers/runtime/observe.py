"""What the consume loop reports. Metrics, logs and traces are implementations of `QueueObserver`; silent by default.

Each detail names its queue. An observer is called in the loop's own task: it must be quick and must not raise.

Details are structs, not dataclasses: there are three for each message, and each is made in a quarter of the time (docs/performance.md).
"""

from typing import Literal, Protocol

import msgspec


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A receive call returned messages."""

    queue: str
    count: int
    oldest_age_s: float
    """Age of the oldest of them: the best estimate of the queue's oldest that a consumer has."""
    call_s: float


class EmptyReceive(msgspec.Struct, frozen=True, kw_only=True):
    """A receive call returned nothing."""

    queue: str
    call_s: float


class PollFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A receive call failed; the next one waits `retry_in_s`."""

    queue: str
    error: Exception
    failures_in_a_row: int
    retry_in_s: float


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A handler starts on a message."""

    queue: str
    message_id: str
    receive_count: int
    waited_s: float
    """Since the receive call was made."""
    age_s: float
    """Since the message was sent, by the wall clock."""


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """A handler's work came to an outcome."""

    queue: str
    message_id: str
    receive_count: int
    duration_s: float
    age_s: float


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """The message becomes visible again after `after_s`."""

    work: Handled
    reason: str
    after_s: float
    error: Exception | None


class Poisoned(msgspec.Struct, frozen=True, kw_only=True):
    """The message was put into the dead-letter queue."""

    work: Handled
    reason: str
    error: Exception | None


class Deferred(msgspec.Struct, frozen=True, kw_only=True):
    """The handler is called again after `after_s`: here (`held`), or after the queue has delivered the message again."""

    work: Handled
    after_s: float
    held: bool


class DuplicateDropped(msgspec.Struct, frozen=True, kw_only=True):
    """A second delivery was not handled: its message is still `held` here, or was `settled` before."""

    queue: str
    message_id: str
    cause: Literal["held", "settled"]


class VisibilityLost(msgspec.Struct, frozen=True, kw_only=True):
    """The message may be someone else's now: its handler was cancelled and it is not acknowledged."""

    queue: str
    message_id: str
    reason: str
    handled: bool
    """The handler had already succeeded; a redelivery to this process is dropped."""


class Extended(msgspec.Struct, frozen=True, kw_only=True):
    """A heartbeat call extended `count` messages."""

    queue: str
    count: int


class CallFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A batch call, or some entries of it, failed; they are tried again until their visibility ends."""

    queue: str
    count: int
    reason: str


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """`count` messages were deleted."""

    queue: str
    count: int


class GivenBack(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was not started, or not finished, was made visible again because the worker stops or has too little time."""

    queue: str
    message_id: str
    reason: str


class Drained(msgspec.Struct, frozen=True, kw_only=True):
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
