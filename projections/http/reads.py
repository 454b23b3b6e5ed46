"""The operations that answer questions: from the views, or from the log where it is asked for."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections.http import schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Reader
from projections.http.described import answers
from projections.http.documents import event_document, order_document, strong_document
from projections.http.places import EventsQuery, InvoiceNumber, OrderIdOf, OrderQuery, OrdersQuery
from projections.http.problems import Problem
from projections.http.requestlog import note_order
from projections.http.services import ServicesOf

_STORE: Final = ("throttled", "unavailable", "internal")
_HINT: Final = "the view follows the log: an order placed a moment ago may only be there with ?consistency=strong"


def add_routes(router: APIRouter) -> None:
    """The five questions."""
    router.add_api_route(
        "/orders/{orderId}",
        get_order,
        methods=["GET"],
        tags=["orders"],
        summary="Where an order stands",
        responses=answers(200, schemas.OrderStatus, "The order's status.", ("bad_parameter", "unknown_order", *_STORE)),
    )
    router.add_api_route(
        "/orders",
        list_orders,
        methods=["GET"],
        tags=["orders"],
        summary="A customer's orders",
        responses=answers(200, schemas.OrdersPage, "One page, newest first.", ("bad_parameter", "bad_cursor", *_STORE)),
    )
    router.add_api_route(
        "/orders/{orderId}/events",
        list_events,
        methods=["GET"],
        tags=["orders"],
        summary="What happened to an order",
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


async def get_order(_reader: Reader, order_id: OrderIdOf, asked: OrderQuery, services: ServicesOf) -> Response:
    """Status, payment, stock, shipment, and whether all that is known has been published."""
    if asked.consistency == "strong":
        document: Any = strong_document(await services.orders.load(order_id))
    else:
        document = await services.views.order_status(order_id)
    if document is None:
        raise Problem("unknown_order", f"the view has no order {order_id}", extra={"hint": _HINT})
    return JsonAnswer(order_document(document, published_through_ms=await services.published_through_ms()))


async def list_orders(_reader: Reader, asked: OrdersQuery, services: ServicesOf) -> Response:
    """From the view: an order placed a moment ago may be missing. `nextCursor` is null on the last page."""
    page = await services.views.orders_of_customer(asked.customer_id, asked.cursor, asked.limit)
    published_through_ms = await services.published_through_ms() if page.items else None
    items = [order_document(item, published_through_ms=published_through_ms) for item in page.items]
    return JsonAnswer({"items": items, "nextCursor": page.next_cursor})


async def list_events(_reader: Reader, order_id: OrderIdOf, asked: EventsQuery, services: ServicesOf) -> Response:
    """From the log, strongly consistent. `nextAfter` is null when there is nothing more."""
    events = (await services.orders.load(order_id)).events
    shown = events[asked.after : asked.after + asked.limit]  # versions count from 1 without holes
    more = bool(shown) and shown[-1].version < len(events)
    document = {
        "orderId": order_id,
        "items": [event_document(recorded) for recorded in shown],
        "nextAfter": shown[-1].version if more else None,
    }
    return JsonAnswer(document)


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
