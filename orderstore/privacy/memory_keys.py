"""The key ring in memory: the reference, and the one of tests and the simulation."""

from collections.abc import AsyncGenerator, Callable

from anyio.lowlevel import checkpoint

from orderstore.privacy.keys import DATA_KEY_BYTES, KeyErased, check_subject
from orderstore.privacy.subjects import KeyClass, key_class_of


class MemoryKeyRing:
    """A `KeyRing` that forgets everything with the process."""

    def __init__(self, random_bytes: Callable[[int], bytes], *, now_ms: Callable[[], int] = lambda: 0) -> None:
        """Make keys from `random_bytes(count)`; `now_ms` dates the erasures."""
        self._random_bytes = random_bytes
        self._now_ms = now_ms
        self._keys: dict[str, bytes] = {}
        self._erased_at_ms: dict[str, int] = {}

    async def key_for(self, subject: str) -> bytes:
        """See `KeyRing.key_for`."""
        await checkpoint()
        check_subject(subject)
        if subject not in self._keys and subject not in self._erased_at_ms:
            self._keys[subject] = self._random_bytes(DATA_KEY_BYTES)
        return self._key(subject)

    async def existing(self, subject: str) -> bytes:
        """See `KeyRing.existing`."""
        await checkpoint()
        return self._key(subject)

    async def erase(self, subject: str) -> int:
        """See `KeyRing.erase`."""
        await checkpoint()
        check_subject(subject)
        self._keys.pop(subject, None)
        return self._erased_at_ms.setdefault(subject, self._now_ms())

    async def subjects(self, key_class: KeyClass) -> AsyncGenerator[str, None]:
        """See `KeyRing.subjects`."""
        for subject in tuple(self._keys):
            await checkpoint()
            if key_class_of(subject) == key_class:
                yield subject

    def _key(self, subject: str) -> bytes:
        key = self._keys.get(subject)
        if key is None:
            raise KeyErased(subject)
        return key
