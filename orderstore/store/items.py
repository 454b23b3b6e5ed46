"""A commit as a DynamoDB item, and every request that is made about one. Pure: no I/O, no clock, no client.

    stream S, commit N        the key
    recorded_at N             milliseconds since 1970
    encoding S                how the bytes below became the body: "json" | "json+zstd"
    body B                    the bytes, or
    blob S                    the key of the object that holds them
    previous_hash B, hash B   the chain, over the body as it was before compression

Names are readable, which costs 67 bytes an item: an ordinary commit still fits one write unit (a test watches it).
"""

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, Literal

import msgspec
import zstandard

from orderstore.frames import unpacked_bytes
from orderstore.store.errors import CorruptCommit, CorruptRow
from orderstore.store.port import BODY_BYTES_MAX, Commit

WRITE_UNIT_BYTES: Final = 1024
ITEM_BYTES_MAX: Final = 300 * 1024  # ours: past it the body goes to an object
DYNAMODB_ITEM_BYTES_MAX: Final = 400 * 1024
COUNTER_MAX: Final = 10**15
_NUMBER_DIGITS_MAX: Final = 126
_ZSTD_LEVEL: Final = 3
_BLOB_KEY: Final = re.compile(r"commits/[0-9a-f]{64}")

assert ITEM_BYTES_MAX < DYNAMODB_ITEM_BYTES_MAX
assert ITEM_BYTES_MAX < BODY_BYTES_MAX

Encoding = Literal["json", "json+zstd"]
_ENCODINGS: Final = frozenset({"json", "json+zstd"})
Item = dict[str, dict[str, Any]]
Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A commit ready to be stored: first `offloaded` (if any) as an object, then `item`."""

    item: Item
    offloaded: bytes | None


def encode(commit: Commit) -> Encoded:
    """Choose the cheapest form.

    Plain; compressed, if that saves a write unit; and in either form offloaded, if it is too large for an item.
    """
    item = _item(commit, encoding="json", body=commit.body)
    plain_units = write_units(item)
    if plain_units == 1:
        return Encoded(item, None)
    compressed = _zstd().compressor.compress(commit.body)
    packed = _item(commit, encoding="json+zstd", body=compressed)
    if write_units(packed) < plain_units:
        item = packed
    if item_bytes(item) <= ITEM_BYTES_MAX:
        return Encoded(item, None)
    content: bytes = item.pop("body")["B"]
    item["blob"] = {"S": blob_key(content)}
    return Encoded(item, content)


def _item(commit: Commit, *, encoding: Encoding, body: bytes) -> Item:
    return {
        "stream": {"S": commit.stream},
        "commit": {"N": str(commit.number)},
        "recorded_at": {"N": str(commit.recorded_at_ms)},
        "encoding": {"S": encoding},
        "body": {"B": body},
        "previous_hash": {"B": commit.previous_hash},
        "hash": {"B": commit.hash},
    }


def item_bytes(item: Item) -> int:
    """Return what DynamoDB counts (developer guide, "Item sizes and formats").

    UTF-8 names and values; a number takes a byte per two digits, and one more.
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    for kind, content in value.items():
        if kind == "B" and type(content) is bytes:
            return len(content)
        if kind == "S" and type(content) is str:
            return len(content) if content.isascii() else len(content.encode())
        if kind == "N" and type(content) is str:
            return (len(content) + 1) // 2 + 1
    raise ValueError(f"a commit's item has no attribute of type {sorted(value)}")


