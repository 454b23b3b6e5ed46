"""Each action that an exception names, as the whole command that does it, to be copied into a shell. What stands in capital letters is
for the person to fill in; a choice is a command for each."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orderstore.domain.allowances import STAGES
from workers.commands.running import DEFAULT_STATE_DIR

REASON: Final = "--reason REASON"
_OF_ORDER: Final[Mapping[str, str]] = {
    "cancel": "orders cancel {order}",
    "hold": "orders hold {order} --reason operator",
    "note": "orders note {order} NOTE",
    "pay": "orders retry-payment {order} --method TOKEN",
    "refund": "orders refund {order} --line LINE:PIECES",
    "release": "orders release {order} {reference}",
}
"""What is one command, whatever kind of exception it is about."""
_OF_RETURN: Final[Mapping[str, tuple[str, ...]]] = {
    "requested": ("returns approve {order} {reference}", "returns decline {order} {reference}"),
    "received": ("returns inspect {order} {reference} --piece LINE:PIECES:CONDITION",),
}


def commands_for(order_id: str, entry: Mapping[str, Any], state_dir: Path = DEFAULT_STATE_DIR) -> list[str]:
    """Of an entry as the API tells it, a command for each of its actions, in their order; none for what is over. It is meant for the
    environment in which the entry was found."""
    if entry.get("endedAt"):
        return []
    where = "" if state_dir == DEFAULT_STATE_DIR else f" --state-dir {shlex.quote(str(state_dir))}"
    commands = (command for action in entry["actions"] for command in _commands(order_id, entry, action))
    return [f"orderstore {command}{where}" for command in commands]


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
        case _, "review":
            return tuple(f"orders review {order} {outcome}" for outcome in ("passed", "failed"))
        case "payment_unknown", "retry" | "cancel" | "resume" | "skip":
            return (f"exceptions {action} {order} --stage outcomes --subject {reference} {REASON}",)
        case _ if entry["cause"] in STAGES and action in ("retry", "cancel", "resume", "skip"):
            subject = "" if reference is None else f" --subject {reference}"
            return (f"exceptions {action} {order} --stage {entry['cause']}{subject} {REASON}",)
        case _:
            return (_OF_ORDER[action].format(order=order, reference=reference),)
