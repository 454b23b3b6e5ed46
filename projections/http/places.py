"""The path and query parameters that the operations share, with their bounds."""

import re
from typing import Annotated, Final, Literal

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from projections.http.problems import Problem
from projections.http.requestlog import note_order

PAGE_ITEMS_MAX: Final = 100
PAGE_ITEMS: Final = 50
CURSOR_CHARACTERS_MAX: Final = 2048

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def _order_id(
    request: Request, order_id: Annotated[str, Path(alias="orderId", json_schema_extra={"format": "uuid"})]
) -> str:
    """The order id in the one form that the log knows."""
    order_id = order_id.lower()
    if not _UUID.fullmatch(order_id):
        raise Problem("unknown_order", "an order id is a UUID")
    note_order(request, order_id)
    return order_id


OrderIdOf = Annotated[str, Depends(_order_id)]
InvoiceNumber = Annotated[
    str, Path(alias="invoiceNumber", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["INV-2026-000001"])
]
Limit = Annotated[int, Field(ge=1, le=PAGE_ITEMS_MAX, description="How many at most.")]


class _Asked(BaseModel):
    """A misspelt parameter is refused: ignored, it would change what the answer means."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class OrderAsked(_Asked):
    """`GET /orders/{orderId}`."""

    consistency: Annotated[
        Literal["eventual", "strong"],
        Field(description="`eventual` reads the view, which follows the log closely; `strong` folds the log itself."),
    ] = "eventual"


class EventsAsked(_Asked):
    """`GET /orders/{orderId}/events`."""

    after: Annotated[int, Field(ge=0, le=2**53, description="Only events with a version above this one.")] = 0
    limit: Limit = PAGE_ITEMS


class OrdersAsked(_Asked):
    """`GET /orders`."""

    customer_id: Annotated[str, Field(min_length=1, max_length=128, description="Whose orders.")]
    cursor: Annotated[
        str | None,
        Field(
            max_length=CURSOR_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$", description="`nextCursor` of the page before."
        ),
    ] = None
    limit: Limit = PAGE_ITEMS


OrderQuery = Annotated[OrderAsked, Query()]
EventsQuery = Annotated[EventsAsked, Query()]
OrdersQuery = Annotated[OrdersAsked, Query()]
