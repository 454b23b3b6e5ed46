"""Where a body goes that is too large for an item: objects that never change, under a key made of their own content.

The object is written before the item that names it: an object without an item costs a few cents, an item without its object
costs an order.
"""

from typing import Protocol

from anyio.lowlevel import checkpoint

from orderstore.objects import ObjectStore
from orderstore.store.items import blob_key


class BlobStore(Protocol):
    """Immutable objects by content. May raise `Throttled`, `Unavailable` or `Refused` of the store's error tree."""

    async def put(self, content: bytes) -> str:
        """Store the content, durably, and return its key. Storing the same twice is storing it once."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return what was stored under the key; None when there is nothing. A caller checks it: the key says what it must be."""
        ...


class ObjectBlobStore:
    """The real one, over immutable objects. No object is ever overwritten."""

    def __init__(self, objects: ObjectStore) -> None:
        """Keep the bodies there."""
        self._objects = objects

    async def put(self, content: bytes) -> str:
        """See `BlobStore.put`."""
        key = blob_key(content)
        await self._objects.put_new(key, content)
        return key

    async def get(self, key: str) -> bytes | None:
        """See `BlobStore.get`."""
        return await self._objects.get(key)


class MemoryBlobStore:
    """The reference implementation."""

    def __init__(self) -> None:
        """Begin empty."""
        self._contents: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        """See `BlobStore.put`."""
        await checkpoint()
        key = blob_key(content)
        self._contents.setdefault(key, content)
        return key

    async def get(self, key: str) -> bytes | None:
        """See `BlobStore.get`."""
        await checkpoint()
        return self._contents.get(key)
