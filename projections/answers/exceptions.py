"""The orders that need somebody, kind by kind, each with what it needs and where the order stands.

What is late, held or declined is asked of two views (`open_exceptions.py`), what is parked of the parking lot of each subscription.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from orderstore.codec import timestamp
from orderstore.domain.ids import order_of
from projections.answers.current_generations import CurrentGenerations
from projections.answers.cursors import SORT_BYTES_MAX, decode_pair, encode_pair
from projections.answers.open_exceptions import Entry, OpenException, open_exceptions
from projections.answers.orders import ViewQueries, in_our_words
from projections.answers.ports import Document, ExceptionKind, InvalidCursor, Page, ViewsUnavailable
from projections.observe import SUBSCRIPTIONS, Subscription
from projections.stream.parking import PAGE_ROWS_MAX, LotUnavailable, Parked, ParkedPage, ParkingLot
from projections.view_store import ViewStore

PARKED_ACTIONS: Final = ("retry", "skip")
"""Of a parked order: commands (`orderstore parked …`), not requests."""
PAGES_MAX: Final = 50
_SUMMARY: Final = (
    "status",
    "customerId",
    "currency",
    "totalMinor",
    "total",
    "placedAt",
    "updatedAt",
    "version",
    "commit",
)


class ExceptionQueries:
    """See `projections.answers.ports.ExceptionReader`. `now_ms` is the wall clock: what is late is late by it."""

    def __init__(
        self,
        store: ViewStore,
        lot: ParkingLot,
        *,
        tenant: str,
        generations: CurrentGenerations,
        queries: ViewQueries,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._lot = lot
        self._tenant = tenant
        self._generations = generations
        self._queries = queries
        self._now_ms = now_ms

    async def exceptions(self, kind: ExceptionKind, cursor: str | None, limit: int) -> Page:
        """Those of a kind, page by page: a page may be short, or hold one more. The orders' own documents come in one read."""
        if kind == "parked":
            found, following = await self._parked(cursor, limit)
        else:
            with in_our_words():
                page = await open_exceptions(
                    self._store,
                    await self._generations.now(),
                    tenant=self._tenant,
                    now_ms=self._now_ms(),
                    kinds=(kind,),
                    limit=limit,
                    cursor=cursor,
                )
            found, following = page.exceptions, page.next_cursor
        statuses = await self._queries.order_statuses([one.order_id for one in found])
        return Page(
            [
                {
                    "orderId": one.order_id,
                    "kind": kind,
                    "entries": [entry.document() for entry in one.entries],
                    "order": _summary(statuses.get(one.order_id)),
                }
                for one in found
            ],
            following,
        )

    async def _parked(self, cursor: str | None, limit: int) -> tuple[tuple[OpenException, ...], str | None]:
        """Parked orders by subscription and key; those that were skipped wait for nobody."""
        list_name = f"{self._tenant}/parked"
        subscription, after = self._parked_after(list_name, cursor)
        found: list[OpenException] = []
        for _ in range(PAGES_MAX):
            page = await self._page(subscription, after, min(limit - len(found), PAGE_ROWS_MAX))
            found += [OpenException(order_id, (_of_parked(row),)) for row in page.rows if (order_id := self._ours(row))]
            after = page.next
            if after is None:
                following = SUBSCRIPTIONS.index(subscription) + 1
                if following == len(SUBSCRIPTIONS):
                    return tuple(found), None
                subscription = SUBSCRIPTIONS[following]
            if len(found) >= limit:
                break
        return tuple(found), encode_pair(list_name, subscription, after or "")

    def _parked_after(self, list_name: str, cursor: str | None) -> tuple[Subscription, str | None]:
        """The subscription, and the key in it behind which one goes on; None for its beginning."""
        if cursor is None:
            return SUBSCRIPTIONS[0], None
        named, key = decode_pair(list_name, cursor)
        for subscription in SUBSCRIPTIONS:
            if subscription == named and len(key.encode()) <= SORT_BYTES_MAX:
                return subscription, key or None
        raise InvalidCursor("the cursor is not one of this list")

    async def _page(self, subscription: str, after: str | None, limit: int) -> ParkedPage:
        try:
            return await self._lot.page(subscription, after=after, limit=max(1, limit))
        except LotUnavailable as error:
            raise ViewsUnavailable(str(error)) from error

    def _ours(self, row: Parked) -> str | None:
        """The order, if it is one of this tenant and waits for somebody."""
        if row.state != "parked":
            return None
        try:
            tenant, order_id = order_of(row.key)
        except ValueError:
            return None
        return order_id if tenant == self._tenant else None


def _of_parked(row: Parked) -> Entry:
    cause = f"{row.cause.error}: {row.cause.message}" if row.cause.message else row.cause.error
    return Entry(
        kind="parked",
        cause=cause,
        since=timestamp(datetime.fromtimestamp(row.parked_at_ms / 1000, tz=UTC)),
        due_at=None,
        reference=row.subscription,
        owner="operations",
        actions=PARKED_ACTIONS,
    )


def _summary(status: Document | None) -> dict[str, Any] | None:
    """Where the order stands, in short; None while the view has none."""
    return None if status is None else {name: status[name] for name in _SUMMARY}
