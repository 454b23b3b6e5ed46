"""The operations that place an order, undo it, and give money back. Each answers 202 once what it was asked is durable."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orderstore.requests import CancelOrder, PlaceOrder, RequestRefund
from orderstore.wishes import undoing
from projections.http import schemas
from projections.http.answers import written
from projections.http.asking import Asked, Keyed, add_verb
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
from projections.http.headers import IdempotencyKey, traceparent_of
from projections.http.services import ServicesOf

_PLACING: Final = (
    "bad_parameter",
    *BODY_PROBLEMS,
    "hooks_refused",
    "idempotency_key_reused",
    "customer_erased",
    *STORE_PROBLEMS,
)


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
            _PLACING,
            headers={
                "Location": "The order's status.",
                "Idempotency-Replayed": "`true` when an earlier request with this key had made the order.",
            },
        ),
    )
    add_verb(
        router,
        "/cancel",
        cancel_order,
        summary="Ask for an order to be undone",
        takes=CancelOrder,
        examples=CANCEL_EXAMPLES,
        required=False,
        gives=schemas.CancellationAccepted,
        means="Every worker will give back what it holds. Asking again is answered the same.",
        refused=("order_closed", "too_late_to_cancel"),
    )
    add_verb(
        router,
        "/refunds",
        refund_order,
        summary="Ask for money to be given back",
        takes=RequestRefund,
        examples=REFUND_EXAMPLES,
        gives=schemas.RefundAccepted,
        means="The money is set aside and will be given back once it has been taken.",
        refused=("order_closed", "refund_too_large", "nothing_to_refund", "edit_under_way"),
        keyed=True,
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


async def cancel_order(writer: Writer, asking: Asked) -> Response:
    """Possible until the goods have left. The body may be absent."""
    cancelling = await asking.read(CancelOrder, empty_is=CancelOrder())
    granted = await asking.ask(undoing.cancel(cancelling, actor=writer.actor), writer.actor)
    return asking.told(granted, "CANCELLATION_REQUESTED")


async def refund_order(writer: Writer, asking: Keyed) -> Response:
    """For pieces of lines, at the price that was paid. Two refunds never give back more than the order cost."""
    refunding = await asking.read(RequestRefund)
    wish = undoing.refund(asking.order_id, refunding, idempotency_key=asking.key)
    granted = await asking.ask(wish, writer.actor)
    event = granted.event
    return asking.told(granted, "REFUND_REQUESTED", refundId=event.refund_id, amountMinor=event.amount_minor)
