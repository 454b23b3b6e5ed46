"""Holds a view's row for as long as somebody works on it: as a lease, fenced, so that two operators cannot run one rebuild twice.

Whether an owner is dead is judged by whether his beat stands still for OWNER_DEAD_AFTER_S on the observer's own monotonic clock: no clock
is compared with another. One that was only slow finds out at its next save that the row is another's, and stops.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import anyio

from projections.rebuild.book import RebuildBook
from projections.rebuild.errors import AnotherRuns, NotNow, Stopped, TakenOver
from projections.rebuild.state import Rebuild
from projections.view_store import ViewStoreError

SAVE_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 1.0
OWNER_DEAD_AFTER_S: Final = 15.0
LET_GO_WITHIN_S: Final = 10.0
TRIES_MAX: Final = 20


@dataclass(slots=True)
class Keeper:
    """The row as this owner has it: `row` is changed at will and saved every second."""

    book: RebuildBook
    owner: str
    now_ms: Callable[[], int]
    row: Rebuild
    stored: Rebuild
    lock: anyio.Lock
    began_at_s: float
    ran_before_s: float

    def change(self, row: Rebuild) -> None:
        """The row is to be so from now on."""
        self.row = row

    async def save(self) -> None:
        """Store the row, with its beat. Raises TakenOver, ViewStoreError."""
        async with self.lock:
            for _ in range(TRIES_MAX):
                after = replace(
                    self.row,
                    pause_wanted=self.stored.pause_wanted,
                    running_s=self.ran_before_s + anyio.current_time() - self.began_at_s,
                    changed_at_ms=self.now_ms(),
                    beat=self.stored.beat + 1,
                    version=self.stored.version + 1,
                )
                if await self.book.replace(self.stored, after):
                    self.stored = after
                    return
                found = await self.book.read(self.row.view)
                if found is None or found.owner != self.owner:
                    raise TakenOver(self.row.view, None if found is None else found.owner)
                self.stored = found  # somebody wants a pause, and nothing else: the rest is the owner's
            raise NotNow(f"{self.row.view}: its row changes all the time; who else writes it?")

    async def keep(self) -> None:
        """Save every SAVE_EVERY_S. Raises Stopped when somebody wants a pause, TakenOver; ViewStoreError when the book has not been reached
        for so long that somebody else may take over."""
        saved_at_s = anyio.current_time()
        while True:
            await anyio.sleep(SAVE_EVERY_S)
            try:
                await self.save()
                saved_at_s = anyio.current_time()
            except ViewStoreError:
                if anyio.current_time() - saved_at_s >= OWNER_DEAD_AFTER_S:
                    raise
            if self.stored.pause_wanted:
                raise Stopped(self.row.view)

    async def let_go(self, row: Rebuild) -> Rebuild:
        """Store it for the last time, without an owner. Raises as `save`; it is not interrupted, but ends within LET_GO_WITHIN_S."""
        with anyio.fail_after(LET_GO_WITHIN_S, shield=True):
            self.row = replace(row, owner=None)
            async with self.lock:
                self.stored = replace(self.stored, pause_wanted=False)
            await self.save()
            return self.stored


async def claim(
    book: RebuildBook,
    view: str,
    *,
    owner: str,
    now_ms: Callable[[], int],
    begin: Callable[[Rebuild | None], Rebuild],
    waiting: Callable[[str], None] = lambda _: None,
) -> Keeper:
    """Own the row that `begin` makes of the one that there is; what `begin` raises is raised, and nothing is changed.

    `waiting` is told of an owner who may be dead, before the wait. Raises AnotherRuns, ViewStoreError.
    """
    row = await free(book, view, waiting=waiting)
    wanted = begin(row)
    owned = replace(
        wanted, owner=owner, pause_wanted=False, changed_at_ms=now_ms(), version=1 if row is None else row.version + 1
    )
    if not await book.replace(row, owned):
        found = await book.read(view)
        raise AnotherRuns(view, (found.owner if found is not None else None) or "somebody else")
    return Keeper(book, owner, now_ms, owned, owned, anyio.Lock(), anyio.current_time(), owned.running_s)


async def free(book: RebuildBook, view: str, *, waiting: Callable[[str], None] = lambda _: None) -> Rebuild | None:
    """The row, when nobody alive owns it: an owner is given OWNER_DEAD_AFTER_S to show himself. Raises AnotherRuns, ViewStoreError."""
    row = await book.read(view)
    if row is None or row.owner is None:
        return row
    waiting(row.owner)
    seen_at_s = anyio.current_time()
    while anyio.current_time() - seen_at_s < OWNER_DEAD_AFTER_S:
        await anyio.sleep(LOOK_EVERY_S)
        latest = await book.read(view)
        if latest is None or latest.owner is None:
            return latest
        if (latest.owner, latest.beat) != (row.owner, row.beat):
            raise AnotherRuns(view, latest.owner)
        row = latest
    return row


async def ask_for_pause(book: RebuildBook, view: str) -> Rebuild:
    """Have the owner stop within a second or two. Raises NotNow when nobody is at work, ViewStoreError."""
    for _ in range(TRIES_MAX):
        row = await book.read(view)
        if row is None or row.owner is None:
            raise NotNow(f"{view}: nobody is at work on it, there is nothing to pause; see `orderstore views ls`")
        wanted = replace(row, pause_wanted=True, version=row.version + 1)
        if await book.replace(row, wanted):
            return wanted
    raise NotNow(f"{view}: its row changes all the time; try again")
