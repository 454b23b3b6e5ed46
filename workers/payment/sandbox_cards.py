"""What a payment method of the sandbox does: tokens that mean something there (`orderstore/sandbox_cards.py`), and nowhere else."""

from datetime import UTC, datetime
from typing import Final

from orderstore import sandbox_cards as known
from orderstore.sandbox_cards import ASKS_CUSTOMER, REFUND_FAILS, TAKEN_ONCE, is_known
from workers.payment.gateway import Declined
from workers.sandbox.ledger import Entry

__all__ = (
    "ASKS_CUSTOMER",
    "REFUND_FAILS",
    "REFUSED_BY_CUSTOMER",
    "TAKEN_ONCE",
    "WITHDRAWN",
    "decline_of",
    "held_until",
    "is_known",
)

REFUSED_BY_CUSTOMER: Final = Declined("soft", "payment_intent_authentication_failure")
"""The bank has asked, and was not answered as it should be. Stripe's code."""
WITHDRAWN: Final = Declined("soft", "canceled_requested_by_customer")
"""Nobody waits for the customer any more."""
_DECLINED: Final = {
    known.DECLINED_SOFT: Declined("soft", "insufficient_funds"),
    known.DECLINED_HARD: Declined("hard", "card_not_supported"),
    known.DECLINED_FRAUD: Declined("fraud", "stolen_card"),
}


def decline_of(method: object) -> Declined | None:
    """What the bank says; None when it says yes."""
    return _DECLINED.get(method) if isinstance(method, str) else None


def held_until(row: Entry) -> datetime | None:
    """When the hold runs out that a payment's entry stands for; None: it does not."""
    found = known.HOLD.fullmatch(str(row.details.get("card", "")))
    if found is None or row.kind != "authorize":
        return None
    return datetime.fromtimestamp(row.at_ms // 1_000 + int(found[1]), tz=UTC)
