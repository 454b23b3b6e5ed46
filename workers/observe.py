"""What the workers report about business. Silent by default; Prometheus is one implementation, in `workers/metrics/business.py`."""

from typing import Protocol


class WorkerObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise. Every argument has few values."""

    def payment(self, step: str, result: str) -> None:
        """`step` is authorize, capture, void or refund; `result` approved, declined, action_required (of the customer), done, pending,
        unknown, failed, waits (a capture that can only be made once) or came_back (a refund, from its bank). `step` close: an earlier
        attempt had taken money late, which was taken_over or given_back. `step` dispute: open, won, lost, known, none or stray."""

    def reservation(self, result: str) -> None:
        """`result` is reserved, partly_reserved, short, withdrawn, released, committed, pieces_released, filled, restocked or not_held."""

    def shipment(self, step: str) -> None:
        """`step` is booked, dispatched, delivered, cancelled, too_late, refused, delayed or lost."""

    def invoice(self, series: str) -> None:
        """An invoice was issued in the series."""

    def credit_note(self, series: str) -> None:
        """A credit note was issued in the series."""

    def document(self, result: str) -> None:
        """`result` is stored, stored_without_pdf (no font had every character) or expired."""

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

    def document(self, result: str) -> None:
        """Do nothing."""

    def notification(self, channel: str, result: str) -> None:
        """Do nothing."""

    def nothing_to_do(self, worker: str, event_type: str) -> None:
        """Do nothing."""
