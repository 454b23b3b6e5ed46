"""The rows of inboxes, as whoever shows or empties them asks for them. Every method may raise `workers.tables.errors.TableError`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]


class InboxRows(Protocol):
    """Rows are those of `workers.inbox.notes`."""

    async def newest(self, owner: str, *, before: str, limit: int) -> tuple[Sequence[Row], str | None]:
        """Notes, newest first, whose id is before this text; and the last id if there may be more."""
        ...

    async def came_after(self, owner: str, number: int, *, limit: int) -> Sequence[Row]:
        """Notes after this number, by number; consistently."""
        ...

    async def unread(self, owner: str, *, now_s: int, limit: int) -> tuple[int, bool]:
        """How many of the newest `UNREAD_AMONG` notes are neither read nor expired, counted up to `limit`; and whether there may be more.
        Perhaps a moment old."""
        ...

    async def mark_read(self, owner: str, note_id: str, *, now_ms: int) -> Row | None:
        """The note, read now unless it was before; None where there is no such note."""
        ...

    async def number(self, owner: str) -> int:
        """The number of the last note; 0 where there is none. Consistently."""
        ...

    async def numbers(self, owners: Sequence[str]) -> Mapping[str, int]:
        """The same of at most 100, those that could be read at once, perhaps a moment old."""
        ...

    async def remove(self, owner: str, *, limit: int) -> int:
        """Delete some notes, at most so many; how many that were. 0: there is none left."""
        ...
