"""The key ring in memory: the reference, and the one of tests and the simulation."""

from collections.abc import Callable

from anyio.lowlevel import checkpoint

from orderstore.privacy.keys import DATA_KEY_BYTES, KeyErased, check_subject


class MemoryKeyRing:
    """A `KeyRing` that forgets everything with the process."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """Make keys from `random_bytes(count)`."""
        self._random_bytes = random_bytes
        self._keys: dict[str, bytes | None] = {}

    async def key_for(self, subject: str) -> bytes:
        """See `KeyRing.key_for`."""
        await checkpoint()
        check_subject(subject)
        if subject not in self._keys:
            self._keys[subject] = self._random_bytes(DATA_KEY_BYTES)
        return self._key(subject)

    async def existing(self, subject: str) -> bytes:
        """See `KeyRing.existing`."""
        await checkpoint()
        return self._key(subject)

    async def erase(self, subject: str) -> None:
        """See `KeyRing.erase`."""
        await checkpoint()
        check_subject(subject)
        self._keys[subject] = None

    def _key(self, subject: str) -> bytes:
        key = self._keys.get(subject)
        if key is None:
            raise KeyErased(subject)
        return key
