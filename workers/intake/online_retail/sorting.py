"""Over the filled index: give every invoice its kind, every cancellation its sales, and write down every reject."""

import sqlite3
from collections import Counter
from decimal import Decimal

from workers.intake.online_retail.feed import load_invoices
from workers.intake.online_retail.match_index import match_all
from workers.intake.online_retail.model import (
    Adjustment,
    Cancellation,
    Invoice,
    Reject,
    RejectedInvoice,
    RejectReason,
    Sale,
    Totals,
    WriteOff,
    ZeroValue,
)
from workers.intake.online_retail.schema import add_reject

_NO_ORDER: dict[type[Invoice], tuple[RejectReason, str]] = {
    WriteOff: (RejectReason.WRITE_OFF, "stock written off: negative quantities at price 0"),
    ZeroValue: (RejectReason.ZERO_VALUE, "stock taken in or given away: the invoice is worth nothing"),
    Adjustment: (RejectReason.ADJUSTMENT, "a bad-debt adjustment, not goods"),
}

_KIND_NAMES: dict[type[Invoice], str] = {
    Sale: "sale",
    Cancellation: "cancellation",
    WriteOff: "write_off",
    ZeroValue: "zero_value",
    Adjustment: "adjustment",
    RejectedInvoice: "rejected",
}


def sort_invoices(index: sqlite3.Connection, *, net_total: Decimal, rejected_rows: int) -> Totals:
    """Classify every invoice, then match the cancellations; the totals cover the whole file."""
    kinds: Counter[type[Invoice]] = Counter()
    lines: Counter[type[Invoice]] = Counter()
    sales_total = Decimal(0)
    for invoice_id, invoice in load_invoices(index):
        kind = type(invoice)
        kinds[kind] += 1
        lines[kind] += len(invoice.lines)
        ordinal = kinds[Sale] if isinstance(invoice, Sale) else None
        if isinstance(invoice, Sale):
            sales_total += invoice.total
        units = sum(line.quantity for line in invoice.lines)
        index.execute(
            "UPDATE invoice SET kind = ?, units = ?, ordinal = ? WHERE id = ?",
            (_KIND_NAMES[kind], units, ordinal, invoice_id),
        )
        _reject_no_order(index, invoice)
    return Totals(
        sales=kinds[Sale],
        sale_lines=lines[Sale],
        cancellations=kinds[Cancellation],
        cancellation_lines=lines[Cancellation],
        write_offs=kinds[WriteOff],
        zero_value=kinds[ZeroValue],
        adjustments=kinds[Adjustment],
        rejected_invoices=kinds[RejectedInvoice],
        rejected_rows=rejected_rows,
        matched_cancellation_lines=match_all(index),
        net_total=net_total,
        sales_total=sales_total,
    )


def _reject_no_order(index: sqlite3.Connection, invoice: Invoice) -> None:
    if isinstance(invoice, Sale | Cancellation):
        return
    reason, text = (invoice.reason, invoice.text) if isinstance(invoice, RejectedInvoice) else _NO_ORDER[type(invoice)]
    for line in invoice.lines:
        add_reject(index, Reject(invoice.invoice, line.line_number, reason, text))
