"""What people ask of an order after it was placed, as the OpenAPI document shows it."""

from collections.abc import Mapping
from typing import Any, Final

CANCEL_LINES: Final[Mapping[str, Any]] = {
    "pieces": {"summary": "One piece of the second line", "value": {"lines": [{"line": 1, "quantity": 1}]}}
}
RETRY_PAYMENT: Final[Mapping[str, Any]] = {
    "card": {"summary": "With another card", "value": {"paymentMethod": "pm_card_visa"}}
}
ANSWER: Final[Mapping[str, Any]] = {"yes": {"summary": "Yes", "value": {"answer": "accepted"}}}
REVIEW: Final[Mapping[str, Any]] = {
    "passed": {
        "summary": "Nothing is wrong with it",
        "value": {"outcome": "passed", "score": 12, "rules": ["new-customer"]},
    }
}
DELAY: Final[Mapping[str, Any]] = {
    "asked": {
        "summary": "Later than was said; the customer has three days to agree",
        "value": {
            "promisedAt": "2026-12-20T00:00:00Z",
            "reason": "the supplier is late",
            "consentWithinS": 259_200,
        },
    }
}
NOTE: Final[Mapping[str, Any]] = {
    "note": {"summary": "For whoever looks next", "value": {"note": "she will call back on Monday"}}
}
RETURN: Final[Mapping[str, Any]] = {
    "withdrawal": {
        "summary": "One piece of the second line",
        "value": {"lines": [{"line": 1, "quantity": 1}], "reason": "withdrawal", "note": "too small"},
    },
    "exchange": {
        "summary": "The same in another size",
        "value": {
            "lines": [{"line": 1, "quantity": 1}],
            "reason": "other",
            "exchange": {"items": [{"sku": "MOUSE-003", "quantity": 1, "price": "27.50"}]},
        },
    },
}
DECLINE: Final[Mapping[str, Any]] = {"late": {"summary": "With a note", "value": {"note": "six months too late"}}}
INSPECTION: Final[Mapping[str, Any]] = {
    "came": {
        "summary": "It came back as it was",
        "value": {"pieces": [{"line": 1, "quantity": 1, "condition": "sellable"}]},
    }
}
NOTHING: Final[Mapping[str, Any]] = {"nothing": {"summary": "There is nothing to say", "value": {}}}
