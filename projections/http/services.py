"""What the API stands on: ports and values, given once when the app is built."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends
from starlette.requests import Request
from structlog.typing import FilteringBoundLogger

from orderstore.history import History
from orderstore.invoicing.reading import DocumentReader
from orderstore.orders import Orders
from orderstore.recorded import Actor
from projections.answers.fresh_reads import FreshReads
from projections.answers.ports import (
    BusinessReader,
    ExceptionReader,
    InvalidCursor,
    Page,
    SalesReader,
    ViewReader,
    ViewsUnavailable,
)
from projections.answers.publication import Publication
from projections.http.auth import Authentication
from projections.http.observe import HttpObserver, SilentHttpObserver
from projections.http.webhook_desk import WebhookDesk
from projections.live.desk import LiveDesk

__all__ = ["InvalidCursor", "Page", "Services", "ServicesOf", "ViewReader", "ViewsUnavailable"]


class DeadLetterDesk(Protocol):
    """The dead letters of every queue. Documents hold JSON values; `wanted` has some of the fields `message_id`, `cause`, `event_type`,
    `order_id`, `older_than_s` and `newer_than_s`, and is every letter when it is empty.

    Methods raise LookupError (no such queue or letter), ValueError (refused; the text says why), ConnectionError (not now).
    """

    async def groups(self) -> Mapping[str, Any]:
        """All letters, grouped by queue, cause and event type."""

    async def letters(self, queue: str, wanted: Mapping[str, Any], *, limit: int) -> Mapping[str, Any]:
        """Letters one by one, without their bodies."""

    async def letter(self, queue: str, letter_id: str) -> Mapping[str, Any]:
        """One letter with everything that is known about it."""

    async def redrive(
        self,
        queue: str,
        wanted: Mapping[str, Any],
        *,
        actor: Actor,
        reason: str | None,
        dry_run: bool,
        even_if_moved_on: bool,
        rate_per_s: float,
        sent_max: int,
        seconds_max: float,
    ) -> Mapping[str, Any]:
        """Send letters on, on record, or say what would be sent."""

    async def correct(
        self, queue: str, letter_id: str, body: str | None, *, actor: Actor, reason: str, seconds_max: float
    ) -> Mapping[str, Any]:
        """Replace a letter's body; None takes the one that the log has."""

    async def purge(
        self,
        queue: str,
        wanted: Mapping[str, Any],
        *,
        actor: Actor,
        reason: str | None,
        confirm: int | None,
        shown: str | None,
        seconds_max: float,
    ) -> Mapping[str, Any]:
        """Delete letters for good if exactly `confirm` are meant; None only says which those are. With `shown` of that answer they must
        be the same."""


class PaymentHooks(Protocol):
    """What takes the payment provider's own messages."""

    async def take(self, body: bytes, signature: str | None) -> bool:
        """Check, and hand the hint on; whether it meant an order that may want something.

        Raises ValueError (not signed by the provider, or too long ago), ConnectionError (not now), StoreError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the API needs, and nothing that it makes itself."""

    orders: Orders
    views: ViewReader
    fresh: FreshReads
    """For who names the commit that the answer must show."""
    exceptions: ExceptionReader
    sales: SalesReader
    business: BusinessReader
    authentication: Authentication
    readiness: Callable[[], Mapping[str, bool]]
    """Part by part, whether this process can do its work. Lag is no reason not to be ready. Must return at once."""
    metrics: Callable[[], tuple[bytes, str]]
    """The exposition and its content type."""
    publication: Callable[[], Awaitable[Publication]]
    """How far the relay has published, and which orders it had to leave behind."""
    tenant: str
    logger: FilteringBoundLogger
    dead_letters: DeadLetterDesk | None = None
    """None: this API has no operations on dead letters."""
    payment_hooks: PaymentHooks | None = None
    """None: this API takes no webhooks of a payment provider."""
    live: LiveDesk | None = None
    """None: this API has no live streams and no inboxes."""
    documents: DocumentReader | None = None
    """None: this API does not show invoices as they were sent."""
    webhooks: WebhookDesk | None = None
    """None: this API does not look after webhook endpoints."""
    wake: Callable[[History], Awaitable[Sequence[str]]] | None = None
    """Has the departments look that an order wants a step of, and says which were reached. None: they look when they are told next."""
    observer: HttpObserver = field(default_factory=SilentHttpObserver)


async def services_of(request: Request) -> Services:
    """The services that this app was built on."""
    return cast("Services", request.app.state.services)


ServicesOf = Annotated[Services, Depends(services_of)]
