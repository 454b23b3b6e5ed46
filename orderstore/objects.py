"""Objects that are written once and never change: archive segments, signed roots, certificates, snapshots.

The port, and the reference implementation. `s3_objects.py` is the real one. Trouble is told as `Throttled`, `Unavailable` and `Refused`
of `orderstore.store.errors`.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator
from typing import Protocol

from anyio.lowlevel import checkpoint

KEY_BYTES_MAX = 1024  # S3 user guide, "Naming Amazon S3 objects"


class ObjectStore(Protocol):
    """Immutable objects under keys that the caller chooses."""

    async def put_new(self, key: str, content: bytes) -> bool:
        """Store the content, durably, if nothing is stored under the key yet; return whether it is this call that stored it.

        False means that something was there before, perhaps the same content from a try that timed out: `get` tells.
        """
        ...

    async def get(self, key: str) -> bytes | None:
        """Return what is stored under the key; None when there is nothing."""
        ...

    def keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[str, None]:
        """Yield every key that begins with `prefix` and sorts above `after`, in ascending order of its UTF-8 bytes."""
        ...


class MemoryObjectStore:
    """The reference implementation."""

    def __init__(self) -> None:
        """Begin empty."""
        self._contents: dict[str, bytes] = {}

    async def put_new(self, key: str, content: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        await checkpoint()
        check_key(key)
        if key in self._contents:
            return False
        self._contents[key] = content
        return True

    async def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        await checkpoint()
        return self._contents.get(key)

    async def keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[str, None]:
        """See `ObjectStore.keys`."""
        found = sorted(key for key in self._contents if key.startswith(prefix))
        for key in found[bisect_right(found, after) :]:
            await checkpoint()
            yield key


def check_key(key: str) -> None:
    """Refuse a key that S3 would not take.

    Raises:
        ValueError: it is empty or longer than `KEY_BYTES_MAX`.
    """
    if not 1 <= len(key.encode()) <= KEY_BYTES_MAX:
        raise ValueError(f"an object's key has 1 to {KEY_BYTES_MAX} bytes, this one has {len(key.encode())}")
