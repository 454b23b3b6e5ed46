"""The ports of the read side: what the API asks of views, of the exceptions among orders and of the sales. Documents hold JSON values.

InvalidCursor      the cursor is not one that this list handed out
ViewsUnavailable   the views cannot be read now, after bounded retries
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

Document: TypeAlias = Mapping[str, Any]

ExceptionKind = Literal[
    "stalled",
    "held",
    "parked",
    "compensation_failed",
    "cancellation_declined",
    "discrepancy",
    "dispute",
    "payment_unknown",
    "refund_failed",
    "return",
    "review",
    "shipment_failed",
    "unpaid",
]
EXCEPTION_KINDS: Final[tuple[ExceptionKind, ...]] = get_args(ExceptionKind)


class InvalidCursor(ValueError):
    """The cursor is not one that this list handed out."""


class ViewsUnavailable(Exception):
    """The views cannot be read now, after bounded retries. Try again later."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next_cursor` is opaque, and None on the last page."""

    items: Sequence[Document]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class OrderDocuments:
    """An order's status, or None while there is none, and its invoices, oldest first. The two may stand at different commits."""

    status: Document | None
    invoices: Sequence[Document]


class ViewReader(Protocol):
    """The views of one tenant, a moment behind the log. Every method may raise ViewsUnavailable."""

    async def order_status(self, order_id: str) -> Document | None:
        """The document of `projections.views.order_status`, or None while there is none."""

    async def order_and_invoices(self, order_id: str) -> OrderDocuments:
        """An order's status and its invoices, in one read."""

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        """Order status documents of a customer, newest first. Raises InvalidCursor."""

    async def invoice(self, number: str) -> Document | None:
        """The invoice with this number."""


class ExceptionReader(Protocol):
    """The orders that need somebody."""

    async def exceptions(self, kind: ExceptionKind, cursor: str | None, limit: int) -> Page:
        """Those of a kind, the longest waiting first, each with the order's status. Raises InvalidCursor, ViewsUnavailable."""


class SalesReader(Protocol):
    """What was sold, day by day."""

    async def sales(self, first: date, last: date, currencies: Sequence[str]) -> Sequence[Document]:
        """The figures of each day from `first` to `last`, both included, in each of these currencies (none: in all that there are), by day;
        days without any are left out. Raises ViewsUnavailable."""


class BusinessReader(Protocol):
    """The business at a glance."""

    async def business(self, days: int, currencies: Sequence[str]) -> Document:
        """Where orders stand now, and the figures of today and of the days before it, `days` in all; sales in these currencies (none:
        in all that there are). Raises ViewsUnavailable."""
