"""The sandbox provider: deterministic, remembers everything in a ledger, and honours idempotency keys for ever.

It approves, unless the order's test hook says `declined`, or the payment method is one of `sandbox_cards`. Only
`SandboxPayments.gateway_for` looks at the hooks.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from orderstore.domain.events import OrderCreated
from orderstore.domain.money import Money
from workers.payment import sandbox_cards as cards
from workers.payment.disputes import DisputedPayment, Disputes, TheirDispute
from workers.payment.gateway import (
    ActionRequired,
    Answer,
    Authorized,
    Declined,
    GatewayRefused,
    HoldExpired,
    PaymentGateway,
    Taken,
    TakenOnce,
)
from workers.sandbox.ledger import Details, Entry, SandboxLedger

BankAnswer = Literal["acted", "refused", "never"]
"""What the customer does about the bank's question."""


class SandboxPayments:
    """`workers/departments.py` passes `gateway_for` to the handler where the sandbox stands behind the payment worker."""

    def __init__(self, ledger: SandboxLedger) -> None:
        self._ledger = ledger

    def gateway_for(self, order: OrderCreated) -> PaymentGateway:
        """A gateway that treats this order as its hooks ask."""
        declines = order.hooks is not None and order.hooks.payment_outcome == "declined"
        return SandboxGateway(self._ledger, declines=declines)


