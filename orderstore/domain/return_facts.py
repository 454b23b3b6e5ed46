"""What comes back from the customer. Events: see `events.py`."""

from dataclasses import dataclass
from typing import Literal

from orderstore.domain.values import FreeText, Pieces

ReturnReason = Literal["withdrawal", "damaged", "wrong_item", "not_as_described", "other"]
Condition = Literal["sellable", "damaged", "dismissed"]
"""Sellable: on the shelf again; damaged: refunded and written off; dismissed: not what was sent, or spoilt by the customer: no refund."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPieces:
    """So many pieces of a line came back in this condition."""

    line: int
    quantity: int
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRequested:
    """The customer wants to send these pieces back. `exchange_order_id` is the order that replaces them, where it is an exchange."""

    return_id: str
    lines: tuple[Pieces, ...]
    reason: ReturnReason
    note: FreeText | None = None
    exchange_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnApproved:
    """The pieces may come back."""

    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDeclined:
    """They may not."""

    return_id: str
    note: FreeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCancelled:
    """The customer keeps them after all."""

    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReceived:
    """The parcel is back; nobody has looked into it yet."""

    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnInspected:
    """Somebody has looked: these pieces came back, in this condition. What was announced and did not come is not among them."""

    return_id: str
    pieces: tuple[InspectedPieces, ...]
