"""What an order is made of besides what was ordered: its money, its goods, its parcel, its holds and what billing took back."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from orderstore.domain import events as e


class PaymentStatus(Enum):
    """Where the money is. Authorized: held at the provider; captured: taken; failed: declined."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"


class InventoryStatus(Enum):
    """Where the goods are set aside: all lines, or none."""

    PENDING = "pending"
    RESERVED = "reserved"
    FAILED = "failed"
    RELEASED = "released"


class ShipmentStatus(Enum):
    """Where the parcel is."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that is promised back, for these pieces; `issued` once the provider has given it."""

    refund_id: str
    amount_minor: int
    lines: tuple[e.RefundedLine, ...]
    issued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The order's money: `amount_minor` is the order's total until the provider says what it holds. `method` is the provider's token."""

    status: PaymentStatus = PaymentStatus.PENDING
    attempt: int = 1
    amount_minor: int = 0
    provider_reference: str | None = None
    method: str | None = None
    refunds: tuple[Refund, ...] = ()

    @property
    def refunds_pending(self) -> tuple[Refund, ...]:
        """Promised, not given yet."""
        return tuple(refund for refund in self.refunds if not refund.issued)

    @property
    def refunded_minor(self) -> int:
        """Given back or promised: what a further refund may no longer touch."""
        return sum(refund.amount_minor for refund in self.refunds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The order's reservation."""

    status: InventoryStatus = InventoryStatus.PENDING
    reservation_id: str | None = None


UNPAID: Final = Payment()
NOTHING_RESERVED: Final = Inventory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """The order's parcel; one for the whole order."""

    shipment_id: str
    status: ShipmentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """What a refund has taken back of the order's invoice."""

    refund_id: str
    total_minor: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody stopped the order, for this reason, and has not let it go yet."""

    hold_id: str
    reason: e.HoldReason
