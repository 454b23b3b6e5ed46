"""What the sweeper reports. Silent by default."""

from typing import Protocol


class SweepObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def swept(self, what: str) -> None:
        """This timer of an order, or (`late_<stage>`) this stage, is over, and its order says so now; by this instance."""

    def failed(self, order_id: str, error: Exception) -> None:
        """An order could not be swept: the others were, and it is tried again."""

    def lists_failed(self, error: Exception) -> None:
        """A list could not be read: it is read again."""

    def hinted(self, department: str, *, taken: bool) -> None:
        """A department was woken for an order; or could not be."""

    def turned(self, *, looked_at: int, lag_s: float) -> None:
        """A turn has ended: so many orders were looked at, and the first deadline that was found had been over for so long."""


class SilentSweepObserver:
    """Reports nothing."""

    def swept(self, what: str) -> None:
        """Do nothing."""

    def failed(self, order_id: str, error: Exception) -> None:
        """Do nothing."""

    def lists_failed(self, error: Exception) -> None:
        """Do nothing."""

    def hinted(self, department: str, *, taken: bool) -> None:
        """Do nothing."""

    def turned(self, *, looked_at: int, lag_s: float) -> None:
        """Do nothing."""
