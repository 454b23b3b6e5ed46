"""Stored documents, for who asks for one by its order and number: opened, and held to the hash in the log.

NotStored    the document was issued, and no rendering of the wanted kinds is stored (yet)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orderstore.domain.billing_facts import InvoiceDocumentStored, MediaType
from orderstore.domain.state import NotPlaced
from orderstore.history import History
from orderstore.invoicing.drawing import NoDocument, document_of
from orderstore.invoicing.shelf import Shelf, place_of
from orderstore.orders import Orders


class NotStored(Exception):
    """The document was issued, and no rendering of the wanted kinds is stored (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """One document in one form."""

    media_type: MediaType
    content: bytes
    sha256: str


class DocumentReader:
    """The documents of one tenant's orders."""

    def __init__(self, orders: Orders, shelf: Shelf) -> None:
        self._orders = orders
        self._shelf = shelf

    async def read(self, order_id: str, number: str, wanted: Sequence[MediaType]) -> Rendering:
        """The first of the wanted kinds that is stored.

        Raises UnknownOrder, NoDocument, NotStored, StoreError, KeyErased (its time is over), KeyUnusable, DocumentMissing, DocumentChanged.
        """
        return await read_document(self._shelf, await self._orders.load(order_id), number, wanted)


async def read_document(shelf: Shelf, history: History, number: str, wanted: Sequence[MediaType]) -> Rendering:
    """As `DocumentReader.read`, of an order that was read already."""
    document = document_of(history, number)
    if isinstance(history.state, NotPlaced):
        raise NoDocument(f"there is no order, and so no {number}")
    stored = {found.media_type: found for found in stored_in(history) if found.number == number}
    for media_type in wanted:
        if (found := stored.get(media_type)) is not None:
            content = await shelf.get(place_of(history.stream, history.state.order, document), found)
            return Rendering(media_type=media_type, content=content, sha256=found.sha256)
    raise NotStored(
        f"{number} is not stored as {' or '.join(wanted)}" + ("" if not stored else f", only as {', '.join(stored)}")
    )


def stored_in(history: History) -> tuple[InvoiceDocumentStored, ...]:
    """Every rendering that the order's log says is stored, oldest first."""
    events: list[object] = [recorded.event for recorded in history.events]
    return tuple(event for event in events if isinstance(event, InvoiceDocumentStored))
