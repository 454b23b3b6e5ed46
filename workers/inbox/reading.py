"""Inboxes as the API shows them, and emptied as an erasure wants it. Implements `projections.live.ports.Inbox`, and
`orderstore.privacy.elsewhere.Elsewhere`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from workers.inbox.notes import NOTES_END, document_of, is_customers, is_kept, owner_for, owner_of
from workers.inbox.port import InboxRows
from workers.inbox.writing import InboxWriter
from workers.tables.errors import TableContended, TableRefused, TableThrottled, TableUnavailable

UNREAD_MAX: Final = 100
REMOVED_AT_ONCE: Final = 200
REMOVALS_MAX: Final = 10_000
_PASSING: Final = (TableThrottled, TableUnavailable, TableContended)


class Inboxes:
    """The inboxes of one tenant's customers."""

    def __init__(self, rows: InboxRows, *, tenant: str, now_ms: Callable[[], int]) -> None:
        self._rows = rows
        self._tenant = tenant
        self._now_ms = now_ms

    async def page(
        self, customer_id: str, *, before: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """See the port."""
        with _in_plain_words():
            rows, following = await self._rows.newest(self._owner(customer_id), before=before or NOTES_END, limit=limit)
        now_ms = self._now_ms()
        return [document_of(row) for row in rows if is_kept(row, now_ms=now_ms)], following

    async def unread(self, customer_id: str) -> tuple[int, bool]:
        """See the port."""
        with _in_plain_words():
            return await self._rows.unread(self._owner(customer_id), now_s=self._now_ms() // 1000, limit=UNREAD_MAX)

    async def mark_read(self, customer_id: str, note_id: str) -> Mapping[str, Any]:
        """See the port."""
        now_ms = self._now_ms()
        with _in_plain_words():
            row = await self._rows.mark_read(self._owner(customer_id), note_id, now_ms=now_ms)
        if row is None or not is_kept(row, now_ms=now_ms):
            raise LookupError(note_id)
        return document_of(row)

    async def after(self, customer_id: str, number: int, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        with _in_plain_words():
            rows = await self._rows.came_after(self._owner(customer_id), number, limit=limit)
        return [document_of(row) for row in rows]

    async def last_number(self, customer_id: str) -> int:
        """See the port."""
        with _in_plain_words():
            return await self._rows.number(self._owner(customer_id))

    async def last_numbers(self, customer_ids: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        owners = {self._owner(customer_id): customer_id for customer_id in customer_ids}
        with _in_plain_words():
            numbers = await self._rows.numbers(list(owners))
        return {owners[owner]: number for owner, number in numbers.items()}

    def _owner(self, customer_id: str) -> str:
        return owner_for(self._tenant, customer_id)


class InboxErasure:
    """Empties the inbox of somebody who is erased, and closes it for good."""

    what: Final = "the notes in the app"

    def __init__(self, rows: InboxRows, writer: InboxWriter, *, tenant: str) -> None:
        self._rows = rows
        self._writer = writer
        self._tenant = tenant

    async def forget(self, subject: str) -> None:
        """Closed first: what is on its way finds it closed. A guest has none. Repeating it changes nothing. Raises TableError."""
        if not is_customers(subject):
            return
        owner = owner_of(self._tenant, subject)
        await self._writer.close(owner)
        for _ in range(REMOVALS_MAX):
            if not await self._rows.remove(owner, limit=REMOVED_AT_ONCE):
                return
        raise TableRefused(f"an inbox had more than {REMOVED_AT_ONCE * REMOVALS_MAX} notes")


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Raises ConnectionError for what may pass; whatever else a table raises is a fault of ours."""
    try:
        yield
    except _PASSING as error:
        raise ConnectionError(str(error)) from error
