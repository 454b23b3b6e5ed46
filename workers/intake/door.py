"""The door through which imported orders go in: the same as the API's, seen from here as three idempotent calls.

DoorError
├── DoorBusy        transient (throttled, unreachable, not yet possible): the same request is repeated
└── DoorRefused     final for this request: the business or the schema says no
"""

from dataclasses import dataclass
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


class DoorRefused(DoorError):
    """Repeating this request cannot help; `str()` says why, without personal data, for it goes into the report."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The order exists; `new` is False when an earlier run had placed it."""

    new: bool


@dataclass(frozen=True, slots=True)
class Requested:
    """The cancellation or refund is accepted; `new` is False when an earlier run had asked for it."""

    new: bool


class Door(Protocol):
    """Every call is idempotent by its key and durable when it returns. Raises DoorBusy and DoorRefused, nothing else by design."""

    async def place(self, sale: Sale, *, key: str) -> Placed:
        """Place an order for the sale, with its exact prices."""
        ...

    async def cancel(self, instruction: CancelOrder, *, key: str) -> Requested:
        """Ask for the cancellation of the whole order that was placed for `instruction.sale`."""
        ...

    async def refund(self, instruction: RefundLines, *, key: str) -> Requested:
        """Ask for the refund of some lines of the order that was placed for `instruction.sale`."""
        ...


def sale_key(invoice: str) -> str:
    """The idempotency key of a sale: the same on every run."""
    return f"online-retail:{invoice}"


def instruction_key(instruction: Instruction) -> str:
    """The idempotency key of a cancellation or refund: a cancellation may touch several sales."""
    return f"online-retail:{instruction.cancellation}:{instruction.sale}"
