"""What live streams report. Silent by default."""

from typing import Literal, Protocol

StreamKind = Literal["order", "customer"]
Watched = Literal["order", "inbox"]
Closed = Literal["end", "left", "slow", "life", "drain", "failed"]
"""Why a stream ended: nothing more can come; the client went; it took too long; its time was over; the process stops; a fault."""
Refusal = Literal["process_full", "token_full", "stopping"]


class LiveObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def stream_opened(self, *, kind: StreamKind) -> None:
        """A client is connected."""

    def stream_closed(self, *, kind: StreamKind, why: Closed) -> None:
        """It is not any more."""

    def stream_refused(self, *, why: Refusal) -> None:
        """A client was sent away."""

    def event_sent(self, *, event: str) -> None:
        """A client took an event; "beat" for a comment that only breaks the silence."""

    def looked(self, *, what: Watched, keys: int, moved: int) -> None:
        """One call looked at so many things, of which so many had moved."""

    def look_failed(self, *, what: str, error: Exception) -> None:
        """A look or a read failed; it is tried again, and no client hears of it."""


class SilentLiveObserver:
    """Reports nothing."""

    def stream_opened(self, *, kind: StreamKind) -> None:
        """Do nothing."""

    def stream_closed(self, *, kind: StreamKind, why: Closed) -> None:
        """Do nothing."""

    def stream_refused(self, *, why: Refusal) -> None:
        """Do nothing."""

    def event_sent(self, *, event: str) -> None:
        """Do nothing."""

    def looked(self, *, what: Watched, keys: int, moved: int) -> None:
        """Do nothing."""

    def look_failed(self, *, what: str, error: Exception) -> None:
        """Do nothing."""
