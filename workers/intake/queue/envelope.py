"""An EventBridge event as a rule delivers it to a queue.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from orderstore.refusals import Refusal, RequestRefused, parsed
from workers.envelope import MalformedMessage

NAME_CHARACTERS_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BusEvent:
    """One event. `detail` has its decimals as they were written; where it is not acceptable JSON, `unreadable` says why."""

    id: str
    source: str
    detail_type: str
    detail: object
    unreadable: Refusal | None = None


def read_event(body: str) -> BusEvent:
    """The event in a message's body. Raises MalformedMessage: it is none, and nobody could be told."""
    raw = body.encode("utf-8", "replace")
    try:
        return _event(parsed(raw), unreadable=None)
    except RequestRefused as error:
        # A number beyond all bounds, or a key twice: its sender is told, as long as the envelope around it says who that is.
        return _event(_leniently(body), unreadable=error.refusal)


def _leniently(body: str) -> object:
    try:
        found: object = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise MalformedMessage("not an event of EventBridge: the body is not JSON") from None
    return found


def _event(document: object, *, unreadable: Refusal | None) -> BusEvent:
    if not isinstance(document, Mapping):
        raise MalformedMessage("not an event of EventBridge: the body is not a JSON object")
    if "detail" not in document:
        raise MalformedMessage("not an event of EventBridge: no detail")
    return BusEvent(
        id=_name(document, "id"),
        source=_name(document, "source"),
        detail_type=_name(document, "detail-type"),
        detail=None if unreadable is not None else document["detail"],
        unreadable=unreadable,
    )


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is text that can stand in a name, a key and a report: a lone surrogate, which JSON lets in, cannot."""
    return isinstance(value, str) and value.encode("utf-8", "replace").decode() == value


def _name(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not is_text(value) or not 1 <= len(value) <= NAME_CHARACTERS_MAX:
        raise MalformedMessage(f"not an event of EventBridge: {field}")
    return value
