"""A manifest: what one segment holds, and which manifest came before. The manifests are a log of their own. Pure.

    archive/manifests/000000000001.json   numbers are dense: 1, 2, 3 …
    archive/segments/<sha256>.jsonl.zst   a segment that no manifest names is an orphan, and means nothing

A commit is archived at the moment at which a manifest that covers it is stored: the object store gives each number to one writer only.
Each manifest holds the SHA-256 of the one before, so that none can be changed, taken out or put in between unseen.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from orderstore.archive.segment import Segment, key_of
from orderstore.store.port import COMMITS_PER_STREAM_MAX, Commit

MANIFESTS: Final = "archive/manifests/"
FORMAT: Final = "orderstore/archive/1"
NO_MANIFEST: Final = "0" * 64
NUMBER_MAX: Final = 10**12 - 1


class BadManifest(ValueError):
    """The bytes are not those of a manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSpan:
    """What a segment has of one order: commits `first` to `last`, none left out; `hash` (hex) is that of the last."""

    stream: str
    first: int
    last: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """The object, its sizes in bytes and checksums (SHA-256, hex) as stored and decompressed, and what is in it."""

    key: str
    sha256: str
    bytes: int
    raw_sha256: str
    raw_bytes: int
    commits: int
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One entry of the archive's own log. Times are wall clocks in milliseconds since 1970."""

    format: Literal["orderstore/archive/1"] = FORMAT
    number: int
    previous: str
    """SHA-256 (hex) of the manifest before; NO_MANIFEST for the first."""
    archived_at_ms: int
    recorded_first_ms: int
    recorded_last_ms: int
    segment: SegmentFacts
    orders: tuple[OrderSpan, ...]


_manifests: Final = msgspec.json.Decoder(Manifest)


def manifest_key(number: int) -> str:
    """Where manifest `number` lies."""
    if not 1 <= number <= NUMBER_MAX:
        raise ValueError(f"manifests are numbered from 1 to {NUMBER_MAX}, not {number}")
    return f"{MANIFESTS}{number:012d}.json"


def number_of(key: str) -> int | None:
    """The number of the manifest under a key; None when no manifest can lie there."""
    digits = key.removeprefix(MANIFESTS).removesuffix(".json")
    if not (digits.isascii() and digits.isdigit()) or int(digits) < 1:
        return None
    return int(digits) if manifest_key(int(digits)) == key else None


def digest(content: bytes) -> str:
    """SHA-256 in hex, as manifests name each other by."""
    return hashlib.sha256(content).hexdigest()


def manifest_of(
    commits: Sequence[Commit], segment: Segment, *, number: int, previous: str, archived_at_ms: int
) -> Manifest:
    """The manifest of a segment with these commits, each order's in its order."""
    orders = spans_of(commits)
    return Manifest(
        number=number,
        previous=previous,
        archived_at_ms=archived_at_ms,
        recorded_first_ms=min(commit.recorded_at_ms for commit in commits),
        recorded_last_ms=max(commit.recorded_at_ms for commit in commits),
        segment=SegmentFacts(
            key=segment.key,
            sha256=segment.sha256,
            bytes=len(segment.content),
            raw_sha256=segment.raw_sha256,
            raw_bytes=segment.raw_bytes,
            commits=len(commits),
            orders=len(orders),
        ),
        orders=orders,
    )


def spans_of(commits: Sequence[Commit]) -> tuple[OrderSpan, ...]:
    """What there is of each order, in the order of appearance."""
    first: dict[str, Commit] = {}
    last: dict[str, Commit] = {}
    for commit in commits:
        first.setdefault(commit.stream, commit)
        last[commit.stream] = commit
    return tuple(
        OrderSpan(stream=stream, first=first[stream].number, last=end.number, hash=end.hash.hex())
        for stream, end in last.items()
    )


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is stored."""
    return msgspec.json.encode(manifest)


def parse(content: bytes, *, number: int) -> Manifest:
    """Read manifest `number`. Raises BadManifest when the bytes are not it, or contradict themselves."""
    try:
        manifest = _manifests.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadManifest(f"it is not a manifest: {error}") from error
    wrong = _contradiction(manifest, number)
    if wrong is not None:
        raise BadManifest(wrong)
    return manifest


def _contradiction(manifest: Manifest, number: int) -> str | None:
    if manifest.number != number:
        return f"it says that it is manifest {manifest.number}"
    if not manifest.orders or any(
        not 1 <= span.first <= span.last <= COMMITS_PER_STREAM_MAX for span in manifest.orders
    ):
        return "it names no order, or an impossible span of commits"
    if any(not _is_sha256(text) for text in (manifest.previous, *(span.hash for span in manifest.orders))):
        return "one of its hashes is none"
    if len({span.stream for span in manifest.orders}) != len(manifest.orders):
        return "it names an order twice"
    if manifest.segment.orders != len(manifest.orders):
        return f"it counts {manifest.segment.orders} orders and names {len(manifest.orders)}"
    commits = sum(span.last - span.first + 1 for span in manifest.orders)
    if manifest.segment.commits != commits:
        return f"it counts {manifest.segment.commits} commits and names {commits}"
    if manifest.segment.key != key_of(manifest.segment.sha256):
        return "its segment's key is not its segment's checksum"
    return None


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(character in "0123456789abcdef" for character in text)
