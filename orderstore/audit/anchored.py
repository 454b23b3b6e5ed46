"""The log compared with signed roots: every order that a root has is there, with at least as many commits, and the very same ones."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from orderstore.audit.findings import Finding
from orderstore.audit.heads import Anchor, Head, HeadsFile, Horizon
from orderstore.audit.leaves import LeavesWrong, read_leaves
from orderstore.audit.roots import RootDocument, SignedRoot
from orderstore.audit.verify import STREAMS_AT_ONCE, Check, Verified, verify_all, verify_batch, verify_stream
from orderstore.objects import ObjectStore
from orderstore.store.errors import CorruptCommit, StreamTooLong
from orderstore.store.port import Commit, CommitSource

UNSEEN_AT_ONCE: Final = STREAMS_AT_ONCE


class LogSource(CommitSource, Protocol):
    """The log, read in two ways: everything as it lies there, and an order's end, checked."""

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """As `EventStore.read`."""
        ...


async def load_anchors(objects: ObjectStore, document: RootDocument, heads: HeadsFile) -> None:
    """Note what a root says of every order. Raises LeavesWrong (nothing of this root stays noted), ScratchUnusable."""
    try:
        async with aclosing(read_leaves(objects, document)) as leaves:
            async for head in leaves:
                heads.put_anchor(document.number, head)
    except LeavesWrong:
        heads.drop_anchors(document.number)
        raise


async def load_newest(
    objects: ObjectStore, good: Sequence[SignedRoot], heads: HeadsFile
) -> tuple[SignedRoot | None, list[Finding]]:
    """Note what the newest root says whose leaves are whole; and what is wrong with those of newer ones."""
    findings: list[Finding] = []
    for root in reversed(good):
        try:
            await load_anchors(objects, root.document, heads)
        except LeavesWrong as wrong:
            findings.append(Finding(wrong.key, 0, wrong.reason, f"root {root.number}: {wrong.detail}"))
        else:
            return root, findings
    return None, findings


async def verify_anchored(
    source: LogSource, heads: HeadsFile, *, since: int | None = None, horizon: Horizon | None = None
) -> AsyncGenerator[Verified, None]:
    """Check every order, and against every root whose anchors are in `heads`; yield each result. Heads are noted in `heads`.

    `since`: the number of a root up to which each order is taken to be checked: it is read from that root's commit on. An order may be
    yielded twice.

    Raises:
        StoreError: the log cannot be read; what was not yielded has not been checked.
        ScratchUnusable: there is no room for the scratch file.
    """

    async def look(stream: str) -> Verified:
        anchors = heads.anchors_of(stream)
        base = next((anchor for anchor in anchors if anchor.root == since), None)
        if base is None:
            return await verify_stream(source, stream, anchors, horizon)
        return await verify_end(source, stream, anchors, base, horizon)

    async with aclosing(verify_all(source, look=look)) as results:
        async for verified in results:
            _note(heads, verified)
            yield verified
    # What a root has and the scan did not name: looked for once more by name, so that nobody is accused by a page that was late.
    after = ""
    while unseen := heads.anchored_but_unseen(after, UNSEEN_AT_ONCE):
        for verified in await verify_batch(unseen, look):
            _note(heads, verified)
            yield verified
        after = unseen[-1]


async def verify_end(
    source: LogSource, stream: str, anchors: Sequence[Anchor], base: Anchor, horizon: Horizon | None = None
) -> Verified:
    """Check an order from the commit on that `base` names. Whatever is wrong, all of the order is looked at to say what."""
    try:
        commits = await source.read(stream, after=base.number - 1)
    except (CorruptCommit, StreamTooLong):
        return await verify_stream(source, stream, anchors, horizon)
    check = Check(stream, [anchor for anchor in anchors if anchor.number >= base.number], horizon, first=base.number)
    for commit in commits:
        check.see(commit)
    verified = check.result()
    return verified if commits and not verified.findings else await verify_stream(source, stream, anchors, horizon)


def _note(heads: HeadsFile, verified: Verified) -> None:
    """Of an order with findings only that it was seen: a forged number may be larger than any file takes."""
    if verified.commits:
        number = verified.commits if verified.findings else verified.last
        heads.put(Head(verified.stream, number, verified.head or b""))
