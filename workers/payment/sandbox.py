"""The sandbox provider: deterministic, remembers everything in a ledger, and honours idempotency keys for ever.

It approves, unless the order's test hook says `declined`. Only `SandboxPayments.gateway_for` looks at the hooks.
"""

from orderstore.domain.events import OrderCreated
from orderstore.domain.money import Money
from workers.payment.gateway import Authorized, Declined, GatewayRefused, PaymentGateway, Result
from workers.sandbox.ledger import Details, Entry, SandboxLedger


class SandboxPayments:
    """`workers/departments.py` passes `gateway_for` to the handler where the sandbox stands behind the payment worker."""

    def __init__(self, ledger: SandboxLedger) -> None:
        self._ledger = ledger

    def gateway_for(self, order: OrderCreated) -> PaymentGateway:
        """A gateway that treats this order as its hooks ask."""
        declines = order.hooks is not None and order.hooks.payment_outcome == "declined"
        return SandboxGateway(self._ledger, declines=declines)


class SandboxGateway(PaymentGateway):
    """The provider for one scenario. Rows: `payment/<attempt>`, `…/settled` (capture or void: one wins), `…/refund/<key>`."""

    def __init__(self, ledger: SandboxLedger, *, declines: bool = False) -> None:
        self._ledger = ledger
        self._declines = declines

    async def authorize(
        self, attempt_key: str, *, amount: Money, order_reference: str, capture: bool, method: str | None
    ) -> Result:
        """See `PaymentGateway.authorize`. The sandbox takes any method, and none."""
        del method
        details: Details = {"amount_minor": amount.minor, "currency": amount.currency}
        kind = "decline" if self._declines else "charge" if capture else "authorize"
        row = await self._ledger.put(_charge(attempt_key), order=order_reference, kind=kind, details=details)
        if dict(row.details) != details:
            raise GatewayRefused("the key was used for another amount")
        return _result(attempt_key, row)

    async def capture(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.capture`."""
        details: Details = {"idempotency_key": key, "amount_minor": amount.minor, "currency": amount.currency}
        await self._settle(reference, "capture", details)
        return f"{reference}/capture"

    async def void(self, key: str, *, reference: str) -> None:
        """See `PaymentGateway.void`."""
        await self._settle(reference, "void", {"idempotency_key": key})

    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.refund`."""
        held = await self._authorized(reference)
        if held.kind != "charge":
            settled = await self._ledger.get(f"{reference}/settled")
            if settled is None or settled.kind != "capture":
                raise GatewayRefused("nothing was captured: there is nothing to refund")
        details: Details = {"amount_minor": amount.minor, "currency": amount.currency}
        row = await self._ledger.put(f"{reference}/refund/{key}", order=held.order, kind="refund", details=details)
        if dict(row.details) != details:
            raise GatewayRefused("the key was used for another refund")
        return row.key

    async def find(self, attempt_key: str) -> Result | None:
        """See `PaymentGateway.find`."""
        row = await self._ledger.get(_charge(attempt_key))
        return None if row is None else _result(attempt_key, row)

    async def _settle(self, reference: str, kind: str, details: Details) -> None:
        """Capture or void what is held: the first of them wins for ever, and only its own key may repeat it."""
        held = await self._authorized(reference)
        row = await self._ledger.put(f"{reference}/settled", order=held.order, kind=kind, details=details)
        if row.kind != kind or dict(row.details) != details:
            raise GatewayRefused(f"cannot {kind}: a {row.kind} was made before")

    async def _authorized(self, reference: str) -> Entry:
        row = await self._ledger.get(reference)
        if row is None or row.kind == "decline":
            raise GatewayRefused("no money is held under this reference")
        return row


def _charge(attempt_key: str) -> str:
    return f"payment/{attempt_key}"


def _result(attempt_key: str, row: Entry) -> Result:
    if row.kind == "decline":
        return Declined("hard", "card_declined")
    return Authorized(_charge(attempt_key))
