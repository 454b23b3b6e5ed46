"""What an import is asked to do, what it tells on the way, and what it says at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from enum import StrEnum

from workers.intake.online_retail.model import RejectReason, Totals

CONCURRENCY_MAX = 256
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """How to import. `limit`: only the first so many sales of the file, and what later cancellations do to those."""

    limit: int | None = None
    concurrency: int = 16
    dry_run: bool = False
    attempts_max: int = 8
    backoff_s: float = 0.2
    backoff_s_max: float = 10.0
    stop_grace_s: float = 10.0

    def __post_init__(self) -> None:
        """Raise ValueError on settings that cannot work."""
        if self.limit is not None and self.limit < 0:
            raise ValueError(f"limit is {self.limit}: it cannot be negative")
        if not 1 <= self.concurrency <= CONCURRENCY_MAX:
            raise ValueError(f"concurrency is {self.concurrency}: it must be 1 to {CONCURRENCY_MAX}")
        if self.attempts_max < 1:
            raise ValueError(f"attempts_max is {self.attempts_max}: it must be at least 1")
        if not 0 < self.backoff_s <= self.backoff_s_max:
            raise ValueError("backoff_s must be positive and at most backoff_s_max")
        if self.stop_grace_s < 0:
            raise ValueError("stop_grace_s cannot be negative")


class Answer(StrEnum):
    """What became of one request."""

    NEW = "new"
    ALREADY = "already"
    REFUSED = "refused"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """Requests by kind and answer; what takes sales back by what became of it, and where it was refused by what the file asks for.
    `unknown`: given up while under way, when stopping took too long; the next run settles them."""

    sales_new: int = 0
    sales_already: int = 0
    sales_refused: int = 0
    cancels_new: int = 0
    cancels_already: int = 0
    cancels_refused: int = 0
    refunds_new: int = 0
    refunds_already: int = 0
    refunds_refused: int = 0
    returns_new: int = 0
    returns_already: int = 0
    line_cancels_new: int = 0
    line_cancels_already: int = 0
    waiting: int = 0
    """What takes goods back that have not arrived yet: the next run asks again."""
    skipped: int = 0
    """Cancellations and refunds of sales that the door had refused."""
    retries: int = 0
    unknown: int = 0
    accepted_total: Decimal = Decimal(0)
    """Exact sum of the accepted sales, new or already there."""

    def plus(self, field: str, amount: int = 1) -> "ImportCounts":
        """Add to one counter."""
        return replace(self, **{field: getattr(self, field) + amount})

    def plus_accepted(self, total: Decimal) -> "ImportCounts":
        """Add an accepted sale's total."""
        return replace(self, accepted_total=_EXACT.add(self.accepted_total, total))


class Phase(StrEnum):
    """Where an import is. All sales go before all cancellations, so that a cancellation always finds its order."""

    READING = "reading"
    SALES = "sales"
    CANCELLATIONS = "cancellations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total`: bytes of the file while reading, requests afterwards."""

    phase: Phase
    done: int
    total: int
    counts: ImportCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The end of an import. `totals` is None only when it was stopped while reading, before anything was sent."""

    totals: Totals | None
    counts: ImportCounts
    sales_planned: int
    instructions_planned: int
    rejects: Mapping[RejectReason, int]
    """Rejected lines by reason, those of the file and those of the door."""
    dry_run: bool
    stopped: bool


class ImportHalted(Exception):
    """The door stayed busy, and the import gave up; `result` says what was sent. The same import, repeated, goes on from there."""

    def __init__(self, text: str, result: ImportResult) -> None:
        """Hold what was done so far."""
        super().__init__(text)
        self.result = result
