"""What the API stands on: ports and values, given once when the app is built."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends
from starlette.requests import Request
from structlog.typing import FilteringBoundLogger

from orderstore.orders import Orders
from projections.http.auth import Authentication
from projections.http.observe import HttpObserver, SilentHttpObserver


class InvalidCursor(ValueError):
    """The cursor is not one that this list handed out."""


class ViewsUnavailable(Exception):
    """The views cannot be read now, after bounded retries. Try again later."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next_cursor` is opaque, and None on the last page."""

    items: Sequence[Mapping[str, Any]]
    next_cursor: str | None


class ViewReader(Protocol):
    """The views of one tenant, eventually consistent. Documents hold JSON values. Every method may raise ViewsUnavailable."""

    async def order_status(self, order_id: str) -> Mapping[str, Any] | None:
        """The document of `projections.views.order_status`, or None while there is none."""

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        """Order status documents of a customer, newest first. Raises InvalidCursor."""

    async def invoices_of_order(self, order_id: str) -> Sequence[Mapping[str, Any]]:
        """Every invoice of an order, oldest first."""

    async def invoice(self, number: str) -> Mapping[str, Any] | None:
        """The invoice with this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API needs, and nothing that it makes itself."""

    orders: Orders
    views: ViewReader
    authentication: Authentication
    readiness: Callable[[], Mapping[str, bool]]
    """Part by part, whether this process can do its work. Lag is no reason not to be ready. Must return at once."""
    metrics: Callable[[], tuple[bytes, str]]
    """The exposition and its content type."""
    published_through_ms: Callable[[], Awaitable[int | None]]
    """The relay's low-water mark: every event recorded before it is published. None while nobody knows."""
    tenant: str
    logger: FilteringBoundLogger
    observer: HttpObserver = field(default_factory=SilentHttpObserver)


async def services_of(request: Request) -> Services:
    """The services that this app was built on."""
    return cast("Services", request.app.state.services)


ServicesOf = Annotated[Services, Depends(services_of)]
