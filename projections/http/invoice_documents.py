"""Invoices and credit notes as people see them: the stored PDF or HTML. They name their buyers, so they ask for a scope of their own, and
the log's line of the request says which document was read by whom."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path
from starlette.requests import Request
from starlette.responses import Response

from orderstore.domain.billing_facts import MediaType
from orderstore.invoicing.drawing import NoDocument
from orderstore.invoicing.reading import DocumentReader, NotStored
from orderstore.invoicing.shelf import DocumentError
from orderstore.privacy.keys import KeyErased, KeyUnusable
from projections.http.auth import DocumentsUser
from projections.http.described import READ_PROBLEMS, answers
from projections.http.notes import note_order
from projections.http.places import InvoiceNumber
from projections.http.problems import Problem
from projections.http.services import Services, ServicesOf

KINDS: Final[tuple[MediaType, ...]] = ("application/pdf", "text/html")
_RANGE: Final = re.compile(r"\s*([^\s;,/]+/[^\s;,/]+)\s*((?:;[^,]*)?)")
_QUALITY: Final = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)
_PROBLEMS: Final = (
    "bad_parameter",
    "unknown_invoice",
    "unknown_document",
    "not_acceptable",
    "document_erased",
    "document_changed",
    *READ_PROBLEMS,
)

Accept = Annotated[
    str | None, Header(max_length=1024, description="`application/pdf` (which is preferred) or `text/html`.")
]
CreditNoteNumber = Annotated[
    str, Path(alias="creditNoteNumber", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["CN-2026-000001"])
]


def add_routes(router: APIRouter) -> None:
    """Two places: an invoice, and a credit note on it."""
    for path, endpoint, what in (
        ("/invoices/{invoiceNumber}/document", get_invoice_document, "An invoice, as it was sent"),
        (
            "/invoices/{invoiceNumber}/credit-notes/{creditNoteNumber}/document",
            get_credit_note_document,
            "A credit note on an invoice, as it was sent",
        ),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            tags=["invoices"],
            summary=what,
            response_class=Response,
            responses=_answers(),
        )


async def get_invoice_document(
    request: Request, _reader: DocumentsUser, number: InvoiceNumber, services: ServicesOf, accept: Accept = None
) -> Response:
    """What was stored when it was issued, held to the SHA-256 in the log."""
    return await _document(request, services, number, number, accept)


async def get_credit_note_document(
    request: Request,
    _reader: DocumentsUser,
    number: InvoiceNumber,
    note: CreditNoteNumber,
    services: ServicesOf,
    accept: Accept = None,
) -> Response:
    """What was stored when it was issued, held to the SHA-256 in the log."""
    return await _document(request, services, number, note, accept)


async def _document(request: Request, services: Services, invoice: str, number: str, accept: str | None) -> Response:
    wanted = wanted_kinds(accept)
    if not wanted:
        raise Problem("not_acceptable", f"a document is {' or '.join(KINDS)}")
    shown = await services.views.invoice(invoice)
    if shown is None:
        raise Problem("unknown_invoice", f"the view has no invoice {invoice}")
    note_order(request, shown["orderId"])
    request.state.notes["document"] = number
    try:
        found = await _reader(services).read(shown["orderId"], number, wanted)
    except NoDocument as error:
        raise Problem("unknown_document", f"{number} is no document of the order of {invoice}") from error
    except NotStored as error:
        raise Problem("unknown_document", str(error)) from error
    except KeyErased as error:
        raise Problem("document_erased", "its key was destroyed: nobody can read it any more") from error
    except (DocumentError, KeyUnusable) as error:
        raise Problem("document_changed", str(error)) from error
    return Response(
        found.content,
        media_type="text/html; charset=utf-8" if found.media_type == "text/html" else found.media_type,
        headers={
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "Content-Disposition": f'inline; filename="{number}.{"pdf" if found.media_type == "application/pdf" else "html"}"',
            "Document-SHA256": found.sha256,
            "Vary": "Accept",
        },
    )


def wanted_kinds(accept: str | None) -> Sequence[MediaType]:
    """The kinds that an `Accept` header takes, the best first; the PDF before the HTML where it does not say (RFC 9110, 12.5.1)."""
    if accept is None or not accept.strip():
        return KINDS
    quality = {kind: _quality_of(kind, accept) for kind in KINDS}
    return sorted((kind for kind in KINDS if quality[kind] > 0), key=lambda kind: -quality[kind])


def _quality_of(kind: MediaType, accept: str) -> float:
    """Of the most specific range that fits."""
    family = kind.partition("/")[0]
    best, quality = 0, 0.0
    for media, parameters in _RANGE.findall(accept):
        rank = {kind: 3, f"{family}/*": 2, "*/*": 1}.get(media.lower(), 0)
        if rank > best:
            given = _QUALITY.search(parameters)
            best, quality = rank, float(given[1]) if given else 1.0
    return quality


def _reader(services: Services) -> DocumentReader:
    if services.documents is None:  # add_routes is only called where there is one
        raise Problem("not_found", "this API has no documents")
    return services.documents


def _answers() -> dict[int | str, dict[str, Any]]:
    headers = {"Document-SHA256": "Of the document's bytes, in hex, as the log has it."}
    described = answers(200, None, "The document.", _PROBLEMS, headers=headers)
    schema = {"schema": {"type": "string", "format": "binary"}}
    described[200]["content"] = {"application/pdf": schema, "text/html": {"schema": {"type": "string"}}}
    return described
