"""Stored documents: drawn from the log, sealed, written once, held to their hash, and gone when the law lets their key go."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from orderstore.domain import billing, decisions
from orderstore.domain.billing_facts import InvoiceDocumentStored
from orderstore.domain.events import Pieces, RefundIssued
from orderstore.history import History
from orderstore.invoicing.documents import Grace
from orderstore.invoicing.drawing import Drawing, NoDocument, document_of, paper_of
from orderstore.invoicing.paper import Paper
from orderstore.invoicing.reading import NotStored, read_document
from orderstore.invoicing.rendering.html import render_html
from orderstore.invoicing.rendering.pdf import CannotBeSet
from orderstore.invoicing.sellers import UnknownSeries, demonstration
from orderstore.invoicing.shelf import DocumentChanged, DocumentMissing, Shelf, place_of
from orderstore.invoicing.stored import check_stored
from orderstore.objects import MemoryObjectStore
from orderstore.orders import placed
from orderstore.privacy.keys import KeyErased
from orderstore.recorded import Recorded
from tests.builders import NOON
from tests.orderstore.privacy.shop import EMAIL, NAME, TENANT, Shop
from tests.virtual_time import run_virtual
from tests.workers.world import Crash, Faults

NUMBER = "INV-2026-000001"
KEY = f"documents/{TENANT}/INV-2026/{NUMBER}.zip"
ADDRESS = {"lines": ["12 St James's Square"], "postalCode": "SW1Y 4JH", "city": "London", "country": "GB"}
GRACE = Grace(until=NOON.replace(year=9_000))


class Office:
    """A shop, and who draws its documents."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        self.shop = Shop()
        self.objects = MemoryObjectStore()
        self.unsettable = False
        self.faults = faults or Faults()
        self.shelf = Shelf(self.faults.wrap("objects", self.objects), self.shop.sealer, tenant=TENANT)
        self.drawing = Drawing(
            shelf=self.shelf,
            vault=self.shop.sealer,
            sellers=demonstration(invoices="INV", credit_notes="CN"),
            set_pdf=self._set,
        )

    async def _set(self, paper: Paper) -> bytes:
        if self.unsettable:
            raise CannotBeSet("no font")
        return b"%PDF " + render_html(paper)

    async def invoiced(self, **changes: Any) -> History:
        order_id = await self.shop.place(**{"customerAddress": ADDRESS, "customerVatId": "GB123456789", **changes})
        await self.shop.fulfil(order_id)
        return await self.shop.orders.load(order_id)

    async def kept(self, **changes: Any) -> History:
        """The order, as the log tells of it once its invoice's renderings are stored."""
        history = await self.invoiced(**changes)
        return told(history, await self.drawing.keep(history, NUMBER))


def told(history: History, stored: tuple[InvoiceDocumentStored, ...]) -> History:
    last = history.events[-1]
    return of(history, (*history.events, *(msgspec.structs.replace(last, event=event) for event in stored)))


def of(history: History, events: Sequence[Recorded]) -> History:
    return replace(history, events=tuple(events), version=len(events))


def test_an_invoice_is_kept_in_both_forms_and_read_back_as_it_was_drawn() -> None:
    """Under tenant, series and number; the hash and the size are those of what people read."""

    async def scenario() -> None:
        office = Office()
        history = await office.kept()
        pdf, html = await office.drawing.keep(history, NUMBER)
        assert (pdf.object_key, pdf.media_type, pdf.document, pdf.number) == (KEY, "application/pdf", "invoice", NUMBER)
        assert html.object_key == KEY
        assert list(office.objects._contents) == [KEY]
        for stored in (pdf, html):
            found = await read_document(office.shelf, history, NUMBER, [stored.media_type])
            assert (hashlib.sha256(found.content).hexdigest(), len(found.content)) == (stored.sha256, stored.size)
            assert found.sha256 == stored.sha256
        page = (await read_document(office.shelf, history, NUMBER, ["text/html"])).content.decode()
        for told_of in (NAME, "12 St James&#39;s Square", "SW1Y 4JH London", "GB123456789", NUMBER, "900.00"):
            assert told_of in page
        assert EMAIL not in page

    run_virtual(scenario)


