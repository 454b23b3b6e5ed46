"""Where snapshots lie: objects under `snapshots/<reducer version>/<stream>/<inverted number>`, so that the newest comes first.

Nothing is ever overwritten or deleted here; a rule of the bucket may delete whatever is older than it likes.
"""

from contextlib import aclosing
from typing import Final

from orderstore.objects import KEY_BYTES_MAX, ObjectStore
from orderstore.snapshots.observe import Observer, SilentObserver
from orderstore.snapshots.snapshot import REDUCER_VERSION, BrokenSnapshot, Snapshot, decode, encode
from orderstore.store.errors import StoreError

_HIGHEST: Final = 10**10 - 1  # of ten digits: far above any commit's number
CANDIDATES_MAX: Final = 3
"""So many snapshots of an order are looked at, newest first, before it is read without one."""


class SnapshotShelf:
    """Snapshots of all orders in one object store."""

    def __init__(self, objects: ObjectStore, *, observer: Observer | None = None) -> None:
        """Keep them there."""
        self._objects = objects
        self.observer = observer or SilentObserver()

    async def put(self, snapshot: Snapshot) -> bool:
        """Store it; False when there is one of this commit already, or the stream's name is too long for a key. Raises StoreError."""
        key = key_of(snapshot.stream, snapshot.number)
        if len(key.encode()) > KEY_BYTES_MAX:
            return False
        content = encode(snapshot)
        new = await self._objects.put_new(key, content)
        if new:
            self.observer.taken(stored_bytes=len(content))
        return new

    async def newest(self, stream: str, *, after: int) -> Snapshot | None:
        """The newest that can be read of a commit above `after`. Never raises for what is stored, nor for a store in trouble:
        an order can always be read without a snapshot."""
        looked_at = 0
        key = prefix_of(stream)
        try:
            async with aclosing(self._objects.keys(prefix_of(stream))) as keys:
                async for key in keys:
                    if key >= key_of(stream, after) or looked_at == CANDIDATES_MAX:
                        return None
                    looked_at += 1
                    snapshot = self._read(key, await self._objects.get(key), stream)
                    if snapshot is not None:
                        return snapshot
        except StoreError as trouble:
            self.observer.ignored(key, str(trouble))
        return None

    def _read(self, key: str, content: bytes | None, stream: str) -> Snapshot | None:
        if content is None:
            return None  # deleted since it was listed
        try:
            snapshot = decode(content, stream=stream)
        except BrokenSnapshot as broken:
            self.observer.ignored(key, str(broken))
            return None
        if key_of(stream, snapshot.number) != key:
            self.observer.ignored(key, f"it is one of commit {snapshot.number}")
            return None
        return snapshot


def prefix_of(stream: str) -> str:
    """Of the keys of an order's snapshots."""
    return f"snapshots/{REDUCER_VERSION}/{stream}/"


def key_of(stream: str, number: int) -> str:
    """Of the snapshot after this commit: higher numbers sort first."""
    return f"{prefix_of(stream)}{_HIGHEST - number:010d}"
