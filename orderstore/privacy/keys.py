"""One data key per subject (a customer, or a guest's order), and what is kept of it in memory.

    PrivacyError
    ├── KeyErased       the subject has no key (any more): what was sealed with it cannot be read by anybody
    ├── KeyUnusable     the stored key does not unwrap: tampered with, or the wrong master key
    └── SealBroken      what was sealed does not open: tampered with, or moved to another place

Trouble with DynamoDB and KMS themselves is told as `Throttled`, `Unavailable` and `Refused` of `orderstore.store.errors`.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Protocol

import anyio

from orderstore.privacy.subjects import KeyClass

DATA_KEY_BYTES: Final = 32  # AES-256
SUBJECT_BYTES_MAX: Final = 1024

# How long a process may go on using a key that another one has destroyed: short, since an erasure is not complete before; long enough for
# the handlers of one order to share a fetch.
CACHE_TTL_S: Final = 60.0


class PrivacyError(Exception):
    """Sealed personal data cannot be made or read."""


class KeyErased(PrivacyError):
    """There is no key for the subject: it was erased, or never made."""

    def __init__(self, subject: str) -> None:
        """Name the subject."""
        super().__init__(f"the key of {subject} was erased or never made: what it sealed cannot be read")
        self.subject = subject


class KeyUnusable(PrivacyError):
    """The stored key of a subject is not one."""

    def __init__(self, subject: str, reason: str) -> None:
        """Name the subject and what is wrong."""
        super().__init__(f"the stored key of {subject} cannot be used: {reason}")
        self.subject = subject


class KeyRing(Protocol):
    """The data keys. A subject's name is no personal data: it stands in the clear in the log and in KMS's own audit trail."""

    async def key_for(self, subject: str) -> bytes:
        """Return the subject's key, made and stored durably on first use; all callers get the same one, however many race.

        Raises:
            KeyErased: it was erased. It is not made anew, or what was erased would look readable.
            KeyUnusable: see there.
        """
        ...

    async def existing(self, subject: str) -> bytes:
        """Return the subject's key, if it has one.

        Raises:
            KeyErased: it has none.
            KeyUnusable: see there.
        """
        ...

    async def erase(self, subject: str) -> int:
        """Destroy the subject's key for ever; also one that was never made, so that none will be.

        Returns when it was destroyed, in milliseconds since 1970: the first time counts, doing it again changes nothing.
        """
        ...

    def subjects(self, key_class: KeyClass) -> AsyncGenerator[str, None]:
        """Yield everybody who has a key of that class that is not erased, in no order: it reads every key's row."""
        ...


class CachedKeyRing:
    """A key ring that remembers the keys most recently used: an order's few handlers then cost one KMS call, not one each.

    Another process's erasure is seen after `ttl_s` at the latest; this process's own at once.
    """

    def __init__(self, ring: KeyRing, *, keys_max: int = 10_000, ttl_s: float = CACHE_TTL_S) -> None:
        """Keep up to `keys_max` keys for `ttl_s` seconds each."""
        if keys_max < 1 or ttl_s <= 0:
            raise ValueError("a cache keeps at least one key, for some time")
        self._ring = ring
        self._keys_max = keys_max
        self._ttl_s = ttl_s
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._erasures = 0

    async def key_for(self, subject: str) -> bytes:
        """See `KeyRing.key_for`."""
        kept = self._recall(subject)
        if kept is not None:
            return kept
        erasures, asked_at = self._erasures, anyio.current_time()
        return self._keep(subject, await self._ring.key_for(subject), erasures, asked_at)

    async def existing(self, subject: str) -> bytes:
        """See `KeyRing.existing`."""
        kept = self._recall(subject)
        if kept is not None:
            return kept
        erasures, asked_at = self._erasures, anyio.current_time()
        return self._keep(subject, await self._ring.existing(subject), erasures, asked_at)

    async def erase(self, subject: str) -> int:
        """See `KeyRing.erase`. Forgotten here even if the ring below cannot be reached."""
        self._forget(subject)
        try:
            return await self._ring.erase(subject)
        finally:
            self._forget(subject)

    async def subjects(self, key_class: KeyClass) -> AsyncGenerator[str, None]:
        """See `KeyRing.subjects`."""
        async with aclosing(self._ring.subjects(key_class)) as subjects:
            async for subject in subjects:
                yield subject

    def _recall(self, subject: str) -> bytes | None:
        if subject not in self._kept:
            return None
        key, fetched_at = self._kept[subject]
        if anyio.current_time() - fetched_at >= self._ttl_s:
            del self._kept[subject]
            return None
        self._kept.move_to_end(subject)
        return key

    def _keep(self, subject: str, key: bytes, erasures: int, asked_at: float) -> bytes:
        # A key that was on its way here while something was erased may be the erased one: it is used once more, not remembered.
        if erasures == self._erasures:
            # The time to live counts from the question: the key may have been destroyed while its answer was on the way.
            self._kept[subject] = (key, asked_at)
            self._kept.move_to_end(subject)
            if len(self._kept) > self._keys_max:
                self._kept.popitem(last=False)
        return key

    def _forget(self, subject: str) -> None:
        self._erasures += 1
        self._kept.pop(subject, None)


def check_subject(subject: str) -> None:
    """Refuse a name that no key can be kept under.

    Raises:
        ValueError: it is empty or longer than `SUBJECT_BYTES_MAX`.
    """
    if not 1 <= len(subject.encode()) <= SUBJECT_BYTES_MAX:
        raise ValueError(f"a subject's name has 1 to {SUBJECT_BYTES_MAX} bytes")
