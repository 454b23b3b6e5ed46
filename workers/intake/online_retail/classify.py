"""What an invoice is. Pure: the rules are the data set's own conventions (its README counts each kind)."""

from typing import TypeVar

from workers.intake.online_retail.model import (
    Adjustment,
    Cancellation,
    Head,
    Invoice,
    RejectedInvoice,
    RejectReason,
    Sale,
    WriteOff,
    ZeroValue,
)

Kind = TypeVar("Kind", Sale, Cancellation, WriteOff, ZeroValue, Adjustment)

LINES_MAX = 10_000
"""Nine times the longest real invoice (1,114 lines)."""


def classify(head: Head, flaw: tuple[RejectReason, str] | None = None) -> Invoice:
    """Say which kind `head` is; `flaw` is what reading its rows already found wrong with the whole invoice.

    A sale needs every line: sent without one, it would be another order under the same key. So a flaw rejects the invoice whole. Lines of a
    cancellation stand alone, and the good ones may still find their sale.
    """
    if head.invoice.startswith("A"):
        return _as(Adjustment, head)
    if flaw is not None and not (head.invoice.startswith("C") and flaw[0] is RejectReason.INCOMPLETE_INVOICE):
        return _rejected(head, *flaw)
    if len(head.lines) > LINES_MAX:
        return _rejected(head, RejectReason.TOO_MANY_LINES, f"more than {LINES_MAX} lines")
    taken = all(line.quantity < 0 for line in head.lines)
    given = all(line.quantity > 0 for line in head.lines)
    if head.invoice.startswith("C"):
        return (
            _as(Cancellation, head)
            if taken
            else _rejected(head, RejectReason.MIXED_QUANTITIES, "a cancellation with a positive quantity")
        )
    if given:
        return _as(Sale, head) if head.total > 0 else _as(ZeroValue, head)
    if taken and all(line.unit_price == 0 for line in head.lines):
        return _as(WriteOff, head)
    return _rejected(
        head,
        RejectReason.MIXED_QUANTITIES,
        "negative quantities at a price, or of both signs, on an invoice that is no cancellation",
    )


def _as(kind: type[Kind], head: Head) -> Kind:
    return kind(
        invoice=head.invoice,
        placed_at=head.placed_at,
        customer_id=head.customer_id,
        country=head.country,
        lines=head.lines,
    )


def _rejected(head: Head, reason: RejectReason, text: str) -> RejectedInvoice:
    return RejectedInvoice(
        invoice=head.invoice,
        placed_at=head.placed_at,
        customer_id=head.customer_id,
        country=head.country,
        lines=head.lines,
        reason=reason,
        text=text,
    )
