"""The life of an order as a whole: placed, confirmed, held, changed, undone, done. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from orderstore.domain.price_facts import Pricing
from orderstore.domain.values import Allowances, FreeText, OrderLine, Pieces, SandboxHooks, SealedText, Terms

CancellationReason = Literal["customer", "operator", "payment_failed", "inventory_failed"]
HoldReason = Literal["fraud_review", "address", "stock", "payment", "operator"]
LineCancellationReason = Literal["customer", "operator", "inventory", "delay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """The order is accepted: it is durable, nothing has been charged or reserved yet."""

    order_id: str
    channel: str
    currency: str
    lines: tuple[OrderLine, ...]
    total_exact: Decimal
    total_minor: int
    placed_at: datetime
    request_hash: str
    customer_id: str | None = None
    country: str | None = None
    contact: SealedText | None = None
    reference: str | None = None
    hooks: SandboxHooks | None = None
    allowances: Allowances | None = None
    """None: an order from before they were kept, which has the defaults."""
    pricing: Pricing | None = None
    """Tax and discounts of each line; None: none were asked for, and the total is the exact sum of the lines, rounded once."""
    terms: Terms | None = None
    """The rules that it goes by; None: an order from before there was a choice, see `values.Terms` for what that means."""
    grace_until: datetime | None = None
    """Until when nobody begins with it, so that a cancellation undoes nothing; None: the work begins at once."""
    ship_by: datetime | None = None
    """By when all of it is to have left, or the customer is asked whether to wait longer; None: nothing was promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGraceEnded:
    """The time is over in which nobody began: payment and stock begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """Paid for and set aside: to be fulfilled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """Neither paid for nor set aside: there is nothing to undo."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancellationRequested:
    """Whoever asked, the order is to be undone: every worker gives back what it holds."""

    reason: CancellationReason
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancellationDeclined:
    """Too late: the goods had left before the carrier could be stopped. The order goes on."""

    reason: Literal["dispatched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """Every outstanding step is known to be undone."""

    reason: CancellationReason
    compensations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted:
    """Delivered, paid and invoiced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHeld:
    """Somebody stopped the order: nothing is booked and nothing leaves until every hold is released. Compensation goes on."""

    hold_id: str
    reason: HoldReason
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHoldReleased:
    """This hold is over; after the last one the order goes on."""

    hold_id: str
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataErased:
    """The keys of these classes that sealed `subject`'s data are destroyed: nobody can read them any more, here or in any copy. The order
    stays what it was; `certificate` says what was done."""

    subject: str
    certificate: str
    key_classes: tuple[Literal["operational", "fiscal"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesCancelled:
    """These pieces are no part of the order any more: they were not booked with a carrier, and `amount_minor` of its price is not due.
    `refund_id` is the refund that gives their money back where it was taken already; no document ever names them."""

    cancellation_id: str
    lines: tuple[Pieces, ...]
    amount_minor: int
    reason: LineCancellationReason
    refund_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNoteAdded:
    """Somebody wrote something down about the order; it changes nothing."""

    note_id: str
    note: FreeText
