"""The leaves of a root, in objects: what lets a later verifier name the very order, and prove one order without reading all.

    leaves/<root, 12 digits>/<part, 8 digits>-<sha256>.jsonl.zst   zstd of lines `["<stream>",<number>,"<hash, hex>"]`, 4,096 to a part
    leaves/<root, 12 digits>/<sha256>.json                         {"format", "parts": [{"key", "sha256", "first", "orders", "root"}]}

Sorted by the bytes of the stream's name over all parts. A part but the last is a whole subtree of 2^12 leaves, so its root is in the
list and a proof takes one part. Everything is named by its SHA-256 and stored before the root that names it: the root is the commit
point. Racing writers may leave parts behind that no root names.
"""

import hashlib
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
import orjson
import zstandard
from anyio.lowlevel import checkpoint

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.heads import Head, entry_of
from orderstore.audit.merkle import Tree, leaf_hash, root_of
from orderstore.audit.roots import RootDocument
from orderstore.frames import unpacked_bytes
from orderstore.objects import ObjectStore

FORMAT: Final = "orderstore/leaves/1"
PREFIX: Final = "leaves/"
LEAVES_PER_PART: Final = 2**12
PART_BYTES_MAX: Final = 32 * 1024 * 1024
"""Unpacked: longer than 4,096 of the longest names can get."""
_LEVEL: Final = 3


