"""What can be wrong with one segment, and with what it adds to each order. Pure, but for the heads that it moves on."""

import hashlib
from collections.abc import Sequence

from orderstore.archive.errors import Fault, FaultKind
from orderstore.archive.heads import Heads
from orderstore.archive.manifest import Manifest, spans_of
from orderstore.archive.segment import BadSegment, commits_in, unpack
from orderstore.store.chain import GENESIS, hash_of
from orderstore.store.port import Commit


def commits_of(manifest: Manifest, content: bytes | None) -> tuple[tuple[Commit, ...], list[Fault]]:
    """The commits of a segment, and what is wrong with it in itself; commits only if nothing is."""
    facts = manifest.segment

    def wrong(kind: FaultKind, detail: str) -> tuple[tuple[Commit, ...], list[Fault]]:
        return (), [Fault(kind=kind, manifest=manifest.number, detail=f"{facts.key}: {detail}")]

    if content is None:
        return wrong("missing_segment", "it is not there")
    if len(content) != facts.bytes or hashlib.sha256(content).hexdigest() != facts.sha256:
        return wrong("altered_segment", "its bytes are not those that were archived")
    try:
        raw = unpack(content, raw_bytes=facts.raw_bytes)
        commits = tuple(commits_in(raw))
    except BadSegment as error:
        return wrong("unreadable_segment", str(error))
    if hashlib.sha256(raw).hexdigest() != facts.raw_sha256:
        return wrong("altered_segment", "its content is not what was archived")
    if len(commits) != facts.commits:
        return wrong("wrong_count", f"it has {len(commits)} commits, its manifest says {facts.commits}")
    if {span.stream: span for span in spans_of(commits)} != {span.stream: span for span in manifest.orders}:
        return wrong("wrong_summary", "its orders are not those that its manifest names")
    return commits, []


def follow_commits(manifest: Manifest, commits: Sequence[Commit], heads: Heads) -> list[Fault]:
    """What is wrong with commits as the continuation of each order; `heads` then stand at their last."""
    known = heads.get([span.stream for span in manifest.orders])
    faults: list[Fault] = []
    for commit in commits:
        number, last_hash = known.get(commit.stream, (0, GENESIS))
        faults += _place_faults(manifest, commit.stream, commit.number, after=number)
        if hash_of(commit) != commit.hash:
            faults.append(_fault("altered_commit", manifest, commit, "its hash is not that of its content"))
        if commit.number == number + 1 and commit.previous_hash != last_hash:
            faults.append(_fault("broken_link", manifest, commit, "it does not follow the commit before it"))
        if commit.number > number:
            known[commit.stream] = (commit.number, commit.hash)
    heads.put((stream, number, last_hash) for stream, (number, last_hash) in known.items())
    return faults


def follow_spans(manifest: Manifest, heads: Heads) -> list[Fault]:
    """The same as far as the manifest alone tells."""
    known = heads.get([span.stream for span in manifest.orders])
    faults: list[Fault] = []
    for span in manifest.orders:
        number, _ = known.get(span.stream, (0, GENESIS))
        faults += _place_faults(manifest, span.stream, span.first, after=number)
        if span.last > number:
            known[span.stream] = (span.last, bytes.fromhex(span.hash))
    heads.put((stream, number, last_hash) for stream, (number, last_hash) in known.items())
    return faults


def _place_faults(manifest: Manifest, stream: str, number: int, *, after: int) -> list[Fault]:
    if number <= after:
        kind: FaultKind = "commit_twice"
        detail = f"the order was archived through commit {after} already"
    elif number > after + 1:
        kind = "missing_commit"
        detail = f"the one before it in the archive is commit {after}"
    else:
        return []
    return [Fault(kind=kind, manifest=manifest.number, detail=detail, stream=stream, commit=number)]


def _fault(kind: FaultKind, manifest: Manifest, commit: Commit, detail: str) -> Fault:
    return Fault(kind=kind, manifest=manifest.number, detail=detail, stream=commit.stream, commit=commit.number)
