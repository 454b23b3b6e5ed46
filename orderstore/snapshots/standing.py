"""Reading where an order stands, from a snapshot on where that saves reading; and taking snapshots.

An order of ordinary length is folded from one Query; nothing else happens. Only when there is more is there a look for a snapshot further
on. It is believed only if the commit that it was taken after is in the log with this very hash: the reading begins with that commit.
"""

from contextlib import aclosing
from typing import Final

from orderstore.history import History, Standing
from orderstore.snapshots.shelf import SnapshotShelf, key_of
from orderstore.snapshots.snapshot import Snapshot, snapshot_of
from orderstore.store.port import EventStore

COMMITS_BEFORE_LOOKING: Final = 250
"""So many commits are read before there is a look for a snapshot. An order that is not longer costs one Query, as ever."""
COMMITS_BETWEEN: Final = 1_000
"""A snapshot is due every so many commits: never for an order of ordinary length. See docs/performance.md for why so many."""


async def read_standing(store: EventStore, shelf: SnapshotShelf, stream: str) -> Standing:
    """Where the order stands now, strongly consistent; its whole `History` unless a snapshot saved reading it.

    The same, whatever snapshots there are. Raises StoreError, CodecError.
    """
    standing: Standing = History(stream=stream)
    first = True
    async with aclosing(store.pages(stream, first_commits_max=COMMITS_BEFORE_LOOKING)) as pages:
        async for page in pages:
            if first and page.more and page.commits:
                further = await shelf.newest(stream, after=page.commits[-1].number)
                resumed = None if further is None else await _resume(store, shelf, further)
                if resumed is not None:
                    return resumed
            first = False
            standing = standing.then(*page.commits)
    return standing


async def take_snapshot(store: EventStore, shelf: SnapshotShelf, stream: str) -> Snapshot | None:
    """Remember where the order stands now; None when that is remembered already, or there is no order. Raises StoreError, CodecError.

    It is folded from the first commit on, so that no snapshot rests on another.
    """
    standing = Standing(stream=stream)
    async with aclosing(store.pages(stream)) as pages:
        async for page in pages:
            standing = standing.then(*page.commits)
    if standing.head is None:
        return None
    snapshot = snapshot_of(standing)
    return snapshot if await shelf.put(snapshot) else None


async def keep_up(store: EventStore, shelf: SnapshotShelf, stream: str, number: int) -> Snapshot | None:
    """Take a snapshot if the newest lies `COMMITS_BETWEEN` or more behind this commit. An order of ordinary length costs nothing here.

    For those who follow the log, never for those who write it. Raises StoreError, CodecError.
    """
    if number < COMMITS_BETWEEN or await shelf.newest(stream, after=number - COMMITS_BETWEEN) is not None:
        return None
    return await take_snapshot(store, shelf, stream)


async def _resume(store: EventStore, shelf: SnapshotShelf, snapshot: Snapshot) -> Standing | None:
    """Where the order stands, read from the snapshot's own commit on; None if the log does not have that commit."""
    standing: Standing | None = None
    async with aclosing(store.pages(snapshot.stream, after=snapshot.number - 1)) as pages:
        async for page in pages:
            commits = page.commits
            if standing is None:
                if not commits or commits[0].hash != snapshot.head:
                    reason = f"the log's commit {snapshot.number} is not the one that it was taken after"
                    shelf.observer.ignored(key_of(snapshot.stream, snapshot.number), reason)
                    return None
                standing = Standing(
                    stream=snapshot.stream, state=snapshot.state, version=snapshot.version, head=commits[0]
                )
                commits = commits[1:]
            standing = standing.then(*commits)
    if standing is not None:
        shelf.observer.used(commits_not_read=snapshot.number - 1)
    return standing
