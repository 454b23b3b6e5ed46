"""What several events are made of; `events` offers each of them under its own name. They are stored with the events, so what is said there
of names and meanings holds here too."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class SealedText:
    """Personal data, encrypted with the key of `subject`; opaque to the domain."""

    subject: str
    ciphertext: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeText:
    """Somebody's own words. What people write is sealed, since it may say anything of anybody; `plain` are the service's own words, and
    those of people from before theirs were sealed (version 1.0 of the events that carry them). Exactly one of the two is there."""

    plain: str | None = None
    sealed: SealedText | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for neither or both."""
        if (self.plain is None) == (self.sealed is None):
            raise ValueError("a text is either plain or sealed")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line as it was ordered. The same SKU may stand on several lines; a price may be zero or below a penny."""

    sku: str
    quantity: int
    unit_price: Decimal
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """So many pieces of the order's line with this index (0-based)."""

    line: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Pieces that are set aside at one location."""

    location: str
    lines: tuple[Pieces, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxHooks:
    """What a test asks of the sandbox providers (E038); the door refuses it everywhere else."""

    payment_outcome: Literal["approved", "declined"] | None = None
    inventory_outcome: Literal["reserved", "out_of_stock"] | None = None
    technical_failure: Literal["payment", "inventory", "shipping", "billing", "notification"] | None = None
    shipping_outcome: Literal["refused", "lost", "delayed"] | None = None
    """Of one parcel, the first that is booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rules that an order goes by, as they were when it was placed; what stands here is what held before there was a choice.

    missing_stock     what becomes of an order of which some pieces are not there: refuse it, ask the customer, send what is there and the
                      rest when it comes (backorder), or send what is there and cancel the rest
    charge            take the money of the whole order with its first parcel, or of each parcel when it leaves
    payment_retry_s   how long a customer may try again after a decline that is not final; 0: every decline is
    reservation_s     how long goods stay set aside for an order that is not paid for; 0: until it is decided
    answer_s          how long a customer may take to answer a question
    review            whether somebody looks at the order before its goods leave
    """

    missing_stock: Literal["refuse", "ask", "backorder", "cancel_lines"] = "refuse"
    charge: Literal["per_order", "per_shipment"] = "per_order"
    payment_retry_s: int = 0
    reservation_s: int = 0
    answer_s: int = 259_200
    review: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """How many seconds each stage of the order may take before somebody is told; `orderstore/domain/allowances.py` says where the defaults
    come from. An order keeps those that it was placed with, so that its deadlines follow from the log alone."""

    outcomes_s: int = 900
    dispatch_s: int = 172_800
    delivery_s: int = 432_000
    undo_s: int = 3_600
    refund_s: int = 1_209_600
