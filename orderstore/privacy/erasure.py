"""Erasing a person: the key is destroyed, and with it everything that it ever sealed, in the log and in every copy of the log.

The order of the steps is what makes it safe to stop anywhere and run it again: the key goes first (nothing is promised that is not done),
then each order notes it, then it is proved, and last the one certificate is signed and stored. Every step is a repeat of itself.

    ErasureRefused          nothing was erased
    ├── OpenOrders          orders are still open, the key is there, and nobody said to erase despite them
    └── NobodyKnown         there is neither an order nor a key: a typing error must not close an id for ever
    ErasureUnproved         the key is destroyed, but the proof failed: no certificate; mend what it names and run it again
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orderstore.audit.signing import Signer
from orderstore.audit.verify import verify_stream
from orderstore.codec import timestamp
from orderstore.domain.events import PersonalDataErased
from orderstore.objects import ObjectStore
from orderstore.orders import SOURCE, Orders
from orderstore.privacy import certificates
from orderstore.privacy.contents import personal_in
from orderstore.privacy.elsewhere import Elsewhere
from orderstore.privacy.keys import KeyErased, KeyRing, KeyUnusable
from orderstore.privacy.subjects import fiscal_year_of, last_year_kept
from orderstore.privacy.survey import SurveyedOrder, survey_order
from orderstore.privacy.words import Vault
from orderstore.recorded import Actor, Cause
from orderstore.store.port import CommitSource

# AWS, "Point-in-time recovery for DynamoDB": the last 35 days can be restored, and with them a key that was destroyed in them.
KEY_BACKUP_DAYS: Final = 35


class ErasureRefused(Exception):
    """Nothing was erased."""


class OpenOrders(ErasureRefused):
    """Orders are still open."""

    def __init__(self, order_ids: Sequence[str]) -> None:
        """Name them."""
        super().__init__(
            f"{len(order_ids)} orders are still open: their mails could not be sent any more, and their invoices would name no buyer"
        )
        self.order_ids = tuple(order_ids)


class NobodyKnown(ErasureRefused):
    """There is nothing to erase."""


class ErasureUnproved(Exception):
    """The key is destroyed, but something is not as it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who is to be erased, in which orders they stand, and who says so."""

    subject: str
    order_ids: tuple[str, ...]
    reason: str
    actor: Actor
    despite_open_orders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The certificate that stands, whether this run issued it, and the orders that this run was the first to mark."""

    certificate: certificates.Certificate
    new: bool
    marked: tuple[str, ...]


