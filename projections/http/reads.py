"""The operations that answer questions: from the views, or from the log where it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orderstore.audit.moments import CommitAhead, Moment
from orderstore.audit.time_travel import prefix_at
from orderstore.recorded import Recorded
from projections import past
from projections.http import documents, schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Reader
from projections.http.conditional import IfNoneMatch, etag_of, has, not_modified
from projections.http.described import answers
from projections.http.places import (
    ChangesQuery,
    EventsQuery,
    InvoiceNumber,
    OrderIdOf,
    OrderQuery,
    OrdersQuery,
    SaidOnce,
)
from projections.http.problems import Problem
from projections.http.requestlog import note_order
from projections.http.services import ServicesOf

_STORE: Final = ("throttled", "unavailable", "internal", "unreadable_order")
_HINT: Final = "the view follows the log: an order placed a moment ago may only be there with ?consistency=strong"
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
            schemas.OrderStatus | schemas.OrderStatusThen,
            "The order's status; with `asOf` or `atCommit`, what it was.",
            ("bad_parameter", "unknown_order", "not_begun", "unknown_commit", *_STORE),
            headers={"ETag": 'The order\'s version, as `"7"`. It is not moved by `publication` alone.'},
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
            ("bad_parameter", "unknown_order", "unknown_commit", *_STORE),
        ),
    )
    router.add_api_route(
        "/orders",
        list_orders,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="A customer's orders",
        responses=answers(200, schemas.OrdersPage, "One page, newest first.", ("bad_parameter", "bad_cursor", *_STORE)),
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
            ("bad_parameter", "unknown_order", *_STORE),
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/invoices",
        list_invoices,
        methods=["GET"],
        tags=["invoices"],
        summary="The invoices of an order",
        responses=answers(200, schemas.Invoices, "All of them, oldest first.", ("unknown_order", *_STORE)),
    )
    router.add_api_route(
        "/invoices/{invoiceNumber}",
        get_invoice,
        methods=["GET"],
        tags=["invoices"],
        summary="An invoice by its number",
        responses=answers(200, schemas.Invoice, "The invoice.", ("bad_parameter", "unknown_invoice", *_STORE)),
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
    if asked.consistency == "strong":
        document: Mapping[str, Any] | None = past.document_of((await services.orders.load(order_id)).events)
    else:
        document = await services.views.order_status(order_id)
    if document is None:
        raise Problem("unknown_order", f"the view has no order {order_id}", extra={"hint": _HINT})
    published_through_ms = await services.published_through_ms()
    if has(known, document["version"]) and documents.is_published(document, published_through_ms):
        return not_modified(document["version"])
    return JsonAnswer(
        documents.order_document(document, published_through_ms=published_through_ms),
        headers={"ETag": etag_of(document["version"])},
    )


async def _order_then(services: ServicesOf, order_id: str, moment: Moment, known: frozenset[str]) -> Response:
    """The order at a moment. What it was never changes, so that here the tag alone decides."""
    events = (await services.orders.load(order_id)).events
    try:
        then = prefix_at(events, moment)
    except CommitAhead as error:
        raise _ahead(error) from error
    document = past.document_of(then.events)
    if document is None:
        began = documents.place_document(events[0])
        detail = f"at {moment} the order was not placed yet: it began with commit 1, recorded {began['recordedAt']}"
        raise Problem("not_begun", detail, extra={"began": began})
    if has(known, then.version):
        return not_modified(then.version)
    return JsonAnswer(documents.past_document(document, then), headers={"ETag": etag_of(then.version)})


async def list_changes(_reader: Reader, order_id: OrderIdOf, asked: ChangesQuery, services: ServicesOf) -> Response:
    """From the log. A field that changed and changed back does not differ; `events` tells of it."""
    old, new = asked.moments()
    events = (await services.orders.load(order_id)).events
    try:
        found = past.changes(events, old, new)
    except CommitAhead as error:
        raise _ahead(error) from error
    return JsonAnswer(documents.changes_document(order_id, found))


async def list_orders(_reader: Reader, asked: OrdersQuery, services: ServicesOf) -> Response:
    """From the view: an order placed a moment ago may be missing. `nextCursor` is null on the last page."""
    page = await services.views.orders_of_customer(asked.customer_id, asked.cursor, asked.limit)
    published_through_ms = await services.published_through_ms() if page.items else None
    items = [documents.order_document(item, published_through_ms=published_through_ms) for item in page.items]
    return JsonAnswer({"items": items, "nextCursor": page.next_cursor})


async def list_events(_reader: Reader, order_id: OrderIdOf, asked: EventsQuery, services: ServicesOf) -> Response:
    """From the log, strongly consistent; with filters, only the events that pass every one of them. `nextAfter` is null when there is
    nothing more, and is the version to go on after, whatever the filters."""
    wanted = asked.wanted()
    events = (await services.orders.load(order_id)).events[asked.after :]  # versions count from 1 without holes
    shown: list[Recorded] = []
    for recorded in filter(wanted.admits, events):
        if len(shown) == asked.limit:
            return _events_page(order_id, shown, next_after=shown[-1].version)
        shown.append(recorded)
    return _events_page(order_id, shown, next_after=None)


def _events_page(order_id: str, shown: Sequence[Recorded], *, next_after: int | None) -> Response:
    items = [documents.event_document(recorded) for recorded in shown]
    return JsonAnswer({"orderId": order_id, "items": items, "nextAfter": next_after})


def _ahead(error: CommitAhead) -> Problem:
    head = {"commit": error.head_commit, "version": error.head_version}
    return Problem("unknown_commit", str(error), extra={"head": head})


async def list_invoices(_reader: Reader, order_id: OrderIdOf, services: ServicesOf) -> Response:
    """From the view. An order that is not invoiced yet has an empty list."""
    invoices = await services.views.invoices_of_order(order_id)
    if not invoices and await services.views.order_status(order_id) is None:
        raise Problem("unknown_order", f"the view has no order {order_id}", extra={"hint": _HINT})
    return JsonAnswer({"orderId": order_id, "items": list(invoices)})


async def get_invoice(request: Request, _reader: Reader, number: InvoiceNumber, services: ServicesOf) -> Response:
    """From the view."""
    invoice = await services.views.invoice(number)
    if invoice is None:
        raise Problem("unknown_invoice", f"the view has no invoice {number}")
    note_order(request, invoice["orderId"])
    return JsonAnswer(invoice)
