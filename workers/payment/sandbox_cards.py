"""What a payment method of the sandbox does: tokens that mean something there, and nowhere else.

pm_sandbox_declined_soft   declined, and the customer may try again     pm_sandbox_hold_<n>       what is held runs out after n seconds
pm_sandbox_declined_hard   declined for good                            pm_sandbox_taken_once     money is not taken in parts
pm_sandbox_declined_fraud  declined as stolen                           pm_sandbox_refund_fails   the first refund is refused
pm_sandbox_action          the bank asks its customer first (`sandbox.act`)
"""

import re
from datetime import UTC, datetime
from typing import Final

from workers.payment.gateway import Declined
from workers.sandbox.ledger import Entry

ASKS_CUSTOMER: Final = "pm_sandbox_action"
TAKEN_ONCE: Final = "pm_sandbox_taken_once"
REFUND_FAILS: Final = "pm_sandbox_refund_fails"
_DECLINED: Final = {
    "pm_sandbox_declined_soft": Declined("soft", "insufficient_funds"),
    "pm_sandbox_declined_hard": Declined("hard", "card_not_supported"),
    "pm_sandbox_declined_fraud": Declined("fraud", "stolen_card"),
}
_HOLD: Final = re.compile(r"pm_sandbox_hold_([0-9]{1,9})")


def is_known(method: str | None) -> bool:
    """Whether the method is one of these."""
    return method is not None and (
        method in _DECLINED or method in (ASKS_CUSTOMER, TAKEN_ONCE, REFUND_FAILS) or bool(_HOLD.fullmatch(method))
    )


def decline_of(method: object) -> Declined | None:
    """What the bank says; None when it says yes."""
    return _DECLINED.get(method) if isinstance(method, str) else None


def held_until(row: Entry) -> datetime | None:
    """When the hold runs out that a payment's entry stands for; None: it does not."""
    found = _HOLD.fullmatch(str(row.details.get("card", "")))
    if found is None or row.kind != "authorize":
        return None
    return datetime.fromtimestamp(row.at_ms // 1_000 + int(found[1]), tz=UTC)
