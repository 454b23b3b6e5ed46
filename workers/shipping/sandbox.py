"""The sandbox carrier: deterministic, remembers everything in the ledger; a parcel takes `transit_s` to arrive.

Rows: `carrier/<shipment>` is the booking, `carrier/<shipment>/fate` is put once and says dispatched or cancelled: so of a
dispatch and a cancellation at the same moment exactly one wins.
"""

from collections.abc import Callable

from orderstore.domain.events import OrderCreated
from workers.sandbox.ledger import SandboxLedger
from workers.shipping.carrier import (
    Booking,
    Cancelled,
    Carrier,
    CarrierRefused,
    Delivered,
    Dispatched,
    InTransit,
    TooLate,
)


class SandboxCarrier(Carrier):
    """`now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(self, ledger: SandboxLedger, *, now_ms: Callable[[], int], transit_s: float = 0.0) -> None:
        self._ledger = ledger
        self._now_ms = now_ms
        self._transit_ms = transit_s * 1000

    @property
    def name(self) -> str:
        """See `Carrier.name`."""
        return "sandbox"

    async def book(self, shipment_id: str, order: OrderCreated) -> Booking | Cancelled:
        """See `Carrier.book`. The fate is read after the booking is written, so a cancellation is never overlooked."""
        label = f"label-{shipment_id}"
        await self._ledger.put(_booking(shipment_id), order=order.order_id, kind="booking", details={"label": label})
        fate = await self._ledger.get(_fate(shipment_id))
        return Cancelled() if fate is not None and fate.kind == "cancelled" else Booking(label)

    async def dispatch(self, shipment_id: str) -> Dispatched | Cancelled:
        """See `Carrier.dispatch`."""
        booking = await self._ledger.get(_booking(shipment_id))
        if booking is None:
            raise CarrierRefused("there is no such booking")
        fate = await self._ledger.put(_fate(shipment_id), order=booking.order, kind="dispatched", details={})
        return Cancelled() if fate.kind == "cancelled" else Dispatched(_tracking(shipment_id))

    async def cancel(self, shipment_id: str) -> Cancelled | TooLate:
        """See `Carrier.cancel`."""
        booking = await self._ledger.get(_booking(shipment_id))
        order = "" if booking is None else booking.order
        fate = await self._ledger.put(_fate(shipment_id), order=order, kind="cancelled", details={})
        return Cancelled() if fate.kind == "cancelled" else TooLate(_tracking(shipment_id))

    async def track(self, shipment_id: str) -> InTransit | Delivered:
        """See `Carrier.track`."""
        fate = await self._ledger.get(_fate(shipment_id))
        if fate is None or fate.kind != "dispatched":
            raise CarrierRefused("the goods have not left")
        arrived = self._now_ms() - fate.at_ms >= self._transit_ms
        return Delivered(f"proof-{shipment_id}") if arrived else InTransit()


def _booking(shipment_id: str) -> str:
    return f"carrier/{shipment_id}"


def _fate(shipment_id: str) -> str:
    return f"carrier/{shipment_id}/fate"


def _tracking(shipment_id: str) -> str:
    return f"SBX-{shipment_id}"
