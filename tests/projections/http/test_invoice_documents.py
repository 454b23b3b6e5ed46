"""Invoices as they were sent: in the form that was asked for, to who may see names, and only if they are what was issued."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from orderstore.domain import billing
from orderstore.invoicing.binding import bind
from orderstore.invoicing.reading import DocumentReader
from orderstore.invoicing.shelf import Shelf
from orderstore.objects import MemoryObjectStore
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from projections.http.auth import BearerTokens, Token, sha256_of
from projections.http.invoice_documents import wanted_kinds
from tests.ordering import PlainVault
from tests.projections.http.api import READER, TENANT, TOKENS, WRITER, Api, bearer, running
from tests.projections.http.stories import invoiced
from tests.workers.drawing import drawing_over

NUMBER = "INV-000001"
PATH = f"/invoices/{NUMBER}/document"
ACCOUNTS = "accounts-secret"
PDF, HTML = "application/pdf", "text/html"


class Office:
    """An API over stored documents."""

    def __init__(self, api: Api, objects: MemoryObjectStore, vault: PlainVault) -> None:
        self.api, self.objects, self.vault = api, objects, vault

    async def get(self, path: str = PATH, *, accept: str | None = None, token: str = ACCOUNTS) -> httpx.Response:
        headers = bearer(token) | ({} if accept is None else {"Accept": accept})
        self.api.client.headers.pop("accept", None)
        return await self.api.client.get(path, headers=headers)


@asynccontextmanager
async def office(*, stored: bool = True) -> AsyncIterator[Office]:
    store, vault, objects = MemoryEventStore(), PlainVault(), MemoryObjectStore()
    reading = Orders(
        Transactor(store, now_ms=lambda: 0), tenant=TENANT, vault=vault, hooks_allowed=False, now_ms=lambda: 0
    )
    documents = DocumentReader(reading, Shelf(objects, vault, tenant=TENANT))
    tokens = BearerTokens([*TOKENS, Token("accounts", sha256_of(ACCOUNTS), frozenset({"documents:read"}))])
    async with running(store=store, documents=documents, authentication=tokens) as api:
        order_id = await invoiced(api)
        if stored:
            from orderstore.invoicing.sellers import demonstration

            drawing = drawing_over(
                vault, objects, sellers=demonstration(invoices="INV", credit_notes="CN"), tenant=TENANT
            )
            renderings = await drawing.keep(await api.orders.load(order_id), NUMBER)
            await api.record(order_id, billing.store_documents, purpose="document", renderings=renderings)
        yield Office(api, objects, vault)


@pytest.mark.parametrize(
    ("accept", "kinds"),
    [
        (None, (PDF, HTML)),
        ("*/*", (PDF, HTML)),
        ("text/html", (HTML,)),
        ("application/pdf", (PDF,)),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", (HTML, PDF)),
        ("text/*;q=0.5, application/pdf;q=0.4", (HTML, PDF)),
        ("application/pdf;q=0, */*", (HTML,)),
        ("TEXT/HTML; charset=utf-8; q=0.1", (HTML,)),
        ("application/json", ()),
        ("*/*;q=0", ()),
        ("nonsense", ()),
    ],
)
def test_the_best_form_that_is_accepted_comes_first(accept: str | None, kinds: tuple[str, ...]) -> None:
    """RFC 9110, 12.5.1: the most specific range counts; the PDF where nothing else is said."""
    assert tuple(wanted_kinds(accept)) == kinds


async def test_a_document_is_shown_in_the_form_that_was_asked_for_and_noted() -> None:
    """With its hash, never cached, nothing in it may run; the log says who read which document, and nothing of what is in it."""
    async with office() as shown:
        pdf, page = await shown.get(), await shown.get(accept=HTML)
        assert (pdf.status_code, pdf.headers["content-type"], pdf.content[:4]) == (200, PDF, b"%PDF")
        assert pdf.headers["content-disposition"] == f'inline; filename="{NUMBER}.pdf"'
        assert (page.headers["content-type"], page.headers["cache-control"]) == ("text/html; charset=utf-8", "no-store")
        assert page.headers["document-sha256"] == sha256_of(page.text)
        assert "sandbox" in page.headers["content-security-policy"]
        assert page.headers["vary"] == "Accept"
        line = shown.api.logs.entries[-1]
        assert (line["principal"], line["document"]) == ("accounts", NUMBER)


@pytest.mark.parametrize("token", [READER, WRITER])
async def test_who_may_read_orders_may_not_see_names(token: str) -> None:
    """A document names its buyer: it takes a scope of its own."""
    async with office() as shown:
        refused = await shown.get(token=token)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "documents:read" in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("path", "accept", "status", "code"),
    [
        ("/invoices/INV-000002/document", None, 404, "unknown_invoice"),
        (f"/invoices/{NUMBER}/credit-notes/CN-000001/document", None, 404, "unknown_document"),
        (PATH, "application/json", 406, "not_acceptable"),
        ("/invoices/-/document", None, 400, "bad_parameter"),
    ],
)
async def test_what_is_not_there_is_said(path: str, accept: str | None, status: int, code: str) -> None:
    """Each by its own code."""
    async with office() as shown:
        answer = await shown.get(path, accept=accept)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_document_that_is_not_stored_yet_is_not_found() -> None:
    """It is drawn by billing, a moment after its number was given."""
    async with office(stored=False) as shown:
        answer = await shown.get()
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_document")


async def test_a_document_that_is_not_what_was_issued_is_never_shown() -> None:
    """Changed, or lost: 500 and a reason; with its key gone, 410."""
    async with office() as shown:
        contents: dict[str, Any] = shown.objects._contents
        (key,) = contents
        sealed = await shown.vault.seal_object("s", "p", bind({"application/pdf": b"%PDF of somebody else"}))
        kept, contents[key] = contents[key], sealed
        changed = await shown.get()
        assert (changed.status_code, changed.json()["code"]) == (500, "document_changed")
        assert "SHA-256" in changed.json()["detail"]
        del contents[key]
        lost = await shown.get()
        assert (lost.status_code, lost.json()["code"], "not there" in lost.json()["detail"]) == (
            500,
            "document_changed",
            True,
        )
        contents[key] = kept
        order_id = shown.api.logs.entries[-1]["orderId"]
        shown.vault.erased |= {f"fiscal:2026:guest:{order_id}"}
        gone = await shown.get(accept=HTML)
        assert (gone.status_code, gone.json()["code"]) == (410, "document_erased")


async def test_the_operations_are_described_with_both_forms() -> None:
    """And only where there is somebody who keeps documents."""
    async with office() as shown:
        paths = (await shown.api.get("/openapi.json", token=None)).json()["paths"]
        for path in (
            "/invoices/{invoiceNumber}/document",
            "/invoices/{invoiceNumber}/credit-notes/{creditNoteNumber}/document",
        ):
            operation = paths[path]["get"]
            assert sorted(operation["responses"]["200"]["content"]) == [PDF, HTML]
            assert {"404", "406", "410", "500"} <= set(operation["responses"])
            assert operation["security"] == [{"bearer": ["documents:read"]}]
    async with running() as bare:
        assert (await bare.get(PATH)).json()["code"] == "not_found"
