"""The papers of an order, drawn from its log, and their renderings, kept on the shelf. Whoever looks at an order next can do it: the number
was given before, and the same log draws the same paper.

    NoDocument    the order's log has no document with this number
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from orderstore.domain import events as e
from orderstore.domain.billing_facts import InvoiceDocumentStored, MediaType
from orderstore.domain.shares import taken_before_refund
from orderstore.domain.state import NotPlaced
from orderstore.history import History
from orderstore.invoicing.paper import Paper, credit_note_paper, invoice_paper
from orderstore.invoicing.rendering.html import render_html
from orderstore.invoicing.rendering.pdf import CannotBeSet
from orderstore.invoicing.sellers import Sellers
from orderstore.invoicing.shelf import Shelf, place_of
from orderstore.privacy.buyers import Buyer, NoBuyer, open_buyer
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.words import Vault

SetPdf = Callable[[Paper], Awaitable[bytes]]
"""Raises CannotBeSet."""


class NoDocument(Exception):
    """The order's log has no document with this number."""


def document_of(history: History, number: str) -> e.InvoiceIssued | e.CreditNoteIssued:
    """The document as it was issued. Raises NoDocument."""
    for recorded in history.events:
        match recorded.event:
            case e.InvoiceIssued(invoice_number=found) | e.CreditNoteIssued(credit_note_number=found) if (
                found == number
            ):
                return recorded.event
    raise NoDocument(f"the order's log has no document {number}")


async def paper_of(history: History, number: str, *, sellers: Sellers, vault: Vault) -> Paper:
    """What the document says. Raises NoDocument, UnknownSeries, KeyUnusable, SealBroken."""
    document = document_of(history, number)
    state = history.state
    if isinstance(state, NotPlaced):
        raise NoDocument(f"there is no order, and so no {number}")
    buyer = await _buyer(vault, document, history.stream)
    if isinstance(document, e.InvoiceIssued):
        seller = sellers.of_invoice(document.series).seller
        return invoice_paper(state, document, seller=seller, buyer=buyer)
    invoice = document_of(history, document.invoice_number)
    if not isinstance(invoice, e.InvoiceIssued):
        raise NoDocument(f"{document.invoice_number} is no invoice")
    refund = next(refund for refund in state.payment.refunds if refund.refund_id == document.refund_id)
    return credit_note_paper(
        state.order,
        document,
        invoice=invoice,
        before=taken_before_refund(state, refund),
        seller=sellers.of_invoice(invoice.series).seller,
        buyer=buyer,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Draws documents and keeps their renderings."""

    shelf: Shelf
    vault: Vault
    sellers: Sellers
    set_pdf: SetPdf

    async def keep(self, history: History, number: str) -> tuple[InvoiceDocumentStored, ...]:
        """Draw a document and store its renderings: the PDF, unless no font has its characters, and the HTML. Doing it again stores
        nothing twice, and answers with what is stored.

        Raises StoreError, NoDocument, UnknownSeries, KeyErased, KeyUnusable, SealBroken, DocumentChanged.
        """
        document = document_of(history, number)
        paper = await paper_of(history, number, sellers=self.sellers, vault=self.vault)
        state = history.state
        if isinstance(state, NotPlaced):
            raise NoDocument(f"there is no order, and so no {number}")
        place = place_of(history.stream, state.order, document)
        renderings: dict[MediaType, bytes] = {"text/html": render_html(paper)}
        with suppress(CannotBeSet):
            renderings["application/pdf"] = await self.set_pdf(paper)
        return await self.shelf.put(place, renderings)


async def _buyer(vault: Vault, document: e.InvoiceIssued | e.CreditNoteIssued, stream: str) -> Buyer | None:
    try:
        return await open_buyer(vault, document, stream)
    except (NoBuyer, KeyErased):
        return None
