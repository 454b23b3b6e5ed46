"""What the API stands on: ports and values, given once when the app is built."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request
from structlog.typing import FilteringBoundLogger

from orderstore.orders import Orders
from projections.answers.fresh_reads import FreshReads
from projections.answers.ports import ExceptionReader, InvalidCursor, Page, SalesReader, ViewReader, ViewsUnavailable
from projections.answers.publication import Publication
from projections.http.auth import Authentication
from projections.http.observe import HttpObserver, SilentHttpObserver

__all__ = ["InvalidCursor", "Page", "Services", "ServicesOf", "ViewReader", "ViewsUnavailable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API needs, and nothing that it makes itself."""

    orders: Orders
    views: ViewReader
    fresh: FreshReads
    """For who names the commit that the answer must show."""
    exceptions: ExceptionReader
    sales: SalesReader
    authentication: Authentication
    readiness: Callable[[], Mapping[str, bool]]
    """Part by part, whether this process can do its work. Lag is no reason not to be ready. Must return at once."""
    metrics: Callable[[], tuple[bytes, str]]
    """The exposition and its content type."""
    publication: Callable[[], Awaitable[Publication]]
    """How far the relay has published, and which orders it had to leave behind."""
    tenant: str
    logger: FilteringBoundLogger
    observer: HttpObserver = field(default_factory=SilentHttpObserver)


async def services_of(request: Request) -> Services:
    """The services that this app was built on."""
    return cast("Services", request.app.state.services)


ServicesOf = Annotated[Services, Depends(services_of)]
