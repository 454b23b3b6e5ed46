"""Stopping an order, and letting it go on. A hold is there once it is answered: 201, and 200 for a repeat, which changes nothing."""

import re
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Path
from pydantic import AfterValidator
from starlette.requests import Request
from starlette.responses import Response

from orderstore.domain.events import OrderCancelled, OrderCompleted, OrderHeld, OrderHoldReleased, OrderRejected
from orderstore.history import History
from orderstore.orders import hold_id_of
from orderstore.recorded import Recorded
from orderstore.request_fields import HOLD_ID_PATTERN, check_key
from orderstore.requests import HoldOrder, ReleaseHold
from projections.http import schemas
from projections.http.answers import written
from projections.http.auth import Writer
from projections.http.body import read_as
from projections.http.described import BODY_PROBLEMS, HOLD_EXAMPLES, RELEASE_EXAMPLES, STORE_PROBLEMS, accepts, answers
from projections.http.headers import IdempotencyKey, IfMatch, traceparent_of
from projections.http.places import OrderIdOf
from projections.http.services import ServicesOf

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _name(text: str) -> str:
    """A name that we drew passes whatever its digits: of some UUIDs they could be a card's, and such a hold must be released too."""
    return text if _UUID.fullmatch(text) else check_key(text)


HoldIdOf = Annotated[
    str, Path(alias="holdId", pattern=HOLD_ID_PATTERN, examples=["review-4711"]), AfterValidator(_name)
]
_REFUSED: Final = ("bad_parameter", *BODY_PROBLEMS, "unknown_order", "wrong_version", *STORE_PROBLEMS)
_HEADERS: Final = {"Location": "The order's status, which shows its open holds."}


def add_routes(router: APIRouter) -> None:
    """The two operations."""
    held = answers(
        201,
        schemas.HoldAccepted,
        "The order is held: nothing is booked and nothing leaves until every hold is released. Payment, stock and a cancellation go on.",
        (*_REFUSED, "order_closed", "too_many_holds", "hold_reused"),
        headers=_HEADERS,
    )
    held[200] = {
        "model": schemas.HoldAccepted,
        "description": "A repeat: the order has, or had, this very hold.",
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in {**_HEADERS, "Idempotency-Replayed": "`true`."}.items()
        },
    }
    router.add_api_route(
        "/orders/{orderId}/holds",
        hold_order,
        methods=["POST"],
        tags=["orders"],
        status_code=201,
        summary="Stop an order until somebody lets it go on",
        openapi_extra=accepts(HoldOrder, HOLD_EXAMPLES),
        responses=held,
    )
    router.add_api_route(
        "/orders/{orderId}/holds/{holdId}/release",
        release_hold,
        methods=["POST"],
        tags=["orders"],
        status_code=200,
        summary="Release a hold",
        openapi_extra=accepts(ReleaseHold, RELEASE_EXAMPLES, required=False),
        responses=answers(
            200,
            schemas.HoldReleased,
            "The hold is over; the order goes on after the last one. Asking again is answered the same.",
            (*_REFUSED, "unknown_hold"),
        ),
    )


async def hold_order(
    request: Request,
    writer: Writer,
    order_id: OrderIdOf,
    *,
    services: ServicesOf,
    key: IdempotencyKey,
    expected: IfMatch,
) -> Response:
    """Possible until the order has ended, several at once. `holdId` names the hold, or else the `Idempotency-Key` does."""
    holding = await read_as(HoldOrder, request)
    key = key if key is not None else str(uuid4())
    accepted = await services.orders.hold(
        order_id,
        holding,
        actor=writer.actor,
        idempotency_key=key,
        expected=expected,
        traceparent=traceparent_of(request),
    )
    hold_id = hold_id_of(order_id, holding, key)
    recorded = _placed(accepted.history, hold_id)
    headers = {"Location": f"/orders/{order_id}"}
    if not accepted.new:
        headers["Idempotency-Replayed"] = "true"
    return written(
        request,
        recorded,
        "HELD",
        status_code=201 if accepted.new else 200,
        headers=headers,
        holdId=hold_id,
        reason=holding.reason,
    )


async def release_hold(
    request: Request, writer: Writer, order_id: OrderIdOf, hold_id: HoldIdOf, *, services: ServicesOf, expected: IfMatch
) -> Response:
    """The body may be absent. A hold that the end of its order has ended is released already."""
    releasing = await read_as(ReleaseHold, request, empty_is=ReleaseHold())
    history = await services.orders.release_hold(
        order_id,
        hold_id,
        releasing,
        actor=writer.actor,
        expected=expected,
        traceparent=traceparent_of(request),
    )
    ended = _ended(history, hold_id)
    return written(request, ended, "HOLD_RELEASED", status_code=200, holdId=hold_id)


def _placed(history: History, hold_id: str) -> Recorded:
    for recorded in history.events:
        if isinstance(recorded.event, OrderHeld) and recorded.event.hold_id == hold_id:
            return recorded
    raise LookupError(f"hold {hold_id} is not in the history that accepted it")


def _ended(history: History, hold_id: str) -> Recorded:
    """Its release, or the end of the order."""
    for recorded in history.events:
        event = recorded.event
        if isinstance(event, OrderHoldReleased) and event.hold_id == hold_id:
            return recorded
        if isinstance(event, OrderCompleted | OrderCancelled | OrderRejected):
            return recorded
    raise LookupError(f"hold {hold_id} has not ended in the history that says so")
