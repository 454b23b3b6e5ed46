"""The heads of all orders: what a root is made of, and what it is compared with. Both are kept in scratch files, so that memory is
bounded however many orders there are.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

_DOMAIN: Final = b"orderstore/head/v1\n"
_LENGTH: Final = struct.Struct(">Q")
ROWS_AT_ONCE: Final = 1_000
CACHE_KIB: Final = 32 * 1024

_SCHEMA: Final = """
    CREATE TABLE heads (stream BLOB PRIMARY KEY, number INTEGER NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE anchors (stream BLOB, root INTEGER, number INTEGER NOT NULL, hash BLOB NOT NULL,
                          PRIMARY KEY (stream, root)) WITHOUT ROWID;
"""


class ScratchUnusable(Exception):
    """There is no room, or no right, for temporary files (`TMPDIR`). Nothing was signed or stored."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last commit of an order: the leaf of a root."""

    stream: str
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a signed root says of an order: its commit `number` has this hash."""

    root: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Horizon:
    """A root was begun at `begun_ms`: what was recorded well before that is in it, or was not there then."""

    root: int
    begun_ms: int


def entry_of(head: Head) -> bytes:
    """The Merkle entry of a head: a domain, then stream (UTF-8), number (decimal ASCII) and hash, each behind its length (8 bytes,
    big endian), as in `store.chain`. No two heads have the same entry.
    """
    fields = (head.stream.encode(), b"%d" % head.number, head.hash)
    return _DOMAIN + b"".join(_LENGTH.pack(len(field)) + field for field in fields)


class HeadsFile:
    """A scratch database that SQLite removes when it is closed: heads as they are found, and what earlier roots say of each order.

    Streams are kept as UTF-8 bytes, whose order is the order of the leaves. Every method may raise ScratchUnusable.
    """

    def __init__(self) -> None:
        """Open an empty one: the empty name is SQLite's for a private temporary file."""
        with _scratch():
            self._database = sqlite3.connect("", isolation_level=None)
            self._database.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; {_SCHEMA}"
            )
            # One transaction that never ends: nothing is to outlive this object, and each row would otherwise be flushed by itself.
            self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close and remove it."""
        self._database.close()

    def put(self, head: Head) -> None:
        """Note an order's head; a later look at the same order replaces it."""
        row = (head.stream.encode(), head.number, head.hash)
        with _scratch():
            self._database.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", row)

    def heads(self) -> Iterator[Head]:
        """Every head, sorted by the bytes of its stream's name."""
        with _scratch():
            cursor = self._database.execute("SELECT stream, number, hash FROM heads ORDER BY stream")
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                for stream, number, digest in rows:
                    yield Head(stream.decode(), number, digest)

    def totals(self) -> tuple[int, int]:
        """How many orders, and how many commits they have."""
        with _scratch():
            orders, commits = self._database.execute("SELECT count(*), coalesce(sum(number), 0) FROM heads").fetchone()
        return orders, commits

    def put_anchor(self, root: int, head: Head) -> None:
        """Note what a root says of an order."""
        row = (head.stream.encode(), root, head.number, head.hash)
        with _scratch():
            self._database.execute("INSERT OR REPLACE INTO anchors VALUES (?, ?, ?, ?)", row)

    def drop_anchors(self, root: int) -> None:
        """Forget what a root says: its leaves turned out to be wrong."""
        with _scratch():
            self._database.execute("DELETE FROM anchors WHERE root = ?", (root,))

    def anchors_of(self, stream: str) -> tuple[Anchor, ...]:
        """What the roots say of an order, the oldest first."""
        with _scratch():
            rows = self._database.execute(
                "SELECT root, number, hash FROM anchors WHERE stream = ? ORDER BY root", (stream.encode(),)
            ).fetchall()
        return tuple(Anchor(*row) for row in rows)

    def anchored_but_unseen(self, after: str, count: int) -> list[str]:
        """Some orders that a root has and that no head was put for: the next ones behind `after`, sorted."""
        with _scratch():
            rows = self._database.execute(
                "SELECT DISTINCT stream FROM anchors WHERE stream > ? AND NOT EXISTS "
                "(SELECT 1 FROM heads WHERE heads.stream = anchors.stream) ORDER BY stream LIMIT ?",
                (after.encode(), count),
            ).fetchall()
        return [stream.decode() for (stream,) in rows]


@contextmanager
def _scratch() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ScratchUnusable(
            f"the scratch file for the orders' heads cannot be used: {error}; TMPDIR names the folder for temporary "
            "files, which needs some 150 bytes an order"
        ) from error
