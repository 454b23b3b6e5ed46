"""What the workers report about business. Silent by default; Prometheus is one implementation, in `workers/metrics/business.py`."""

from typing import Protocol


class WorkerObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise. Every argument has few values."""

    def payment(self, step: str, result: str) -> None:
        """`step` is authorize, capture, void or refund; `result` approved, declined, done, pending, unknown or failed."""

    def reservation(self, result: str) -> None:
        """`result` is reserved, short, released or withdrawn."""

    def shipment(self, step: str) -> None:
        """`step` is booked, dispatched, delivered, cancelled or too_late."""

    def invoice(self, series: str) -> None:
        """An invoice was issued in the series."""

    def credit_note(self, series: str) -> None:
        """A credit note was issued in the series."""

    def notification(self, channel: str, result: str) -> None:
        """`result` is sent, suppressed or failed."""

    def nothing_to_do(self, worker: str, event_type: str) -> None:
        """A message found the order as it should be: a duplicate, or a hint whose work another message did."""


class SilentWorkerObserver:
    """Reports nothing."""

    def payment(self, step: str, result: str) -> None:
        """Do nothing."""

    def reservation(self, result: str) -> None:
        """Do nothing."""

    def shipment(self, step: str) -> None:
        """Do nothing."""

    def invoice(self, series: str) -> None:
        """Do nothing."""

    def credit_note(self, series: str) -> None:
        """Do nothing."""

    def notification(self, channel: str, result: str) -> None:
        """Do nothing."""

    def nothing_to_do(self, worker: str, event_type: str) -> None:
        """Do nothing."""
