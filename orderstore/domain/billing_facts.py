"""What billing writes down: documents with a number of their own, which are never changed and never taken back. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orderstore.domain.price_facts import TaxAmount
from orderstore.domain.values import Pieces, SealedText


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceIssued:
    """The invoice has its number, gap-free in its series; its lines are those of the order. `buyer` is whom it was made out to, sealed
    under the fiscal key of the year of issue; None when nobody's name is known (any more)."""

    series: str
    number: int
    invoice_number: str
    total_minor: int
    currency: str
    issued_at: datetime
    supplied_at: datetime
    buyer: SealedText | None = None
    taxes: tuple[TaxAmount, ...] | None = None
    """By rate; None: the order was placed without taxes."""
    lines: tuple[Pieces, ...] = ()
    """What of the order it is for; (): everything that was ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteIssued:
    """What a refund takes back of an invoice, with a number gap-free in a series of its own. It names its invoice "specifically and
    unambiguously", as Art. 219 of Directive 2006/112/EC asks of a document that corrects one. `lines` are the pieces that the refund was
    for; () when it was for none in particular. `buyer` is sealed as the invoice's is, under the fiscal key of this document's year."""

    series: str
    number: int
    credit_note_number: str
    invoice_number: str
    refund_id: str
    total_minor: int
    currency: str
    issued_at: datetime
    lines: tuple[Pieces, ...] = ()
    buyer: SealedText | None = None
    taxes: tuple[TaxAmount, ...] | None = None
    """What of the invoice's is taken back, by rate; None: the invoice has none."""


DocumentKind = Literal["invoice", "credit_note"]
MediaType = Literal["application/pdf", "text/html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDocumentStored:
    """A rendering of an invoice or a credit note lies in the object store under `object_key`, sealed, written once and for ever. `number`
    is the document's as it is printed; `sha256` (in hex) and `size` (in bytes) are those of the rendering as it is read, unsealed."""

    number: str
    document: DocumentKind
    media_type: MediaType
    object_key: str
    sha256: str
    size: int
