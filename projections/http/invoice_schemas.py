"""The shapes of invoices and credit notes, for the OpenAPI document. A test holds each real answer to these."""

from projections.http.schemas import Answer


class InvoiceLine(Answer):
    sku: str
    description: str
    quantity: int
    unit_price: str
    amount: str


class Tax(Answer):
    """What the document holds of one rate."""

    rate_percent: str
    net_minor: int
    tax_minor: int


class CreditedLine(Answer):
    """So many pieces of the order's line with this index (0-based)."""

    line: int
    quantity: int


class CreditNote(Answer):
    """What a refund takes back of the invoice; `lines` are empty when it was for no piece in particular. `taxes` are null where the
    invoice has none."""

    credit_note_number: str
    invoice_number: str
    refund_id: str
    series: str
    number: int
    currency: str
    total_minor: int
    total: str
    issued_at: str
    lines: list[CreditedLine]
    taxes: list[Tax] | None


class Invoice(Answer):
    """Very long orders show their first lines only: `linesOmitted` says how many more there are. `taxes` are null for an order that was
    placed without any."""

    order_id: str
    customer_id: str | None
    invoice_number: str
    series: str
    number: int
    currency: str
    total_minor: int
    total: str
    total_exact: str
    issued_at: str
    supplied_at: str
    taxes: list[Tax] | None
    line_count: int
    lines_omitted: int
    lines: list[InvoiceLine]
    credit_notes: list[CreditNote]


class Invoices(Answer):
    order_id: str
    items: list[Invoice]
