"""The invoices of an order, as they are printed: number, dates, totals and lines; found by the order and by the number. With each stand
the credit notes that take something of it back.

An order has its lines from its first event and its invoice much later: the document is only written when an invoice is issued. A DynamoDB
item ends at 400 KB, an order of 5,000 long lines does not: lines past `LINES_BYTES_MAX` are left out and counted in `linesOmitted`; the
log has them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, major
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "invoices"
SCHEMA: Final = 2
LINES_BYTES_MAX: Final = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Prices and amounts are exact decimals of the invoice's currency, written out."""

    sku: str
    description: str
    quantity: int
    unit_price: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """Times are ISO 8601 in UTC; `total` is what people read, `total_minor` the same in minor units."""

    invoice_number: str
    series: str
    number: int
    currency: str
    total_minor: int
    total: str
    issued_at: str
    supplied_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """As `Invoice`; `invoice_number` is the invoice's that it takes something back of, `lines` are (index of the order's line, pieces)."""

    credit_note_number: str
    invoice_number: str
    refund_id: str
    series: str
    number: int
    currency: str
    total_minor: int
    total: str
    issued_at: str
    lines: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    order_id: str
    customer_id: str | None
    total_exact: str
    lines: tuple[Line, ...]
    line_count: int
    invoices: tuple[Invoice, ...] = ()
    credit_notes: tuple[CreditNote, ...] = ()

    @property
    def lines_omitted(self) -> int:
        """How many of the order's last lines are not in the document."""
        return self.line_count - len(self.lines)


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
            lines=_lines(event.lines),
            line_count=len(event.lines),
        )
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    if isinstance(event, e.InvoiceIssued):
        return replace(view, invoices=(*view.invoices, _invoice(event)))
    if isinstance(event, e.CreditNoteIssued):
        return replace(view, credit_notes=(*view.credit_notes, _credit_note(event)))
    return view


def _lines(ordered: tuple[e.OrderLine, ...]) -> tuple[Line, ...]:
    kept: list[Line] = []
    bytes_left = LINES_BYTES_MAX
    for line in ordered:
        shown = Line(
            sku=line.sku,
            description=line.description,
            quantity=line.quantity,
            unit_price=format(line.unit_price, "f"),
            amount=format(exact_sum([(line.quantity, line.unit_price)]), "f"),
        )
        bytes_left -= len(orjson.dumps(_line_document(shown))) + 1
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
        lines=tuple((line.line, line.quantity) for line in event.lines),
    )


def to_document(view: Invoices) -> dict[str, Any]:
    """The view as JSON values. These names are the API's: they are written down here and nowhere derived."""
    return {
        "orderId": view.order_id,
        "customerId": view.customer_id,
        "invoices": [
            {
                "invoiceNumber": invoice.invoice_number,
                "series": invoice.series,
                "number": invoice.number,
                "currency": invoice.currency,
                "totalMinor": invoice.total_minor,
                "total": invoice.total,
                "issuedAt": invoice.issued_at,
                "suppliedAt": invoice.supplied_at,
            }
            for invoice in view.invoices
        ],
        "creditNotes": [
            {
                "creditNoteNumber": note.credit_note_number,
                "invoiceNumber": note.invoice_number,
                "refundId": note.refund_id,
                "series": note.series,
                "number": note.number,
                "currency": note.currency,
                "totalMinor": note.total_minor,
                "total": note.total,
                "issuedAt": note.issued_at,
                "lines": [{"line": line, "quantity": quantity} for line, quantity in note.lines],
            }
            for note in view.credit_notes
        ],
        "totalExact": view.total_exact,
        "lineCount": view.line_count,
        "linesOmitted": view.lines_omitted,
        "lines": [_line_document(line) for line in view.lines],
    }


def _line_document(line: Line) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "description": line.description,
        "quantity": line.quantity,
        "unitPrice": line.unit_price,
        "amount": line.amount,
    }


def from_document(document: Mapping[str, Any]) -> Invoices:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    return Invoices(
        order_id=document["orderId"],
        customer_id=document["customerId"],
        total_exact=document["totalExact"],
        lines=tuple(
            Line(
                sku=line["sku"],
                description=line["description"],
                quantity=line["quantity"],
                unit_price=line["unitPrice"],
                amount=line["amount"],
            )
            for line in document["lines"]
        ),
        line_count=document["lineCount"],
        invoices=tuple(
            Invoice(
                invoice_number=invoice["invoiceNumber"],
                series=invoice["series"],
                number=invoice["number"],
                currency=invoice["currency"],
                total_minor=invoice["totalMinor"],
                total=invoice["total"],
                issued_at=invoice["issuedAt"],
                supplied_at=invoice["suppliedAt"],
            )
            for invoice in document["invoices"]
        ),
        credit_notes=tuple(
            CreditNote(
                credit_note_number=note["creditNoteNumber"],
                invoice_number=note["invoiceNumber"],
                refund_id=note["refundId"],
                series=note["series"],
                number=note["number"],
                currency=note["currency"],
                total_minor=note["totalMinor"],
                total=note["total"],
                issued_at=note["issuedAt"],
                lines=tuple((line["line"], line["quantity"]) for line in note["lines"]),
            )
            for note in document["creditNotes"]
        ),
    )


def single_documents(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each invoice of a document by itself, oldest first, with its own credit notes and what the document says once for all of them."""
    shared = {name: value for name, value in document.items() if name not in ("invoices", "creditNotes")}
    return [
        {**invoice, **shared, "creditNotes": _notes_on(invoice["invoiceNumber"], document)}
        for invoice in document["invoices"]
    ]


def _notes_on(invoice_number: str, document: Mapping[str, Any]) -> list[Any]:
    return [note for note in document["creditNotes"] if note["invoiceNumber"] == invoice_number]


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
