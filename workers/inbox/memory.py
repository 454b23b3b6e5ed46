"""The table of inboxes in memory: the reference of the port, and what tests run on."""

from collections.abc import Mapping, Sequence

import anyio.lowlevel

from workers.inbox.notes import HEAD, UNREAD_AMONG, last_number_of, number_of
from workers.inbox.port import InboxRows, Row
from workers.tables.memory import MemoryTable


class MemoryInboxTable(MemoryTable, InboxRows):
    """The table that the writer is given, with what else is asked of it."""

    async def newest(self, owner: str, *, before: str, limit: int) -> tuple[Sequence[Row], str | None]:
        """See `InboxRows`."""
        rows = sorted((row for row in await self._notes(owner) if row["note"] < before), key=_id, reverse=True)
        page = rows[:limit]
        return page, page[-1]["note"] if len(rows) > limit else None

    async def came_after(self, owner: str, number: int, *, limit: int) -> Sequence[Row]:
        """See `InboxRows`."""
        rows = [row for row in await self._notes(owner) if number_of(row) > number]
        return sorted(rows, key=number_of)[:limit]

    async def unread(self, owner: str, *, now_s: int, limit: int) -> tuple[int, bool]:
        """See `InboxRows`."""
        rows = sorted(await self._notes(owner), key=_id, reverse=True)
        newest = rows[:UNREAD_AMONG]
        count = sum(1 for row in newest if "read_at_ms" not in row and row["expires_at_s"] > now_s)
        return min(limit, count), count >= limit or len(rows) > len(newest)

    async def mark_read(self, owner: str, note_id: str, *, now_ms: int) -> Row | None:
        """See `InboxRows`."""
        await anyio.lowlevel.checkpoint()
        row = self._items.get((owner, note_id))
        if row is None or note_id == HEAD:
            return None
        row.setdefault("read_at_ms", now_ms)
        row.pop("unread_until", None)
        return dict(row)

    async def number(self, owner: str) -> int:
        """See `InboxRows`."""
        head = await self.get({"owner": owner, "note": HEAD})
        return 0 if head is None else last_number_of(head)

    async def numbers(self, owners: Sequence[str]) -> Mapping[str, int]:
        """See `InboxRows`."""
        return {owner: number for owner in owners if (number := await self.number(owner))}

    async def remove(self, owner: str, *, limit: int) -> int:
        """See `InboxRows`."""
        rows = (await self._notes(owner))[:limit]
        for row in rows:
            del self._items[owner, row["note"]]
        return len(rows)

    async def _notes(self, owner: str) -> list[Row]:
        return [row async for row in self.scan() if row["owner"] == owner and row["note"] != HEAD]


def _id(row: Row) -> str:
    note_id: str = row["note"]
    return note_id
