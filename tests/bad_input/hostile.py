"""Values that have broken decoders before, here or elsewhere."""

import gzip
import io
from functools import cache
from typing import Any, Final

import zstandard

from tests.bad_input.documents import Deep, Literally

LARGE: Final = 10**30
TEXTS: Final[tuple[str, ...]] = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202emoc.elpmaxe",
    "e\u0301\u0301\u0301",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "٣٤",
    "²",
    "\x1b[2J",
    "a\nb\r\nc\u2028d",
    "NaN",
    "Infinity",
    "-0",
    "1e999999999",
    "1E+400",
    "-1",
    "0x10",
    "1_000",
    "9" * 39,
    "1" * 5_000,
    "null",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\system.ini",
    "a/../../b",
    "%2e%2e%2f",
    "a" * 300,
    "a" * 70_000,
    "0" * 64,
    "g" * 64,
    "Ａ" * 64,
    "0000-00-00T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T24:00:00Z",
    "20260101T000000Z",
    "2026-W01-1",
    "==",
    "AAAA",
    "A===",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "'; DROP TABLE orders; --",
)
NUMBERS: Final[tuple[Any, ...]] = (
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    LARGE,
    10**9,
    -(10**9),
    10**12,
    1.5,
    -0.0,
    1e308,
    Literally("NaN"),
    Literally("-Infinity"),
    Literally("Infinity"),
    Literally("1e400"),
    Literally("1E+999999999"),
    Literally("-1e-999999999"),
    Literally("1" * 5_000),
    Literally("1." + "0" * 5_000),
    Literally("01"),
    Literally("+1"),
    Literally("0x1"),
)
OTHERS: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    {"": None},
    [[[[[[]]]]]],
    {"S": "x"},
    ["x"] * 300,
    Literally('"\\ud800"'),
    Literally('"\\udead\\ubeef"'),
    Literally('"\\u0000"'),
    Literally('"\x01"'),
    Literally("undefined"),
    Literally("'x'"),
    Literally("/**/1"),
    Literally(""),
)
DEEP: Final[tuple[Any, ...]] = (
    Deep("[", "]", 300),
    Deep("[", "]", 1_500),
    Deep("[", "]", 100_000),
    Deep('{"a":', "}", 1_500),
    Deep('{"a":', "}", 50_000),
    Deep("[", "", 5_000),
)
ANY: Final[tuple[Any, ...]] = (*TEXTS, *NUMBERS, *OTHERS, *DEEP)
# As DynamoDB may hand them out; and as it never does, should another service stand in its place.
NUMERALS: Final[tuple[str, ...]] = (
    "0",
    "-1",
    "1.5",
    "1E+20",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "-9" * 1 + "9" * 37,
    "9" * 38,
    "9" * 5_000,
    "1E+999999999",
    "NaN",
    "Infinity",
    "",
    " 1",
    "٣",
    "0x1",
    "1_0",
    "01",
)
BLOBS: Final[tuple[bytes, ...]] = (
    b"",
    b"\x00",
    b"\x00" * 31,
    b"\x00" * 33,
    b"\xff" * 32,
    b"\x28\xb5\x2f\xfd",
    b"\x80" * 300,
)


@cache
def bombs() -> tuple[bytes, ...]:
    """Small things that unpack to much, or say that they do."""
    zeros = bytes(16 * 1024 * 1024)
    streamed = io.BytesIO()
    with zstandard.ZstdCompressor(write_content_size=False).stream_writer(streamed, closefd=False) as writer:
        for _ in range(16):
            writer.write(zeros)
    sized = zstandard.ZstdCompressor().compress(zeros * 16)
    liar = b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + b"\x00\x00\x00"
    wide_window = b"\x28\xb5\x2f\xfd\x00\xff" + b"\x01\x00\x00"
    skippable = b"\x50\x2a\x4d\x18\xff\xff\xff\xff"
    small = zstandard.ZstdCompressor().compress(b"")
    packed = gzip.compress(zeros * 8, compresslevel=1)
    return (
        streamed.getvalue(),
        sized,
        liar,
        wide_window,
        skippable,
        sized + sized,
        small * 500,
        packed,
        packed + packed[:100],
        b"\x1f\x8b\x08" + b"\xff" * 40,
    )
