"""What is published of an order's money and of the documents about it."""

from typing import Literal, NotRequired, TypedDict

from orderstore.schemas.forms.parts import Count, Currency, Minor, Moment


class PaymentCompleted(TypedDict):
    """The provider holds or has taken the money."""

    attempt: Count
    mode: Literal["authorized", "captured"]
    amountMinor: Minor


class PaymentFailed(TypedDict):
    """The provider said no. `retryUntil` is until when the customer may try again; absent: the answer is final."""

    attempt: Count
    category: Literal["soft", "hard", "fraud"]
    code: str
    retryUntil: NotRequired[Moment]


class Money(TypedDict):
    """So much, in minor units of the order's currency."""

    amountMinor: Minor


class PaymentAttemptStarted(TypedDict):
    """The customer tries again."""

    attempt: Count


class PaymentDisputed(TypedDict):
    """The bank has taken money back, for now. `reason` is its own word."""

    disputeId: str
    amountMinor: Minor
    reason: str


class PaymentDisputeClosed(TypedDict):
    """The dispute is over."""

    disputeId: str
    outcome: Literal["won", "lost"]


class Refund(TypedDict):
    """A refund that is asked for, or given."""

    refundId: str
    amountMinor: Minor


class RefundRetried(TypedDict):
    """A refund that failed is tried again."""

    refundId: str
    attempt: Count


class InvoiceIssued(TypedDict):
    """The invoice has its number."""

    invoiceNumber: str
    series: str
    number: Count
    totalMinor: Minor
    currency: Currency
    issuedAt: Moment


class CreditNoteIssued(TypedDict):
    """A refund's share of an invoice is taken back; `invoiceNumber` is the invoice's."""

    creditNoteNumber: str
    series: str
    number: Count
    invoiceNumber: str
    refundId: str
    totalMinor: Minor
    currency: Currency
    issuedAt: Moment
