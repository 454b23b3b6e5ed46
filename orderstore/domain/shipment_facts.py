"""What becomes of the parcels of an order. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime

from orderstore.domain.values import Pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCreated:
    """The carrier has a booking; the goods have not moved."""

    shipment_id: str
    carrier: str
    label_reference: str
    location: str | None = None
    """Where it leaves from; None: the one location that there is."""
    lines: tuple[Pieces, ...] = ()
    """What is in it; (): everything that was ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCancelled:
    """The booking is undone; the goods never left."""

    shipment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRecalled:
    """The order does not want this parcel to leave any more, while others of its goods have left: the carrier is stopped, if it still can
    be. Stopped, its pieces are cancelled (`ShipmentCancelled`, `LinesCancelled`); too late, it has left (`ShipmentDispatched`)."""

    shipment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDispatched:
    """The goods have left: the pivot after which nothing is undone, only refunded or returned."""

    shipment_id: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDelivered:
    """The goods have arrived."""

    shipment_id: str
    proof_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFailed:
    """The carrier will not bring it: refused before it left, or lost, or nobody would take it. `code` is the carrier's own word."""

    shipment_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentDelayed:
    """The goods will leave later than was said. `consent_by` is until when the customer may agree (16 CFR 435.2: silence is no consent to
    more than 30 days); None: nobody has to be asked."""

    delay_id: str
    promised_at: datetime
    reason: str
    consent_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingUpdated:
    """The carrier has seen the parcel. `code` and `place` are its own words, and no personal data."""

    shipment_id: str
    code: str
    seen_at: datetime
    place: str | None = None
