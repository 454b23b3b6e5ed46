"""What reads of the views report. Silent by default; the API's observer is one of these too."""

from typing import Literal, Protocol

Background = Literal["generations", "parked", "views"]


class ReadObserver(Protocol):
    """Facts about reads, as they happen. Implementations return at once and never raise."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """A read that named a commit is answered from there, after so long a wait for the view."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """A read failed that no caller hears of: what was known before stands, or another place was asked."""


class SilentReadObserver:
    """Reports nothing."""

    def commit_read(self, *, source: Literal["view", "log"], waited_s: float) -> None:
        """Do nothing."""

    def read_failed(self, *, what: Background, error: Exception) -> None:
        """Do nothing."""


class BusinessObserver(Protocol):
    """The business's figures, told once a minute by every projector, the same by all; what is nothing is told as 0."""

    def standing(self, *, status: str, age: str, orders: int) -> None:
        """So many orders are in this status for so long (`answers.business.AGES`)."""

    def today(self, *, outcome: str, orders: int) -> None:
        """To so many orders this happened since midnight (UTC)."""

    def took(self, *, stage: str, le: str, orders: int) -> None:
        """Since midnight so many orders came through this stage within `le` seconds of being placed; cumulated, `+Inf` is all of them."""

    def of_day(self, *, days_ago: int, outcome: str, orders: int) -> None:
        """Of the orders that came on that day so many have come to this end by now; `placed`: how many came."""

    def sold(self, *, day: str, currency: str, kind: str, amount_minor: int) -> None:
        """What this kind of daily sales came to, today or yesterday, in minor units."""

    def exceptions_open(self, *, kind: str, orders: int) -> None:
        """So many orders need somebody, up to a bound."""

    def business_unseen(self, *, error: Exception) -> None:
        """A look failed; what was told before stands."""
