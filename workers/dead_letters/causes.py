"""Why a letter died, in words that hold for many: what belongs to one letter alone (ids, numbers) is taken out, so that letters group."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workers.runtime.deadletter import REASON, sendable_text

USED_UP: Final = "receives used up"
CAUSE_CHARACTERS_MAX: Final = 200

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"\d{4,}")
# By the exception's name, with which the reason of a poison message begins (`workers/classify.py`).
_WORDS: Final[Mapping[str, str]] = {
    "MalformedMessage": "The body is not an event's envelope. Correct it, or purge it; find who sent it.",
    "UnknownEventType": "This build does not know the event's type or version. Deploy the workers that do, then redrive.",
    "UnknownOrder": "The log has no such order: a message from elsewhere, or of another environment. Purge it when that is certain.",
    "EventNotInOrder": "The order exists, the event is not in its log: a message made by hand, or a restore to before it.",
    "CodecError": "This build cannot read the order as it is stored. `orderstore audit verify` says where; then redrive.",
    "MalformedCommit": "This build cannot read the order as it is stored. `orderstore audit verify` says where; then redrive.",
}
_ELSE: Final = "The worker gave it up at once: no retry could help. Its reason is the cause."


@dataclass(frozen=True, slots=True)
class Cause:
    """`key` groups, `words` explain what it means and what to do, `said` is what the worker said of this one letter."""

    key: str
    words: str
    said: str | None


def cause_of(attributes: Mapping[str, str], *, receive_count_max: int) -> Cause:
    """The cause of a letter with these attributes; without any, the queue itself moved it."""
    said = attributes.get(REASON)
    if said is None:
        words = (
            f"It was received {receive_count_max} times and never done: an error each time, a crash, or a handler that hung. The queue "
            "keeps no reason; the worker's log has it, as `not handled` with the event's id. Mend that first, then redrive."
        )
        return Cause(USED_UP, words, None)
    said = sendable_text(said)
    key = _NUMBER.sub("…", _UUID.sub("…", said))[:CAUSE_CHARACTERS_MAX]
    return Cause(key, _WORDS.get(said.partition(":")[0], _ELSE), said)