class SandboxGateway(PaymentGateway):
    """The provider for one scenario. Rows: `payment/<attempt>`, `…/acted` (what became of the bank's question), `…/settled` (taken at
    once, taken in parts, or void: one wins), `…/part/<taken before>` (so that no two parts take the same money), `…/refund/<key>`,
    `…/refund-failed`.
    """

    def __init__(self, ledger: SandboxLedger, *, declines: bool = False) -> None:
        self._ledger = ledger
        self._declines = declines

    async def authorize(
        self,
        attempt_key: str,
        *,
        amount: Money,
        order_reference: str,
        capture: bool,
        method: str | None,
        in_parts: bool = False,
    ) -> Answer:
        """See `PaymentGateway.authorize`. The sandbox takes any method, and none."""
        del in_parts  # it is possible, but for the card that says otherwise
        details: dict[str, str | int] = {"amount_minor": amount.minor, "currency": amount.currency}
        if cards.is_known(method):
            details["card"] = str(method)
        declines = self._declines or cards.decline_of(method) is not None
        kind = "decline" if declines else "charge" if capture else "authorize"
        row = await self._ledger.put(_charge(attempt_key), order=order_reference, kind=kind, details=details)
        if {**row.details, "card": None} != {**details, "card": None}:
            raise GatewayRefused("the key was used for another amount")
        return await self._answer(row)

    async def capture(
        self, key: str, *, reference: str, amount: Money, before_minor: int = 0, final: bool = True
    ) -> str:
        """See `PaymentGateway.capture`."""
        held = await self._authorized(reference)
        until = cards.held_until(held)
        if until is not None and self._now() >= until:
            raise HoldExpired("the hold ran out")
        if before_minor + amount.minor > _minor(held):
            raise GatewayRefused("more than is held", code="amount_too_large")
        details: Details = {"idempotency_key": key, "amount_minor": amount.minor, "currency": amount.currency}
        if final and not before_minor:
            await self._settle(held, "capture", details)
            return f"{reference}/capture"
        if held.details.get("card") == cards.TAKEN_ONCE:
            raise TakenOnce("the card lets itself be taken from once")
        await self._settle(held, "parts", {})
        place = f"{reference}/part/{before_minor}"
        part = await self._ledger.put(place, order=held.order, kind="capture", details=details)
        if dict(part.details) != details:
            raise GatewayRefused("this part was taken before, by another capture")
        return place

    async def void(self, key: str, *, reference: str) -> None:
        """See `PaymentGateway.void`."""
        held = await self._authorized(reference)
        if held.kind == "charge" and not await self._withdrawn(held):
            raise GatewayRefused("the customer has just paid: nothing is held")
        await self._settle(held, "void", {"idempotency_key": key})

    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.refund`."""
        held = await self._authorized(reference)
        if held.kind != "charge":
            settled = await self._ledger.get(f"{reference}/settled")
            if settled is None or settled.kind == "void":
                raise GatewayRefused("nothing was captured: there is nothing to refund")
        if held.details.get("card") == cards.REFUND_FAILS:
            failed = await self._ledger.put(
                f"{reference}/refund-failed", order=held.order, kind="refund failed", details={"idempotency_key": key}
            )
            if failed.details["idempotency_key"] == key:
                raise GatewayRefused("the card takes no refund", code="expired_or_canceled_card")
        details: Details = {"amount_minor": amount.minor, "currency": amount.currency}
        row = await self._ledger.put(f"{reference}/refund/{key}", order=held.order, kind="refund", details=details)
        if dict(row.details) != details:
            raise GatewayRefused("the key was used for another refund")
        return row.key

    async def find(self, attempt_key: str) -> Answer | None:
        """See `PaymentGateway.find`."""
        row = await self._ledger.get(_charge(attempt_key))
        return None if row is None else await self._answer(row)

    async def close(self, attempt_key: str) -> Taken | None:
        """See `PaymentGateway.close`."""
        row = await self._ledger.get(_charge(attempt_key))
        if row is None or row.kind == "decline":
            return None
        withdrawn = await self._withdrawn(row)
        if row.kind == "charge":
            return None if withdrawn else Taken(row.key, Money(_minor(row), str(row.details["currency"])))
        details = {"idempotency_key": f"{attempt_key}:close"}
        settled = await self._ledger.put(f"{row.key}/settled", order=row.order, kind="void", details=details)
        if settled.kind == "parts":
            raise GatewayRefused("an earlier attempt was taken in part")
        if settled.kind == "void":
            return None
        return Taken(row.key, Money(_minor(settled), str(settled.details["currency"])))

    async def _answer(self, row: Entry) -> Answer:
        card = row.details.get("card")
        if row.kind == "decline":
            return cards.decline_of(card) or Declined("hard", "card_declined")
        if card != cards.ASKS_CUSTOMER:
            return Authorized(row.key, cards.held_until(row))
        said = await self._ledger.get(f"{row.key}/acted")
        match None if said is None else said.kind:
            case "acted":
                return Authorized(row.key)
            case "refused":
                return cards.REFUSED_BY_CUSTOMER
            case "withdrawn":
                return cards.WITHDRAWN
            case _:
                return (
                    ActionRequired(row.key) if await self._ledger.get(f"{row.key}/settled") is None else cards.WITHDRAWN
                )

    async def _withdrawn(self, row: Entry) -> bool:
        """Whether the bank's question is taken back: who answers from now on is too late. A card whose bank asks nothing is taken from."""
        if row.details.get("card") != cards.ASKS_CUSTOMER:
            return False
        said = await self._ledger.put(f"{row.key}/acted", order=row.order, kind="withdrawn", details={})
        return said.kind != "acted"

    async def _settle(self, held: Entry, kind: str, details: Details) -> None:
        """Take or void what is held: the first of them wins for ever, and only its own key may repeat it."""
        row = await self._ledger.put(f"{held.key}/settled", order=held.order, kind=kind, details=details)
        if row.kind != kind or dict(row.details) != details:
            raise GatewayRefused(f"cannot {kind}: a {row.kind} was made before")

    async def _authorized(self, reference: str) -> Entry:
        row = await self._ledger.get(reference)
        if row is None or row.kind == "decline":
            raise GatewayRefused("no money is held under this reference")
        return row

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._ledger.now_ms() / 1_000, tz=UTC)


class SandboxDisputes(Disputes):
    """One dispute of each payment, raised and ended by whoever tries the service out. Rows: `<payment>/dispute`, `…/dispute/closed`."""

    def __init__(self, ledger: SandboxLedger) -> None:
        self._ledger = ledger

    async def of(self, reference: str) -> DisputedPayment | None:
        """See `Disputes.of`."""
        payment = await self._ledger.get(reference)
        if payment is None:
            return None
        opened = await self._ledger.get(f"{reference}/dispute")
        closed = await self._ledger.get(f"{reference}/dispute/closed")
        return DisputedPayment(payment.order, () if opened is None else (_dispute(opened, closed),))

    async def open(self, reference: str, *, amount_minor: int, reason: str = "fraudulent") -> None:
        """The cardholder disputes a payment."""
        payment = await self._ledger.get(reference)
        assert payment is not None, "only what was paid is disputed"
        details: Details = {"amount_minor": amount_minor, "reason": reason}
        await self._ledger.put(f"{reference}/dispute", order=payment.order, kind="dispute", details=details)

    async def close(self, reference: str, *, won: bool) -> None:
        """The bank has decided."""
        opened = await self._ledger.get(f"{reference}/dispute")
        assert opened is not None, "only what was disputed ends"
        details: Details = {"outcome": "won" if won else "lost"}
        await self._ledger.put(
            f"{reference}/dispute/closed", order=opened.order, kind="dispute closed", details=details
        )


async def act(ledger: SandboxLedger, attempt_key: str, *, answer: BankAnswer = "acted") -> str:
    """The customer does what the bank asked for, with the card that asks, or fails at it, or never will. Returns what stands: the first."""
    row = await ledger.get(_charge(attempt_key))
    assert row is not None, "the bank has asked for nothing"
    return (await ledger.put(f"{row.key}/acted", order=row.order, kind=answer, details={})).kind


def _dispute(opened: Entry, closed: Entry | None) -> TheirDispute:
    details: Mapping[str, str | int] = opened.details
    outcome = None if closed is None else closed.details["outcome"]
    return TheirDispute(
        dispute_id=opened.key,
        amount_minor=int(details["amount_minor"]),
        reason=str(details["reason"]),
        standing="open" if outcome is None else "won" if outcome == "won" else "lost",
    )


def _charge(attempt_key: str) -> str:
    return f"payment/{attempt_key}"


def _minor(row: Entry) -> int:
    return int(row.details["amount_minor"])
