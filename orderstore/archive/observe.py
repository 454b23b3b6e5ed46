"""What the archive reports of itself. Silent by default; Prometheus is one implementation, in `workers/metrics/archive.py`."""

from typing import Protocol


class ArchiveObserver(Protocol):
    """Facts, told as they happen: an implementation counts, returns at once and never raises."""

    def archived(self, *, commits: int, raw_bytes: int, segment_bytes: int) -> None:
        """One more segment is in the archive, with so many commits, of so many bytes before and after compression."""

    def conflicted(self) -> None:
        """Another archiver wrote the next manifest first; the segment is made anew."""

    def order_refused(self, *, cause: str) -> None:
        """An order cannot be archived as the log shows it; `cause` is the error's name. To be alarmed."""

    def lag(self, *, lag_ms: int) -> None:
        """The oldest hint whose commits are not archived yet is so old; 0 when there is none."""


class SilentArchiveObserver:
    """Takes every fact and does nothing with it."""

    def archived(self, *, commits: int, raw_bytes: int, segment_bytes: int) -> None:
        """See `ArchiveObserver`."""

    def conflicted(self) -> None:
        """See `ArchiveObserver`."""

    def order_refused(self, *, cause: str) -> None:
        """See `ArchiveObserver`."""

    def lag(self, *, lag_ms: int) -> None:
        """See `ArchiveObserver`."""
