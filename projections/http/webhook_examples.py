"""What may be said to the operations on webhook endpoints, for their description; a test says all of it."""

from collections.abc import Mapping
from typing import Any, Final

ADD: Final[Mapping[str, Any]] = {
    "two types": {
        "summary": "Of two types of events",
        "value": {
            "url": "https://partner.example/hooks/orders",
            "eventTypes": ["OrderCancelled", "ShipmentDispatched"],
            "description": "Partner's warehouse",
            "reason": "contract 4711",
        },
    }
}
CHANGE: Final[Mapping[str, Any]] = {
    "address": {
        "summary": "It has moved",
        "value": {"url": "https://partner.example/v2/orders", "reason": "their new service"},
    }
}
BECAUSE: Final[Mapping[str, Any]] = {"why": {"summary": "With the reason", "value": {"reason": "INC-1042: over"}}}
ROTATE: Final[Mapping[str, Any]] = {
    "in peace": {"summary": "Both sign for a day", "value": {"reason": "yearly rotation"}},
    "leaked": {"summary": "The old one is worthless", "value": {"overlapSeconds": 0, "reason": "it was in a log"}},
}
REPLAY: Final[Mapping[str, Any]] = {
    "look": {
        "summary": "What an outage kept back",
        "value": {"from": "2026-11-20T08:00:00Z", "to": "2026-11-21T08:00:00Z", "dryRun": True},
    },
    "everything": {
        "summary": "Everything of an hour again, what arrived included",
        "value": {
            "from": "2026-11-20T08:00:00Z",
            "to": "2026-11-20T09:00:00Z",
            "states": ["delivered", "failed", "abandoned", "skipped"],
            "replay": "after-their-restore",
            "reason": "they lost an hour",
        },
    },
}
