"""The invoices of an order, as they are printed: number, dates, totals and lines; found by the order and by the number. With each stand
the credit notes that take something of it back.

An order has its lines from its first event and its invoice much later: the document is only written when an invoice is issued. A DynamoDB
item ends at 400 KB, an order of 5,000 long lines does not: lines past `LINES_BYTES_MAX` are left out and counted in `linesOmitted`. So are
the pieces of a credit note past `CREDITED_LINES_MAX`, and credit notes past `CREDIT_NOTES_BYTES_MAX`. The log has them all.
"""

from dataclasses import replace
from typing import Final

import orjson

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, major
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
            total_exact=format(event.total_exact, "f"),
            lines=_lines(event),
            line_count=len(event.lines),
            tax_mode=None if event.pricing is None else event.pricing.tax_mode,
            shipping=None if event.pricing is None else _priced(event.pricing.shipping),
        )
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    if isinstance(event, e.InvoiceIssued):
        return replace(view, invoices=(*view.invoices, _invoice(event)))
    if isinstance(event, e.CreditNoteIssued):
        return _credited(view, _credit_note(event))
    return view


def _credited(view: Invoices, note: CreditNote) -> Invoices:
    """The first that fit are shown, and none behind one that did not."""
    grown = (*view.credit_notes, note)
    size = sum(len(orjson.dumps(credit_note_document(shown))) + 1 for shown in grown)
    if view.credit_notes_omitted or size > CREDIT_NOTES_BYTES_MAX:
        return replace(view, credit_notes_omitted=view.credit_notes_omitted + 1)
    return replace(view, credit_notes=grown)


def _lines(order: e.OrderCreated) -> tuple[Line, ...]:
    kept: list[Line] = []
    bytes_left = LINES_BYTES_MAX
    prices = [None] * len(order.lines) if order.pricing is None else order.pricing.lines
    for line, priced in zip(order.lines, prices, strict=True):
        shown = Line(
            sku=line.sku,
            description=line.description,
            quantity=line.quantity,
            unit_price=format(line.unit_price, "f"),
            amount=format(exact_sum([(line.quantity, line.unit_price)]), "f"),
            priced=_priced(priced),
        )
        bytes_left -= len(orjson.dumps(line_document(shown))) + 1
        if bytes_left < 0:
            break
        kept.append(shown)
    return tuple(kept)


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
