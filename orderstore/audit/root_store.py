"""Where signed roots lie, and whether they are one unbroken, rightly signed row."""

import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.roots import GENESIS, PREFIX, RootUnreadable, SignedRoot, is_signed, key_of, number_of, parse_root
from orderstore.objects import ObjectStore

GOOD_KEPT: Final = 8
"""How many of the newest good roots are remembered: the leaves of one of them will be whole."""
FINDINGS_MAX: Final = 1_000
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


class RootStore:
    """The roots in a bucket. Every method may raise what `ObjectStore`'s may."""

    def __init__(self, objects: ObjectStore) -> None:
        """Use these objects, which are locked in production."""
        self._objects = objects

    async def put(self, root: SignedRoot) -> bool:
        """Store the root if none has its number; return whether this very root is now the one of that number.

        True also when an earlier try of this call that timed out had stored it.
        """
        return await self._objects.put_new(root.key, root.content) or await self._objects.get(root.key) == root.content

    async def get(self, number: int) -> SignedRoot | None:
        """Return a root, its signature unchecked; None when there is none. Raises RootUnreadable."""
        content = await self._objects.get(key_of(number))
        return None if content is None else _placed(content, number)

    async def newest(self) -> SignedRoot | None:
        """Return the root with the highest number, its signature unchecked. Raises RootUnreadable."""
        latest = 0
        async with aclosing(self.numbers()) as numbers:
            async for number in numbers:
                latest = number
        return await self.get(latest) if latest else None

    async def numbers(self, *, first: int = 1) -> AsyncGenerator[int, None]:
        """Yield the numbers that something is stored under, ascending. What is no root's key is left out."""
        async with aclosing(self._objects.keys(PREFIX, after=key_of(first - 1))) as keys:
            async for key in keys:
                if (number := number_of(key)) is not None:
                    yield number


@dataclass(slots=True)
class RootsChecked:
    """What came of looking at every root."""

    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    good: deque[SignedRoot] = field(default_factory=lambda: deque(maxlen=GOOD_KEPT))
    """The newest ones that nothing is wrong with, the newest last."""
    first: SignedRoot | None = None
    """The oldest that nothing is wrong with."""
    signers: set[str] = field(default_factory=set)
    """The fingerprints of the keys that signed the good ones."""


async def check_roots(
    roots: RootStore,
    *,
    log: str,
    keys: frozenset[str] = frozenset(),
    first: int = 1,
    kept: SignedRoot | None = None,
    on_good: Callable[[SignedRoot], None] | None = None,
) -> RootsChecked:
    """Look at every root from `first` on: its signature, its key, its number, and that it names the one before it.

    `keys` are the fingerprints that are trusted; when empty, a root must be signed by the key of the one before it. `kept` is the
    auditor's own copy of root `first`, which the stored one must be equal to. `on_good` is called with each that is right. Memory does
    not grow with the number of roots.
    """
    check = _RootsCheck(log, keys, first, kept)
    async with aclosing(roots.numbers(first=first)) as numbers:
        async for number in numbers:
            try:
                root = await roots.get(number)
            except RootUnreadable as error:
                check.unreadable(number, str(error))
            else:
                if root is not None and check.see(root) and on_good is not None:
                    on_good(root)
    return check.result()


def parse_fingerprint(text: str) -> str:
    """A key's fingerprint as people write it: hex in any case, colons allowed. Raises ValueError for anything else."""
    found = text.replace(":", "").strip().lower()
    if not _FINGERPRINT.fullmatch(found):
        raise ValueError(f"{text!r} is no fingerprint: it is the SHA-256 of the public key, 64 hexadecimal digits")
    return found


class _RootsCheck:
    """One pass. After a root that is wrong the next one's link is not judged: its neighbour is named already."""

    def __init__(self, log: str, keys: frozenset[str], first: int, kept: SignedRoot | None) -> None:
        self._log = log
        self._keys = keys
        self._kept = kept
        self._expected = first
        self._previous: str | None = GENESIS if first == 1 else None
        self._signer: str | None = kept.signature.fingerprint if kept is not None else None
        self._checked = RootsChecked()

    def unreadable(self, number: int, detail: str) -> None:
        """Something lies in that root's place."""
        self._missing(number)
        self._wrong(number, Reason.ROOT_UNREADABLE, detail)
        self._next(number, None)

    def see(self, root: SignedRoot) -> bool:
        """Judge the next root; return whether it is right."""
        self._missing(root.number)
        wrong = self._judge(root)
        if wrong is None:
            self._checked.good.append(root)
            self._checked.first = self._checked.first or root
            self._checked.signers.add(root.signature.fingerprint)
            self._signer = root.signature.fingerprint
        else:
            self._wrong(root.number, *wrong)
        self._next(root.number, root if wrong is None else None)
        return wrong is None

    def result(self) -> RootsChecked:
        """What came of it. A root that the auditor has, and the store has not, was removed."""
        if self._kept is not None and self._expected <= self._kept.number:
            self._wrong(self._kept.number, Reason.ROOT_MISSING, "the auditor kept a copy of it, and it is gone")
        return self._checked

    def _judge(self, root: SignedRoot) -> tuple[Reason, str] | None:
        signer = root.signature.fingerprint
        allowed = self._keys or ({self._signer} if self._signer else {signer})
        if not is_signed(root):
            return Reason.ROOT_SIGNATURE, f"the key {signer} did not sign this"
        if signer not in allowed:
            return Reason.ROOT_KEY, f"the key {signer} signed it, not {' or '.join(sorted(allowed))}"
        if root.document.log != self._log:
            return Reason.ROOT_UNREADABLE, f"it is a root of the log {root.document.log}, not of {self._log}"
        if self._kept is not None and root.number == self._kept.number and root.content != self._kept.content:
            return (
                Reason.ROOT_REPLACED,
                f"the copy that was kept has the SHA-256 {self._kept.sha256}, this {root.sha256}",
            )
        if self._previous is not None and root.document.previous != self._previous:
            return Reason.ROOT_CHAIN, f"it follows {root.document.previous}, but {self._previous} is before it"
        return None

    def _missing(self, number: int) -> None:
        if number > self._expected:
            last = number - 1
            detail = "it is missing" if last == self._expected else f"it and all up to {last} are missing"
            self._wrong(self._expected, Reason.ROOT_MISSING, detail)
            self._previous = None

    def _next(self, number: int, good: SignedRoot | None) -> None:
        self._checked.count += 1
        self._expected = number + 1
        known = self._kept if self._kept is not None and self._kept.number == number else good
        self._previous = known.sha256 if known is not None else None

    def _wrong(self, number: int, reason: Reason, detail: str) -> None:
        if len(self._checked.findings) < FINDINGS_MAX:
            self._checked.findings.append(Finding(key_of(number), 0, reason, detail))


def _placed(content: bytes, number: int) -> SignedRoot:
    root = parse_root(content)
    if root.number != number:
        raise RootUnreadable(f"it is root {root.number}")
    return root
