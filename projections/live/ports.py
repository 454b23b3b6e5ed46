"""What live streams stand on.

ConnectionError     an inbox cannot be read or written now
LookupError         there is no such note
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from orderstore.recorded import Recorded
from projections.answers.ports import Document, Page

UNREAD_MAX: Final = 100
"""Unread notes are counted up to here."""


class Tail(Protocol):
    """The log of one tenant, read from its end."""

    async def after(self, order_id: str, commit: int) -> tuple[Recorded, ...]:
        """Every event of the order's commits after this one, consistently; () when there is none, or no such order.

        Raises StoreError, CodecError.
        """


class Statuses(Protocol):
    """The status views of one tenant. Raises ViewsUnavailable, ViewStoreError."""

    async def order_statuses(self, order_ids: Sequence[str]) -> Mapping[str, Document]:
        """The status documents of these orders, those that there are."""

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        """A customer's status documents, newest first."""


class Inbox(Protocol):
    """The inboxes of one tenant's customers. Notes are documents of JSON values: `id` orders them by the time of what they tell, `number`
    by when they came in, counted from 1 for each customer, dense. Every method may raise ConnectionError."""

    async def page(
        self, customer_id: str, *, before: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Notes, newest first, before the one with this id; and the id to go on before, or None at the end. A page may be short."""

    async def unread(self, customer_id: str) -> tuple[int, bool]:
        """How many notes are not marked as read, up to UNREAD_MAX; and whether there may be more."""

    async def mark_read(self, customer_id: str, note_id: str) -> Mapping[str, Any]:
        """The note, marked as read: now, or when it was first. Raises LookupError."""

    async def after(self, customer_id: str, number: int, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """Notes after this number, in the order in which they came in; consistently."""

    async def last_number(self, customer_id: str) -> int:
        """The number of the last note that came in, 0 before the first; consistently."""

    async def last_numbers(self, customer_ids: Sequence[str]) -> Mapping[str, int]:
        """The same of many, those that could be read, perhaps a moment old."""
