"""Which lines belong to a range of a file, and where a file is cut. Pure of what stands behind the bytes.

A line belongs to the range in which its first byte lies, so that for any ranges that cover a file every line belongs to exactly one,
and nobody need know where the lines are to cut it. A range is read from one byte before it: whether a line begins at its start shows
only there.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

BLOCK_BYTES: Final = 256 * 1024
BEYOND_BYTES: Final = 64 * 1024
"""What is read at once behind the range, where its last line may go on."""
BOM: Final = b"\xef\xbb\xbf"
PIECES: Final = 10
"""A range that is too long is cut into so many, each of which may be cut again: every step stays small, whatever the file's size."""


class Reading(Protocol):
    """A file's bytes from some place on."""

    async def read(self, length: int) -> bytes:
        """The next bytes: at least one and at most `length` of them, or none at the end. Raises FileError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, without its end. `content` None: it is longer than a line may be."""

    start: int
    """Where its first byte lies in the file."""
    ordinal: int
    """Its number within the range, from 0."""
    content: bytes | None

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing on it: it is no request, but it counts as a line."""
        return self.content is not None and not self.content.strip()


def reads_from(start: int) -> int:
    """Where the reading of a range must begin."""
    return max(0, start - 1)


def cuts(start: int, end: int, *, range_bytes: int) -> tuple[int, ...]:
    """Where to cut [`start`, `end`), which is longer than a range may be: both ends, and up to PIECES - 1 places between."""
    pieces = min(PIECES, -(-(end - start) // range_bytes))
    return tuple(start + (end - start) * piece // pieces for piece in range(pieces + 1))


async def lines_of(
    reading: Reading, *, start: int, end: int, line_bytes_max: int, block_bytes: int = BLOCK_BYTES
) -> AsyncGenerator[Line, None]:
    """The lines whose first byte lies in [`start`, `end`). `reading` begins at `reads_from(start)`.

    Memory is bounded by a line and a block. Lines end with LF or CRLF, the last one with the file; a BOM before the first is dropped.
    """
    window = _Window(reading, at=reads_from(start), end=end, block_bytes=block_bytes)
    if start > 0 and not await window.pass_line_end():
        return
    ordinal = 0
    while window.at < end and await window.has_any():
        began_at = window.at
        content = await window.take_line(line_bytes_max)
        if content is not None and began_at == 0:
            content = content.removeprefix(BOM)
        yield Line(start=began_at, ordinal=ordinal, content=content)
        ordinal += 1
        if content is None and not await window.pass_line_end():
            return


class _Window:
    """What is read of a file and not handed out yet. `at` is where it begins."""

    def __init__(self, reading: Reading, *, at: int, end: int, block_bytes: int) -> None:
        self.at = at
        self._reading = reading
        self._end = end
        self._block_bytes = block_bytes
        self._held = bytearray()
        self._ended = False

    async def has_any(self) -> bool:
        """Whether the file goes on here."""
        return bool(self._held) or await self._more()

    async def pass_line_end(self) -> bool:
        """Go on behind the next line end. False where there is none within the range: what follows belongs to another."""
        while self.at < self._end and await self.has_any():
            found = self._held.find(b"\n")
            if found >= 0:
                self._drop(found + 1)
                return True
            self._drop(len(self._held))
        return False

    async def take_line(self, bytes_max: int) -> bytes | None:
        """The line that begins here, and go on behind its end; None where it is too long, and its end is still to be passed."""
        searched = 0
        while (found := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > bytes_max:
                return None
            if not await self._more():
                found = len(self._held)
                break
        if found > bytes_max:
            return None
        line = bytes(self._held[:found])
        self._drop(found + 1)
        return line.removesuffix(b"\r")

    async def _more(self) -> bool:
        if not self._ended:
            inside = self.at + len(self._held) < self._end
            block = await self._reading.read(self._block_bytes if inside else min(self._block_bytes, BEYOND_BYTES))
            self._held += block
            self._ended = not block
        return not self._ended

    def _drop(self, length: int) -> None:
        length = min(length, len(self._held))
        del self._held[:length]
        self.at += length
