"""What the API reports. Silent by default; Prometheus is one implementation, in `workers/metrics/business.py`."""

from typing import Literal, Protocol

Background = Literal["generations", "parked", "views"]


class HttpObserver(Protocol):
    """Facts about requests, as they happen. Implementations return at once and never raise."""

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """A request was answered. `route` is the path's template or `unmatched`, `method` may be `other`: both have few values."""

    def order_accepted(self, *, replayed: bool) -> None:
        """An order was answered with 202; `replayed` when an earlier request with its key had made it."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """A read that named a commit is answered from there, after so long a wait for the view."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """A read failed that no caller hears of: what was known before stands, or another place was asked."""


class SilentHttpObserver:
    """Reports nothing."""

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Do nothing."""

    def order_accepted(self, *, replayed: bool) -> None:
        """Do nothing."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """Do nothing."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """Do nothing."""