class Eraser:
    """Erases. `cache_ttl_s` is how long any process may go on using a key that it fetched before; `elsewhere` are emptied too."""

    def __init__(
        self,
        orders: Orders,
        source: CommitSource,
        *,
        tenant: str,
        keys: KeyRing,
        vault: Vault,
        signer: Signer,
        locked: ObjectStore,
        cache_ttl_s: float,
        fiscal_retention_years: int,
        now_ms: Callable[[], int],
        elsewhere: Sequence[Elsewhere] = (),
    ) -> None:
        self._orders = orders
        self._source = source
        self._tenant = tenant
        self._keys = keys
        self._vault = vault
        self._signer = signer
        self._locked = locked
        self._cache_ttl = timedelta(seconds=cache_ttl_s)
        self._retention_years = fiscal_retention_years
        self._now_ms = now_ms
        self._elsewhere = tuple(elsewhere)

    async def survey(self, request: Request) -> tuple[SurveyedOrder, ...]:
        """What the erasure would meet, open orders too. Raises NobodyKnown, NotTheirOrder, UnknownOrder, StoreError, CodecError."""
        found = tuple(
            [
                await survey_order(self._orders, order_id, subject=request.subject)
                for order_id in sorted(set(request.order_ids))
            ]
        )
        if not found and not await self._is_known(request.subject):
            raise NobodyKnown(f"neither an order nor a key is known of {request.subject}; nothing was erased")
        return found

    async def in_the_way(self, request: Request, found: Sequence[SurveyedOrder]) -> tuple[str, ...]:
        """The open orders for which `erase` would refuse: none once the key is destroyed, since then only going on helps anybody."""
        still_open = tuple(order.order_id for order in found if order.open)
        if request.despite_open_orders or not still_open or await self._is_destroyed(request.subject):
            return ()
        return still_open

    async def erase(self, request: Request) -> Erased:
        """Erase, prove it and certify it; done before, or half done, it ends the same.

        Raises:
            ErasureRefused, NotTheirOrder, UnknownOrder: this run changed nothing.
            ErasureUnproved: see above.
            CommandRejected, Contended, StoreError, CodecError, CertificateInvalid, and what `elsewhere` raises: trouble on the way; run it
                again.
        """
        found = await self.survey(request)
        if still_open := await self.in_the_way(request, found):
            raise OpenOrders(still_open)
        certificate = certificates.certificate_id(self._tenant, request.subject)
        destroyed_at_ms = await self._keys.erase(request.subject)
        for place in self._elsewhere:
            await place.forget(request.subject)
        marked = [order.order_id for order in found if await self._mark(order, request, certificate)]
        proofs = [await self._prove(order, request.subject) for order in found]
        if await self._has_key(request.subject):
            raise ErasureUnproved(f"the key of {request.subject} was destroyed and is there again")
        document = self._certificate(certificate, request, found, proofs, destroyed_at_ms)
        standing, new = await certificates.issue(self._locked, self._signer, document)
        return Erased(certificate=standing, new=new, marked=tuple(marked))

    async def _mark(self, order: SurveyedOrder, request: Request, certificate: str) -> bool:
        before = await self._orders.load(order.order_id)
        erasure = PersonalDataErased(subject=request.subject, certificate=certificate, key_classes=("operational",))
        cause = Cause(
            causation_id=certificate,
            purpose=f"personal-data-erased:{order.order_id}",
            correlation_id=order.order_id,
            actor=request.actor,
            source=SOURCE,
        )
        return (await self._orders.note_erased(before, erasure, cause=cause)) is not before

    async def _prove(self, order: SurveyedOrder, subject: str) -> dict[str, Any]:
        """Nothing under the key opens any more, and the order's chain is as it was written. Raises ErasureUnproved."""
        unreadable = 0
        for personal in personal_in(await self._orders.load(order.order_id)):
            if personal.sealed is None or personal.sealed.subject != subject:
                continue
            try:
                await self._vault.open(personal.sealed, personal.purpose)
            except KeyErased:
                unreadable += 1
            else:
                raise ErasureUnproved(f"{order.stream}: {personal.field} of event {personal.version} can still be read")
        verified = await verify_stream(self._source, order.stream)
        if verified.findings or verified.head is None:
            faults = "; ".join(f"commit {found.commit}: {found.reason}" for found in verified.findings[:3])
            raise ErasureUnproved(f"{order.stream} is not as it was written: {faults or 'it is empty'}")
        return {
            "orderId": order.order_id,
            "commits": verified.commits,
            "head": verified.head.hex(),
            "unreadableTexts": unreadable,
        }

    async def _is_known(self, subject: str) -> bool:
        """Whether there is a key, or was one until an erasure, which may have been interrupted before its certificate."""
        try:
            await self._keys.existing(subject)
        except KeyErased as erased:
            return erased.destroyed
        return True

    async def _is_destroyed(self, subject: str) -> bool:
        """Whether an erasure, perhaps an interrupted one, has destroyed the key."""
        try:
            await self._keys.existing(subject)
        except KeyErased as erased:
            return erased.destroyed
        except KeyUnusable:
            return False  # it is there, and may yet be mended
        return False

    async def _has_key(self, subject: str) -> bool:
        try:
            await self._keys.existing(subject)
        except KeyErased:
            return False
        return True

    def _certificate(
        self,
        certificate: str,
        request: Request,
        found: Sequence[SurveyedOrder],
        proofs: Sequence[dict[str, Any]],
        destroyed_at_ms: int,
    ) -> dict[str, Any]:
        destroyed_at = datetime.fromtimestamp(destroyed_at_ms / 1000, tz=UTC)
        return {
            "format": certificates.FORMAT,
            "id": certificate,
            "tenant": self._tenant,
            "subject": request.subject,
            "reason": request.reason,
            "actor": {"type": request.actor.type, "id": request.actor.id},
            "issuedAt": timestamp(datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)),
            "destroyed": {
                "keyClasses": ["operational"],
                "destroyedAt": timestamp(destroyed_at),
                "forgottenEverywhereAt": timestamp(destroyed_at + self._cache_ttl),
                "what": "everything ever sealed under the key: e-mail address, name and free texts, in whatever copy of the log",
            },
            "removed": [place.what for place in self._elsewhere],
            "kept": self._kept(found, destroyed_at),
            "despiteOpenOrders": [order.order_id for order in found if order.open],
            "orders": list(proofs),
            "proved": [
                "each sealed text of the orders was tried and does not open",
                "each order's chain of hashes is as it was written",
            ],
        }

    def _kept(self, found: Sequence[SurveyedOrder], destroyed_at: datetime) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = []
        fiscal: dict[str, list[str]] = {}
        for order in found:
            for subject, number in order.invoices:
                fiscal.setdefault(subject, []).append(number)
        for subject, numbers in sorted(fiscal.items()):
            year = fiscal_year_of(subject)
            assert year is not None, "an invoice's buyer is sealed under a fiscal key"
            kept.append(
                {
                    "what": f"the key {subject}: the buyer's name on invoices",
                    "invoices": sorted(numbers),
                    "why": "the law has invoices name their buyer (Directive 2006/112/EC Art. 226; GDPR Art. 17 (3)(b))",
                    "until": f"{last_year_kept(year, self._retention_years)}-12-31",
                }
            )
        plain = [
            {"orderId": order.order_id, "versions": list(order.plain_versions)}
            for order in found
            if order.plain_versions
        ]
        if plain:
            kept.append(
                {
                    "what": "free texts that were stored before they were sealed (event version 1.0)",
                    "orders": plain,
                    "why": "they stand under the chain of hashes, which proves the log",
                    "until": "the log is deleted",
                }
            )
        kept.append(
            {
                "what": "the destroyed key, wrapped, in backups of the table of keys",
                "why": "point-in-time recovery",
                "until": timestamp(destroyed_at + timedelta(days=KEY_BACKUP_DAYS)),
            }
        )
        kept.append(
            {
                "what": "the orders themselves under the customer's id, which is no name: goods, amounts, dates, payment references",
                "why": "accounts",
                "until": "the log is deleted",
            }
        )
        return kept