def test_what_lies_in_the_bucket_tells_nothing() -> None:
    """No name, no address, no total: only with the key, and only at its own place."""

    async def scenario() -> None:
        office = Office()
        history = await office.kept()
        sealed = office.objects._contents[KEY]
        for secret in (NAME.encode(), b"900.00", b"%PDF", b"document.pdf"):
            assert secret not in sealed
        place = _place(history)
        elsewhere = replace(place, number="INV-2026-000002")  # another document, sealed for the same person
        await office.shelf.put(elsewhere, {"text/html": b"900.00"})
        office.objects._contents[KEY] = office.objects._contents[office.shelf.key_of(elsewhere)]
        with pytest.raises(DocumentChanged, match="does not open"):
            await read_document(office.shelf, history, NUMBER, ["text/html"])

    run_virtual(scenario)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_number_and_document_costs_neither(after: bool) -> None:
    """Whoever looks next draws the same document; what was stored before the crash is not written twice."""  # domain 5.5-5

    async def scenario() -> None:
        office = Office(faults=Faults(at=1, after=after))
        history = await office.invoiced()
        with pytest.raises(Crash):
            await office.drawing.keep(history, NUMBER)
        before = dict(office.objects._contents)
        stored = await office.drawing.keep(history, NUMBER)
        assert list(office.objects._contents) == [KEY]
        assert bool(before) is after
        assert all(office.objects._contents[key] == content for key, content in before.items())
        for found in stored:
            assert await office.shelf.get(_place(history), found)
        assert [event.name for event in history.events].count("InvoiceIssued") == 1

    run_virtual(scenario)


def _place(history: History) -> Any:
    return place_of(history.stream, placed(history).order, document_of(history, NUMBER))


def test_what_was_stored_first_stays_also_when_the_template_changed_since() -> None:
    """No object is ever written twice: the event tells of what lies there, not of what would be drawn today."""

    async def scenario() -> None:
        office = Office()
        history = await office.invoiced()
        first = await office.drawing.keep(history, NUMBER)
        changed = replace(office.drawing, sellers=demonstration(invoices="INV", credit_notes="CN"), set_pdf=_other)
        assert await changed.keep(history, NUMBER) == first

    async def _other(_paper: Paper) -> bytes:
        return b"%PDF of another template"

    run_virtual(scenario)


def test_a_text_that_no_font_has_is_stored_as_html_alone_and_told() -> None:
    """The order's events say which forms there are; a document of a form that is not there is not found."""

    async def scenario() -> None:
        office = Office()
        office.unsettable = True
        history = await office.kept(customerName="太郎")
        assert list(office.objects._contents) == [KEY]
        found = await read_document(office.shelf, history, NUMBER, ["application/pdf", "text/html"])
        assert found.media_type == "text/html"
        with pytest.raises(NotStored, match="only as text/html"):
            await read_document(office.shelf, history, NUMBER, ["application/pdf"])
        checked = await check_stored(office.shelf, history, grace=GRACE)
        assert (checked.sound, checked.without_pdf, checked.wrong) == (1, [NUMBER], [])

    run_virtual(scenario)


def test_documents_outlive_an_erasure_and_end_with_the_fiscal_key() -> None:
    """Art. 17 (3)(b) GDPR: as long as the law asks for them, and then nobody can read them any more."""  # domain 5.5-14

    async def scenario() -> None:
        office = Office()
        history = await office.kept()
        await office.shop.keys.erase("customer:c-1")
        assert NAME.encode() in (await read_document(office.shelf, history, NUMBER, ["text/html"])).content
        await office.shop.keys.erase("fiscal:2026:customer:c-1")
        with pytest.raises(KeyErased):
            await read_document(office.shelf, history, NUMBER, ["text/html"])
        checked = await check_stored(office.shelf, history, grace=GRACE)
        assert (checked.expired, checked.wrong) == (2, [])

    run_virtual(scenario)


