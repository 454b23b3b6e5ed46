"""Packed files, unpacked as they are read, within bounds: one that unpacks without end does not get far, nor one with a huge window.

A packed file has no middle: whoever wants a place in it unpacks all that lies before. So it may be `UNPACKED_BYTES_MAX` long, no longer.
"""

import zlib
from typing import Any, Final

import zstandard
from anyio.lowlevel import checkpoint

from workers.intake.bulk.files import UNPACKED_BYTES_MAX, FileName, Files, FileUnreadable, Packing
from workers.intake.bulk.lines import Reading

PACKED_BLOCK_BYTES: Final = 1024 * 1024
_GZIP_PIECE_BYTES: Final = 64 * 1024
_OUTPUT_BYTES_MAX: Final = 1024 * 1024
# zstd gives out all that a piece of input unpacks to; at its densest (a block of 128 KiB in 4 bytes) that is 16 MiB for this piece.
_ZSTD_PIECE_BYTES: Final = 512
_ZSTD_WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024
_PIECES_BETWEEN: Final = 64
_GZIP_WITH_HEADER: Final = 16 + zlib.MAX_WBITS


def open_file(
    files: Files, file: FileName, packing: Packing, *, at: int, bytes_max: int = UNPACKED_BYTES_MAX
) -> Reading:
    """The file's bytes as its sender wrote them, unpacked, from `at` on. Reading raises FileGone, FileUnreadable."""
    if packing == "none":
        return files.open(file, at=at)
    return Unpacking(files.open(file, at=0), packing, skip=at, bytes_max=bytes_max)


async def unpacked_size(files: Files, file: FileName, packing: Packing, *, bytes_max: int = UNPACKED_BYTES_MAX) -> int:
    """How long it is unpacked; reads all of it. Raises FileGone, FileUnreadable."""
    reading = open_file(files, file, packing, at=0, bytes_max=bytes_max)
    size = 0
    while block := await reading.read(PACKED_BLOCK_BYTES):
        size += len(block)
    return size


class Unpacking:
    """`Reading` of what a packed reading unpacks to. Several frames or members one after the other are one file, as their tools see it."""

    def __init__(
        self, packed: Reading, packing: Packing, *, skip: int = 0, bytes_max: int = UNPACKED_BYTES_MAX
    ) -> None:
        self._packed = packed
        self._packing = packing
        self._skip = skip
        self._bytes_max = bytes_max
        self._unpacked_bytes = 0
        self._input = memoryview(b"")
        self._ready = bytearray()
        self._frame: Any = None
        """The library's object for the frame under way; None between two."""
        self._begun = False

    async def read(self, length: int) -> bytes:
        """See `Reading.read`."""
        pieces = 0
        while not self._ready:
            if not self._input:
                self._input = memoryview(await self._packed.read(PACKED_BLOCK_BYTES))
                if not self._input:
                    self._check_end()
                    return b""
            self._unpack_some()
            pieces += 1
            if pieces % _PIECES_BETWEEN == 0:
                await checkpoint()  # what is skipped may be long, and others wait
        block = bytes(self._ready[:length])
        del self._ready[:length]
        return block

    def _unpack_some(self) -> None:
        if self._frame is None:
            if self._begun and self._packing == "gzip" and self._input[0] == 0:
                self._input = self._input[1:]  # gzip's tools pad with zeros
                return
            self._frame, self._begun = self._new_frame(), True
        piece = self._input[: _GZIP_PIECE_BYTES if self._packing == "gzip" else _ZSTD_PIECE_BYTES]
        try:
            output: bytes = (
                self._frame.decompress(piece, _OUTPUT_BYTES_MAX)
                if self._packing == "gzip"
                else self._frame.decompress(piece)
            )
        except (zlib.error, zstandard.ZstdError):
            raise FileUnreadable(f"it is damaged, or not {self._packing}") from None
        left = len(self._frame.unconsumed_tail) + len(self._frame.unused_data)
        self._input = self._input[len(piece) - left :]
        if self._frame.eof:
            self._frame = None
        self._unpacked_bytes += len(output)
        if self._unpacked_bytes > self._bytes_max:
            raise FileUnreadable(f"unpacked it is longer than {self._bytes_max} bytes")
        skipped = min(self._skip, len(output))
        self._skip -= skipped
        self._ready += memoryview(output)[skipped:]

    def _new_frame(self) -> Any:  # noqa: ANN401 - two libraries' objects of one shape
        if self._packing == "gzip":
            return zlib.decompressobj(_GZIP_WITH_HEADER)
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()

    def _check_end(self) -> None:
        if self._frame is not None or not self._begun:
            raise FileUnreadable("it ends in the middle")
