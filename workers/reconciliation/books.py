"""What a payment provider's books say of a payment, what the log says of it, and what does not fit between the two. Pure.

BooksTooLong   the provider lists more payments than a run reads. Nothing more was compared.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from orderstore.domain.events import DiscrepancyFound, PaymentDiscrepancyFound
from orderstore.domain.state import Payment, PaymentStatus

Standing = Literal["nothing", "held", "taken"]
Finding = PaymentDiscrepancyFound | DiscrepancyFound


class BooksTooLong(Exception):
    """More than one run reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A payment as the provider has it: what is held, or what was taken of it so far; what was given back, and what banks have taken back
    (open disputes, and lost ones)."""

    reference: str
    attempt_key: str
    order_id: str
    standing: Standing
    amount_minor: int
    currency: str
    refunded_minor: int = 0
    disputed_minor: int = 0


class ProviderBooks(Protocol):
    """What the provider says. Methods raise GatewayError, BooksTooLong."""

    def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """Our payments that were begun there at or after the first and before the second moment (seconds since 1970, its own clock)."""
        ...

    def touched(self, since_s: int, until_s: int) -> AsyncIterator[str]:
        """The references of payments that money was given back of then, or that were disputed then: ours and others', once or more."""
        ...

    async def payment(self, reference: str) -> Theirs | None:
        """One payment; None for a reference that it does not know, or that is not ours."""
        ...


@dataclass(frozen=True, slots=True)
class _Ours:
    """The same as the order has it."""

    standing: Standing = "nothing"
    amount_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0


def findings(
    attempt_key: str, reference: str, theirs: Theirs | None, payment: Payment | None, currency: str
) -> tuple[Finding, ...]:
    """What does not fit between the provider's word and the order's. `payment` None: there is no such order."""
    ours = _ours(payment, reference)
    if theirs is not None and ours.standing == "nothing" and 0 < theirs.amount_minor == theirs.refunded_minor:
        return ()  # an attempt that took money late, which was given back: as if it never was
    found: list[Finding] = []
    of_money = _judged(attempt_key, reference, theirs, ours, currency)
    if of_money is not None:
        found.append(of_money)
    if theirs is None:
        return tuple(found)
    for kind, here, there in (
        ("refunds_differ", ours.refunded_minor, theirs.refunded_minor),
        ("disputes_differ", ours.disputed_minor, theirs.disputed_minor),
    ):
        if here != there:
            found.append(DiscrepancyFound(area="money", kind=kind, subject=reference, ours=here, theirs=there))
    return tuple(found)


def _ours(payment: Payment | None, reference: str) -> _Ours:
    if payment is None or payment.provider_reference != reference:
        return _Ours()
    taken_minor = payment.captured_minor
    if not taken_minor and payment.status is PaymentStatus.AUTHORIZED:
        return _Ours("held", payment.amount_minor)
    if not taken_minor:
        return _Ours()
    refunded_minor = sum(refund.amount_minor for refund in payment.refunds if refund.issued)
    return _Ours("taken", taken_minor, refunded_minor, payment.disputed_minor)


def _judged(
    attempt_key: str, reference: str, theirs: Theirs | None, ours: _Ours, currency: str
) -> PaymentDiscrepancyFound | None:
    theirs_stands: Standing = "nothing" if theirs is None else theirs.standing
    ours_minor = ours.amount_minor if ours.standing != "nothing" else None
    theirs_minor = theirs.amount_minor if theirs is not None and theirs_stands != "nothing" else None
    if ours_minor is None and theirs_minor is None:
        return None
    if ours_minor is not None and theirs_minor is not None and ours.standing != theirs_stands:
        # What is only held on one side is not taken there.
        ours_minor = ours_minor if ours.standing == "taken" else 0
        theirs_minor = theirs_minor if theirs_stands == "taken" else 0
    elif ours_minor == theirs_minor and theirs is not None and theirs.currency == currency:
        return None
    return PaymentDiscrepancyFound(
        kind="not_in_log" if ours_minor is None else "not_at_provider" if theirs_minor is None else "amount_differs",
        attempt_key=attempt_key,
        provider_reference=reference,
        ours_minor=ours_minor or 0,
        theirs_minor=theirs_minor or 0,
    )
