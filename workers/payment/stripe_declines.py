"""Stripe's decline codes, sorted into ours: soft (another try or another day may do), hard (this card never), fraud (nobody retries).

Source: https://docs.stripe.com/declines/codes, the column "Next steps". A code that is not in the table is soft: only what Stripe or the
issuer says is final is treated as final, and nothing is retried on its own either way.
"""

import re
from typing import Final

from orderstore.domain.events import DeclineCategory
from workers.payment.gateway import Declined

_FRAUD: Final[frozenset[str]] = frozenset(
    [
        "fraudulent",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "security_violation",
        "stolen_card",
    ]
)
_HARD: Final[frozenset[str]] = frozenset(
    [
        "card_not_supported",
        "currency_not_supported",
        "do_not_try_again",
        "expired_card",
        "incorrect_address",
        "incorrect_number",
        "invalid_account",
        "invalid_amount",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "new_account_information_available",
        "not_permitted",
        "payment_method_missing",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "service_not_allowed",
        "stop_payment_order",
        "testmode_decline",
        "transaction_not_allowed",
    ]
)
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""What a code of Stripe's looks like; what does not is never stored."""
_UNSAID: Final = "generic_decline"


def declined(code: str | None, decline_code: str | None = None) -> Declined:
    """Our form of an error's `code` and `decline_code`; the latter says more. What is not one of Stripe's words is not repeated."""
    word = decline_code or code or _UNSAID
    if not WORD.fullmatch(word):
        word = _UNSAID
    return Declined(_category(word), word)


def _category(word: str) -> DeclineCategory:
    if word in _FRAUD:
        return "fraud"
    return "hard" if word in _HARD else "soft"
