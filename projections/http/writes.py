"""The operations that append to the log. Each answers 202 once what it was asked is durable; the work follows."""

from typing import Final
from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orderstore.domain.events import OrderCancellationRequested, RefundRequested
from orderstore.history import History
from orderstore.orders import refund_id_for_key
from orderstore.recorded import Recorded
from orderstore.requests import CancelOrder, PlaceOrder, RequestRefund
from projections.http import schemas
from projections.http.answers import written
from projections.http.auth import Writer
from projections.http.body import read_as
from projections.http.described import (
    BODY_PROBLEMS,
    CANCEL_EXAMPLES,
    PLACE_EXAMPLES,
    REFUND_EXAMPLES,
    STORE_PROBLEMS,
    accepts,
    answers,
)
from projections.http.headers import IdempotencyKey, IfMatch, traceparent_of
from projections.http.places import OrderIdOf
from projections.http.problems import Problem
from projections.http.services import ServicesOf

_ORDER: Final = ("unknown_order", "order_closed")


def add_routes(router: APIRouter) -> None:
    """The three operations."""
    router.add_api_route(
        "/orders",
        place_order,
        methods=["POST"],
        tags=["orders"],
        status_code=202,
        summary="Place an order",
        openapi_extra=accepts(PlaceOrder, PLACE_EXAMPLES),
        responses=answers(
            202,
            schemas.OrderAccepted,
            "The order is durable. A repeat with the same Idempotency-Key is answered the same.",
            (
                "bad_parameter",
                *BODY_PROBLEMS,
                "hooks_refused",
                "idempotency_key_reused",
                "customer_erased",
                *STORE_PROBLEMS,
            ),
            headers={
                "Location": "The order's status.",
                "Idempotency-Replayed": "`true` when an earlier request with this key had made the order.",
            },
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/cancel",
        cancel_order,
        methods=["POST"],
        tags=["orders"],
        status_code=202,
        summary="Ask for an order to be undone",
        openapi_extra=accepts(CancelOrder, CANCEL_EXAMPLES, required=False),
        responses=answers(
            202,
            schemas.CancellationAccepted,
            "Every worker will give back what it holds. Asking again is answered the same.",
            ("bad_parameter", *BODY_PROBLEMS, *_ORDER, "too_late_to_cancel", "wrong_version", *STORE_PROBLEMS),
        ),
    )
    router.add_api_route(
        "/orders/{orderId}/refunds",
        refund_order,
        methods=["POST"],
        tags=["orders"],
        status_code=202,
        summary="Ask for money to be given back",
        openapi_extra=accepts(RequestRefund, REFUND_EXAMPLES),
        responses=answers(
            202,
            schemas.RefundAccepted,
            "The money is set aside and will be given back once it has been taken.",
            (
                "bad_parameter",
                *BODY_PROBLEMS,
                *_ORDER,
                "refund_too_large",
                "nothing_to_refund",
                "wrong_version",
                "idempotency_key_reused",
                *STORE_PROBLEMS,
            ),
        ),
    )


async def place_order(request: Request, writer: Writer, services: ServicesOf, key: IdempotencyKey) -> Response:
    """Make the order durable and answer at once; payment, stock and shipping follow. Nothing is stored when it is refused."""
    placing = await read_as(PlaceOrder, request)
    accepted = await services.orders.place(
        placing, actor=writer.actor, idempotency_key=key, traceparent=traceparent_of(request)
    )
    created = accepted.history.events[0]
    services.observer.order_accepted(replayed=not accepted.new)
    headers = {"Location": f"/orders/{created.order_id}"}
    if not accepted.new:
        headers["Idempotency-Replayed"] = "true"
    return written(request, created, "ORDER_RECEIVED", headers=headers)


async def cancel_order(
    request: Request, writer: Writer, order_id: OrderIdOf, services: ServicesOf, expected: IfMatch
) -> Response:
    """Possible until the goods have left. The body may be absent."""
    cancelling = await read_as(CancelOrder, request, empty_is=CancelOrder())
    history = await services.orders.cancel(
        order_id, cancelling, actor=writer.actor, expected=expected, traceparent=traceparent_of(request)
    )
    asked = next(past for past in reversed(history.events) if isinstance(past.event, OrderCancellationRequested))
    return written(request, asked, "CANCELLATION_REQUESTED")


async def refund_order(
    request: Request,
    writer: Writer,
    order_id: OrderIdOf,
    *,
    services: ServicesOf,
    key: IdempotencyKey,
    expected: IfMatch,
) -> Response:
    """For pieces of lines, at the price that was paid. Two refunds never give back more than the order cost."""
    refunding = await read_as(RequestRefund, request)
    key = key if key is not None else str(uuid4())
    history = await services.orders.request_refund(
        order_id,
        refunding,
        actor=writer.actor,
        idempotency_key=key,
        expected=expected,
        traceparent=traceparent_of(request),
    )
    recorded, refund = _refund(history, refund_id_for_key(order_id, key))
    if not await services.orders.is_same_refund(history, refund, refunding):
        raise Problem("idempotency_key_reused", "this Idempotency-Key was used for another refund of this order")
    return written(request, recorded, "REFUND_REQUESTED", refundId=refund.refund_id, amountMinor=refund.amount_minor)


def _refund(history: History, refund_id: str) -> tuple[Recorded, RefundRequested]:
    """The request as the log has it. Its id is derived as `Orders.request_refund` derives it; a test holds the two together."""
    for recorded in history.events:
        if isinstance(recorded.event, RefundRequested) and recorded.event.refund_id == refund_id:
            return recorded, recorded.event
    raise LookupError(f"refund {refund_id} is not in the history that accepted it")
