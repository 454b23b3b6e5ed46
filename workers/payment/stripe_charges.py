"""What an intent's charge says: until when the money is held, and whether it may be taken in parts.

The charge is there as a whole where it was asked for (`EXPAND`), else by its id.
Sources: docs.stripe.com/api/charges/object (`payment_method_details.card`), docs.stripe.com/payments/multicapture.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import stripe

from workers.payment.stripe_answers import amount_in, reference_in

EXPAND: Final[Any] = {"expand": ["latest_charge"]}


def charge_of(intent: stripe.PaymentIntent) -> str:
    """Its id; the intent's own while it has none. Raises TypeError."""
    charge = intent.latest_charge
    return reference_in(intent.id if charge is None else charge if isinstance(charge, str) else charge.id)


def held_until(intent: stripe.PaymentIntent) -> datetime | None:
    """When the hold runs out; None where Stripe does not say so. Raises TypeError, ValueError, OverflowError."""
    ends_s = _card(intent).get("capture_before")
    if ends_s is None or intent.status != "requires_capture":
        return None
    if type(ends_s) is not int:
        raise TypeError("a moment is a whole number of seconds")
    return datetime.fromtimestamp(ends_s, tz=UTC)


def may_be_taken_in_parts(intent: stripe.PaymentIntent) -> bool:
    """Whether this card, at this account, lets money be taken in several parts: it was asked for, and was not refused."""
    told = _card(intent).get("multicapture")
    return isinstance(told, Mapping) and told.get("status") == "available"


def given_back_of(intent: stripe.PaymentIntent) -> int:
    """How much of it was given back, in Stripe's units. Raises TypeError."""
    charge = intent.latest_charge
    return 0 if charge is None or isinstance(charge, str) else amount_in(charge.amount_refunded)


def is_disputed(intent: stripe.PaymentIntent) -> bool:
    """Whether anybody has ever disputed it."""
    charge = intent.latest_charge
    return charge is not None and not isinstance(charge, str) and bool(charge.disputed)


def _card(intent: stripe.PaymentIntent) -> Mapping[str, Any]:
    charge = intent.latest_charge
    if charge is None or isinstance(charge, str):
        return {}
    details = charge.to_dict().get("payment_method_details")
    card = details.get("card") if isinstance(details, Mapping) else None
    return card if isinstance(card, Mapping) else {}