def test_what_is_lost_changed_or_never_stored_is_found() -> None:
    """By who reads it, and by who verifies everything."""

    async def scenario() -> None:
        office = Office()
        history = await office.kept()
        sound = await check_stored(office.shelf, history, grace=GRACE)
        assert (sound.sound, sound.wrong) == (2, [])

        pdf, html = (event for event in history.events[-2:])
        forged_pdf = msgspec.structs.replace(pdf, event=replace(pdf.event, sha256="0" * 64))
        forged = of(history, (*history.events[:-2], forged_pdf, html))
        with pytest.raises(DocumentChanged, match="another SHA-256"):
            await read_document(office.shelf, forged, NUMBER, ["application/pdf"])
        assert (await check_stored(office.shelf, forged, grace=GRACE)).wrong == [
            ("document_changed", f"{NUMBER} (application/pdf)")
        ]

        content = office.objects._contents[KEY]
        for broken in (content[:-1] + bytes([content[-1] ^ 1]), content[:20], b""):
            office.objects._contents[KEY] = broken
            with pytest.raises(DocumentChanged):
                await read_document(office.shelf, history, NUMBER, ["application/pdf"])
        del office.objects._contents[KEY]
        with pytest.raises(DocumentMissing):
            await read_document(office.shelf, history, NUMBER, ["application/pdf"])
        assert (await check_stored(office.shelf, history, grace=GRACE)).wrong == [
            ("document_missing", f"{NUMBER} (application/pdf)"),
            ("document_missing", f"{NUMBER} (text/html)"),
        ]

        bare = of(history, history.events[:-2])
        assert (await check_stored(office.shelf, bare, grace=GRACE)).wrong == [("not_stored", NUMBER)]
        assert (await check_stored(office.shelf, bare, grace=Grace(until=NOON.replace(year=2000)))).wrong == []

    run_virtual(scenario)


def test_a_credit_note_is_drawn_too_with_the_seller_of_its_invoice() -> None:
    """And no document that the log does not have."""

    async def scenario() -> None:
        office = Office()
        history = await office.invoiced()
        order_id = history.events[0].order_id
        refund = partial(decisions.request_refund, refund_id="r-1", lines=(_pieces(1, 1),), reason=None)
        await office.shop.record(order_id, "refund", refund)
        await office.shop.record(order_id, "refunded", _issue_refund)
        note = partial(billing.issue_credit_note, refund_id="r-1", series="CN-2026", number=7, issued_at=NOON)
        await office.shop.record(order_id, "note", note)
        history = await office.shop.orders.load(order_id)

        paper = await paper_of(history, "CN-2026-000007", sellers=office.drawing.sellers, vault=office.shop.sealer)
        assert paper.corrects is not None
        assert (paper.corrects.number, paper.total, paper.rows[0].quantity) == (NUMBER, "25.00", "1")
        _, html = await office.drawing.keep(history, "CN-2026-000007")
        assert (html.document, html.object_key) == ("credit_note", f"documents/{TENANT}/CN-2026/CN-2026-000007.zip")
        with pytest.raises(NoDocument, match="INV-2026-000002"):
            await office.drawing.keep(history, "INV-2026-000002")
        with pytest.raises(UnknownSeries, match="INV"):
            await paper_of(
                history, NUMBER, sellers=demonstration(invoices="SHOP", credit_notes="CN"), vault=office.shop.sealer
            )

    run_virtual(scenario)


def _pieces(line: int, quantity: int) -> Any:
    return Pieces(line=line, quantity=quantity)


def _issue_refund(state: Any) -> Any:
    (refund,) = state.payment.refunds
    return (RefundIssued(refund_id="r-1", amount_minor=refund.amount_minor, provider_reference="re_1"),)
