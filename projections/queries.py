"""What the API asks of the views, for one tenant. Views are a moment behind the log; a cursor is opaque to whoever holds it."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from projections.http.services import InvalidCursor, Page, ViewsUnavailable
from projections.view_store import LIST_PAGE_MAX, Place, Stored, ViewStore, ViewStoreThrottled, ViewStoreUnavailable
from projections.views import invoices, order_status
from projections.views.view import Generation

CURSOR_CHARS_MAX: Final = 4_096


class ViewQueries:
    """See `projections.http.services.ViewReader`. Raises ViewsUnavailable in place of the store's own throttling and failures."""

    def __init__(self, store: ViewStore, *, tenant: str, statuses: Generation, invoices: Generation) -> None:
        self._store = store
        self._tenant = tenant
        self._statuses = statuses
        self._invoices = invoices

    async def order_status(self, order_id: str) -> Mapping[str, Any] | None:
        """The status document of an order, or None while there is none."""
        stored = await self._get(self._statuses.key(self._tenant, order_id))
        return None if stored is None else _document(stored)

    async def orders_of_customer(self, customer_id: str, cursor: str | None, limit: int) -> Page:
        """Status documents, newest first; at most `limit`, and never more than LIST_PAGE_MAX. Raises InvalidCursor."""
        list_key = self._statuses.list_key(self._tenant, order_status.customer_list(customer_id))
        after = None if cursor is None else self._place(cursor)
        bounded = max(1, min(limit, LIST_PAGE_MAX))
        try:
            page = await self._store.listed(list_key, after=after, limit=bounded, newest_first=True)
        except (ViewStoreThrottled, ViewStoreUnavailable) as error:
            raise ViewsUnavailable(str(error)) from error
        following = None if page.next is None else encode_cursor(page.next)
        return Page([_document(stored) for stored in page.documents], following)

    async def invoices_of_order(self, order_id: str) -> Sequence[Mapping[str, Any]]:
        """Every invoice of an order with its lines, oldest first; [] while there is none."""
        stored = await self._get(self._invoices.key(self._tenant, order_id))
        return [] if stored is None else invoices.single_documents(_document(stored))

    async def invoice(self, number: str) -> Mapping[str, Any] | None:
        """The invoice with this number, or None while there is none."""
        list_key = self._invoices.list_key(self._tenant, invoices.number_list(number))
        try:
            page = await self._store.listed(list_key, after=None, limit=1, newest_first=False)
        except (ViewStoreThrottled, ViewStoreUnavailable) as error:
            raise ViewsUnavailable(str(error)) from error
        found = [invoice for stored in page.documents for invoice in invoices.single_documents(_document(stored))]
        return next((invoice for invoice in found if invoice["invoiceNumber"] == number), None)

    async def _get(self, key: str) -> Stored | None:
        try:
            return (await self._store.get([key])).get(key)
        except (ViewStoreThrottled, ViewStoreUnavailable) as error:
            raise ViewsUnavailable(str(error)) from error

    def _place(self, cursor: str) -> Place:
        place = decode_cursor(cursor)
        if not place.key.startswith(self._statuses.key(self._tenant, "")):
            raise InvalidCursor("the cursor is not one of this list")
        return place


async def open_queries(store: ViewStore, *, tenant: str) -> ViewQueries:
    """Queries over the generations that readers are to use now. Raises ViewStoreError."""
    statuses = Generation(order_status.NAME, await store.generation(order_status.NAME))
    numbered = Generation(invoices.NAME, await store.generation(invoices.NAME))
    return ViewQueries(store, tenant=tenant, statuses=statuses, invoices=numbered)


def encode_cursor(place: Place) -> str:
    """A place in a list as URL-safe text."""
    return base64.urlsafe_b64encode(orjson.dumps([place.sort, place.key])).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """The place in a cursor. Raises InvalidCursor for anything that `encode_cursor` did not make."""
    if not cursor or len(cursor) > CURSOR_CHARS_MAX:
        raise InvalidCursor("the cursor is empty or too long")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor("the cursor cannot be read") from error
    match found:
        case [str(sort), str(key)] if sort and key:
            return Place(sort, key)
        case _:
            raise InvalidCursor("the cursor is not one of this list")


def _document(stored: Stored) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(stored.document)
    return document
