"""Decisions about the documents of an order, in the shape of `decisions`: its invoice, and a credit note for each refund.

A document is an event, so a rebuild never numbers anew. Its number is taken in the transaction that records it; an invoice says what the
goods cost when they left, whatever was refunded before, and each refund takes its share back with a document of its own.
"""

from datetime import datetime
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.deciding import existing, with_follow_up
from orderstore.domain.parcels import all_gone, pieces_of, wanted
from orderstore.domain.shares import fitted, refund_taxes, taken_before_refund, taxes_due
from orderstore.domain.state import InFulfilment, Placed, Refund, State

DIGITS: Final = 6
"""Of a document's number as it is printed, at least."""


def document_number(series: str, number: int) -> str:
    """The number of an invoice or a credit note as it is printed: series, then at least six digits."""
    return f"{series}-{number:0{DIGITS}d}"


def issue_invoice(
    state: State,
    *,
    series: str,
    number: int,
    issued_at: datetime,
    supplied_at: datetime,
    buyer: e.SealedText | None = None,
) -> tuple[e.Event, ...]:
    """Invoice the order once all of its goods have left; `()` when it has its invoice, or wants none (yet). Pieces that were cancelled
    are on no invoice."""
    order = existing(state)
    if not wants_invoice(order):
        return ()
    invoice = e.InvoiceIssued(
        series=series,
        number=number,
        invoice_number=document_number(series, number),
        total_minor=order.due_minor,
        currency=order.order.currency,
        issued_at=issued_at,
        supplied_at=supplied_at,
        buyer=buyer,
        taxes=taxes_due(order),
        lines=pieces_of(wanted(order)) if order.cancelled else (),
    )
    return with_follow_up(order, invoice)


def issue_credit_note(
    state: State,
    *,
    refund_id: str,
    series: str,
    number: int,
    issued_at: datetime,
    buyer: e.SealedText | None = None,
) -> tuple[e.Event, ...]:
    """Take a refund's share of the invoice back; `()` when it is taken back, or nothing is to be (yet)."""
    order = existing(state)
    wanted = {refund.refund_id: refund for refund in uncredited(order)}
    if order.invoice is None or refund_id not in wanted:
        return ()
    refund = wanted[refund_id]
    note = e.CreditNoteIssued(
        series=series,
        number=number,
        credit_note_number=document_number(series, number),
        invoice_number=order.invoice.invoice_number,
        refund_id=refund_id,
        total_minor=refund.amount_minor,
        currency=order.invoice.currency,
        issued_at=issued_at,
        lines=refund.lines,
        buyer=buyer,
        taxes=fitted(
            order.order,
            refund_taxes(order.order, taken_before_refund(order, refund), refund.lines),
            refund.amount_minor,
        ),
    )
    return (note,)


def store_documents(state: State, *, renderings: tuple[e.InvoiceDocumentStored, ...]) -> tuple[e.Event, ...]:
    """The renderings of one document are stored, all of them; `()` when that was said before, or the order has no such document."""
    order = existing(state)
    wanted = unstored(order)
    return renderings if renderings and all(one.number in wanted for one in renderings) else ()


def unstored(state: Placed) -> tuple[str, ...]:
    """The numbers of the documents whose renderings are not stored yet, the invoice first."""
    issued = (
        () if state.invoice is None else (state.invoice.invoice_number, *(note.number for note in state.credit_notes))
    )
    return tuple(number for number in issued if number not in state.stored)


def wants_invoice(state: Placed) -> bool:
    """Whether all of its goods have left, and nothing says yet what they cost."""
    return isinstance(state, InFulfilment) and state.invoice is None and all_gone(state)


def uncredited(state: Placed) -> tuple[Refund, ...]:
    """The refunds that were given back of an invoiced order and are not credited yet, oldest first. What was cancelled before is on no
    invoice, so nothing takes it back."""
    if state.invoice is None:
        return ()
    credited = {note.refund_id for note in state.credit_notes}
    return tuple(
        refund
        for refund in state.payment.refunds
        if refund.issued and not refund.of_cancellation and refund.refund_id not in credited
    )
