"""Live streams (server-sent events): what becomes of an order, and of a customer's orders and inbox, as it happens."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections.http import live_schemas
from projections.http.auth import CustomerFollower, Reader
from projections.http.described import READ_PROBLEMS, answers
from projections.http.event_stream import MEDIA_TYPE, EventStream
from projections.http.live_places import CustomerIdOf, LastEventId, LastEventIdOf
from projections.http.places import OrderIdOf, SaidOnce
from projections.http.problems import Problem
from projections.http.services import Services, ServicesOf
from projections.live import positions
from projections.live.desk import LiveDesk
from projections.live.positions import NotAPosition, Position
from projections.live.slots import Refused
from projections.live.stream import Stream

_COME_BACK: Final = {"Retry-After": "5"}
_PROBLEMS: Final = ("bad_parameter", "too_many_streams", *READ_PROBLEMS)


def add_routes(router: APIRouter) -> None:
    """The two streams."""
    router.add_api_route(
        "/orders/{orderId}/live",
        follow_order,
        methods=["GET"],
        tags=["live"],
        dependencies=[SaidOnce],
        status_code=200,
        response_class=EventStream,
        summary="An order's changes, as they happen",
        responses=_answers(
            "Events `status` (its id is the commit's number), then `end` when nothing more is under way.",
            ("unknown_order", "unknown_commit", *_PROBLEMS),
            ("status", "end", "fault"),
            nothing="Nothing more is under way for the order, and the client was told all of it: do not come back.",
        ),
    )
    router.add_api_route(
        "/customers/{customerId}/live",
        follow_customer,
        methods=["GET"],
        tags=["live"],
        dependencies=[SaidOnce],
        status_code=200,
        response_class=EventStream,
        summary="A customer's orders and inbox, as they change",
        responses=_answers(
            "Events `standing` (once, to a new client), `status` and `note`; their ids say where the client is.",
            _PROBLEMS,
            ("standing", "status", "note", "fault"),
        ),
    )


async def follow_order(
    reader: Reader, order_id: OrderIdOf, services: ServicesOf, last_event_id: LastEventIdOf
) -> Response:
    """Server-sent events. A new client is told where the order stands, then every commit once, with its public events; a client that comes
    back with `Last-Event-ID` is told every commit after that one. The connection ends after some minutes: come back with the last id."""
    told_to = None
    if last_event_id.text is not None:
        try:
            told_to = positions.parse_commit(last_event_id.text)
        except NotAPosition as error:
            raise last_event_id.refuse(str(error)) from error
    return EventStream(partial(_opened, desk_of(services).order(reader.name, order_id, told_to=told_to), last_event_id))


async def follow_customer(
    request: Request,
    follower: CustomerFollower,
    customer_id: CustomerIdOf,
    services: ServicesOf,
    last_event_id: LastEventIdOf,
) -> Response:
    """Server-sent events. A new client is told where the latest orders stand, then each of their commits once, and each note that
    comes into the inbox. An order that is placed meanwhile is told from its beginning, some seconds later."""
    request.state.notes["customerId"] = customer_id
    position: Position | None = None
    if last_event_id.text is not None:
        try:
            position = positions.decode(customer_id, last_event_id.text)
        except NotAPosition as error:
            raise last_event_id.refuse(str(error)) from error
    return EventStream(
        partial(_opened, desk_of(services).customer(follower.name, customer_id, position=position), last_event_id)
    )


@asynccontextmanager
async def _opened(
    opening: AbstractAsyncContextManager[Stream | None], last_event_id: LastEventId
) -> AsyncIterator[Stream | None]:
    """The stream, with its refusals in the API's words."""
    try:
        async with opening as stream:
            yield stream
    except Refused as refused:
        raise Problem("too_many_streams", str(refused), headers=_COME_BACK) from refused
    except NotAPosition as error:
        raise last_event_id.refuse(str(error)) from error
    except ConnectionError as error:
        raise Problem("unavailable", "try again later", headers=_COME_BACK) from error


def desk_of(services: Services) -> LiveDesk:
    """Where streams are opened. Raises Problem."""
    if services.live is None:
        raise Problem("not_found", "this API has no live streams")
    return services.live


def _answers(
    description: str, problems: tuple[str, ...], events: tuple[str, ...], *, nothing: str | None = None
) -> dict[int | str, dict[str, Any]]:
    described = answers(200, None, description, problems, media_type=MEDIA_TYPE)
    described[200]["content"] = live_schemas.content(*events)
    if nothing is not None:
        described[204] = {"description": nothing}
    return described
