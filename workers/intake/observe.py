"""What the intake tells about its work, as it happens; an implementation counts and returns at once."""

from typing import Protocol


class IntakeObserver(Protocol):
    """Facts of the intake."""

    def request(self, *, result: str) -> None:
        """A request was answered: accepted, repeated, or the refusal's code."""

    def file(self, *, result: str) -> None:
        """A file came to its end: finished, refused, stopped."""

    def lines(self, *, result: str, count: int) -> None:
        """Lines of a file were worked through: accepted, rejected."""


class SilentIntakeObserver:
    """Takes every fact and does nothing with it."""

    def request(self, *, result: str) -> None:
        """See `IntakeObserver`."""

    def file(self, *, result: str) -> None:
        """See `IntakeObserver`."""

    def lines(self, *, result: str, count: int) -> None:
        """See `IntakeObserver`."""
