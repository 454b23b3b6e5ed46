"""What the view `order_status` says of an order, part by part. Amounts are minor units of the order's currency, times ISO 8601 in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from orderstore.domain import events as e

Status = Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "COMPLETED", "CANCELLING", "CANCELLED", "REJECTED"]
PaymentStatus = Literal[
    "PENDING", "ACTION_REQUIRED", "AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "FAILED", "VOIDED"
]
InventoryStatus = Literal["PENDING", "RESERVED", "PARTIAL", "BACKORDERED", "COMMITTED", "FAILED", "EXPIRED", "RELEASED"]
ShipmentStatus = Literal["BOOKED", "CANCELLED", "FAILED", "DISPATCHED", "DELIVERED", "LOST"]
ReturnStatus = Literal["REQUESTED", "APPROVED", "DECLINED", "CANCELLED", "RECEIVED", "INSPECTED"]
EditStatus = Literal["OPEN", "APPLIED", "DECLINED"]
Review = Literal["NONE", "OPEN", "PASSED", "FAILED"]

SHIPMENTS_MAX: Final = 50
"""The latest parcels that are shown; of those before them the number. (An order of more is one of very many backorders.)"""
OWED_MAX: Final = 200
"""Refunds that are told apart while they are owed; of more than these only the sum is known, and none of those is said to have failed."""
DISPUTES_MAX: Final = 50
"""Open disputes that are told apart; of more than these only the sum is known, and it stays counted when they are won."""
ACTIONS_MAX: Final = 20
CREDIT_NOTES_MAX: Final = 20
STALLS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A refund that is promised and not given back yet; `failed` while nobody tries."""

    refund_id: str
    amount_minor: int
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The bank has taken the money back, for now."""

    dispute_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A refund is pending from its request until the provider has paid it, and failed while it could not; of both the money is still owed.
    `unknown`: nobody can say what became of the present attempt. `owed` and `disputes` are of what the sums are that may still change."""

    status: PaymentStatus
    amount_minor: int
    attempt: int = 1
    captured_minor: int = 0
    refunded_minor: int = 0
    refund_pending_minor: int = 0
    refund_failed_minor: int = 0
    disputed_minor: int = 0
    unknown: bool = False
    retry_until: str | None = None
    owed: tuple[Owed, ...] = ()
    disputes: tuple[Dispute, ...] = ()


NOTHING_MISSING: Final[Mapping[int, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """`missing` are the pieces that could not be set aside, by line. `backorder`: they are sent when they come. `committed` pieces have
    left, and stock knows it: of parcels that are shown, so that an order of very many parcels stays RESERVED."""

    status: InventoryStatus = "PENDING"
    missing: Mapping[int, int] = field(default_factory=lambda: NOTHING_MISSING)
    backorder: bool = False
    committed: int = 0

    @property
    def missing_pieces(self) -> int:
        """How many."""
        return sum(self.missing.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where the carrier saw the parcel last, in its own words."""

    code: str
    at: str
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A parcel, and how many pieces are in it."""

    shipment_id: str
    status: ShipmentStatus
    pieces: int
    location: str | None = None
    tracking_number: str | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Why the order is (or was to be) undone; `declined` when the goods had left before."""

    reason: str
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Somebody stopped the order at `since`."""

    hold_id: str
    reason: e.HoldReason
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What the customer has still to decide, and until when."""

    action_id: str
    kind: e.ActionKind
    deadline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """So many pieces come back, as they were announced; `inspected`, once somebody has looked, those that came. `exchange_order_id` is
    the order that replaces them, where it is an exchange."""

    return_id: str
    status: ReturnStatus
    pieces: int
    inspected: int | None = None
    exchange_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """A stage that takes too long; `subject` is its parcel or refund, where it is one."""

    stage: e.StalledStage
    subject: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Lines that somebody wants to add, and what the order costs more with them. `attempt` is the payment attempt that it is to be covered
    by; `reason` says why it was declined."""

    edit_id: str
    status: EditStatus
    line_count: int
    piece_count: int
    amount_minor: int
    attempt: int
    reason: e.EditDecline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatus:
    """`last_recorded_at_ms` is milliseconds since 1970. `total` is what people read: "900.00". What grows is bounded by numbers above."""

    order_id: str
    customer_id: str | None
    status: Status
    payment: Payment
    inventory: Inventory = Inventory()
    shipments: tuple[Shipment, ...] = ()
    shipments_omitted: int = 0
    invoice_numbers: tuple[str, ...] = ()
    credit_note_numbers: tuple[str, ...] = ()
    credit_notes_omitted: int = 0
    cancellation: Cancellation | None = None
    cancelled_pieces: int = 0
    cancelled_minor: int = 0
    holds: tuple[Hold, ...] = ()
    review: Review = "NONE"
    actions: tuple[Action, ...] = ()
    actions_omitted: int = 0
    returns: tuple[Return, ...] = ()
    edits: tuple[Edit, ...] = ()
    """All that there ever were: each is a payment attempt, and an order has only so many."""
    stalls: tuple[Stall, ...] = ()
    currency: str
    total_minor: int
    total_exact: str
    total: str
    line_count: int
    piece_count: int
    placed_at: str
    updated_at: str
    last_recorded_at_ms: int
    version: int
    commit: int

    @property
    def due_minor(self) -> int:
        """What the customer has to pay: the order's price without the pieces that were cancelled."""
        return self.total_minor - self.cancelled_minor

    @property
    def stalled(self) -> list[str]:
        """The stages that take too long, each once."""
        return sorted({stall.stage for stall in self.stalls})
