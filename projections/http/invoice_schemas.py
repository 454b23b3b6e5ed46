"""The shapes of invoices and credit notes, for the OpenAPI document. A test holds each real answer to these."""

from orderstore.domain.price_facts import TaxMode
from projections.http.schemas import Answer


class Priced(Answer):
    """What is payable for the line, or for shipping, in minor units: net and tax, after `discountMinor` was taken off (its own, and its
    share of the order's)."""

    net_minor: int
    tax_minor: int
    tax_rate_percent: str
    discount_minor: int


class InvoiceLine(Answer):
    """`line` is the order's line (0-based); pieces that were cancelled before the invoice are not in it. `amount` is quantity x unit price,
    exactly. `priced` is null for an order that was placed without taxes."""

    line: int
    sku: str
    description: str
    quantity: int
    unit_price: str
    amount: str
    priced: Priced | None


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
    """What a refund takes back of the invoice; `lines` are empty when it was for no piece in particular, and `linesOmitted` says how many
    more there are. `taxes` are null where the invoice has none."""

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
    lines_omitted: int
    taxes: list[Tax] | None


class Invoice(Answer):
    """Very long orders show their first lines only: `linesOmitted` says how many more there are, as `creditNotesOmitted` does of credit
    notes. `taxes`, `taxMode` and `shipping` are null for an order that was placed without any."""

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
    tax_mode: TaxMode | None
    shipping: Priced | None
    line_count: int
    lines_omitted: int
    lines: list[InvoiceLine]
    credit_notes: list[CreditNote]
    credit_notes_omitted: int


class Invoices(Answer):
    order_id: str
    items: list[Invoice]
