"""What the temporary index gives back, one invoice at a time, in a fixed order."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from workers.intake.online_retail.classify import LINES_MAX, classify
from workers.intake.online_retail.model import (
    CancelOrder,
    Head,
    Instruction,
    Invoice,
    Line,
    RefundLine,
    RefundLines,
    Reject,
    RejectReason,
    Sale,
    Totals,
)

_HEAD = "SELECT id, number, placed_at, customer, country FROM invoice"


class StagedFile:
    """A whole file, read, classified and matched. One thread at a time; memory is bounded by the longest invoice."""

    def __init__(self, index: sqlite3.Connection, totals: Totals) -> None:
        """Take over a filled index."""
        self._index = index
        self.totals = totals

    def invoices(self) -> Iterator[Invoice]:
        """Every invoice of every kind, in the order in which the file first names them."""
        return (invoice for _, invoice in load_invoices(self._index))

    def sales(self, limit: int | None = None) -> Iterator[Sale]:
        """The first `limit` sales in file order (all when None)."""
        for row in self._index.execute(f"{_HEAD} WHERE ordinal <= ? ORDER BY ordinal", (_bound(limit),)):
            head = _load_head(self._index, row)
            yield Sale(
                invoice=head.invoice,
                placed_at=head.placed_at,
                customer_id=head.customer_id,
                country=head.country,
                lines=head.lines,
            )

    def instructions(self, limit: int | None = None) -> Iterator[Instruction]:
        """What the cancellations do to the first `limit` sales: all of one sale together, in the order in which they were made."""
        query = """
            SELECT n.sale, n.step, s.number, c.number, c.placed_at,
                   (SELECT min(line_number) FROM line WHERE invoice = n.cancellation), n.whole,
                   t.line_index, t.sku, t.quantity, t.unit_price
            FROM instruction n JOIN invoice s ON s.id = n.sale JOIN invoice c ON c.id = n.cancellation
            JOIN take t ON t.sale = n.sale AND t.step = n.step
            WHERE s.ordinal <= ? ORDER BY n.sale, n.step, t.line_index"""
        for _, group in groupby(self._index.execute(query, (_bound(limit),)), key=lambda row: (row[0], row[1])):
            rows = list(group)
            _, _, sale, cancellation, at, line_number, whole = rows[0][:7]
            requested_at = datetime.fromtimestamp(at, UTC)
            if whole:
                yield CancelOrder(
                    sale=sale, cancellation=cancellation, requested_at=requested_at, line_number=line_number
                )
                continue
            lines = tuple(
                RefundLine(line_index=line_index, sku=sku, quantity=quantity, unit_price=Decimal(price))
                for *_, line_index, sku, quantity, price in rows
            )
            yield RefundLines(
                sale=sale, cancellation=cancellation, requested_at=requested_at, line_number=line_number, lines=lines
            )

    def count_instructions(self, limit: int | None = None) -> int:
        """How many `instructions(limit)` yields."""
        query = "SELECT count(*) FROM instruction n JOIN invoice s ON s.id = n.sale WHERE s.ordinal <= ?"
        return int(self._index.execute(query, (_bound(limit),)).fetchone()[0])

    def rejects(self) -> Iterator[Reject]:
        """Every rejected line of the file, by line number."""
        query = "SELECT invoice, line_number, reason, text FROM reject ORDER BY line_number, rowid"
        for invoice, line_number, reason, text in self._index.execute(query):
            yield Reject(invoice, line_number, RejectReason(reason), text)

    def close(self) -> None:
        """Drop the index and its disk space. Harmless when repeated."""
        self._index.close()


def load_invoices(index: sqlite3.Connection) -> Iterator[tuple[int, Invoice]]:
    """Every invoice with its id in the index."""
    for row in index.execute(f"{_HEAD} ORDER BY id"):
        head = _load_head(index, row)
        yield row[0], classify(head, _flaw_of(index, head))


def _load_head(index: sqlite3.Connection, row: tuple[int, str, int, str | None, str]) -> Head:
    invoice_id, number, placed_at, customer, country = row
    lines = index.execute(
        "SELECT line_number, sku, description, quantity, unit_price FROM line WHERE invoice = ? ORDER BY line_number LIMIT ?",
        (invoice_id, LINES_MAX + 1),
    )
    return Head(
        invoice=number,
        placed_at=datetime.fromtimestamp(placed_at, UTC),
        customer_id=customer,
        country=country,
        lines=tuple(
            Line(line_number=line_number, sku=sku, description=text, quantity=quantity, unit_price=Decimal(price))
            for line_number, sku, text, quantity, price in lines
        ),
    )


def _flaw_of(index: sqlite3.Connection, head: Head) -> tuple[RejectReason, str] | None:
    found = index.execute("SELECT reason, text FROM flaw WHERE number = ?", (head.invoice,)).fetchone()
    return None if found is None else (RejectReason(found[0]), found[1])


def _bound(limit: int | None) -> int:
    return 2**62 if limit is None else limit
