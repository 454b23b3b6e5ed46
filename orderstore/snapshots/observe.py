"""What snapshots report. Silent by default."""

from typing import Protocol


class Observer(Protocol):
    """Facts about snapshots, as they happen. Implementations return at once and never raise."""

    def taken(self, *, stored_bytes: int) -> None:
        """A snapshot is stored."""

    def used(self, *, commits_not_read: int) -> None:
        """An order was read from a snapshot on."""

    def ignored(self, key: str, reason: str) -> None:
        """A snapshot is not what it should be; the order is read without it. A person may delete the object."""


class SilentObserver:
    """Reports nothing."""

    def taken(self, *, stored_bytes: int) -> None:
        """Do nothing."""

    def used(self, *, commits_not_read: int) -> None:
        """Do nothing."""

    def ignored(self, key: str, reason: str) -> None:
        """Do nothing."""
