"""What is known of a payment beside its outcome: how it is made, and what the provider's books say otherwise. Events: see `events.py`."""

from dataclasses import dataclass
from typing import Literal

DiscrepancyKind = Literal["not_in_log", "not_at_provider", "amount_differs", "hold_expires"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodChosen:
    """What the customer pays with: the payment provider's own token, which stands for a card that only the provider knows."""

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDiscrepancyFound:
    """The provider's books and ours do not agree: for a person; it changes nothing by itself. No money is the amount 0."""

    kind: DiscrepancyKind
    attempt_key: str
    provider_reference: str
    ours_minor: int
    theirs_minor: int
