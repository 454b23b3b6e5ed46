"""Whom an invoice was made out to: the one piece of personal data that the law has outlive an erasure.

Art. 226 (5) of Directive 2006/112/EC has an invoice name its customer, and Art. 17 (3)(b) GDPR keeps what the law demands for as long as
it demands it. So the name is sealed a second time when an invoice is issued, under the fiscal key of the year of issue, and only for
orders that are invoiced.
"""

import orjson

from orderstore.domain.events import InvoiceIssued, OrderCreated, SealedText
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.subjects import fiscal_subject
from orderstore.privacy.words import Vault


class NoBuyer(Exception):
    """The invoice names nobody: the order came without a name, or its customer was erased before it was invoiced, or the invoice is older
    than buyers on invoices."""


async def seal_buyer(vault: Vault, order: OrderCreated, stream: str, *, year: int) -> SealedText | None:
    """Seal the buyer's name, and nothing else of the contact, for an invoice that is issued in `year`. None when there is no name.

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
    name = contact.get("name")
    if name is None:
        return None
    return await _seal(vault, order.contact.subject, stream, name, year=year)


async def seal_buyer_again(
    vault: Vault, order: OrderCreated, invoice: InvoiceIssued, stream: str, *, year: int
) -> SealedText | None:
    """Seal the name on an order's invoice for a credit note that is issued in `year`: the customer may have been erased meanwhile, whom
    the invoice still names. None when it names nobody, or the time that the law has it kept is over.

    Raises KeyUnusable, SealBroken: the invoice's buyer or a key was tampered with.
    """
    if invoice.buyer is None or order.contact is None:
        return None
    try:
        name = await open_buyer(vault, invoice, stream)
    except KeyErased:
        return None
    return await _seal(vault, order.contact.subject, stream, name, year=year)


async def open_buyer(vault: Vault, invoice: InvoiceIssued, stream: str) -> str:
    """The name of whom the invoice was made out to.

    Raises:
        NoBuyer: it names nobody.
        KeyErased: the time that the law has it kept is over.
        KeyUnusable, SealBroken: it was tampered with.
    """
    if invoice.buyer is None:
        raise NoBuyer(f"invoice {invoice.invoice_number} names no buyer")
    name: str = orjson.loads(await vault.open(invoice.buyer, buyer_purpose(stream)))["name"]
    return name


async def _seal(vault: Vault, customer: str, stream: str, name: str, *, year: int) -> SealedText:
    return await vault.seal(fiscal_subject(customer, year), buyer_purpose(stream), orjson.dumps({"name": name}))


def buyer_purpose(stream: str) -> str:
    """What a buyer is sealed for: this order's invoices and credit notes."""
    return f"{stream}/buyer"
