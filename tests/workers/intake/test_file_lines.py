"""Cutting files: whatever is in one and wherever it is cut, each line is read exactly once, within a bound of memory."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.virtual_time import run_virtual
from workers.intake.bulk.lines import BOM, PIECES, Line, cuts, lines_of, reads_from

LINE_MAX = 40
TEXTS = st.binary(max_size=60) | st.text(max_size=12).map(str.encode)
ENDS = st.sampled_from([b"\n", b"\r\n"])


class Bytes:
    """`Reading` of bytes in memory, which notes how many were asked for."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        self.read_bytes = 0

    async def read(self, length: int) -> bytes:
        assert length > 0
        block = self._content[self._at : self._at + length]
        self._at += len(block)
        self.read_bytes += len(block)
        return block


def read(content: bytes, start: int, end: int, *, block: int = 7) -> list[Line]:
    """The lines of one range."""

    async def scenario() -> list[Line]:
        reading = Bytes(content, reads_from(start))
        lines = lines_of(reading, start=start, end=end, line_bytes_max=LINE_MAX, block_bytes=block)
        return [line async for line in lines]

    return run_virtual(scenario)


def read_all(content: bytes, places: Sequence[int], *, block: int = 7) -> list[tuple[int, bytes | None]]:
    """The lines of a file that is cut there, with where they begin."""
    bounds = sorted({0, len(content), *(place for place in places if place <= len(content))})
    found = []
    for start, end in pairwise(bounds):
        lines = read(content, start, end, block=block)
        assert [line.ordinal for line in lines] == list(range(len(lines)))
        assert all(start <= line.start < end for line in lines)
        found += [(line.start, line.content) for line in lines]
    return found


def expected(content: bytes) -> list[tuple[int, bytes | None]]:
    """The same by the plainest means: the whole file at once."""
    pieces = content.split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    found: list[tuple[int, bytes | None]] = []
    at = 0
    for piece in pieces:
        line = piece.removesuffix(b"\r")
        found.append((at, None if len(piece) > LINE_MAX else line.removeprefix(BOM) if at == 0 else line))
        at += len(piece) + 1
    return found


@given(
    lines=st.lists(st.tuples(TEXTS, ENDS), max_size=12),
    last=TEXTS,
    bom=st.booleans(),
    places=st.lists(st.integers(0, 400), max_size=8),
    block=st.integers(1, 50),
)
def test_every_line_is_read_exactly_once_wherever_the_file_is_cut(
    lines: list[tuple[bytes, bytes]], last: bytes, bom: bool, places: list[int], block: int
) -> None:
    """Any bytes, LF or CRLF or both, with and without a BOM and an end to the last line, blocks of any size."""
    content = (BOM if bom else b"") + b"".join(text + end for text, end in lines) + last

    assert read_all(content, places, block=block) == expected(content)


@given(
    size=st.integers(1, 100_000),
    start=st.integers(0, 10**12),
    range_bytes=st.integers(1, 5_000),
)
def test_the_pieces_of_a_range_are_the_range(size: int, start: int, range_bytes: int) -> None:
    """No byte twice, none left out, each piece shorter than the whole, so that cutting ends; never more than a few at once."""
    end = start + max(size, range_bytes + 1)
    places = cuts(start, end, range_bytes=range_bytes)

    assert (places[0], places[-1]) == (start, end)
    assert list(places) == sorted(set(places))
    assert 2 <= len(places) - 1 <= PIECES


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\n\n\nb", [b"a", b"", b"", b"b"]),
        (BOM + b"a\n" + BOM + b"b", [b"a", BOM + b"b"]),
        (BOM, [b""]),
        ("\u2028\u0085é\n".encode(), ["\u2028\u0085é".encode()]),
        (b"\xff\xfe\n", [b"\xff\xfe"]),
    ],
    ids=repr,
)
def test_what_a_line_is(content: bytes, lines: list[bytes]) -> None:
    """LF ends one, and nothing else does; what is in it is no matter here."""
    for place in range(len(content) + 1):
        assert [line for _, line in read_all(content, [place])] == lines


def test_a_line_without_end_is_neither_held_nor_read_to_its_end() -> None:
    """A gigabyte without a line's end is one line that is too long; ranges in the middle of it hold nothing."""
    size = 10_000_000
    content = b"a" * size

    async def scenario(start: int, end: int) -> tuple[list[Line], int]:
        reading = Bytes(content, reads_from(start))
        lines = [line async for line in lines_of(reading, start=start, end=end, line_bytes_max=LINE_MAX)]
        return lines, reading.read_bytes

    (first,), read_first = run_virtual(scenario, 0, 100_000)
    middle, read_middle = run_virtual(scenario, 5_000_000, 5_100_000)
    assert (first.start, first.content) == (0, None)
    assert middle == []
    assert max(read_first, read_middle) <= 2 * 262_144


def test_the_line_after_one_that_is_too_long_is_read() -> None:
    """Whether it begins in the same range or in the next."""
    content = b"x" * 500 + b"\nb\n"
    for place in (0, 1, 200, 500, 501, 502):
        assert read_all(content, [place]) == [(0, None), (501, b"b")]


def test_a_line_of_exactly_the_bound_is_taken() -> None:
    """Its end counts only where it is a CR."""
    exact = b"x" * LINE_MAX
    assert read_all(exact + b"\n" + exact, []) == [(0, exact), (LINE_MAX + 1, exact)]
    assert read_all(exact + b"x\n" + exact + b"\r\n", []) == [(0, None), (LINE_MAX + 2, None)]
