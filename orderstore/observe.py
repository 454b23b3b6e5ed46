"""What the write side reports. Silent by default; Prometheus is one implementation, in `workers/metrics/core.py`."""

from typing import Protocol


class Observer(Protocol):
    """Facts about the log, as they happen. Implementations return at once and never raise."""

    def appended(self, event_type: str) -> None:
        """An event is durable."""

    def conflicted(self) -> None:
        """Another writer won this commit; the decision is made again."""

    def repeated(self, purpose: str) -> None:
        """A decision had nothing to add: its outcome stood in the log already."""

    def numbered(self, series: str) -> None:
        """An invoice number was taken."""


class SilentObserver:
    """Reports nothing."""

    def appended(self, event_type: str) -> None:
        """Do nothing."""

    def conflicted(self) -> None:
        """Do nothing."""

    def repeated(self, purpose: str) -> None:
        """Do nothing."""

    def numbered(self, series: str) -> None:
        """Do nothing."""
