"""Whom an invoice was made out to: the one piece of personal data that the law has outlive an erasure.

Art. 226 (4) and (5) of Directive 2006/112/EC have an invoice name its customer with their address, and their VAT number where there is one;
Art. 17 (3)(b) GDPR keeps what the law demands for as long as it demands it. So these are sealed a second time when an invoice is issued,
under the fiscal key of the year of issue, and only for orders that are invoiced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from orderstore.domain.events import CreditNoteIssued, InvoiceIssued, OrderCreated, SealedText
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.subjects import fiscal_subject
from orderstore.privacy.words import Vault

# What of a contact an invoice shows. A phone number or an e-mail address it does not.
_SHOWN: Final = ("name", "address", "vatId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Whom a document is made out to, as far as it is known; `address` in lines, as it is printed."""

    name: str | None = None
    address: tuple[str, ...] = ()
    vat_id: str | None = None


class NoBuyer(Exception):
    """The invoice names nobody: the order came without a name, or its customer was erased before it was invoiced, or the invoice is older
    than buyers on invoices."""


async def seal_buyer(vault: Vault, order: OrderCreated, stream: str, *, year: int) -> SealedText | None:
    """Seal the buyer's name, address and VAT number, and nothing else of the contact, for an invoice that is issued in `year`. None when
    there is none of them.

    Raises:
        KeyUnusable, SealBroken: the contact or a key was tampered with.
        KeyErased: the fiscal key of that year is destroyed, which no command does before its time.
    """
    if order.contact is None:
        return None
    try:
        contact = orjson.loads(await vault.open(order.contact, stream))
    except KeyErased:
        return None
    shown = {name: contact[name] for name in _SHOWN if contact.get(name) is not None}
    if not shown:
        return None
    return await _seal(vault, order.contact.subject, stream, shown, year=year)


async def seal_buyer_again(
    vault: Vault, order: OrderCreated, invoice: InvoiceIssued, stream: str, *, year: int
) -> SealedText | None:
    """Seal the buyer of an order's invoice for a credit note that is issued in `year`: the customer may have been erased meanwhile, whom
    the invoice still names. None when it names nobody, or the time that the law has it kept is over.

    Raises KeyUnusable, SealBroken: the invoice's buyer or a key was tampered with.
    """
    if invoice.buyer is None or order.contact is None:
        return None
    try:
        shown = orjson.loads(await vault.open(invoice.buyer, buyer_purpose(stream)))
    except KeyErased:
        return None
    return await _seal(vault, order.contact.subject, stream, shown, year=year)


async def open_buyer(vault: Vault, document: InvoiceIssued | CreditNoteIssued, stream: str) -> Buyer:
    """Whom the document was made out to.

    Raises:
        NoBuyer: it names nobody.
        KeyErased: the time that the law has it kept is over.
        KeyUnusable, SealBroken: it was tampered with.
    """
    if document.buyer is None:
        raise NoBuyer(f"{_number(document)} names no buyer")
    shown = orjson.loads(await vault.open(document.buyer, buyer_purpose(stream)))
    return Buyer(name=shown.get("name"), address=_address(shown.get("address")), vat_id=shown.get("vatId"))


async def _seal(vault: Vault, customer: str, stream: str, shown: Mapping[str, Any], *, year: int) -> SealedText:
    return await vault.seal(fiscal_subject(customer, year), buyer_purpose(stream), orjson.dumps(shown))


def _address(kept: Mapping[str, Any] | None) -> tuple[str, ...]:
    """In the order of most countries: street, then postal code and town, then region, then country."""
    if kept is None:
        return ()
    town = " ".join(part for part in (kept.get("postalCode"), kept["city"]) if part)
    return (*kept["lines"], town, *(part for part in (kept.get("region"), kept["country"]) if part))


def _number(document: InvoiceIssued | CreditNoteIssued) -> str:
    if isinstance(document, InvoiceIssued):
        return f"invoice {document.invoice_number}"
    return f"credit note {document.credit_note_number}"


def buyer_purpose(stream: str) -> str:
    """What a buyer is sealed for: this order's invoices and credit notes."""
    return f"{stream}/buyer"