class LeavesWrong(Exception):
    """An object of the leaves is gone, changed, or does not come to what was signed."""

    def __init__(self, key: str, reason: Reason, detail: str) -> None:
        """Name the object and what is wrong."""
        super().__init__(f"{key}: {reason}: {detail}")
        self.key = key
        self.reason = reason
        self.detail = detail

    def finding(self, root_number: int) -> Finding:
        """The same as a finding about that root."""
        return Finding(self.key, 0, self.reason, f"root {root_number}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Leaves:
    """What a root says of its leaves."""

    key: str
    sha256: str
    merkle_root: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the list."""

    key: str
    sha256: str
    first: str
    orders: int
    root: bytes


class _ListedPart(msgspec.Struct):
    key: str
    sha256: str
    first: str
    orders: Annotated[int, msgspec.Meta(ge=1)]
    root: str


class _List(msgspec.Struct):
    format: str
    parts: list[_ListedPart]


_lists: Final = msgspec.json.Decoder(_List)
_lines: Final = msgspec.json.Decoder(tuple[str, Annotated[int, msgspec.Meta(ge=1)], str])


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a root holds a head: its place, and the hashes beside the way up (RFC 9162, section 2.1.3)."""

    head: Head
    index: int
    path: tuple[bytes, ...]


async def write_leaves(
    objects: ObjectStore, root_number: int, heads: Iterable[Head], *, per_part: int = LEAVES_PER_PART
) -> Leaves:
    """Store the leaves of a root; `heads` are sorted by the bytes of their names. One part is in memory at a time."""
    parts: list[Part] = []
    tree = Tree()
    remaining = iter(heads)
    while chunk := list(islice(remaining, per_part)):
        part = await _write_part(objects, f"{PREFIX}{root_number:012d}/{len(parts):08d}", chunk)
        parts.append(part)
        tree.add(part.root)
        await checkpoint()
    listed = orjson.dumps({"format": FORMAT, "parts": [_shown(part) for part in parts]})
    digest = hashlib.sha256(listed).hexdigest()
    key = f"{PREFIX}{root_number:012d}/{digest}.json"
    await objects.put_new(key, listed)
    return Leaves(key, digest, tree.root())


async def read_leaves(objects: ObjectStore, document: RootDocument) -> AsyncGenerator[Head, None]:
    """Yield a root's leaves, in order. Each was checked against the list; that the whole comes to what was signed is known at the end.

    Raises:
        LeavesWrong: they are not those of the root. What was yielded before is not to be relied on.
    """
    tree, orders, commits, latest = Tree(), 0, 0, b""
    for part in await _parts(objects, document):
        heads = _unpack(part, await _fetch(objects, part.key, part.sha256))
        for head in heads:
            if head.stream.encode() <= latest:
                raise LeavesWrong(part.key, Reason.LEAVES_MISMATCH, f"{head.stream} is out of order")
            latest = head.stream.encode()
            commits += head.number
            yield head
        if _root_of(heads) != part.root or len(heads) != part.orders:
            raise LeavesWrong(part.key, Reason.LEAVES_MISMATCH, "its leaves do not come to the root in the list")
        orders += len(heads)
        tree.add(part.root)
    found = (tree.root().hex(), orders, commits)
    if found != (document.merkle_root, document.orders, document.commits):
        detail = (
            f"they are {orders} orders with {commits} commits under {found[0]}, root {document.number} says otherwise"
        )
        raise LeavesWrong(document.leaves_key, Reason.LEAVES_MISMATCH, detail)


async def prove(objects: ObjectStore, document: RootDocument, stream: str) -> Inclusion | None:
    """The proof that the root holds the order; None when it does not. Reads one part. Raises LeavesWrong."""
    parts = await _parts(objects, document)
    place = bisect_right([part.first.encode() for part in parts], stream.encode()) - 1
    if place < 0:
        return None
    heads = _unpack(parts[place], await _fetch(objects, parts[place].key, parts[place].sha256))
    within = next((position for position, head in enumerate(heads) if head.stream == stream), None)
    below = Tree(prove=within)
    for head in heads:
        below.add(leaf_hash(entry_of(head)))
    above = Tree(prove=place)
    for part in parts:
        above.add(part.root)
    if below.root() != parts[place].root or above.root().hex() != document.merkle_root:
        raise LeavesWrong(parts[place].key, Reason.LEAVES_MISMATCH, "its leaves do not come to the signed root")
    if within is None:
        return None
    index = sum(part.orders for part in parts[:place]) + within
    return Inclusion(heads[within], index, (*below.path(), *above.path()))


async def _write_part(objects: ObjectStore, prefix: str, heads: Sequence[Head]) -> Part:
    lines = b"".join(orjson.dumps([head.stream, head.number, head.hash.hex()]) + b"\n" for head in heads)
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(lines)
    digest = hashlib.sha256(packed).hexdigest()
    part = Part(f"{prefix}-{digest}.jsonl.zst", digest, heads[0].stream, len(heads), _root_of(heads))
    await objects.put_new(part.key, packed)
    return part


def _root_of(heads: Iterable[Head]) -> bytes:
    return root_of(leaf_hash(entry_of(head)) for head in heads)


def _shown(part: Part) -> dict[str, Any]:
    return {
        "key": part.key,
        "sha256": part.sha256,
        "first": part.first,
        "orders": part.orders,
        "root": part.root.hex(),
    }


async def _fetch(objects: ObjectStore, key: str, sha256: str) -> bytes:
    content = await objects.get(key)
    if content is None:
        raise LeavesWrong(key, Reason.LEAVES_MISSING, "it is gone")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise LeavesWrong(key, Reason.LEAVES_CHANGED, f"its SHA-256 is {found}, the root says {sha256}")
    return content


async def _parts(objects: ObjectStore, document: RootDocument) -> list[Part]:
    listed = await _fetch(objects, document.leaves_key, document.leaves_sha256)
    try:
        found = _lists.decode(listed)
        parts = [Part(part.key, part.sha256, part.first, part.orders, bytes.fromhex(part.root)) for part in found.parts]
        is_known = found.format == FORMAT
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise LeavesWrong(document.leaves_key, Reason.LEAVES_MISMATCH, f"it is no list of parts: {error}") from error
    if not is_known:
        raise LeavesWrong(document.leaves_key, Reason.LEAVES_MISMATCH, f"its format is not {FORMAT}")
    return parts


def _unpack(part: Part, packed: bytes) -> list[Head]:
    try:
        size = unpacked_bytes(packed)
        if size > PART_BYTES_MAX:
            detail = f"it unpacks to {size} bytes, more than {PART_BYTES_MAX}"
            raise LeavesWrong(part.key, Reason.LEAVES_MISMATCH, detail)
        return list(_heads(zstandard.ZstdDecompressor().decompress(packed, max_output_size=PART_BYTES_MAX)))
    except (zstandard.ZstdError, ValueError, RecursionError) as error:
        raise LeavesWrong(part.key, Reason.LEAVES_MISMATCH, f"it holds no leaves: {error}") from error


def _heads(lines: bytes) -> Iterator[Head]:
    for line in lines.splitlines():
        stream, number, digest = _lines.decode(line)
        yield Head(stream, number, bytes.fromhex(digest))
