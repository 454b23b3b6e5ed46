"""What becomes of the goods that an order wants: set aside, put back, sent, and put back on the shelf. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime

from orderstore.domain.values import Allocation, Pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReserved:
    """Every line is set aside."""

    reservation_id: str
    untracked_skus: tuple[str, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    """Where; (): all of it at the one location that there is."""
    expires_at: datetime | None = None
    """Until when they are set aside for an order that is not paid for; None: for as long as it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingStock:
    """A SKU that could not be reserved in full."""

    sku: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFailed:
    """Nothing is set aside: at least one SKU is short. A business outcome, not a fault."""

    missing: tuple[MissingStock, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReleased:
    """Nothing is set aside any more; `reservation_id` is None when nothing ever was."""

    reservation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryPartiallyReserved:
    """Some pieces are set aside and some are not there; what follows is for the order's terms to say (`Terms.missing_stock`).
    `answer_by` is until when the customer may say, where the terms have him asked."""

    reservation_id: str
    allocations: tuple[Allocation, ...]
    missing: tuple[Pieces, ...]
    untracked_skus: tuple[str, ...] = ()
    expires_at: datetime | None = None
    answer_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackorderFilled:
    """Pieces that were missing have come and are set aside."""

    reservation_id: str
    allocations: tuple[Allocation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExpired:
    """The goods were set aside for as long as was promised, and the order is not paid for: they are to be put back."""

    reservation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryCommitted:
    """The pieces of this parcel are not set aside any more: they are gone with it."""

    shipment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecesReleased:
    """The pieces of a cancelled part of the order are set aside no longer."""

    cancellation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRestocked:
    """What came back with this return is on the shelf again, or written off, as it was inspected."""

    return_id: str
