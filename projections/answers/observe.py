"""What reads of the views report. Silent by default; the API's observer is one of these too."""

from typing import Literal, Protocol

Background = Literal["generations", "parked", "views"]


class ReadObserver(Protocol):
    """Facts about reads, as they happen. Implementations return at once and never raise."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """A read that named a commit is answered from there, after so long a wait for the view."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """A read failed that no caller hears of: what was known before stands, or another place was asked."""


class SilentReadObserver:
    """Reports nothing."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """Do nothing."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """Do nothing."""
