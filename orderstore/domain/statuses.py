"""One class per status of an order. What an order of that status may become, and when, is decided elsewhere (`decisions`, `follow_up`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orderstore.domain import events as e
from orderstore.domain.parts import (
    NOTHING_RESERVED,
    UNPAID,
    CreditNote,
    Edit,
    EditStatus,
    Hold,
    Inventory,
    LineCancellation,
    Payment,
    Question,
    Return,
    Shipment,
    Stall,
)

Review = Literal["none", "open", "passed", "failed"]


class ImpossibleTransition(Exception):
    """The log holds an event that cannot follow what came before it: a bug, or tampering."""


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Before the first event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What every placed order has, whatever its status."""

    order: e.OrderCreated
    """As it was placed, and with everything that edits have added since."""
    payment: Payment = UNPAID
    inventory: Inventory = NOTHING_RESERVED
    shipments: tuple[Shipment, ...] = ()
    """In the order in which they were booked, those that came to nothing too."""
    invoice: e.InvoiceIssued | None = None
    credit_notes: tuple[CreditNote, ...] = ()
    """At most one for each refund, in the order in which they were issued; none without an invoice."""
    stored: tuple[str, ...] = ()
    """The numbers of the documents whose renderings are stored."""
    holds: tuple[Hold, ...] = ()
    """Those that are open, in the order in which they were placed. While there is one, nothing is booked and nothing leaves."""
    hold_ids: tuple[str, ...] = ()
    """The ids of all that there ever were: a hold that has ended never comes back."""
    cancelled: tuple[LineCancellation, ...] = ()
    """Pieces that are no part of the order any more, in the order in which they were cancelled."""
    edits: tuple[Edit, ...] = ()
    """All that there ever were, in the order in which they were asked for; at most the last of them is open."""
    review: Review = "none"
    questions: tuple[Question, ...] = ()
    """What the customer has still to answer."""
    question_ids: tuple[str, ...] = ()
    returns: tuple[Return, ...] = ()
    stalls: tuple[Stall, ...] = ()
    grace_until: datetime | None = None
    """Until when nobody begins; None once that is over."""
    ship_by: datetime | None = None
    """By when all of it is to have left, as it was said last."""
    notes: int = 0
    delays: int = 0
    """How many of them there were."""

    @property
    def open_edit(self) -> Edit | None:
        """The edit that is not decided yet."""
        return self.edits[-1] if self.edits and self.edits[-1].status is EditStatus.OPEN else None

    @property
    def due_minor(self) -> int:
        """What the customer has to pay: the order's price without the pieces that were cancelled."""
        if not self.cancelled:  # nearly always, and it is asked with every event about money
            return self.order.total_minor
        return self.order.total_minor - sum(part.amount_minor for part in self.cancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Placed):
    """Durable; payment and inventory are at work, or a customer is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Placed):
    """Paid for and set aside; no goods have left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InFulfilment(Placed):
    """Goods have left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(Placed):
    """All of it delivered, paid and invoiced. Refunds and returns are still possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelling(Placed):
    """Being undone; it ends as Cancelled once nothing is held, or goes on when goods had already left."""

    reason: e.CancellationReason = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Placed):
    """Undone: no money, no stock and no parcel is held."""

    reason: e.CancellationReason = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Placed):
    """It never came about: neither money nor stock was ever held."""


Order = Received | Confirmed | InFulfilment | Completed | Cancelling | Cancelled | Rejected
State = NotPlaced | Order