def write_units(item: Item) -> int:
    """Return the write units that storing the item costs; a transaction costs twice that."""
    return -(-item_bytes(item) // WRITE_UNIT_BYTES)


def blob_key(content: bytes) -> str:
    """Return `commits/<SHA-256 of the content, in hex>`."""
    return f"commits/{hashlib.sha256(content).hexdigest()}"


class Parsed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An item that has the attributes of a commit. The body is not decoded yet: it may lie elsewhere."""

    stream: str
    number: int
    recorded_at_ms: int
    encoding: Encoding
    content: bytes | None
    blob: str | None
    previous_hash: bytes
    hash: bytes

    def complete(self, offloaded: bytes | None) -> Commit:
        """Return the commit; `offloaded` is the object under `blob`, None if there is none. Its hash is not checked here.

        Raises:
            CorruptCommit: the object is missing or another one, or the content cannot be decoded.
        """
        content = self.content if self.blob is None else offloaded
        if content is None:
            raise CorruptCommit(self.stream, self.number, f"its body, the object {self.blob}, is missing")
        if self.blob is not None and blob_key(content) != self.blob:
            raise CorruptCommit(self.stream, self.number, f"its body, the object {self.blob}, is not what its key says")
        try:
            return Commit(
                stream=self.stream,
                number=self.number,
                recorded_at_ms=self.recorded_at_ms,
                body=_decode(content, self.encoding),
                previous_hash=self.previous_hash,
                hash=self.hash,
            )
        except (ValueError, zstandard.ZstdError) as error:
            raise CorruptCommit(self.stream, self.number, str(error)) from error


def _decode(content: bytes, encoding: Encoding) -> bytes:
    if encoding == "json":
        return content
    # The size stands in the frame's head. It is looked at first, so that a small item cannot be made to fill the memory.
    if unpacked_bytes(content) > BODY_BYTES_MAX:
        raise ValueError(f"its body would have more than {BODY_BYTES_MAX} bytes")
    return _zstd().decompressor.decompress(content, max_output_size=BODY_BYTES_MAX, allow_extra_data=False)


class _Zstd(threading.local):
    """A thread's own, since they may not be shared, and kept, since making one costs ten times what an ordinary body costs."""

    def __init__(self) -> None:
        """Make them when the thread first asks."""
        self.compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


@cache
def _zstd() -> _Zstd:
    return _Zstd()


def parse(item: Mapping[str, Any]) -> Parsed:
    """Read the attributes of an item or of a stream record's image.

    Raises:
        CorruptCommit: they are not those of a commit; names stream and number as far as they can be told (`?` and 0).
    """
    try:
        # Looked up, not matched: every commit of every read passes here, and patterns over mappings cost four times as much.
        stream, number = item["stream"]["S"], item["commit"]["N"]
        recorded_at, encoding = item["recorded_at"]["N"], item["encoding"]["S"]
        previous_hash, own_hash = item["previous_hash"]["B"], item["hash"]["B"]
        content, blob = _body_of(item)
        if (
            type(stream) is str
            and encoding in _ENCODINGS
            and type(previous_hash) is type(own_hash) is bytes
            and recorded_at.isascii()
            and recorded_at.isdigit()
            and str(place := int(number)) == number
        ):
            return Parsed(
                stream=stream,
                number=place,
                recorded_at_ms=int(recorded_at),
                encoding=encoding,
                content=content,
                blob=blob,
                previous_hash=previous_hash,
                hash=own_hash,
            )
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # told below, with as much of its name as can be told
    stream, number = place_of(item)
    raise CorruptCommit(stream, number, f"its attributes are not those of a commit: {', '.join(sorted(item))}")


def chained(found: Iterable[Mapping[str, Any]], *, stream: str, previous: bytes) -> list[Mapping[str, Any]]:
    """Items that were read without name and link, with both: each follows the one before, the first follows the hash `previous`.

    It proves as much as reading the link would: each hash covers it, so one that was stored after another commit does not fit.
    """
    whole: list[Mapping[str, Any]] = []
    for item in found:
        whole.append({**item, "stream": {"S": stream}, "previous_hash": {"B": previous}})
        previous = item.get("hash", {}).get("B", previous)
    return whole


def _body_of(item: Mapping[str, Any]) -> tuple[bytes | None, str | None]:
    body, blob = item.get("body"), item.get("blob")
    if blob is None and type(content := (body or {}).get("B")) is bytes:
        return content, None
    match body, blob:
        case None, {"S": str(key)} if _BLOB_KEY.fullmatch(key):
            return None, key
        case _:
            pass
    stream, number = place_of(item)
    raise CorruptCommit(stream, number, "it has neither a body nor the key of one, or both")


def place_of(item: Mapping[str, Any]) -> tuple[str, int]:
    """Return stream and number of an item, whatever has become of it: `?` and 0 stand for what cannot be told."""
    stream, commit = (
        (item.get(name) or {}).get(kind) if isinstance(item.get(name) or {}, Mapping) else None
        for name, kind in (("stream", "S"), ("commit", "N"))
    )
    try:
        number = Decimal(commit if isinstance(commit, str) else "0")
        # As many digits as a number of DynamoDB has at most: 1E+999999999 would be a gigabyte of them.
        place = int(number) if number.is_finite() and number.adjusted() <= _NUMBER_DIGITS_MAX else 0
    except InvalidOperation:
        place = 0
    return stream if isinstance(stream, str) else "?", place


def check_taken(taken: int) -> None:
    """Refuse a number that no counter gives.

    Raises:
        ValueError: it is not from 1 to `COUNTER_MAX`.
    """
    if not 1 <= taken <= COUNTER_MAX:
        raise ValueError(f"a counter gives numbers from 1 to {COUNTER_MAX}, not {taken}")


def taken_of(counter: Mapping[str, Any] | None) -> int:
    """Return the last number taken from a counter's item; 0 when there is none.

    Raises:
        CorruptRow: the item is not a counter's.
    """
    if not counter:
        return 0
    try:
        taken = int(counter["taken"]["N"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptRow("a counter", f"its attributes are {', '.join(sorted(counter))}") from error
    if not 0 <= taken <= COUNTER_MAX:
        raise CorruptRow("a counter", f"it is at {taken}")
    return taken
