"""The carrier as the shipping worker sees it. It is the judge of the race between dispatch and cancellation: one wins, for ever.

What an adapter of a real one needs to keep to is in `docs/shipping.md`.

CarrierError
├── CarrierTimeout       the outcome is unknown: ask again, every call may be repeated
├── CarrierUnavailable   nothing has happened
└── CarrierRefused       it says no for a technical reason: for a person
"""

from dataclasses import dataclass
from datetime import datetime
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
class Goods:
    """So many pieces of one article."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Consignment:
    """What is to be sent: each article once, and where it leaves from (None: the one location that there is)."""

    order: OrderCreated
    location: str | None
    goods: tuple[Goods, ...]


@dataclass(frozen=True, slots=True)
class Booking:
    """The carrier expects the parcel."""

    label_reference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier will not take this parcel, whatever is asked later; `code` is its own word, such as `address_unknown`."""

    code: str


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The goods have left."""

    tracking_number: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The goods have not left yet, and nothing is wrong: they wait for their collection."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """The goods have not left: they will at `promised_at` (with its offset), later than was said. `reason` is the carrier's own, and no
    personal data."""

    promised_at: datetime
    reason: str

    def __post_init__(self) -> None:
        """Raises ValueError for a time without its offset."""
        _with_offset(self.promised_at)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The goods have not left and will not, whatever is asked later."""


@dataclass(frozen=True, slots=True)
class TooLate:
    """The goods had left before."""

    tracking_number: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The carrier has seen the parcel. `code` and `place` are its own words, and no personal data; `seen_at` has its offset."""

    code: str
    seen_at: datetime
    place: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a time without its offset."""
        _with_offset(self.seen_at)


@dataclass(frozen=True, slots=True)
class InTransit:
    """On its way; ask again after a while. `scans`: everything that was seen of it so far, or what is new."""

    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """Arrived."""

    proof_reference: str
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """It left, and it will not arrive: lost, or nobody would take it. `code` is the carrier's own word."""

    code: str
    scans: tuple[Scan, ...] = ()


class Carrier(Protocol):
    """Shipments have our ids, and every call may be repeated: it answers the same, or what became of it since. Methods may raise
    `CarrierError`."""

    @property
    def name(self) -> str:
        """The carrier's name in events."""
        ...

    async def book(self, shipment_id: str, consignment: Consignment) -> Booking | Cancelled | Refused:
        """Expect a parcel; `Cancelled` when the shipment was cancelled before it was booked."""
        ...

    async def dispatch(self, shipment_id: str) -> Dispatched | Cancelled | Refused | Waiting | Delayed:
        """Hand the goods over, unless the booking is cancelled. `Waiting` and `Delayed`: not yet, ask again."""
        ...

    async def cancel(self, shipment_id: str) -> Cancelled | TooLate:
        """Stop it unless the goods have left; a shipment that is not booked (yet) can then never be."""
        ...

    async def track(self, shipment_id: str) -> InTransit | Delivered | Lost:
        """Where the goods are."""
        ...


def _with_offset(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("a carrier's times have their offset from UTC: nobody can tell what others mean")
