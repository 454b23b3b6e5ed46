"""What the quarantine reports. One observer serves one subscription; the default says nothing."""

from typing import Protocol


class ParkingObserver(Protocol):
    """Facts, told as they happen: an implementation counts, returns at once and never raises."""

    def standing(self, *, parked: int, skipped: int, oldest_age_ms: int) -> None:
        """So many keys are parked, and so many set aside by somebody; the oldest of the parked ones is so old, 0 when there is none."""

    def parked(self, *, key: str, error: str, message: str) -> None:
        """A key was parked, for this cause. To be alarmed."""

    def parking_refused(self, *, key: str, error: str, message: str) -> None:
        """A key would have been parked, but too many are: its shard waits. To be alarmed."""

    def suspected(self, *, key: str, error: str, failures: int) -> None:
        """A key failed so many times in a row and is tried again."""

    def lot_unavailable(self, *, error: Exception) -> None:
        """The lot could not be read; it is read again."""


class SilentParkingObserver:
    """Takes every fact and does nothing with it."""

    def standing(self, *, parked: int, skipped: int, oldest_age_ms: int) -> None:
        """See `ParkingObserver`."""

    def parked(self, *, key: str, error: str, message: str) -> None:
        """See `ParkingObserver`."""

    def parking_refused(self, *, key: str, error: str, message: str) -> None:
        """See `ParkingObserver`."""

    def suspected(self, *, key: str, error: str, failures: int) -> None:
        """See `ParkingObserver`."""

    def lot_unavailable(self, *, error: Exception) -> None:
        """See `ParkingObserver`."""
