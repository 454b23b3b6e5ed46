"""The operations that look over all orders: those that need somebody, what was sold, and the business at a glance."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from projections.answers import sales
from projections.http import report_schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Reader
from projections.http.described import answers
from projections.http.places import SaidOnce
from projections.http.report_places import BusinessQuery, ExceptionsQuery, SalesQuery
from projections.http.services import ServicesOf

_VIEWS: Final = ("unavailable", "internal")


def add_routes(router: APIRouter) -> None:
    """The reports."""
    router.add_api_route(
        "/exceptions",
        list_exceptions,
        methods=["GET"],
        tags=["operations"],
        dependencies=[SaidOnce],
        summary="The orders that need somebody",
        responses=answers(
            200,
            report_schemas.ExceptionsPage,
            "One page, the longest waiting first (`parked`: by order). A page may be short, or empty, and have a cursor all the same.",
            ("bad_parameter", "bad_cursor", *_VIEWS),
        ),
    )
    router.add_api_route(
        "/sales",
        list_sales,
        methods=["GET"],
        tags=["operations"],
        dependencies=[SaidOnce],
        summary="What was sold, day by day",
        responses=answers(
            200,
            report_schemas.Sales,
            "The figures of each day (UTC) and currency, and those of all days together.",
            ("bad_parameter", *_VIEWS),
        ),
    )
    router.add_api_route(
        "/business",
        show_business,
        methods=["GET"],
        tags=["operations"],
        dependencies=[SaidOnce],
        summary="The business at a glance",
        responses=answers(
            200,
            report_schemas.Business,
            "Where orders stand now; how many were placed and came to which end, how long they took, and what was sold, on the last days.",
            ("bad_parameter", *_VIEWS),
        ),
    )


async def list_exceptions(_reader: Reader, asked: ExceptionsQuery, services: ServicesOf) -> Response:
    """From the views, and from the parking lot. While orders move, a walk over the pages shows each one that was there throughout."""
    page = await services.exceptions.exceptions(asked.kind, asked.cursor, asked.limit)
    return JsonAnswer({"kind": asked.kind, "items": list(page.items), "nextCursor": page.next_cursor})


async def list_sales(_reader: Reader, asked: SalesQuery, services: ServicesOf) -> Response:
    """From the totals of a view: each commit is in them once. A day without any sales is left out."""
    asked.check()
    items = await services.sales.sales(asked.from_, asked.to, asked.currencies)
    return JsonAnswer(
        {
            "from": asked.from_.isoformat(),
            "to": asked.to.isoformat(),
            "items": list(items),
            "totals": sales.together(items),
        }
    )


async def show_business(_reader: Reader, asked: BusinessQuery, services: ServicesOf) -> Response:
    """From the totals of two views: each commit is in them once. Days are UTC; one on which nothing happened is left out."""
    asked.check()
    return JsonAnswer(await services.business.business(asked.days, asked.currencies))
