"""The door through which imported orders go in: the same as the API's, seen from here as three idempotent calls.

DoorError
├── DoorBusy        transient (throttled, unreachable, somebody was faster): the same request is repeated
├── DoorNotYet      something else has to happen first: a later run asks again
└── DoorRefused     final for this request: the business or the schema says no
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from workers.intake.online_retail.model import CancelOrder, Instruction, RefundLines, Sale


class DoorError(Exception):
    """The door did not take a request."""


class DoorBusy(DoorError):
    """Try the same request again, after `retry_after_s` seconds if the door says so."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        """Hold what the door said."""
        super().__init__(text)
        self.retry_after_s = retry_after_s


class DoorNotYet(DoorError):
    """Nothing was stored, and repeating this request in this run would not help; `str()` says what it waits for."""


class DoorRefused(DoorError):
    """Repeating this request cannot help; `str()` says why, without personal data, for it goes into the report."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The order exists; `new` is False when an earlier run had placed it."""

    new: bool


class Form(StrEnum):
    """What became of a cancellation of the file. The values are the names of the counters."""

    CANCELLED = "cancels"
    LINES_CANCELLED = "line_cancels"
    REFUNDED = "refunds"
    RETURNED = "returns"


@dataclass(frozen=True, slots=True)
class Requested:
    """It is accepted, in this form; `new` is False when an earlier run had asked for it."""

    new: bool
    form: Form


class Door(Protocol):
    """Every call is idempotent by its key and durable when it returns. Raises DoorError, nothing else by design."""

    async def place(self, sale: Sale, *, key: str) -> Placed:
        """Place an order for the sale, with its exact prices."""
        ...

    async def cancel(self, instruction: CancelOrder, *, key: str) -> Requested:
        """Take back the whole order that was placed for `instruction.sale`."""
        ...

    async def refund(self, instruction: RefundLines, *, key: str) -> Requested:
        """Take back some pieces of the order that was placed for `instruction.sale`."""
        ...


def sale_key(invoice: str) -> str:
    """The idempotency key of a sale: the same on every run."""
    return f"online-retail:{invoice}"


def instruction_key(instruction: Instruction) -> str:
    """The idempotency key of what takes a sale back, or a part of it: a cancellation may touch several sales."""
    return f"online-retail:{instruction.cancellation}:{instruction.sale}"
