"""Pieces that are added to an order after it was placed. Events: see `events.py`."""

from dataclasses import dataclass
from typing import Literal

from orderstore.domain.price_facts import Pricing
from orderstore.domain.values import Allocation, OrderLine

EditDecline = Literal["out_of_stock", "payment_failed", "not_in_time", "withdrawn", "order_undone"]
"""Why an edit comes to nothing: the pieces are not there, the provider said no, the customer did not do in time what the bank asks for,
somebody took the edit back, or the order is being undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEditRequested:
    """More is wanted in the same order: `lines` would follow the lines that it has. Nothing is changed until stock has them and the
    provider holds `due_minor`, what the customer would have to pay in all, in payment attempt `attempt`; what is held now stays held."""

    edit_id: str
    lines: tuple[OrderLine, ...]
    amount_minor: int
    """What the order costs more."""
    due_minor: int
    attempt: int
    pricing: Pricing | None = None
    """Tax and discounts of these lines; None for an order without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEditReserved:
    """The pieces of an edit are set aside, all of them, in a reservation of their own. Lines are counted as if it were applied."""

    edit_id: str
    reservation_id: str
    allocations: tuple[Allocation, ...] = ()
    """Where; (): all of it at the one location that there is."""
    untracked_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEditApplied:
    """The order has these lines from now on, after those that it had, and costs `amount_minor` more."""

    edit_id: str
    lines: tuple[OrderLine, ...]
    amount_minor: int
    pricing: Pricing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEditDeclined:
    """The edit comes to nothing; the order stays what it was. `code` is the provider's own word, where it was the provider."""

    edit_id: str
    reason: EditDecline
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEditReleased:
    """Nothing is set aside for a declined edit, and nothing will be."""

    edit_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentHoldReleased:
    """What another attempt than the order's own held, or might have, is held no longer: the one that an edit has replaced, or that of an
    edit that came to nothing. `provider_reference` is None when nothing ever was."""

    attempt: int
    provider_reference: str | None = None
