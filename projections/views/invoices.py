"""The invoices of an order, as they are printed: number, dates, totals and lines; found by the order and by the number. With each stand
the credit notes that take something of it back.

An order has its lines from its first event and its invoice much later: the document is only written when an invoice is issued. Until then
what was ordered is in hand, and what was taken out of it: pieces that were cancelled before are on no invoice (`invoicing/parts.py` says
what the others come to, here and on paper).

A DynamoDB item ends at 400 KB, an order of 5,000 long lines does not: lines past `LINES_BYTES_MAX` are left out and counted in
`linesOmitted`. So are the pieces of a credit note past `CREDITED_LINES_MAX`, and credit notes past `CREDIT_NOTES_BYTES_MAX`. The log has
them all.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

import orjson

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.edits import edited
from orderstore.domain.evolving import refund_of
from orderstore.domain.money import exact_sum, major
from orderstore.domain.parts import LineCancellation
from orderstore.domain.shares import priced, surplus_refund_id
from orderstore.domain.statuses import Placed
from orderstore.invoicing.parts import Part, due_of, takes_shipping
from orderstore.recorded import Recorded
from projections.views.invoice_documents import (
    CreditNote,
    Invoice,
    Invoices,
    Line,
    Priced,
    Tax,
    credit_note_document,
    from_document,
    line_document,
    single_documents,
    to_document,
)
from projections.views.view import Listing, OutOfPlace, View

__all__ = ("from_document", "single_documents", "to_document")  # beside everything that is defined here

NAME: Final = "invoices"
SCHEMA: Final = 2
LINES_BYTES_MAX: Final = 300_000
CREDITED_LINES_MAX: Final = 100
CREDIT_NOTES_BYTES_MAX: Final = 60_000


def evolve(view: Invoices | None, recorded: Recorded) -> Invoices:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace for an event out of its place."""
    event = recorded.event
    if isinstance(event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return Invoices(
            order_id=event.order_id,
            customer_id=event.customer_id,
            open=Placed(order=event),
            tax_mode=None if event.pricing is None else event.pricing.tax_mode,
        )
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    match event:
        case e.InvoiceIssued():
            return replace(_with_lines(view), invoices=(*view.invoices, _invoice(event)))
        case e.CreditNoteIssued():
            return _credited(view, _credit_note(event))
        case e.LinesCancelled() | e.RefundRequested() if view.open is not None:
            return replace(view, open=_taken_out(view.open, event))
        case e.OrderEditApplied() if view.open is not None:
            return replace(view, open=replace(view.open, order=edited(view.open.order, event)))
        case _:
            return view


def _taken_out(order: Placed, event: e.LinesCancelled | e.RefundRequested) -> Placed:
    """The order's money without these pieces; a refund of cancelled pieces is their cancellation over again."""
    payment, cancelled = order.payment, order.cancelled
    if isinstance(event, e.LinesCancelled):
        part = LineCancellation(
            cancellation_id=event.cancellation_id,
            lines=event.lines,
            amount_minor=event.amount_minor,
            priced=priced(order, event.lines),
            refund_id=event.refund_id,
            after=len(payment.refunds),
        )
        return replace(order, cancelled=(*cancelled, part))
    over_again = {surplus_refund_id(order.order.order_id), *(part.refund_id for part in cancelled)}
    refund = refund_of(event, of_cancellation=event.refund_id in over_again, after=len(cancelled))
    return replace(order, payment=replace(payment, refunds=(*payment.refunds, refund)))


def _with_lines(view: Invoices) -> Invoices:
    """With what is invoiced, which is all that is left of the order by now."""
    if view.open is None:
        return view
    order, parts = view.open.order, due_of(view.open)
    shipping = None if order.pricing is None else _priced(order.pricing.shipping)
    with_shipping = not any(takes_shipping(view.open, at) for at in range(len(view.open.cancelled)))
    return replace(
        view,
        open=None,
        total_exact=format(_total_exact(view.open, parts), "f"),
        lines=_lines(order, parts),
        line_count=sum(part.count > 0 for part in parts),
        shipping=shipping if with_shipping else None,
    )


def _total_exact(order: Placed, parts: Sequence[Part]) -> Decimal:
    """What was ordered comes to, exactly, or what is left of it; with taxes it is of whole minor units."""
    created = order.order
    if not order.cancelled:
        return created.total_exact
    if created.pricing is not None:
        return Decimal(major(order.due_minor, created.currency))
    return exact_sum([(part.count, line.unit_price) for part, line in zip(parts, created.lines, strict=True)])


def _credited(view: Invoices, note: CreditNote) -> Invoices:
    """The first that fit are shown, and none behind one that did not."""
    grown = (*view.credit_notes, note)
    size = sum(len(orjson.dumps(credit_note_document(shown))) + 1 for shown in grown)
    if view.credit_notes_omitted or size > CREDIT_NOTES_BYTES_MAX:
        return replace(view, credit_notes_omitted=view.credit_notes_omitted + 1)
    return replace(view, credit_notes=grown)


def _lines(order: e.OrderCreated, parts: Sequence[Part]) -> tuple[Line, ...]:
    kept: list[Line] = []
    bytes_left = LINES_BYTES_MAX
    for index, (line, part) in enumerate(zip(order.lines, parts, strict=True)):
        if not part.count:
            continue
        shown = Line(
            index=index,
            sku=line.sku,
            description=line.description,
            quantity=part.count,
            unit_price=format(line.unit_price, "f"),
            amount=format(exact_sum([(part.count, line.unit_price)]), "f"),
            priced=None if order.pricing is None else _priced_part(order.pricing.lines[index], part),
        )
        bytes_left -= len(orjson.dumps(line_document(shown, at=len(kept)))) + 1
        if bytes_left < 0:
            break
        kept.append(shown)
    return tuple(kept)


def _priced_part(priced: e.PricedLine, part: Part) -> Priced:
    return Priced(
        net_minor=part.net_minor,
        tax_minor=part.tax_minor,
        tax_rate_percent=format(priced.tax_rate_percent, "f"),
        discount_minor=part.asked_minor,
    )


def _invoice(event: e.InvoiceIssued) -> Invoice:
    return Invoice(
        invoice_number=event.invoice_number,
        series=event.series,
        number=event.number,
        currency=event.currency,
        total_minor=event.total_minor,
        total=major(event.total_minor, event.currency),
        issued_at=timestamp(event.issued_at),
        supplied_at=timestamp(event.supplied_at),
        taxes=_taxes(event.taxes),
    )


def _credit_note(event: e.CreditNoteIssued) -> CreditNote:
    return CreditNote(
        credit_note_number=event.credit_note_number,
        invoice_number=event.invoice_number,
        refund_id=event.refund_id,
        series=event.series,
        number=event.number,
        currency=event.currency,
        total_minor=event.total_minor,
        total=major(event.total_minor, event.currency),
        issued_at=timestamp(event.issued_at),
        lines=tuple((line.line, line.quantity) for line in event.lines[:CREDITED_LINES_MAX]),
        lines_omitted=max(0, len(event.lines) - CREDITED_LINES_MAX),
        taxes=_taxes(event.taxes),
    )


def _priced(priced: e.PricedLine | None) -> Priced | None:
    if priced is None:
        return None
    return Priced(
        net_minor=priced.net_minor,
        tax_minor=priced.tax_minor,
        tax_rate_percent=format(priced.tax_rate_percent, "f"),
        discount_minor=priced.discount_minor,
    )


def _taxes(taxes: tuple[e.TaxAmount, ...] | None) -> tuple[Tax, ...] | None:
    if taxes is None:
        return None
    return tuple(
        Tax(rate_percent=format(tax.rate_percent, "f"), net_minor=tax.net_minor, tax_minor=tax.tax_minor)
        for tax in taxes
    )


def number_list(invoice_number: str) -> str:
    """The list under which the document with this invoice stands."""
    return f"number/{invoice_number}"


def _listing(view: Invoices) -> Listing | None:
    return Listing(number_list(view.invoices[0].invoice_number), view.order_id) if view.invoices else None


VIEW: Final[View[Invoices]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
    reacts_to=frozenset({e.InvoiceIssued, e.CreditNoteIssued}),
)
