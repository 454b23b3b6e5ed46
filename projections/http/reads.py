"""The operations that answer questions: from the views, or from the log where it is asked for."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orderstore.audit.moments import Moment
from orderstore.audit.time_travel import prefix_at
from orderstore.recorded import Recorded
from projections.answers import past
from projections.answers.fresh_reads import Shown, Source
from projections.answers.ports import Document
from projections.answers.publication import Publication
from projections.http import documents, invoice_schemas, order_schemas, schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Reader
from projections.http.conditional import IfNoneMatch, etag_of, has, not_modified
from projections.http.described import READ_PROBLEMS, answers
from projections.http.notes import note_order
from projections.http.places import (
    ChangesQuery,
    EventsQuery,
    InvoiceNumber,
    InvoicesQuery,
    OrderAsked,
    OrderIdOf,
    OrderQuery,
    OrdersQuery,
    SaidOnce,
)
from projections.http.problems import Problem
from projections.http.services import Services, ServicesOf

_HINT: Final = (
    "the view follows the log: an order placed a moment ago may only be there with ?minCommit=<the commit of its write's answer>, "
    "or with ?consistency=strong"
)
_SOURCE: Final = "Where it was read: `view`, or `log`."
_COMMIT: Final = "The commit that the answer shows."
_UNCHANGED: Final = (
    "The order is at the version of `If-None-Match`, and all of it has been published: nothing that the client waits for is hidden "
    "by this answer. (What is still to be published is answered 200.)"
)


def add_routes(router: APIRouter) -> None:
    """The six questions."""
    router.add_api_route(
        "/orders/{orderId}",
        get_order,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="Where an order stands, or stood at a moment of its past",
        responses=answers(
            200,
            order_schemas.OrderStatus | order_schemas.OrderStatusThen,
            "The order's status; with `asOf` or `atCommit`, what it was.",
            ("bad_parameter", "unknown_order", "not_begun", "unknown_commit", *READ_PROBLEMS),
            headers={
                "ETag": 'The order\'s version, as `"7"`. It is not moved by `publication` alone.',
                "Order-Source": _SOURCE,
                "Order-Commit": _COMMIT,
            },
            unchanged=_UNCHANGED,
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/changes",
        list_changes,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="What changed in an order between two moments",
        responses=answers(
            200,
            schemas.Changes,
            f"The fields that differ, who changed them, and the first {documents.EVENTS_SHOWN_MAX} events that lie between.",
            ("bad_parameter", "unknown_order", "unknown_commit", *READ_PROBLEMS),
        ),
    )
    router.add_api_route(
        "/orders",
        list_orders,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="A customer's orders",
        responses=answers(
            200, order_schemas.OrdersPage, "One page, newest first.", ("bad_parameter", "bad_cursor", *READ_PROBLEMS)
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/events",
        list_events,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="What happened to an order, and who did it",
        responses=answers(
            200,
            schemas.EventsPage,
            "One page of the log itself, oldest first, without personal data.",
            ("bad_parameter", "unknown_order", *READ_PROBLEMS),
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/invoices",
        list_invoices,
        methods=["GET"],
        tags=["invoices"],
        dependencies=[SaidOnce],
        summary="The invoices of an order",
        responses=answers(
            200,
            invoice_schemas.Invoices,
            "All of them, oldest first.",
            ("bad_parameter", "unknown_order", "unknown_commit", *READ_PROBLEMS),
            headers={"Order-Source": _SOURCE, "Order-Commit": f"{_COMMIT} Only with `minCommit`."},
        ),
    )
    router.add_api_route(
        "/invoices/{invoiceNumber}",
        get_invoice,
        methods=["GET"],
        tags=["invoices"],
        summary="An invoice by its number",
        responses=answers(
            200, invoice_schemas.Invoice, "The invoice.", ("bad_parameter", "unknown_invoice", *READ_PROBLEMS)
        ),
    )


async def get_order(
    _reader: Reader, order_id: OrderIdOf, asked: OrderQuery, services: ServicesOf, known: IfNoneMatch
) -> Response:
    """Status, payment, stock, shipment, and whether all that is known has been published.

    With `asOf` or `atCommit`: the same as it stood then, folded from the log, without a word on publication. As of a time, that
    is everything up to the first commit with a later clock: an event is never older than what it follows from.
    """
    moment = asked.moment()
    if moment is not None:
        return await _order_then(services, order_id, moment, known)
    shown = await _shown(services, order_id, asked)
    if shown is None:
        raise Problem("unknown_order", f"the view has no order {order_id}", extra={"hint": _HINT})
    publication = await services.publication()
    version = shown.answer["version"]
    headers = {"ETag": etag_of(version), **_origin(shown.source, shown.commit)}
    if has(known, version) and publication.is_complete(shown.answer):
        return not_modified(headers)
    return JsonAnswer(documents.order_document(shown.answer, publication), headers=headers)


async def _shown(services: Services, order_id: str, asked: OrderAsked) -> Shown[Document] | None:
    """The order as it stands, from where it was asked for; None when the view has none. Raises CommitAhead."""
    document: Document | None
    if asked.consistency == "strong":
        events = (await services.orders.load(order_id)).events
        past.check_has(events, asked.min_commit or 0)
        document = past.document_of(events)
        return None if document is None else Shown(document, document["commit"], "log")
    if asked.min_commit is not None:
        return await services.fresh.order(order_id, commit=asked.min_commit, wait_s=asked.wait_s)
    document = await services.views.order_status(order_id)
    return None if document is None else Shown(document, document["commit"], "view")


def _origin(source: Source, commit: int | None = None) -> dict[str, str]:
    return {"Order-Source": source} | ({} if commit is None else {"Order-Commit": str(commit)})


async def _order_then(services: ServicesOf, order_id: str, moment: Moment, known: frozenset[str]) -> Response:
    """The order at a moment. What it was never changes, so that here the tag alone decides."""
    events = (await services.orders.load(order_id)).events
    then = prefix_at(events, moment)
    document = past.document_of(then.events)
    if document is None:
        began = documents.place_document(events[0])
        detail = f"at {moment} the order was not placed yet: it began with commit 1, recorded {began['recordedAt']}"
        raise Problem("not_begun", detail, extra={"began": began})
    headers = {"ETag": etag_of(then.version), **_origin("log", then.commit)}
    if has(known, then.version):
        return not_modified(headers)
    return JsonAnswer(documents.past_document(document, then), headers=headers)


async def list_changes(_reader: Reader, order_id: OrderIdOf, asked: ChangesQuery, services: ServicesOf) -> Response:
    """From the log. A field that changed and changed back does not differ; `events` tells of it."""
    old, new = asked.moments()
    events = (await services.orders.load(order_id)).events
    return JsonAnswer(documents.changes_document(order_id, past.changes(events, old, new)))


async def list_orders(_reader: Reader, asked: OrdersQuery, services: ServicesOf) -> Response:
    """From the view: an order placed a moment ago may be missing. `nextCursor` is null on the last page."""
    page = await services.views.orders_of_customer(asked.customer_id, asked.cursor, asked.limit)
    publication = await services.publication()
    items = [documents.order_document(item, publication) for item in page.items]
    return JsonAnswer({"items": items, "nextCursor": page.next_cursor})


async def list_events(_reader: Reader, order_id: OrderIdOf, asked: EventsQuery, services: ServicesOf) -> Response:
    """From the log, strongly consistent; with filters, only the events that pass every one of them. `nextAfter` is null when there is
    nothing more, and is the version to go on after, whatever the filters."""
    wanted = asked.wanted()
    publication = await services.publication()
    events = (await services.orders.load(order_id)).events[asked.after :]  # versions count from 1 without holes
    shown: list[Recorded] = []
    for recorded in filter(wanted.admits, events):
        if len(shown) == asked.limit:
            return _events_page(order_id, shown, publication, next_after=shown[-1].version)
        shown.append(recorded)
    return _events_page(order_id, shown, publication, next_after=None)


def _events_page(
    order_id: str, shown: Sequence[Recorded], publication: Publication, *, next_after: int | None
) -> Response:
    items = [documents.listed_event(recorded, publication) for recorded in shown]
    return JsonAnswer({"orderId": order_id, "items": items, "nextAfter": next_after})


async def list_invoices(_reader: Reader, order_id: OrderIdOf, asked: InvoicesQuery, services: ServicesOf) -> Response:
    """From the view. An order that is not invoiced yet has an empty list; with `minCommit`, it had none at that commit either."""
    asked.check_wait()
    if asked.min_commit is not None:
        shown = await services.fresh.invoices(order_id, commit=asked.min_commit, wait_s=asked.wait_s)
        return _invoices(order_id, shown.answer, _origin(shown.source, shown.commit))
    seen = await services.views.order_and_invoices(order_id)
    if not seen.invoices and seen.status is None:
        raise Problem("unknown_order", f"the view has no order {order_id}", extra={"hint": _HINT})
    return _invoices(order_id, seen.invoices, _origin("view"))


def _invoices(order_id: str, invoices: Sequence[Document], headers: dict[str, str]) -> Response:
    return JsonAnswer({"orderId": order_id, "items": list(invoices)}, headers=headers)


async def get_invoice(request: Request, _reader: Reader, number: InvoiceNumber, services: ServicesOf) -> Response:
    """From the view."""
    invoice = await services.views.invoice(number)
    if invoice is None:
        raise Problem("unknown_invoice", f"the view has no invoice {number}")
    note_order(request, invoice["orderId"])
    return JsonAnswer(invoice)
