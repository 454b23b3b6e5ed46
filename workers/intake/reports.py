"""What the intake tells the world: an event for each request and each file, with an id that follows from what it is about.

ReportError
├── ReportNotSent      throttled, unreachable, or the bus failed: the same reports are sent again later
└── ReportRefused      the bus says no to it as it is: permissions, or a bus that does not exist
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orderstore.domain.ids import event_id

SOURCE: Final = "orderstore.intake"
"""Of every event that the intake puts on the bus; no rule that feeds the intake lets it through."""
ACCEPTED: Final = "OrderRequestAccepted"
REJECTED: Final = "OrderRequestRejected"
FINISHED: Final = "BulkIntakeFinished"


class ReportError(Exception):
    """A report is not on the bus."""


class ReportNotSent(ReportError):
    """Not now; it may have been sent. A repeat has the same `reportId`, so that whoever listens drops it."""


class ReportRefused(ReportError):
    """The bus refuses it; repeating does not help before somebody mends what is wrong."""


@dataclass(frozen=True, slots=True)
class Report:
    """One event of the intake."""

    detail_type: str
    detail: Mapping[str, Any]


class Reports(Protocol):
    """Where reports go."""

    async def send(self, reports: Sequence[Report]) -> None:
        """All of them are on the bus when it returns; some may be there twice. Raises ReportError."""
        ...


class MemoryReports:
    """The reference: a list."""

    def __init__(self) -> None:
        """Begin with none."""
        self.sent: list[Report] = []

    async def send(self, reports: Sequence[Report]) -> None:
        """See `Reports.send`."""
        self.sent.extend(reports)


def report_id(about: str, detail_type: str) -> str:
    """The id of the report of this type about a request or a file: however often it is sent, it has this one."""
    return str(event_id(about, f"report:{detail_type}"))
