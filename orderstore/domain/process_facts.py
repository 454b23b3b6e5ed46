"""Where people are in the loop: what somebody has to decide, what takes too long, what was done about it. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orderstore.domain.values import FreeText

ActionKind = Literal["payment", "missing_stock", "delay_consent", "edit_payment"]
Answer = Literal["accepted", "declined", "expired"]
Deadline = Literal["payment_retry", "payment_action", "reservation"]
StalledStage = Literal["outcomes", "capture", "dispatch", "delivery", "undo", "refund"]
"""The stages of `allowances.Stage`."""
Resumption = Literal["retry", "skip", "resume", "cancel"]
DiscrepancyArea = Literal["money", "stock", "view", "invoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderActionRequired:
    """The customer has to decide something, until `deadline`: pay in another way, do without what is missing, wait longer,
    or do what the bank asks for before pieces are added."""

    action_id: str
    kind: ActionKind
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderActionAnswered:
    """The customer has decided, or the time for it is over."""

    action_id: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudReviewRequested:
    """Somebody, or a service of somebody's, is to look at the order before its goods leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudReviewPassed:
    """The order may go on. `score` is the reviewer's own, 0 to 100; `rules` are the names of what it looked at."""

    score: int | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudReviewFailed:
    """The order is to be undone."""

    score: int | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpired:
    """A time that was promised is over, and nothing came: which one."""

    deadline: Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProcessStalled:
    """A stage takes longer than the order's allowance: for a person. It changes nothing by itself, and ends when the stage goes on.
    `subject` is the parcel that is under way or still here, or the refund that waits, where it is one."""

    stage: StalledStage
    since: datetime
    due_at: datetime
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProcessResumed:
    """Somebody did something about a stage that stalled: had it tried again, has it skipped, let it go on waiting, or undid the order."""

    stage: StalledStage
    action: Resumption
    subject: str | None = None
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyFound:
    """Two places that should agree about this order do not: for a person; it changes nothing by itself. `subject` says what of, `ours` is
    what the log says and `theirs` the other place: minor units, pieces, or the number of a commit."""

    area: DiscrepancyArea
    kind: str
    subject: str
    ours: int
    theirs: int
