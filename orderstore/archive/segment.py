"""A segment: commits as JSON Lines, compressed with zstd into one object whose key is its own SHA-256. Pure.

A line is one commit, whole: also a body that the table keeps in an object of its own stands here in full. `body` is the text of the
bytes that were hashed; bytes that are no UTF-8 stand as `body_base64` instead.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import orjson
import zstandard

from orderstore.frames import NoFrame, unpacked_bytes
from orderstore.store.port import Commit

SEGMENTS: Final = "archive/segments/"
# A commit's body has at most 16 MiB; as JSON text each of its bytes may take six.
RAW_BYTES_MAX: Final = 128 * 1024 * 1024
_ZSTD_LEVEL: Final = 3


class BadSegment(ValueError):
    """The bytes are not those of a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment ready to be stored: `content` under `key`."""

    key: str
    content: bytes
    sha256: str
    raw_sha256: str
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    stream: str
    commit: int
    recorded_at_ms: int
    previous_hash: str
    hash: str
    body: str | None = None
    body_base64: str | None = None


_lines: Final = msgspec.json.Decoder(_Line)


def line_of(commit: Commit) -> bytes:
    """The commit as a line, its line feed included."""
    line: dict[str, str | int] = {
        "stream": commit.stream,
        "commit": commit.number,
        "recorded_at_ms": commit.recorded_at_ms,
        "previous_hash": commit.previous_hash.hex(),
        "hash": commit.hash.hex(),
    }
    try:
        line["body"] = commit.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(commit.body).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def pack(lines: Sequence[bytes]) -> Segment:
    """Compress lines into a segment."""
    raw = b"".join(lines)
    content = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(raw)
    sha256 = hashlib.sha256(content).hexdigest()
    return Segment(
        key=key_of(sha256),
        content=content,
        sha256=sha256,
        raw_sha256=hashlib.sha256(raw).hexdigest(),
        raw_bytes=len(raw),
    )


def key_of(sha256: str) -> str:
    """Where the segment with this SHA-256 (of the compressed bytes, in hex) lies."""
    return f"{SEGMENTS}{sha256}.jsonl.zst"


def unpack(content: bytes, *, raw_bytes: int) -> bytes:
    """The lines of a segment. Raises BadSegment when they are not `raw_bytes` bytes, or not compressed so."""
    try:
        # The size stands in the frame's head: looked at first, so that a small object cannot be made to fill the memory.
        if not unpacked_bytes(content) == raw_bytes <= RAW_BYTES_MAX:
            raise BadSegment(f"it does not decompress to {raw_bytes} bytes")
        return zstandard.ZstdDecompressor().decompress(content, max_output_size=raw_bytes, allow_extra_data=False)
    except (NoFrame, zstandard.ZstdError) as error:
        raise BadSegment(f"it cannot be decompressed: {error}") from error


def commits_in(raw: bytes) -> Iterator[Commit]:
    """The commits of a segment's lines, in their order, unchecked against each other. Raises BadSegment."""
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        try:
            yield _commit_of(_lines.decode(line))
        except (msgspec.MsgspecError, ValueError, binascii.Error, RecursionError) as error:
            raise BadSegment(f"its line {number} is not a commit: {error}") from error


def _commit_of(line: _Line) -> Commit:
    match line.body, line.body_base64:
        case str(text), None:
            body = text.encode()
        case None, str(encoded):
            body = base64.b64decode(encoded, validate=True)
        case _:
            raise BadSegment("it has neither a body nor an encoded one, or both")
    return Commit(
        stream=line.stream,
        number=line.commit,
        recorded_at_ms=line.recorded_at_ms,
        body=body,
        previous_hash=bytes.fromhex(line.previous_hash),
        hash=bytes.fromhex(line.hash),
    )
