"""What becomes of an order's money: tried, held, taken and given back, and what the provider's books say. Events: see `events.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orderstore.domain.values import FreeText, Pieces

PaymentMode = Literal["authorized", "captured"]
DeclineCategory = Literal["soft", "hard", "fraud"]
DiscrepancyKind = Literal["not_in_log", "not_at_provider", "amount_differs", "hold_expires"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodChosen:
    """What the customer pays with: the payment provider's own token, which stands for a card that only the provider knows."""

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAttemptStarted:
    """The customer tries again: a new attempt, with a key of its own at the provider, since the old key would answer what it answered.
    `method` is the provider's token; None: as before."""

    attempt: int
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentActionRequired:
    """The provider waits for the customer, who has until `deadline` (a 3-D Secure challenge, say). No outcome, and never a decline."""

    attempt: int
    provider_reference: str
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCompleted:
    """The provider holds (authorized) or has taken (captured) the money; the order is not confirmed by that alone."""

    attempt: int
    mode: PaymentMode
    amount_minor: int
    provider_reference: str
    capture_before: datetime | None = None
    """Until when the provider holds the money; None: it did not say, or has taken it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """The provider said no. An unknown outcome is never this event."""

    attempt: int
    category: DeclineCategory
    code: str
    retry_until: datetime | None = None
    """Until when the customer may try again, and the goods stay set aside; None: the answer is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """The authorised money has been taken: from here on only refunds give it back."""

    amount_minor: int
    provider_reference: str
    shipment_id: str | None = None
    """The parcel that it pays for; None: all that is due."""
    final: bool = True
    """Whether what else was held is let go with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorizationExpired:
    """The provider holds the money no longer, and it was not taken: the next attempt begins, with the same method."""

    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOutcomeUnknown:
    """Nobody knows whether this attempt took money, and it should be known by now: for a person. Never treated as a decline; the outcome
    is still recorded when it comes."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    """Nothing is held any more; `provider_reference` is None when nothing ever was."""

    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested:
    """Money is to be given back; the amount is set aside by this event, so that two refunds never exceed the order."""

    refund_id: str
    amount_minor: int
    reason: FreeText | None = None
    lines: tuple[Pieces, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundIssued:
    """The provider has given the money back."""

    refund_id: str
    amount_minor: int
    provider_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed:
    """The provider could not give the money back: it is still owed, and somebody has to see to it."""

    refund_id: str
    attempt: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRetried:
    """The refund is tried again, with a key of its own."""

    refund_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputed:
    """The cardholder disputes the payment at the bank: `amount_minor` is taken back for as long as it is open. `answer_by` is the
    provider's deadline for our evidence, if it has one."""

    dispute_id: str
    amount_minor: int
    reason: str
    answer_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputeClosed:
    """The dispute is over: won, the money is ours again; lost, it is gone for ever."""

    dispute_id: str
    outcome: Literal["won", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDiscrepancyFound:
    """The provider's books and ours do not agree: for a person; it changes nothing by itself. No money is the amount 0."""

    kind: DiscrepancyKind
    attempt_key: str
    provider_reference: str
    ours_minor: int
    theirs_minor: int
