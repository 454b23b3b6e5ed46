"""Making a root: over a log that verifies and holds all that the last root held, or not at all.

AuditError
├── RootRefused      something is wrong, and named; nothing was signed. For a person.
├── RootTooSoon      the log is still being made from an archive; nothing was signed. Finish that first.
└── RootContended    others made roots meanwhile, again and again; nothing of this try was kept. Try again.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from orderstore.audit.anchored import LogSource, load_anchors, verify_anchored
from orderstore.audit.findings import Finding, Reason
from orderstore.audit.heads import HeadsFile
from orderstore.audit.leaves import LeavesWrong, write_leaves
from orderstore.audit.root_store import RootStore
from orderstore.audit.roots import (
    GENESIS,
    RootDocument,
    RootUnreadable,
    SignedRoot,
    day_of,
    is_signed,
    iso,
    key_of,
    milliseconds,
    signed_root,
    text_of,
)
from orderstore.audit.signing import Signer
from orderstore.objects import ObjectStore

RACES_MAX: Final = 5
AHEAD_MAX_MS: Final = 24 * 60 * 60 * 1000
FINDINGS_MAX: Final = 1_000


class AuditError(Exception):
    """A root could not be made."""


class RootRefused(AuditError):
    """The log, or the last root, is not as it was written: nothing is signed over it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Carry what is wrong: the first `FINDINGS_MAX`."""
        super().__init__(f"no root was made: {len(findings)} findings, the first: {findings[0]}")
        self.findings = tuple(findings)


class RootTooSoon(AuditError):
    """A root over a half of the log would prove nothing, and look as if it did."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            "no root was made, nothing was signed: this environment is being restored, and its log is not whole yet; "
            "run the same `orderstore archive restore` again until it is complete"
        )


class RootContended(AuditError):
    """Another instance was faster, every time."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            f"other instances made roots during {RACES_MAX} tries; nothing of this try was kept; try again"
        )


class Progress(Protocol):
    """Told after every order."""

    def __call__(self, *, orders: int, commits: int, findings: int) -> None:
        """Return at once; never raise."""
        ...


class RootMaker:
    """Makes roots. Any number of them may work on one log: of two that make the same number, one wins, and the other looks again.

    Methods raise, beside AuditError: StoreError (the log, the objects or the signer; nothing was signed, or the root may be there:
    look again), ScratchUnusable.
    """

    def __init__(
        self,
        source: LogSource,
        objects: ObjectStore,
        signer: Signer,
        *,
        log: str,
        now_ms: Callable[[], int],
        accepted_keys: frozenset[str] = frozenset(),
        is_whole: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Read `source`, store in `objects` (locked, in production). `log` is the table's name.

        `accepted_keys`: fingerprints of earlier signing keys; the last root must be signed by one of these or by `signer`.
        `is_whole` tells whether the log is in one piece, which it is not while it is restored; None: it always is.
        """
        self._source = source
        self._objects = objects
        self._roots = RootStore(objects)
        self._signer = signer
        self._log = log
        self._now_ms = now_ms
        self._accepted_keys = accepted_keys
        self._is_whole = is_whole

    async def newest(self) -> SignedRoot | None:
        """The newest root, or None. Raises RootRefused when it is none."""
        try:
            root = await self._roots.newest()
        except RootUnreadable as error:
            raise RootRefused([Finding(key_of(0), 0, Reason.ROOT_UNREADABLE, f"the newest: {error}")]) from error
        if root is not None and not is_signed(root):
            raise RootRefused([Finding(root.key, 0, Reason.ROOT_SIGNATURE, "its key did not sign it")])
        if root is not None and root.document.log != self._log:
            raise RootRefused([Finding(root.key, 0, Reason.ROOT_UNREADABLE, f"it is one of {root.document.log}")])
        return root

    async def make(self, progress: Progress | None = None) -> SignedRoot:
        """Make a root of everything that was acknowledged before this call.

        Raises:
            RootRefused: the log does not verify, lacks something that the last root had, or the last root is not right.
            RootTooSoon: the log is being restored.
            RootContended: others were faster, `RACES_MAX` times.
        """
        for _ in range(RACES_MAX):
            if (root := await self._make_after(await self.newest(), progress)) is not None:
                return root
        raise RootContended

    async def make_daily(self, progress: Progress | None = None) -> tuple[SignedRoot, bool]:
        """Make the root of this UTC day unless there is one; return the newest root, and whether this call made it. Raises as `make`."""
        for _ in range(RACES_MAX):
            newest = await self.newest()
            if newest is not None and self._is_of_today(newest):
                return newest, False
            if (root := await self._make_after(newest, progress)) is not None:
                return root, True
        raise RootContended

    def _is_of_today(self, newest: SignedRoot) -> bool:
        """Or of tomorrow, by a clock that is a little ahead; one that ran far ahead must not be why there is no root until then."""
        now_ms = self._now_ms()
        document = newest.document
        return document.day >= day_of(now_ms) and milliseconds(document.created_at) < now_ms + AHEAD_MAX_MS

    async def _make_after(self, newest: SignedRoot | None, progress: Progress | None) -> SignedRoot | None:
        """The root that follows `newest`; None when somebody else made it meanwhile."""
        await self._check_whole()
        started_ms = self._now_ms()
        number = 1 if newest is None else newest.number + 1
        with HeadsFile() as heads:
            if newest is not None:
                await self._anchor(newest, heads)
            await self._verify(heads, progress)
            orders, commits = heads.totals()
            await self._check_whole()  # a restore may have begun in what was an empty log
            leaves = await write_leaves(self._objects, number, heads.heads())
        created_ms = max(started_ms, self._now_ms())
        document = RootDocument(
            log=self._log,
            number=number,
            previous=GENESIS if newest is None else newest.sha256,
            day=day_of(created_ms),
            started_at=iso(started_ms),
            created_at=iso(created_ms),
            orders=orders,
            commits=commits,
            merkle_root=leaves.merkle_root.hex(),
            leaves_key=leaves.key,
            leaves_sha256=leaves.sha256,
        )
        root = await self._sign(document, newest)
        return root if await self._roots.put(root) else None

    async def _check_whole(self) -> None:
        if self._is_whole is not None and not await self._is_whole():
            raise RootTooSoon

    async def _anchor(self, newest: SignedRoot, heads: HeadsFile) -> None:
        try:
            await load_anchors(self._objects, newest.document, heads)
        except LeavesWrong as wrong:
            raise RootRefused([wrong.finding(newest.number)]) from wrong

    async def _verify(self, heads: HeadsFile, progress: Progress | None) -> None:
        """Note every order's head in `heads`, or refuse."""
        findings: list[Finding] = []
        orders = commits = 0
        async with aclosing(verify_anchored(self._source, heads)) as results:
            async for verified in results:
                orders += 1
                commits += verified.commits
                findings.extend(verified.findings[: FINDINGS_MAX - len(findings)])
                if progress is not None:
                    progress(orders=orders, commits=commits, findings=len(findings))
        if findings:
            raise RootRefused(findings)

    async def _sign(self, document: RootDocument, newest: SignedRoot | None) -> SignedRoot:
        text = text_of(document)
        root = signed_root(text, await self._signer.sign(text))
        own = root.signature.fingerprint
        if newest is not None and newest.signature.fingerprint not in {own, *self._accepted_keys}:
            signer = newest.signature.fingerprint
            detail = f"the key {signer} signed it, this service signs with {own}: if the key was changed on purpose, accept it once"
            raise RootRefused([Finding(newest.key, 0, Reason.ROOT_KEY, detail)])
        return root
