"""What the API asks of the views, for one tenant. Views are a moment behind the log; a cursor is opaque to whoever holds it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from projections.answers.current_generations import CurrentGenerations
from projections.answers.cursors import Position, decode_cursor, encode_cursor
from projections.answers.observe import ReadObserver
from projections.answers.ports import Document, OrderDocuments, Page, ViewsUnavailable
from projections.view_store import (
    LIST_PAGE_MAX,
    Place,
    Stored,
    UnreadableDocument,
    ViewStore,
    ViewStoreThrottled,
    ViewStoreUnavailable,
)
from projections.views import VIEWS, invoices, order_status
from projections.views.view import Generation


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raises ViewsUnavailable in place of the store's own throttling and failures."""
    try:
        yield
    except (ViewStoreThrottled, ViewStoreUnavailable) as error:
        raise ViewsUnavailable(str(error)) from error


class ViewQueries:
    """See `projections.answers.ports.ViewReader`. Every question is asked of the generations that are current when it begins."""

    def __init__(self, store: ViewStore, *, tenant: str, generations: CurrentGenerations) -> None:
        self._store = store
        self._tenant = tenant
        self._generations = generations

    async def order_status(self, order_id: str) -> Document | None:
        """The status document of an order, or None while there is none."""
        return (await self.order_statuses([order_id])).get(order_id)

    async def order_statuses(self, order_ids: Sequence[str]) -> Mapping[str, Document]:
        """The status documents of these orders, those that there are, in one batched read."""
        if not order_ids:
            return {}
        with in_our_words():
            statuses = (await self._generations.now())[order_status.NAME]
            keys = {statuses.key(self._tenant, order_id): order_id for order_id in order_ids}
            found = await self._store.get(list(keys))
        return {keys[key]: status_in(stored) for key, stored in found.items()}

    async def order_and_invoices(self, order_id: str) -> OrderDocuments:
        """The status document of an order and every invoice of it with its lines, oldest first, in one read."""
        with in_our_words():
            current = await self._generations.now()
            status_key = current[order_status.NAME].key(self._tenant, order_id)
            invoices_key = current[invoices.NAME].key(self._tenant, order_id)
            found = await self._store.get([status_key, invoices_key])
        status, numbered = found.get(status_key), found.get(invoices_key)
        return OrderDocuments(
            None if status is None else status_in(status),
            [] if numbered is None else invoices.single_documents(document_in(numbered)),
        )

    async def invoices_of_order(self, order_id: str) -> Sequence[Document]:
        """Every invoice of an order with its lines, oldest first; [] while there is none."""
        return (await self.order_and_invoices(order_id)).invoices

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        """Status documents, newest first; at most `limit`, and never more than LIST_PAGE_MAX. Raises InvalidCursor."""
        name = order_status.customer_list(customer_id)
        list_name = f"{self._tenant}/{order_status.NAME}/{name}"
        after = None if cursor is None else decode_cursor(list_name, cursor)
        bounded = max(1, min(limit, LIST_PAGE_MAX))
        with in_our_words():
            statuses = (await self._generations.now())[order_status.NAME]
            page = await self._store.listed(
                statuses.list_key(self._tenant, name),
                after=None if after is None else place_of(after, statuses, self._tenant),
                limit=bounded,
                newest_first=True,
            )
        following = None if page.next is None else encode_cursor(list_name, position_of(page.next, statuses))
        return Page([status_in(stored) for stored in page.documents], following)

    async def invoice(self, number: str) -> Document | None:
        """The invoice with this number, or None while there is none."""
        with in_our_words():
            generation = (await self._generations.now())[invoices.NAME]
            list_key = generation.list_key(self._tenant, invoices.number_list(number))
            page = await self._store.listed(list_key, after=None, limit=1, newest_first=False)
        found = [invoice for stored in page.documents for invoice in invoices.single_documents(document_in(stored))]
        return next((invoice for invoice in found if invoice["invoiceNumber"] == number), None)


async def open_queries(store: ViewStore, *, tenant: str, generations: CurrentGenerations | None = None) -> ViewQueries:
    """Queries over the generations that readers are to use, whichever these are by then. Raises ViewStoreError."""
    if generations is None:
        generations = current_generations(store)
    await generations.now()
    return ViewQueries(store, tenant=tenant, generations=generations)


def current_generations(store: ViewStore, *, observer: ReadObserver | None = None) -> CurrentGenerations:
    """The generations of every view, for all that reads them in a process."""
    return CurrentGenerations(store, [view.name for view in VIEWS], observer=observer)


def place_of(position: Position, generation: Generation, tenant: str) -> Place:
    """Where a position lies in a generation's list."""
    return Place(position.sort, generation.key(tenant, position.order_id))


def position_of(place: Place, generation: Generation) -> Position:
    """The position of a place, whatever the generation."""
    return Position(place.sort, generation.order(place.key)[1])


def status_in(stored: Stored) -> dict[str, Any]:
    """The status that a stored document says. Raises UnreadableDocument."""
    try:
        return order_status.answer_of(document_in(stored))
    except (KeyError, TypeError) as error:
        raise UnreadableDocument(f"{stored.key} is no status of an order") from error


def document_in(stored: Stored) -> dict[str, Any]:
    """What a stored document says. Raises UnreadableDocument."""
    try:
        document = orjson.loads(stored.document)
    except orjson.JSONDecodeError as error:
        raise UnreadableDocument(f"{stored.key} is not JSON") from error
    if not isinstance(document, dict):
        raise UnreadableDocument(f"{stored.key} is no JSON object")
    return document
