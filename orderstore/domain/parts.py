"""What an order is made of besides what was ordered: its money, its goods, its parcels, what comes back, and who has to decide what."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Literal

from orderstore.domain import events as e


class PaymentStatus(Enum):
    """Where the money is. Action required: the provider waits for the customer. Authorized: held at the provider; captured: taken;
    failed: declined. Of some parcels taken and of others held is partially captured."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"


class InventoryStatus(Enum):
    """Where the goods are set aside. Partial: some are missing, and the customer is asked; backordered: the rest is sent when it comes;
    committed: all of it has left, and nothing is set aside any more."""

    PENDING = "pending"
    RESERVED = "reserved"
    PARTIAL = "partial"
    BACKORDERED = "backordered"
    COMMITTED = "committed"
    FAILED = "failed"
    EXPIRED = "expired"
    RELEASED = "released"


class ShipmentStatus(Enum):
    """Where the parcel is. Failed: refused by the carrier before it left. Lost: gone, and it will not arrive."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    LOST = "lost"


class EditStatus(Enum):
    """What became of the wish to add pieces."""

    OPEN = "open"
    APPLIED = "applied"
    DECLINED = "declined"


class ReturnStatus(Enum):
    """How far a return is."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    RECEIVED = "received"
    INSPECTED = "inspected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that is promised back, for these pieces; `issued` once the provider has given it, `failed` while it could not.
    `of_cancellation`: for pieces that were cancelled, which no document names. `after` counts the cancellations of lines before it."""

    refund_id: str
    amount_minor: int
    lines: tuple[e.Pieces, ...]
    issued: bool = False
    failed: bool = False
    attempt: int = 1
    of_cancellation: bool = False
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCancellation:
    """Pieces that are no part of the order any more. `priced` are those whose money nobody had promised back before: `amount_minor` is for
    these. `freed` is what was set aside of them, and where; the others were missing. `after` counts the refunds before."""

    cancellation_id: str
    lines: tuple[e.Pieces, ...]
    amount_minor: int
    priced: tuple[e.Pieces, ...] = ()
    refund_id: str | None = None
    freed: tuple[e.Allocation, ...] = ()
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Money that was taken; `shipment_id` is the parcel that it pays for, None for everything."""

    amount_minor: int
    provider_reference: str
    shipment_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The bank has taken the money back, for now or (lost) for ever."""

    dispute_id: str
    amount_minor: int
    status: Literal["open", "won", "lost"] = "open"


@dataclass(frozen=True, slots=True)
class Spare:
    """Money that is held, or may be, and that the order does not need: by the attempt that an edit has replaced, or by that of an edit that
    came to nothing (None: nobody knows yet whether it holds any)."""

    attempt: int
    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The order's money: `amount_minor` is the order's total until the provider says what it holds. `method` is the provider's token,
    `unknown` that nobody can say what became of the present attempt. `last_attempt` is that of the last edit, whatever became of it, and
    `earlier` the attempt that the present one has followed."""

    status: PaymentStatus = PaymentStatus.PENDING
    attempt: int = 1
    amount_minor: int = 0
    provider_reference: str | None = None
    method: str | None = None
    unknown: bool = False
    retry_until: datetime | None = None
    capture_before: datetime | None = None
    action_until: datetime | None = None
    captures: tuple[Capture, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    last_attempt: int = 0
    earlier: int = 0
    spare: tuple[Spare, ...] = ()

    @property
    def next_attempt(self) -> int:
        """The number of the attempt that would be begun now: none is ever used twice."""
        return max(self.attempt, self.last_attempt) + 1

    @property
    def refunds_pending(self) -> tuple[Refund, ...]:
        """Promised, and the provider's turn."""
        return tuple(refund for refund in self.refunds if not refund.issued and not refund.failed)

    @property
    def refunds_owed(self) -> tuple[Refund, ...]:
        """Promised, not given yet, whether it is being tried or not."""
        return tuple(refund for refund in self.refunds if not refund.issued)

    @property
    def refunded_minor(self) -> int:
        """Given back or promised, for pieces that are part of the order: what a further refund may no longer touch."""
        return sum(refund.amount_minor for refund in self.refunds if not refund.of_cancellation)

    @property
    def disputed_minor(self) -> int:
        """What the bank has taken back, for now or for ever: nobody can give it back a second time."""
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.status != "won")

    @property
    def refunds_in_vain(self) -> tuple[Refund, ...]:
        """Failed, and never to be given: the bank has taken so much back for ever that there is not enough left of what was taken."""
        lost_minor = sum(dispute.amount_minor for dispute in self.disputes if dispute.status == "lost")
        if not lost_minor:
            return ()
        given_minor = sum(refund.amount_minor for refund in self.refunds if refund.issued)
        left_minor = self.captured_minor - given_minor - lost_minor
        return tuple(refund for refund in self.refunds if refund.failed and refund.amount_minor > left_minor)

    @property
    def captured_minor(self) -> int:
        """What was taken."""
        return sum(capture.amount_minor for capture in self.captures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The order's reservation. `allocations` are (): all of it at the one location that there is, unless some of it is `missing`.
    `committed` are the parcels whose pieces are gone from stock, `released` the cancellations whose pieces are back."""

    status: InventoryStatus = InventoryStatus.PENDING
    reservation_id: str | None = None
    allocations: tuple[e.Allocation, ...] = ()
    missing: tuple[e.Pieces, ...] = ()
    expires_at: datetime | None = None
    committed: tuple[str, ...] = ()
    released: tuple[str, ...] = ()


UNPAID: Final = Payment()
NOTHING_RESERVED: Final = Inventory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A parcel; `lines` are (): everything that was ordered. `recalled`: it is not to leave, if the carrier can still be stopped."""

    shipment_id: str
    status: ShipmentStatus
    location: str | None = None
    lines: tuple[e.Pieces, ...] = ()
    recalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """What a refund has taken back of the order's invoice."""

    refund_id: str
    total_minor: int
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What comes back. `inspected` are the pieces that came, `restocked` that stock has them; `exchange_order_id` is the order that
    replaces them, where it is an exchange."""

    return_id: str
    lines: tuple[e.Pieces, ...]
    status: ReturnStatus = ReturnStatus.REQUESTED
    inspected: tuple[e.InspectedPieces, ...] = ()
    restocked: bool = False
    exchange_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Pieces that somebody wants to add: `lines` would have the numbers from `first_line` on. `reserved`: they are set aside, in a
    reservation of their own; `released`: they are not, and never will be."""

    edit_id: str
    first_line: int
    lines: tuple[e.OrderLine, ...]
    amount_minor: int
    due_minor: int
    attempt: int
    pricing: e.Pricing | None = None
    status: EditStatus = EditStatus.OPEN
    reserved: bool = False
    reservation_id: str | None = None
    allocations: tuple[e.Allocation, ...] = ()
    untracked_skus: tuple[str, ...] = ()
    released: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody stopped the order, for this reason, and has not let it go yet."""

    hold_id: str
    reason: e.HoldReason


@dataclass(frozen=True, slots=True)
class Question:
    """What the customer has to decide, and until when."""

    action_id: str
    kind: e.ActionKind
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Stall:
    """A stage that takes too long, and nobody has done anything about it yet."""

    stage: e.StalledStage
    subject: str | None
