"""Each action that an exception names, as the whole command that does it. What stands in capital letters is for the person to fill in."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from orderstore.domain.allowances import STAGES

REASON: Final = "--reason REASON"
_OF_ORDER: Final[Mapping[str, str]] = {
    "cancel": "orders cancel {order}",
    "hold": "orders hold {order} --reason operator",
    "note": "orders note {order} NOTE",
    "pay": "orders retry-payment {order} --method TOKEN",
    "refund": "orders refund {order} --line LINE:PIECES",
    "release": "orders release {order} {reference}",
    "review": "orders review {order} passed|failed",
}
"""What is one command, whatever kind of exception it is about."""
_OF_RETURN: Final[Mapping[str, tuple[str, ...]]] = {
    "requested": ("returns approve {order} {reference}", "returns decline {order} {reference}"),
    "received": ("returns inspect {order} {reference} --piece LINE:PIECES:sellable|damaged|dismissed",),
}


def commands_for(order_id: str, entry: Mapping[str, Any]) -> list[str]:
    """Of an entry as the API tells it, a command for each of its actions, in their order; none for what is over."""
    if entry.get("endedAt"):
        return []
    return [f"orderstore {command}" for action in entry["actions"] for command in _commands(order_id, entry, action)]


def _commands(order_id: str, entry: Mapping[str, Any], action: str) -> tuple[str, ...]:
    order = shlex.quote(order_id)
    reference = shlex.quote(str(entry["reference"])) if entry["reference"] is not None else None
    match entry["kind"], action:
        case "parked", _:
            return (f"parked {action} {reference} {order} {REASON}",)
        case "refund_failed", "retry":
            return (f"orders retry-refund {order} {reference}",)
        case "return", _:
            return tuple(one.format(order=order, reference=reference) for one in _OF_RETURN[entry["cause"]])
        case "payment_unknown", "retry" | "cancel" | "resume" | "skip":
            return (f"exceptions {action} {order} --stage outcomes --subject {reference} {REASON}",)
        case _ if entry["cause"] in STAGES and action in ("retry", "cancel", "resume", "skip"):
            subject = "" if reference is None else f" --subject {reference}"
            return (f"exceptions {action} {order} --stage {entry['cause']}{subject} {REASON}",)
        case _:
            return (_OF_ORDER[action].format(order=order, reference=reference),)
