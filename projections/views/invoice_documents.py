"""The documents of the view `invoices`: what is kept of an order, and its form as JSON, whose names are the API's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orderstore.domain.statuses import Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What is payable for a line, or for shipping: net and tax, in minor units, after the discount was taken off; the rate is a decimal,
    written out."""

    net_minor: int
    tax_minor: int
    tax_rate_percent: str
    discount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Prices and amounts are exact decimals of the invoice's currency, written out; `priced` is None for an order without taxes. `index` is
    the place that the line has in the order, from 0 on; without pieces that were cancelled."""

    index: int
    sku: str
    description: str
    quantity: int
    unit_price: str
    amount: str
    priced: Priced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """What a document holds of one rate, in minor units; the rate is a decimal, written out."""

    rate_percent: str
    net_minor: int
    tax_minor: int


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
    taxes: tuple[Tax, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """As `Invoice`; `invoice_number` is the invoice's that it takes something back of, `lines` are (index of the order's line, pieces), of
    which `lines_omitted` more are not in the document."""

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
    lines_omitted: int
    taxes: tuple[Tax, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    order_id: str
    customer_id: str | None
    open: Placed | None = None
    """The order and what was taken out of it so far; None once it is invoiced, since nothing of it is cancelled then."""
    total_exact: str = ""
    lines: tuple[Line, ...] = ()
    line_count: int = 0
    tax_mode: str | None = None
    """Whether the unit prices hold their tax already; None for an order without taxes."""
    shipping: Priced | None = None
    invoices: tuple[Invoice, ...] = ()
    credit_notes: tuple[CreditNote, ...] = ()
    credit_notes_omitted: int = 0
    """How many of the order's last credit notes are not in the document."""

    @property
    def lines_omitted(self) -> int:
        """How many of the invoice's last lines are not in the document."""
        return self.line_count - len(self.lines)


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
                "taxes": _tax_documents(invoice.taxes),
            }
            for invoice in view.invoices
        ],
        "creditNotes": [credit_note_document(note) for note in view.credit_notes],
        "creditNotesOmitted": view.credit_notes_omitted,
        "totalExact": view.total_exact,
        "taxMode": view.tax_mode,
        "shipping": _priced_document(view.shipping),
        "lineCount": view.line_count,
        "linesOmitted": view.lines_omitted,
        "lines": [line_document(line, at=at) for at, line in enumerate(view.lines)],
    }


def _tax_documents(taxes: tuple[Tax, ...] | None) -> list[dict[str, Any]] | None:
    if taxes is None:
        return None
    return [{"ratePercent": tax.rate_percent, "netMinor": tax.net_minor, "taxMinor": tax.tax_minor} for tax in taxes]


def _taxes_in(documents: list[dict[str, Any]] | None) -> tuple[Tax, ...] | None:
    if documents is None:
        return None
    return tuple(
        Tax(rate_percent=tax["ratePercent"], net_minor=tax["netMinor"], tax_minor=tax["taxMinor"]) for tax in documents
    )


def credit_note_document(note: CreditNote) -> dict[str, Any]:
    """One credit note as it stands in the document."""
    return {
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
        "linesOmitted": note.lines_omitted,
        "taxes": _tax_documents(note.taxes),
    }


def _priced_document(priced: Priced | None) -> dict[str, Any] | None:
    if priced is None:
        return None
    return {
        "netMinor": priced.net_minor,
        "taxMinor": priced.tax_minor,
        "taxRatePercent": priced.tax_rate_percent,
        "discountMinor": priced.discount_minor,
    }


def _priced_in(document: Mapping[str, Any] | None) -> Priced | None:
    if document is None:
        return None
    return Priced(
        net_minor=document["netMinor"],
        tax_minor=document["taxMinor"],
        tax_rate_percent=document["taxRatePercent"],
        discount_minor=document["discountMinor"],
    )


def line_document(line: Line, *, at: int) -> dict[str, Any]:
    """One line as it stands in the document, in this place; which line of the order it is, is said where that is another."""
    return {
        **({} if line.index == at else {"line": line.index}),
        "sku": line.sku,
        "description": line.description,
        "quantity": line.quantity,
        "unitPrice": line.unit_price,
        "amount": line.amount,
        "priced": _priced_document(line.priced),
    }


def from_document(document: Mapping[str, Any]) -> Invoices:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    return Invoices(
        order_id=document["orderId"],
        customer_id=document["customerId"],
        total_exact=document["totalExact"],
        lines=tuple(
            Line(
                index=line.get("line", at),
                sku=line["sku"],
                description=line["description"],
                quantity=line["quantity"],
                unit_price=line["unitPrice"],
                amount=line["amount"],
                priced=_priced_in(line["priced"]),
            )
            for at, line in enumerate(document["lines"])
        ),
        line_count=document["lineCount"],
        tax_mode=document["taxMode"],
        shipping=_priced_in(document["shipping"]),
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
                taxes=_taxes_in(invoice["taxes"]),
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
                lines_omitted=note["linesOmitted"],
                taxes=_taxes_in(note["taxes"]),
            )
            for note in document["creditNotes"]
        ),
        credit_notes_omitted=document["creditNotesOmitted"],
    )


def single_documents(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each invoice of a document by itself, oldest first, with its own credit notes and what the document says once for all of them."""
    shared = {name: value for name, value in document.items() if name not in ("invoices", "creditNotes")}
    shared["lines"] = [{"line": at, **line} for at, line in enumerate(document["lines"])]
    return [
        {**invoice, **shared, "creditNotes": _notes_on(invoice["invoiceNumber"], document)}
        for invoice in document["invoices"]
    ]


def _notes_on(invoice_number: str, document: Mapping[str, Any]) -> list[Any]:
    return [note for note in document["creditNotes"] if note["invoiceNumber"] == invoice_number]
