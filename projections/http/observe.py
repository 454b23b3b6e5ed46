"""What the API reports. Silent by default; Prometheus is one implementation, in `workers/metrics/business.py`."""

from typing import Protocol

from projections.answers.observe import ReadObserver, SilentReadObserver


class HttpObserver(ReadObserver, Protocol):
    """Facts about requests and the reads behind them, as they happen. Implementations return at once and never raise."""

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """A request was answered. `route` is the path's template or `unmatched`, `method` may be `other`: both have few values."""

    def order_accepted(self, *, replayed: bool) -> None:
        """An order was answered with 202; `replayed` when an earlier request with its key had made it."""

    def trace_context_ignored(self) -> None:
        """A write came with a `traceparent` that is not well-formed; it was taken without."""


class SilentHttpObserver(SilentReadObserver):
    """Reports nothing."""

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Do nothing."""

    def order_accepted(self, *, replayed: bool) -> None:
        """Do nothing."""

    def trace_context_ignored(self) -> None:
        """Do nothing."""
