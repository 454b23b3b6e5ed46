"""A Parquet dataset in a directory, that grows by parts, each of which is there as a whole or not at all.

    recorded_month=2026-11/000000000001-000000000350.parquet   the events of these manifests that were recorded in that month
    _parts/000000000001-000000000350.json                      the part's commit point: names its files; readers skip the folder
    _unfinished/                                               a part under way

What no part names is left over from a run that died, and is removed by the next one: so read after a run that ended. Needs pyarrow (the
extra `analysis`).

    DatasetError
    ├── AnalysisMissing    pyarrow is not installed
    └── DatasetRefused     the directory holds something else; nothing was changed
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from orderstore.archive.rows import COLUMNS, Row, month_of, rows_of
from orderstore.store.port import Commit

PARTS: Final = "_parts"
UNFINISHED: Final = "_unfinished"
PARTITION: Final = "recorded_month="
ROWS_BUFFERED_MAX: Final = 20_000
DATA_BYTES_BUFFERED_MAX: Final = 32 * 1024 * 1024
EVENTS_PER_PART: Final = 500_000
MONTHS_PER_PART: Final = 60
_FILE: Final = re.compile(r"\d{12}-\d{12}\.parquet")


class DatasetError(Exception):
    """The dataset could not be written."""


class AnalysisMissing(DatasetError):
    """pyarrow is not installed."""


class DatasetRefused(DatasetError):
    """The directory holds something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a part covers. `archive` and `last_sha256` (hex) are those of the archive's first manifest and of the part's last."""

    archive: str
    first: int
    last: int
    last_sha256: str
    events: int
    files: tuple[str, ...]


_parts: Final = msgspec.json.Decoder(Part)


def load_arrow() -> tuple[ModuleType, ModuleType]:
    """pyarrow and its Parquet module, loaded only when they are wanted. Raises AnalysisMissing."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise AnalysisMissing(
            "Parquet needs pyarrow: pip install 'orderstore[analysis]'; nothing was written"
        ) from error


class Dataset:
    """The directory. Opening it removes what an earlier run left unfinished."""

    def __init__(self, directory: Path, *, archive: str) -> None:
        """Raises DatasetRefused when the directory is not a dataset of this archive, or an empty one; AnalysisMissing."""
        self._arrow, self._parquet = load_arrow()
        self.directory = directory
        self.archive = archive
        directory.mkdir(parents=True, exist_ok=True)
        strangers = [
            entry.name
            for entry in directory.iterdir()
            if entry.name not in (PARTS, UNFINISHED) and not entry.name.startswith(PARTITION)
        ]
        if strangers:
            raise DatasetRefused(f"{directory} is no dataset of ours: it holds {min(strangers)}; nothing was changed")
        self.parts = self._read_parts()
        if any(part.archive != archive for part in self.parts):
            raise DatasetRefused(f"{directory} holds events of another archive; nothing was changed")
        self._tidy()
        types = {
            "string": self._arrow.string(),
            "int32": self._arrow.int32(),
            "int64": self._arrow.int64(),
            "timestamp": self._arrow.timestamp("ms"),
        }
        self.schema = self._arrow.schema([(name, types[kind]) for name, kind in COLUMNS])

    @property
    def last(self) -> int:
        """The last manifest that the dataset has; 0 when it is empty."""
        return max((part.last for part in self.parts), default=0)

    def begin(self, first: int) -> "PartWriter":
        """A part that begins with manifest `first`."""
        unfinished = self.directory / UNFINISHED
        unfinished.mkdir(exist_ok=True)
        return PartWriter(self, first=first, unfinished=unfinished)

    def writer(self, path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
        """A file to be filled table by table."""
        return self._parquet.ParquetWriter(path, self.schema, compression="zstd")

    def table(self, rows: list[Row]) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Rows as an Arrow table."""
        return self._arrow.Table.from_pylist(rows, schema=self.schema)

    def commit(self, part: Part) -> None:
        """The moment at which a part exists: its files are durable already."""
        folder = self.directory / PARTS
        folder.mkdir(exist_ok=True)
        name = f"{part.first:012d}-{part.last:012d}.json"
        _write_durably(folder / f".{name}", msgspec.json.encode(part))
        (folder / f".{name}").rename(folder / name)
        _sync(folder)
        self.parts = [*self.parts, part]

    def _read_parts(self) -> list[Part]:
        folder = self.directory / PARTS
        return [_part_in(path) for path in sorted(folder.glob("[0-9]*.json"))] if folder.is_dir() else []

    def _tidy(self) -> None:
        named = {name for part in self.parts for name in part.files}
        for path in self.directory.glob(f"{PARTITION}*/*.parquet"):
            if _FILE.fullmatch(path.name) and str(path.relative_to(self.directory)) not in named:
                path.unlink()
        shutil.rmtree(self.directory / UNFINISHED, ignore_errors=True)


class PartWriter:
    """Fills one part. Memory holds a bounded number of rows; files are moved to their names at the end."""

    def __init__(self, dataset: Dataset, *, first: int, unfinished: Path) -> None:
        self._dataset = dataset
        self._first = first
        self._unfinished = unfinished
        self._writers: dict[str, Any] = {}
        self._rows: dict[str, list[Row]] = {}
        self._buffered = 0
        self._buffered_bytes = 0
        self.events = 0

    @property
    def is_full(self) -> bool:
        """Whether another part is to begin."""
        return self.events >= EVENTS_PER_PART or len(self._writers) >= MONTHS_PER_PART

    def add(self, commits: Sequence[Commit]) -> None:
        """Take the events of a manifest's commits. Raises UnreadableBody."""
        for commit in commits:
            rows = self._rows.setdefault(month_of(commit), [])
            for row in rows_of(commit):
                rows.append(row)
                self.events += 1
                self._buffered += 1
                self._buffered_bytes += len(row["data"])
            if self._buffered >= ROWS_BUFFERED_MAX or self._buffered_bytes >= DATA_BYTES_BUFFERED_MAX:
                self._flush()

    def finish(self, *, last: int, last_sha256: str) -> Part:
        """Make the part durable, files first."""
        self._flush()
        names = []
        for month, writer in sorted(self._writers.items()):
            writer.close()
            unfinished = self._unfinished / month
            _sync(unfinished)
            name = f"{PARTITION}{month}/{self._first:012d}-{last:012d}.parquet"
            final = self._dataset.directory / name
            final.parent.mkdir(exist_ok=True)
            unfinished.rename(final)
            _sync(final.parent)
            names.append(name)
        part = Part(
            archive=self._dataset.archive,
            first=self._first,
            last=last,
            last_sha256=last_sha256,
            events=self.events,
            files=tuple(names),
        )
        self._dataset.commit(part)
        return part

    def abandon(self) -> None:
        """Close what is open; the next run removes it."""
        for writer in self._writers.values():
            writer.close()

    def _flush(self) -> None:
        for month, rows in self._rows.items():
            if not rows:
                continue
            if month not in self._writers:
                self._writers[month] = self._dataset.writer(self._unfinished / month)
            self._writers[month].write_table(self._dataset.table(rows))
        self._rows = {}
        self._buffered = self._buffered_bytes = 0


def _part_in(path: Path) -> Part:
    """Raises DatasetRefused."""
    try:
        return _parts.decode(path.read_bytes())
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise DatasetRefused(f"{path} is no part of a dataset: {error}; nothing was changed") from error


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
