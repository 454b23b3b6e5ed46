"""The payment methods that mean something to the sandbox, and to nobody else. The door knows them, so that a typing error is no good card.

What each of them does is in `workers/payment/sandbox_cards.py`.
"""

import re
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "pm_sandbox_"
DECLINED_SOFT: Final = "pm_sandbox_declined_soft"
DECLINED_HARD: Final = "pm_sandbox_declined_hard"
DECLINED_FRAUD: Final = "pm_sandbox_declined_fraud"
ASKS_CUSTOMER: Final = "pm_sandbox_action"
TAKEN_ONCE: Final = "pm_sandbox_taken_once"
REFUND_FAILS: Final = "pm_sandbox_refund_fails"
HOLD: Final = re.compile(r"pm_sandbox_hold_([0-9]{1,9})")
MEANINGS: Final[Mapping[str, str]] = {
    DECLINED_SOFT: "declined, and the customer may try again",
    DECLINED_HARD: "declined for good",
    DECLINED_FRAUD: "declined as stolen",
    ASKS_CUSTOMER: "the bank asks its customer first (3-D Secure)",
    TAKEN_ONCE: "money is not taken in parts",
    REFUND_FAILS: "the first refund is refused",
    "pm_sandbox_hold_<seconds>": "what is held runs out after so many seconds",
}
"""All of them, for people. Whatever does not begin with `PREFIX` is a good card there."""


def is_known(method: str | None) -> bool:
    """Whether the method is one of these."""
    return method is not None and (method in MEANINGS or HOLD.fullmatch(method) is not None)


def no_unknown_card(method: str) -> str:
    """Raises ValueError for a card of the sandbox that there is not: it would be taken for a good one."""
    if method.startswith(PREFIX) and not is_known(method):
        raise ValueError(f"no card of the sandbox; there are {', '.join(MEANINGS)}")
    return method
