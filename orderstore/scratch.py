"""Scratch databases: what is too much for memory, for as long as one command or one root takes.

SQLite keeps a database without a name in a file that it removes by itself, once it outgrows the cache
(https://www.sqlite.org/inmemorydb.html, "Temporary Databases").
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class ScratchUnusable(Exception):
    """There is no room, or no right, for temporary files (`TMPDIR`)."""


def open_scratch(schema: str, *, cache_kib: int) -> sqlite3.Connection:
    """An empty database with these tables; its owner closes it. Raises ScratchUnusable."""
    with scratch_trouble():
        database = sqlite3.connect("", isolation_level=None)
        database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{cache_kib}; {schema}"
        )
        # One transaction that never ends: nothing is to outlive the database, and each row would otherwise be flushed by itself.
        database.execute("BEGIN")
        return database


@contextmanager
def scratch_trouble() -> Iterator[None]:
    """Tell SQLite's errors as ScratchUnusable."""
    try:
        yield
    except sqlite3.Error as error:
        raise ScratchUnusable(
            f"the scratch file for the orders' heads cannot be used: {error}; TMPDIR names the folder for temporary "
            "files, which needs some 150 bytes an order"
        ) from error
