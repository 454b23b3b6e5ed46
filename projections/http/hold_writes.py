"""Stopping an order, and letting it go on. A hold is there once it is answered: 201, and 200 for a repeat, which changes nothing."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import AfterValidator
from starlette.responses import Response

from orderstore.request_fields import HOLD_ID_PATTERN, check_key
from orderstore.requests import HoldOrder, ReleaseHold
from orderstore.wishes import holding
from projections.http import schemas
from projections.http.asking import ASKED, REPLAYED, Asked, Keyed
from projections.http.auth import Writer
from projections.http.described import HOLD_EXAMPLES, RELEASE_EXAMPLES, accepts, answers

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _name(text: str) -> str:
    """A name that we drew passes whatever its digits: of some UUIDs they could be a card's, and such a hold must be released too."""
    return text if _UUID.fullmatch(text) else check_key(text)


HoldIdOf = Annotated[
    str, Path(alias="holdId", pattern=HOLD_ID_PATTERN, examples=["review-4711"]), AfterValidator(_name)
]
_HEADERS: Final = {"Location": "The order's status, which shows its open holds."}


def add_routes(router: APIRouter) -> None:
    """The two operations."""
    held = answers(
        201,
        schemas.HoldAccepted,
        "The order is held: nothing is booked and nothing leaves until every hold is released. Payment, stock and a cancellation go on.",
        (*ASKED, "order_closed", "too_many_holds", "hold_reused"),
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
            (*ASKED, "unknown_hold"),
            headers=REPLAYED,
        ),
    )


async def hold_order(writer: Writer, asking: Keyed) -> Response:
    """Possible until the order has ended, several at once. `holdId` names the hold, or else the `Idempotency-Key` does."""
    request = await asking.read(HoldOrder)
    granted = await asking.ask(holding.hold(asking.order_id, request, idempotency_key=asking.key), writer.actor)
    return asking.told(
        granted,
        "HELD",
        status_code=201 if granted.new else 200,
        headers={"Location": f"/orders/{asking.order_id}"},
        holdId=granted.event.hold_id,
        reason=granted.event.reason,
    )


async def release_hold(writer: Writer, asking: Asked, hold_id: HoldIdOf) -> Response:
    """The body may be absent. A hold that the end of its order has ended is released already."""
    request = await asking.read(ReleaseHold, empty_is=ReleaseHold())
    granted = await asking.ask(holding.release(hold_id, request), writer.actor)
    return asking.told(granted, "HOLD_RELEASED", status_code=200, holdId=hold_id)
