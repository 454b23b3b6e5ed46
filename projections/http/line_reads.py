"""`GET /orders/{orderId}/lines`: what became of an order's pieces, line by line."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from orderstore.domain.deciding import existing
from projections.answers.order_lines import lines_of
from projections.http import order_schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Reader
from projections.http.described import READ_PROBLEMS, answers
from projections.http.places import PAGE_ITEMS, Asked, Limit, OrderIdOf, SaidOnce
from projections.http.services import ServicesOf


class LinesAsked(Asked):
    """`GET /orders/{orderId}/lines`."""

    from_line: Annotated[
        int, Field(ge=0, le=2**53, description="The first line to show; lines are counted from 0.")
    ] = 0
    limit: Limit = PAGE_ITEMS


LinesQuery = Annotated[LinesAsked, Query()]


def add_routes(router: APIRouter) -> None:
    """The one question."""
    router.add_api_route(
        "/orders/{orderId}/lines",
        list_lines,
        methods=["GET"],
        tags=["orders"],
        dependencies=[SaidOnce],
        summary="What became of an order's pieces, line by line",
        responses=answers(
            200,
            order_schemas.LinesPage,
            "One page of the order's lines.",
            ("bad_parameter", "unknown_order", *READ_PROBLEMS),
        ),
    )


async def list_lines(_reader: Reader, order_id: OrderIdOf, asked: LinesQuery, services: ServicesOf) -> Response:
    """From the log, strongly consistent. `nextLine` is null on the last page, and beyond it."""
    history = await services.orders.load(order_id)
    state = existing(history.state)
    line_count = len(state.order.lines)
    following = asked.from_line + asked.limit
    return JsonAnswer(
        {
            "orderId": order_id,
            "commit": history.events[-1].commit,
            "version": history.version,
            "lineCount": line_count,
            "items": lines_of(state, start=asked.from_line, limit=asked.limit),
            "nextLine": following if following < line_count else None,
        }
    )
