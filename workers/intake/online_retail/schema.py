"""The temporary index: an SQLite database without a name, on disk, private,
which vanishes when it is closed or the process dies.

An invoice's lines need not stand together in the file, and a cancellation may take back a sale of a year before: both need an index over
the whole file, and the file must not be held in memory.
"""

import sqlite3

from workers.intake.online_retail.model import Reject

CACHE_KIB = 8_192
"""What SQLite may hold in memory; the rest spills to its temporary file (in SQLITE_TMPDIR, TMPDIR or /var/tmp)."""

_TABLES = """
CREATE TABLE invoice (
    id INTEGER PRIMARY KEY,          -- order of first appearance in the file
    number TEXT NOT NULL UNIQUE,
    customer TEXT,                   -- null for guests
    country TEXT NOT NULL,
    placed_at INTEGER NOT NULL,      -- UTC seconds
    kind TEXT,
    units INTEGER,                   -- sum of quantities
    ordinal INTEGER UNIQUE           -- sales only: 1, 2, 3 ... in file order
);
CREATE TABLE line (
    invoice INTEGER NOT NULL,
    line_number INTEGER NOT NULL,
    sku TEXT NOT NULL,
    description TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price TEXT NOT NULL,
    PRIMARY KEY (invoice, line_number)
) WITHOUT ROWID;
CREATE TABLE flaw (number TEXT PRIMARY KEY, reason TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reject (line_number INTEGER NOT NULL, invoice TEXT, reason TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE offer (
    customer TEXT NOT NULL,
    sku TEXT NOT NULL,
    unit_price TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    sale INTEGER NOT NULL,
    line_index INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    PRIMARY KEY (customer, sku, unit_price, placed_at, sale, line_index)
) WITHOUT ROWID;
CREATE TABLE take (
    sale INTEGER NOT NULL,
    step INTEGER NOT NULL,           -- order of the cancellations in time
    line_index INTEGER NOT NULL,
    cancellation INTEGER NOT NULL,
    sku TEXT NOT NULL,
    unit_price TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (sale, step, line_index)
) WITHOUT ROWID;
CREATE TABLE instruction (
    sale INTEGER NOT NULL,
    step INTEGER NOT NULL,
    cancellation INTEGER NOT NULL,
    whole INTEGER NOT NULL,          -- 1: cancel the order, 0: refund lines
    PRIMARY KEY (sale, step)
) WITHOUT ROWID;
"""

OFFERS = """
INSERT INTO offer
SELECT i.customer, l.sku, l.unit_price, i.placed_at, i.id,
       row_number() OVER (PARTITION BY l.invoice ORDER BY l.line_number) - 1, l.quantity
FROM invoice i JOIN line l ON l.invoice = i.id
WHERE i.kind = 'sale' AND i.customer IN (SELECT customer FROM invoice WHERE kind = 'cancellation')
"""
"""Every line of a sale that some cancellation might take back."""


def open_index() -> sqlite3.Connection:
    """Make the empty index. One thread at a time may use it, not always the same: it is filled on a worker thread."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute(
        "PRAGMA journal_mode = OFF"
    )  # nothing is ever rolled back: a failure throws the whole index away
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.executescript(_TABLES)
    return connection


def add_reject(index: sqlite3.Connection, reject: Reject) -> None:
    """Keep a reject for the report."""
    index.execute(
        "INSERT INTO reject VALUES (?, ?, ?, ?)", (reject.line_number, reject.invoice, reject.reason, reject.text)
    )
