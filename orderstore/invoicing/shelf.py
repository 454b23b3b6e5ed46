"""Where renderings lie, all those of a document in one object: sealed with the fiscal key of their buyer and year, written once, never
changed and never deleted. When the law lets the key go, nobody can read them any more.

    DocumentError
    ├── DocumentMissing    the log says that it is stored, and it is not there
    └── DocumentChanged    what is there is not what the log says was stored

Store trouble is `Throttled`, `Unavailable` and `Refused`; `KeyErased` says that the time of a document is over.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from orderstore.domain import events as e
from orderstore.domain.billing_facts import DocumentKind, InvoiceDocumentStored, MediaType
from orderstore.invoicing.binding import NAMES, NotBound, bind, unbind
from orderstore.objects import ObjectStore
from orderstore.privacy.sealing import SealBroken
from orderstore.privacy.subjects import fiscal_subject, operational_subject

PREFIX: Final = "documents/"
SUFFIX: Final = ".zip"
"""Of what is found when the seal is opened."""


class DocumentError(Exception):
    """A stored document cannot be shown for what the log says it is."""


class DocumentMissing(DocumentError):
    """The log says that it is stored, and it is not there."""


class DocumentChanged(DocumentError):
    """What is there is not what the log says was stored."""


class ObjectVault(Protocol):
    """Seals whole objects; see `orderstore/privacy/sealing.py`."""

    async def seal_object(self, subject: str, purpose: str, plain: bytes) -> bytes:
        """Readable only with the subject's key, and for this purpose. Raises KeyErased, KeyUnusable."""
        ...

    async def open_object(self, subject: str, purpose: str, sealed: bytes) -> bytes:
        """What was sealed. Raises KeyErased, KeyUnusable, SealBroken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which document of which order. `subject` is whose key seals it."""

    stream: str
    series: str
    number: str
    kind: DocumentKind
    subject: str

    @property
    def purpose(self) -> str:
        """What it is sealed for: nothing else opens there."""
        return f"{self.stream}/document/{self.number}"


def place_of(stream: str, order: e.OrderCreated, document: e.InvoiceIssued | e.CreditNoteIssued) -> Place:
    """Where the renderings of a document belong."""
    subject = fiscal_subject(operational_subject(order.customer_id, order.order_id), document.issued_at.year)
    if isinstance(document, e.InvoiceIssued):
        return Place(
            stream=stream, series=document.series, number=document.invoice_number, kind="invoice", subject=subject
        )
    number = document.credit_note_number
    return Place(stream=stream, series=document.series, number=number, kind="credit_note", subject=subject)


class Shelf:
    """The documents of one tenant."""

    def __init__(self, objects: ObjectStore, vault: ObjectVault, *, tenant: str) -> None:
        self._objects = objects
        self._vault = vault
        self._tenant = tenant

    def key_of(self, place: Place) -> str:
        """The object's key: tenant, series, number."""
        return f"{PREFIX}{self._tenant}/{place.series}/{place.number}{SUFFIX}"

    async def put(self, place: Place, renderings: Mapping[MediaType, bytes]) -> tuple[InvoiceDocumentStored, ...]:
        """Store the renderings, unless some lie there from a try whose end nobody heard of: then those are what is stored, since no object
        is ever written twice. Answers with one event for each.

        Raises StoreError, KeyErased, KeyUnusable, DocumentChanged.
        """
        key = self.key_of(place)
        sealed = await self._vault.seal_object(place.subject, place.purpose, bind(renderings))
        if not await self._objects.put_new(key, sealed):
            renderings = await self._open(key, place)
        return tuple(
            InvoiceDocumentStored(
                number=place.number,
                document=place.kind,
                media_type=media_type,
                object_key=key,
                sha256=hashlib.sha256(renderings[media_type]).hexdigest(),
                size=len(renderings[media_type]),
            )
            for media_type in NAMES
            if media_type in renderings
        )

    async def get(self, place: Place, stored: InvoiceDocumentStored) -> bytes:
        """The rendering, held to the hash in the log.

        Raises StoreError, KeyErased, KeyUnusable, DocumentMissing, DocumentChanged.
        """
        content = (await self._open(stored.object_key, place)).get(stored.media_type)
        if content is None:
            raise DocumentMissing(f"{stored.object_key} holds no {stored.media_type}")
        if hashlib.sha256(content).hexdigest() != stored.sha256 or len(content) != stored.size:
            raise DocumentChanged(f"{stored.object_key} is not what the log says was stored: another SHA-256")
        return content

    async def _open(self, key: str, place: Place) -> Mapping[MediaType, bytes]:
        sealed = await self._objects.get(key)
        if sealed is None:
            raise DocumentMissing(f"{key} is not there")
        try:
            return unbind(await self._vault.open_object(place.subject, place.purpose, sealed))
        except SealBroken as error:
            raise DocumentChanged(
                f"{key} does not open: it was changed, or another document's was put there"
            ) from error
        except NotBound as error:
            raise DocumentChanged(f"{key} holds no document: {error}") from error
