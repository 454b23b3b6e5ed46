"""The sandbox carrier: deterministic, remembers everything in the ledger; a parcel takes `transit_s` to arrive.

Rows: `carrier/<shipment>` is the booking, `carrier/<shipment>/fate` is put once and says dispatched, cancelled or refused: so of a
dispatch and a cancellation at the same moment exactly one wins.

What an order's hook asks for (`shipping_outcome`) happens to one of its parcels, the first that is booked; its row is
`carrier/order/<order>`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from workers.sandbox.ledger import Entry, SandboxLedger
from workers.shipping.carrier import (
    Booking,
    Cancelled,
    Carrier,
    CarrierRefused,
    Consignment,
    Delayed,
    Delivered,
    Dispatched,
    InTransit,
    Lost,
    Refused,
    Scan,
    TooLate,
)

DELAY_S: Final = 300.0
"""How long a parcel of which the hook says `delayed` stays here."""
_REFUSAL: Final = "address_unknown"


class SandboxCarrier(Carrier):
    """`now_ms` is the wall clock in milliseconds since 1970. `scans`: whether it tells where it has seen a parcel;
    `hooks`: whether it does what orders ask of it, which none may where payments are real."""

    def __init__(
        self,
        ledger: SandboxLedger,
        *,
        now_ms: Callable[[], int],
        transit_s: float = 0.0,
        delay_s: float = DELAY_S,
        scans: bool = False,
        hooks: bool = True,
    ) -> None:
        self._ledger = ledger
        self._now_ms = now_ms
        self._transit_ms = transit_s * 1000
        self._delay_ms = delay_s * 1000
        self._scans = scans
        self._hooks = hooks

    @property
    def name(self) -> str:
        """See `Carrier.name`."""
        return "sandbox"

    async def book(self, shipment_id: str, consignment: Consignment) -> Booking | Cancelled:
        """See `Carrier.book`. The fate is read after the booking is written, so a cancellation is never overlooked."""
        order = consignment.order
        details = {"label": f"label-{shipment_id}"}
        hook = order.hooks.shipping_outcome if self._hooks and order.hooks is not None else None
        if hook is not None:
            key = f"carrier/order/{order.order_id}"
            chosen = await self._ledger.put(key, order=order.order_id, kind="hook", details={"shipment": shipment_id})
            details |= {"outcome": hook} if chosen.details["shipment"] == shipment_id else {}
        booking = await self._ledger.put(_booking(shipment_id), order=order.order_id, kind="booking", details=details)
        fate = await self._ledger.get(_fate(shipment_id))
        cancelled = fate is not None and fate.kind == "cancelled"
        return Cancelled() if cancelled else Booking(str(booking.details["label"]))

    async def dispatch(self, shipment_id: str) -> Dispatched | Cancelled | Refused | Delayed:
        """See `Carrier.dispatch`."""
        booking = await self._ledger.get(_booking(shipment_id))
        if booking is None:
            raise CarrierRefused("there is no such booking")
        outcome = booking.details.get("outcome")
        leaves_ms = booking.at_ms + self._delay_ms
        if outcome == "delayed" and self._now_ms() < leaves_ms:
            fate = await self._ledger.get(_fate(shipment_id))
            cancelled = fate is not None and fate.kind == "cancelled"
            return Cancelled() if cancelled else Delayed(_moment(leaves_ms), "sandbox")
        kind = "refused" if outcome == "refused" else "dispatched"
        details = {} if outcome != "lost" else {"outcome": "lost"}
        fate = await self._ledger.put(_fate(shipment_id), order=booking.order, kind=kind, details=details)
        match fate.kind:
            case "cancelled":
                return Cancelled()
            case "refused":
                return Refused(_REFUSAL)
            case _:
                return Dispatched(_tracking(shipment_id))

    async def cancel(self, shipment_id: str) -> Cancelled | TooLate:
        """See `Carrier.cancel`. What it has refused has not left, and will not."""
        booking = await self._ledger.get(_booking(shipment_id))
        order = "" if booking is None else booking.order
        fate = await self._ledger.put(_fate(shipment_id), order=order, kind="cancelled", details={})
        return TooLate(_tracking(shipment_id)) if fate.kind == "dispatched" else Cancelled()

    async def track(self, shipment_id: str) -> InTransit | Delivered | Lost:
        """See `Carrier.track`."""
        fate = await self._ledger.get(_fate(shipment_id))
        if fate is None or fate.kind != "dispatched":
            raise CarrierRefused("the goods have not left")
        over = self._now_ms() - fate.at_ms >= self._transit_ms
        scans = self._seen(fate, over=over)
        if not over:
            return InTransit(scans)
        return (
            Lost("lost", scans) if fate.details.get("outcome") == "lost" else Delivered(f"proof-{shipment_id}", scans)
        )

    def _seen(self, fate: Entry, *, over: bool) -> tuple[Scan, ...]:
        if not self._scans:
            return ()
        collected = Scan("collected", _moment(fate.at_ms), "sandbox depot")
        arrived = Scan("out_for_delivery", _moment(fate.at_ms + self._transit_ms), "sandbox town")
        return (collected, arrived) if over else (collected,)


def _moment(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)


def _booking(shipment_id: str) -> str:
    return f"carrier/{shipment_id}"


def _fate(shipment_id: str) -> str:
    return f"carrier/{shipment_id}/fate"


def _tracking(shipment_id: str) -> str:
    return f"SBX-{shipment_id}"
