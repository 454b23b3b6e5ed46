"""The files of orders, as the intake sees them: one version of one object, read in order from any place.

FileError
├── FileGone        it was deleted, or another took its place while it was read: what stands there now is another file
└── FileUnreadable  it is not what its name says: damaged, or longer than a packed file may be when it is unpacked
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from anyio.lowlevel import checkpoint

from orderstore.domain.ids import event_id
from workers.intake.bulk.lines import Reading

PREFIX: Final = "intake/"
"""Where files are put. Reports lie elsewhere: they are no files of orders."""
FILE_BYTES_MAX: Final = 2 * 1024**3
UNPACKED_BYTES_MAX: Final = 128 * 1024**2
"""A packed file cannot be read from the middle: each range unpacks all that lies before it."""

Packing = Literal["none", "gzip", "zstd"]
_ENDINGS: Final[Mapping[str, Packing]] = {
    ".ndjson": "none",
    ".jsonl": "none",
    ".ndjson.gz": "gzip",
    ".jsonl.gz": "gzip",
    ".ndjson.zst": "zstd",
    ".jsonl.zst": "zstd",
}
ENDINGS: Final = tuple(_ENDINGS)


class FileError(Exception):
    """The file cannot be read (any more). The text tells nothing of what is in it."""


class FileGone(FileError):
    """This version of the object is not there."""


class FileUnreadable(FileError):
    """What is there is no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """One version of one object. Where the bucket keeps no versions, `version` is empty and the entity tag tells one from another."""

    bucket: str
    key: str
    version: str
    etag: str

    @property
    def id(self) -> str:
        """What names it in the table, in reports and in the keys of its lines, for ever."""
        return str(event_id(f"intake-file:{self.bucket}/{self.key}", self.version or f"etag:{self.etag}"))


def packing_of(key: str) -> Packing | None:
    """How a file is packed, by its name; None for a name that is none of ENDINGS."""
    return next((packing for ending, packing in _ENDINGS.items() if key.lower().endswith(ending)), None)


class Files(Protocol):
    """The bucket. Every method may raise StoreError (`orderstore.store.errors`) for trouble that passes."""

    async def size(self, file: FileName) -> int:
        """Its bytes, as it is stored. Raises FileGone."""
        ...

    def open(self, file: FileName, *, at: int) -> Reading:
        """Its bytes, as it is stored, from `at` on. Reading raises FileGone."""
        ...


class MemoryFiles:
    """The reference: versions in a dict."""

    def __init__(self) -> None:
        """Begin empty."""
        self.contents: dict[tuple[str, str], bytes] = {}

    async def size(self, file: FileName) -> int:
        """See `Files.size`."""
        await checkpoint()
        return len(self._content(file))

    def open(self, file: FileName, *, at: int) -> Reading:
        """See `Files.open`."""
        return _MemoryReading(self, file, at)

    def _content(self, file: FileName) -> bytes:
        found = self.contents.get((file.key, file.version))
        if found is None:
            raise FileGone("the file is not there any more")
        return found


class _MemoryReading:
    def __init__(self, files: MemoryFiles, file: FileName, at: int) -> None:
        self._files = files
        self._file = file
        self._at = at

    async def read(self, length: int) -> bytes:
        await checkpoint()
        block = self._files._content(self._file)[self._at : self._at + length]  # noqa: SLF001 - a part of it
        self._at += len(block)
        return block


async def blocks_of(reading: Reading, length: int) -> AsyncGenerator[bytes, None]:
    """What is left of a file, so much at a time."""
    while block := await reading.read(length):
        yield block
