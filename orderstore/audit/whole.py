"""What `orderstore audit verify` asks: is the log as it was written, by its chains and by its signed roots?"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from orderstore.audit.anchored import LogSource, load_anchors, load_newest, verify_anchored
from orderstore.audit.findings import Finding, Reason
from orderstore.audit.heads import Anchor, HeadsFile, Horizon
from orderstore.audit.leaves import Inclusion, LeavesWrong, prove
from orderstore.audit.root_store import RootsChecked, RootStore, check_roots
from orderstore.audit.roots import SignedRoot, is_signed, milliseconds
from orderstore.audit.verify import verify_stream
from orderstore.objects import ObjectStore

FINDINGS_MAX: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Report:
    """What was looked at, and everything that is wrong with it (the first `FINDINGS_MAX`)."""

    orders: int = 0
    commits: int = 0
    """As many as were read: with `since` only what came after it."""
    roots: int = 0
    findings: list[Finding] = field(default_factory=list)
    signers: set[str] = field(default_factory=set)
    """The fingerprints of the keys that signed the roots."""
    root: SignedRoot | None = None
    """The newest one that is right, which the log was compared with. None: dropped orders and tails cannot be seen."""
    inclusion: Inclusion | None = None
    """Of one order: the proof that `root` has it."""

    def add(self, findings: tuple[Finding, ...] | list[Finding]) -> None:
        """Note what is wrong."""
        self.findings.extend(findings[: FINDINGS_MAX - len(self.findings)])


class NoSuchRoot(Exception):
    """The root that was asked for is not there, or is not right, so that nothing can be checked from it on."""

    def __init__(self, number: int, findings: list[Finding]) -> None:
        """Name the root, and what is wrong with it."""
        why = "; ".join(map(str, findings[:3])) or "it is not there"
        super().__init__(f"root {number} cannot be started from: {why}")
        self.findings = findings


async def verify_log(
    source: LogSource,
    objects: ObjectStore,
    *,
    log: str,
    keys: frozenset[str] = frozenset(),
    since: int | SignedRoot | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Check every order's chain, every root, and that the log still has all that the newest root has.

    `since`, a root's number or the auditor's own copy of one, is taken as checked: roots are looked at from it on, and each order from
    the commit on that it names; orders that it does not have are looked at whole. `keys`: the fingerprints that are trusted.

    Raises:
        NoSuchRoot: `since` is not there or not right.
        StoreError, ScratchUnusable: it could not be looked at.
    """
    kept = since if isinstance(since, SignedRoot) else None
    first = kept.number if kept is not None else since if isinstance(since, int) else 1
    checked = await check_roots(RootStore(objects), log=log, keys=keys, first=first, kept=kept)
    report = _report(checked)
    with HeadsFile() as heads:
        base = None
        if since is not None:
            base = await _base(objects, checked, heads, first=first, kept=kept, keys=keys)
        report.root, wrong_leaves = await load_newest(objects, checked.good, heads)
        report.add(wrong_leaves)
        begun = base or report.root
        horizon = None if begun is None else Horizon(begun.number, milliseconds(begun.document.started_at))
        results = verify_anchored(source, heads, since=first if base is not None else None, horizon=horizon)
        async with aclosing(results):
            async for verified in results:
                report.orders += 1
                report.commits += verified.commits
                report.add(verified.findings)
                if progress is not None:
                    progress(report)
        report.orders = heads.totals()[0]
    return report


async def verify_order(
    source: LogSource, objects: ObjectStore, stream: str, *, log: str, keys: frozenset[str] = frozenset()
) -> Report:
    """Check one order: its chain, and its place in the newest root. `report.orders` is 0 when nobody knows it. Raises StoreError."""
    report = await newest_root(objects, log=log, keys=keys)
    anchors: list[Anchor] = []
    horizon = None
    if report.root is not None:
        try:
            report.inclusion = await prove(objects, report.root.document, stream)
        except LeavesWrong as wrong:
            report.add([Finding(wrong.key, 0, wrong.reason, wrong.detail)])
        else:
            horizon = Horizon(report.root.number, milliseconds(report.root.document.started_at))
    if report.root is not None and report.inclusion is not None:
        anchors = [Anchor(report.root.number, report.inclusion.head.number, report.inclusion.head.hash)]
    verified = await verify_stream(source, stream, anchors, horizon)
    report.orders = 1 if verified.commits or anchors else 0
    report.commits = verified.commits
    report.add(verified.findings)
    return report


async def newest_root(objects: ObjectStore, *, log: str, keys: frozenset[str] = frozenset()) -> Report:
    """The newest root, and the one before it that it names, checked. Raises StoreError."""
    roots = RootStore(objects)
    latest = 0
    async with aclosing(roots.numbers()) as numbers:
        async for number in numbers:
            latest = number
    return _report(await check_roots(roots, log=log, keys=keys, first=max(1, latest - 1)))


def _report(checked: RootsChecked) -> Report:
    report = Report(roots=checked.count, signers=checked.signers, root=checked.good[-1] if checked.good else None)
    report.add(checked.findings)
    return report


async def _base(
    objects: ObjectStore,
    checked: RootsChecked,
    heads: HeadsFile,
    *,
    first: int,
    kept: SignedRoot | None,
    keys: frozenset[str],
) -> SignedRoot:
    """Note what the root says that is started from: the auditor's own copy, where there is one, whatever lies in the bucket."""
    if kept is not None and not is_signed(kept):
        raise NoSuchRoot(first, [Finding(kept.key, 0, Reason.ROOT_SIGNATURE, "nobody signed the copy as it is")])
    if kept is not None and keys and kept.signature.fingerprint not in keys:
        detail = f"the key {kept.signature.fingerprint} signed the copy, which is not trusted"
        raise NoSuchRoot(first, [Finding(kept.key, 0, Reason.ROOT_KEY, detail)])
    base = kept or checked.first
    if base is None or base.number != first:
        raise NoSuchRoot(first, checked.findings)
    try:
        await load_anchors(objects, base.document, heads)
    except LeavesWrong as wrong:
        raise NoSuchRoot(first, [Finding(wrong.key, 0, wrong.reason, wrong.detail)]) from wrong
    return base
