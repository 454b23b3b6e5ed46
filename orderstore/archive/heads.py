"""What a reader of the archive remembers of each order: the last commit it saw. On disk, so that memory does not grow with the orders.

SQLite keeps a database without a name in a file that it removes by itself, once it outgrows the cache
(https://www.sqlite.org/inmemorydb.html, "Temporary Databases").
"""

import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self

CACHE_KIB: Final = 16 * 1024


class Heads:
    """The last commit number and hash by stream. A context manager; its calls take microseconds and do not await."""

    def __init__(self) -> None:
        """Begin empty."""
        self._database = sqlite3.connect("")
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._database.execute("CREATE TABLE heads (stream TEXT PRIMARY KEY, number INTEGER, hash BLOB) WITHOUT ROWID")

    def __enter__(self) -> Self:
        """Nothing more to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop everything."""
        self._database.close()

    def get(self, streams: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Those that are known."""
        found = {}
        for stream in streams:
            row = self._database.execute("SELECT number, hash FROM heads WHERE stream = ?", (stream,)).fetchone()
            if row is not None:
                found[stream] = (int(row[0]), bytes(row[1]))
        return found

    def put(self, heads: Iterable[tuple[str, int, bytes]]) -> None:
        """Remember (stream, number, hash), in place of what was."""
        self._database.executemany("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", heads)

    def __len__(self) -> int:
        """How many orders are known."""
        return int(self._database.execute("SELECT count(*) FROM heads").fetchone()[0])
