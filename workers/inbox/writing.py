"""Putting a note into an inbox: once, with the next number, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

import anyio

from workers.inbox.notes import HEAD, NewNote, last_number_of, row_of
from workers.tables.errors import ConditionRefused, TableContended, TransactionRefused
from workers.tables.port import Change, Key, Operation, PutNew, Table

Added = Literal["added", "there", "closed"]
"""It is in the inbox now; it was before; the customer was erased, and their inbox takes nothing any more."""

TRIES_MAX: Final = 40
"""Other processes may put notes into the same inbox at the same time; whoever calls has a deadline besides."""
PAUSE_S: Final = 0.02
PAUSE_GROWS: Final = 6


@dataclass(slots=True)
class _Turn:
    """Notes of one inbox are put in one after the other: side by side they would only get into each other's way."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    waiting: int = 0


class InboxWriter:
    """The note and the number of the inbox's last note are written together: numbers have no holes, and whoever has read up to a number
    has missed nothing. `kept_days`: how long notes are kept."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int], random: Random, kept_days: int) -> None:
        self._table = table
        self._now_ms = now_ms
        self._random = random
        self._kept_days = kept_days
        self._turns: dict[str, _Turn] = {}

    async def add(self, note: NewNote) -> Added:
        """Put it in. Repeating it changes nothing. Raises TableError: it may be in or not, repeat it."""
        turn = self._turns.setdefault(note.owner, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                return await self._add(note)
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[note.owner]

    async def _add(self, note: NewNote) -> Added:
        key = {"owner": note.owner, "note": note.note_id}
        for tries in range(TRIES_MAX):
            head = await self._table.get(_head(note.owner))
            if head is not None and head["closed"]:
                return "closed"
            number = 1 + (0 if head is None else last_number_of(head))
            row = row_of(note, number=number, now_ms=self._now_ms(), kept_days=self._kept_days)
            try:
                await self._table.transact([PutNew(key, row), _move(note.owner, number)])
            except TransactionRefused as refusal:
                if 0 in refusal.refused:
                    return "there"
            except TableContended:
                await anyio.sleep(self._random.uniform(0, PAUSE_S * min(tries + 1, PAUSE_GROWS)))
            else:
                return "added"
        raise TableContended(f"other notes came into this inbox {TRIES_MAX} times in a row")

    async def close(self, owner: str) -> None:
        """Take nothing any more, for good. Raises TableError."""
        try:
            await self._table.change(Change(key=_head(owner), assign={"closed": True}, equals={"closed": False}))
        except ConditionRefused as refusal:
            if refusal.existing is None:
                await self._close_new(owner)

    async def _close_new(self, owner: str) -> None:
        """Close an inbox that has nothing in it yet; a first note may come at the same time."""
        standing = await self._table.put_new(PutNew(_head(owner), {"last_number": 0, "closed": True}))
        if standing is not None and not standing["closed"]:
            await self._table.change(Change(key=_head(owner), assign={"closed": True}))


def _head(owner: str) -> Key:
    return {"owner": owner, "note": HEAD}


def _move(owner: str, number: int) -> Operation:
    """The number of the last note becomes this one, if it was the one before and the inbox is open."""
    if number == 1:
        return PutNew(_head(owner), {"last_number": 1, "closed": False})
    return Change(key=_head(owner), assign={"last_number": number}, equals={"last_number": number - 1, "closed": False})
