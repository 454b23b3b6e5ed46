"""Read the whole file once into the temporary index, classify every invoice, match every cancellation: all before anything is sent.

So a damaged file sends nothing, and the instructions that a cancellation becomes never depend on how many sales are imported.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workers.intake.online_retail.feed import StagedFile
from workers.intake.online_retail.model import Reject, RejectReason, StagingFailed
from workers.intake.online_retail.rows import Row, RowReader, local_to_utc, open_rows
from workers.intake.online_retail.schema import add_reject, open_index
from workers.intake.online_retail.sorting import sort_invoices

OnRead = Callable[[int, int, int], None]
"""Called every PROGRESS_ROWS rows with (rows, bytes read, bytes in all); it may raise to stop the reading."""

PROGRESS_ROWS = 5_000
SOURCE_TIME_ZONE = "Europe/London"
SUM_DIGITS = 60  # Decimal precision: sums stay exact for any file that fits a disk


@contextmanager
def stage(path: Path, *, on_read: OnRead | None = None) -> Iterator[StagedFile]:
    """Read, classify and match `path`; the index lives as long as the context.

    Blocking (seconds for the 541,909 lines of the original): call it on a worker thread.
    Raises NotOnlineRetail, FileDamaged, StagingFailed.
    """
    staged = open_staged(path, on_read=on_read)
    try:
        yield staged
    finally:
        staged.close()


def open_staged(path: Path, *, on_read: OnRead | None = None) -> StagedFile:
    """As `stage`, for callers that close it themselves (on another thread than the one that read)."""
    try:
        zone = ZoneInfo(SOURCE_TIME_ZONE)
    except ZoneInfoNotFoundError as error:
        raise StagingFailed(f"this system has no time zone data for {SOURCE_TIME_ZONE}: install tzdata") from error
    index = open_index()
    try:
        index.execute("BEGIN")
        with localcontext(prec=SUM_DIGITS), open_rows(path) as reader:
            net_total, rejected_rows = _read(index, reader, zone, on_read)
            totals = sort_invoices(index, net_total=net_total, rejected_rows=rejected_rows)
        index.execute("COMMIT")
    except sqlite3.Error as error:
        index.close()
        raise StagingFailed(f"the temporary index failed: {error}") from error
    except BaseException:
        index.close()
        raise
    return StagedFile(index, totals)


def _read(index: sqlite3.Connection, reader: RowReader, zone: ZoneInfo, on_read: OnRead | None) -> tuple[Decimal, int]:
    net_total, rejected_rows, count = Decimal(0), 0, 0
    current: tuple[str, int, str | None, str] | None = None  # number, id, customer, country
    for count, row in enumerate(reader, start=1):
        if count % PROGRESS_ROWS == 0 and on_read is not None:
            on_read(count, reader.bytes_read, reader.bytes_total)
        if isinstance(row, Reject):
            rejected_rows += 1
            add_reject(index, row)
            if row.invoice is not None:
                _flaw(
                    index,
                    row.invoice,
                    RejectReason.INCOMPLETE_INVOICE,
                    f"line {row.line_number} cannot be read ({row.reason})",
                )
            continue
        if current is None or current[0] != row.invoice:
            current = _invoice(index, row, zone)
        _, invoice_id, customer, country = current
        if (row.customer_id, row.country) != (customer, country):
            text = f"line {row.line_number} names another customer or country than the first line"
            _flaw(index, row.invoice, RejectReason.INCONSISTENT_INVOICE, text)
        net_total += row.quantity * row.unit_price
        index.execute(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?)",
            (invoice_id, row.line_number, row.sku, row.description, row.quantity, str(row.unit_price)),
        )
    if on_read is not None:
        on_read(count, reader.bytes_total, reader.bytes_total)
    return net_total, rejected_rows


def _invoice(index: sqlite3.Connection, row: Row, zone: ZoneInfo) -> tuple[str, int, str | None, str]:
    known = index.execute(
        "SELECT number, id, customer, country FROM invoice WHERE number = ?", (row.invoice,)
    ).fetchone()
    if known is not None:
        number, invoice_id, customer, country = known
        return number, invoice_id, customer, country
    placed_at = int(local_to_utc(row.local_time, zone).timestamp())
    invoice_id = index.execute(
        "INSERT INTO invoice (number, customer, country, placed_at) VALUES (?, ?, ?, ?)",
        (row.invoice, row.customer_id, row.country, placed_at),
    ).lastrowid
    assert invoice_id is not None
    return row.invoice, invoice_id, row.customer_id, row.country


def _flaw(index: sqlite3.Connection, number: str, reason: RejectReason, text: str) -> None:
    index.execute("INSERT OR IGNORE INTO flaw VALUES (?, ?, ?)", (number, reason, text))
