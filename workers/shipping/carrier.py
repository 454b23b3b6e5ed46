"""The carrier as the shipping worker sees it. It is the judge of the race between dispatch and cancellation: one wins, for ever.

CarrierError
├── CarrierTimeout       the outcome is unknown: ask again, every call may be repeated
├── CarrierUnavailable   nothing has happened
└── CarrierRefused       it says no for a technical reason: for a person
"""

from dataclasses import dataclass
from typing import Protocol

from orderstore.domain.events import OrderCreated


class CarrierError(Exception):
    """The carrier gave no usable answer."""


class CarrierTimeout(CarrierError):
    """No answer in time."""


class CarrierUnavailable(CarrierError):
    """The carrier could not be reached, or takes no work."""


class CarrierRefused(CarrierError):
    """The carrier does not accept the request as such."""


@dataclass(frozen=True, slots=True)
class Booking:
    """The carrier expects the parcel."""

    label_reference: str


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The goods have left."""

    tracking_number: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The goods have not left and will not, whatever is asked later."""


@dataclass(frozen=True, slots=True)
class TooLate:
    """The goods had left before."""

    tracking_number: str


@dataclass(frozen=True, slots=True)
class InTransit:
    """On its way; ask again after a while."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Arrived."""

    proof_reference: str


class Carrier(Protocol):
    """Shipments have our ids, and every call may be repeated: it answers the same. Methods may raise `CarrierError`."""

    @property
    def name(self) -> str:
        """The carrier's name in events."""
        ...

    async def book(self, shipment_id: str, order: OrderCreated) -> Booking | Cancelled:
        """Expect a parcel; `Cancelled` when the shipment was cancelled before it was booked."""
        ...

    async def dispatch(self, shipment_id: str) -> Dispatched | Cancelled:
        """Hand the goods over, unless the booking is cancelled."""
        ...

    async def cancel(self, shipment_id: str) -> Cancelled | TooLate:
        """Stop it unless the goods have left; a shipment that is not booked (yet) can then never be."""
        ...

    async def track(self, shipment_id: str) -> InTransit | Delivered:
        """Where the goods are."""
        ...
