"""Packed files: read from any place as if they were not packed, refused when they are damaged or unpack to too much."""

import gzip
import random
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.virtual_time import run_virtual
from tests.workers.intake.intake_world import BUCKET
from workers.intake.bulk.files import FileName, FileUnreadable, MemoryFiles, Packing, packing_of
from workers.intake.bulk.packing import open_file, unpacked_size

FILE = FileName(bucket=BUCKET, key="intake/a", version="1", etag="e")


def packed(content: bytes, packing: Packing) -> bytes:
    """As its tool packs it."""
    return gzip.compress(content) if packing == "gzip" else zstandard.ZstdCompressor().compress(content)


async def unpacked(content: bytes, packing: Packing, *, at: int = 0, bytes_max: int = 10_000_000) -> bytes:
    """All that is read from some place on."""
    files = MemoryFiles()
    files.contents[FILE.key, FILE.version] = content
    reading = open_file(files, FILE, packing, at=at, bytes_max=bytes_max)
    blocks = []
    while block := await reading.read(1_000):
        assert len(block) <= 1_000
        blocks.append(block)
    found = b"".join(blocks)
    size = await unpacked_size(files, FILE, packing, bytes_max=bytes_max)
    assert size == len(found) + min(at, size)
    return found


@given(
    parts=st.lists(st.binary(max_size=3_000), min_size=1, max_size=4),
    at=st.integers(0, 9_000),
    packing=st.sampled_from(["gzip", "zstd"]),
)
def test_it_is_read_from_any_place_as_if_it_were_not_packed(parts: list[bytes], at: int, packing: Packing) -> None:
    """Also when it was packed in several parts, as parallel tools do."""
    content = b"".join(parts)

    assert run_virtual(unpacked_at, b"".join(packed(part, packing) for part in parts), packing, at) == content[at:]


async def unpacked_at(content: bytes, packing: Packing, at: int) -> bytes:
    return await unpacked(content, packing, at=at)


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_large_one_is_read_whole(packing: Packing) -> None:
    """Over many blocks of the packed file, and of what they unpack to."""
    content = random.Random(7).randbytes(2_500_000) + b"0" * 3_000_000

    assert run_virtual(unpacked, packed(content, packing), packing) == content


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_fills_the_memory(packing: Packing) -> None:
    """A few kilobytes that unpack to twenty megabytes."""

    async def scenario() -> None:
        with pytest.raises(FileUnreadable, match="longer than 1000000 bytes"):
            await unpacked(packed(bytes(20_000_000), packing), packing, bytes_max=1_000_000)

    run_virtual(scenario)


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut short", "not packed", "empty", "flipped", "rubbish behind"])
def test_a_damaged_one_is_refused(packing: Packing, damage: str) -> None:
    """Whatever is wrong with it; and nothing of it is told."""
    whole = packed(random.Random(1).randbytes(5_000), packing)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    content = {
        "cut short": whole[:-3],
        "not packed": b'{"items": []}\n' * 10,
        "empty": b"",
        "flipped": bytes(flipped) if packing == "gzip" else whole[:4] + b"\xff" * 8 + whole[12:],
        "rubbish behind": whole + b"rubbish",
    }[damage]

    async def scenario() -> None:
        with pytest.raises(FileUnreadable) as raised:
            await unpacked(content, packing)
        assert "items" not in str(raised.value)

    run_virtual(scenario)


def test_zeros_behind_a_gzip_file_are_padding() -> None:
    """As gzip's own tools take it, whose tapes are filled up."""
    assert run_virtual(unpacked, gzip.compress(b"a\n") + bytes(1_000), "gzip") == b"a\n"


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    """`zstd --ultra --long=31` makes such files; whoever unpacks one needs gigabytes."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = packer.compress(random.Random(3).randbytes(1_000_000)) + packer.flush()

    async def scenario() -> None:
        with pytest.raises(FileUnreadable):
            await unpacked(content, "zstd")

    run_virtual(scenario)


def test_a_name_says_how_a_file_is_packed() -> None:
    """By its ending, in any case of letters; what has none of them is no file of orders."""
    names = {
        name: packing_of(name) for name in ("a.ndjson", "a.JSONL", "a.ndjson.gz", "a.jsonl.zst", "a.csv", "ndjson")
    }

    assert names == {
        "a.ndjson": "none",
        "a.JSONL": "none",
        "a.ndjson.gz": "gzip",
        "a.jsonl.zst": "zstd",
        "a.csv": None,
        "ndjson": None,
    }


def test_deflate_without_a_header_is_not_gzip() -> None:
    """Nor is zlib's own format."""

    async def scenario() -> None:
        with pytest.raises(FileUnreadable):
            await unpacked(zlib.compress(b"a"), "gzip")

    run_virtual(scenario)
