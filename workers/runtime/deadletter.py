"""What a dead letter says about itself: the original's attributes and, beside them, why it is there.

Pure; both adapters use it, so that whoever reads a dead-letter queue finds the same names whatever stands behind it. A message
that the queue itself moved after too many receives carries none of these names.
"""

import json
import re
from collections.abc import Mapping

from workers.runtime.queue import MESSAGE_ATTRIBUTES_MAX, MESSAGE_BYTES_MAX, Message

ORIGINAL_ID = "deadLetterOriginalId"
"""The id of the first message; kept through redrives, each of which makes a new message."""
RECEIVE_COUNT = "deadLetterReceiveCount"
REASON = "deadLetterReason"
MORE_ATTRIBUTES = "deadLetterMoreAttributes"
"""A JSON object of the original attributes that found no place of their own (SQS allows ten in all)."""

REASON_CHARACTERS_MAX = 1_000
_CAUSES = (ORIGINAL_ID, RECEIVE_COUNT, REASON)
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def dead_letter_attributes(message: Message, reason: str) -> dict[str, str]:
    """The attributes of the dead letter for `message`.

    Everything of the original is kept. The cause is added as far as SQS's limit of 1 MiB for body and attributes allows: a
    message that fills it goes without, rather than losing a byte of its body.
    """
    causes = {
        ORIGINAL_ID: message.attributes.get(ORIGINAL_ID, message.id),
        RECEIVE_COUNT: str(message.receive_count),
        REASON: sendable_text(reason)[:REASON_CHARACTERS_MAX] or "unknown",
    }
    attributes = dict(packed(original_attributes(message.attributes), room=MESSAGE_ATTRIBUTES_MAX - len(causes)))
    for name, value in causes.items():
        candidate = {**attributes, name: value}
        if message_bytes(message.body, candidate) <= MESSAGE_BYTES_MAX:
            attributes = candidate
    return attributes


def original_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes without what an earlier dead-lettering added: what a redrive sends."""
    kept = {name: value for name, value in attributes.items() if name not in (*_CAUSES, MORE_ATTRIBUTES)}
    if MORE_ATTRIBUTES in attributes:
        kept.update(json.loads(attributes[MORE_ATTRIBUTES]))
    return kept


def message_bytes(body: str, attributes: Mapping[str, str]) -> int:
    """The size SQS counts: body, and each attribute's name, type and value."""
    size = len(body.encode())
    for name, value in attributes.items():
        size += len(name.encode()) + len("String") + len(value.encode())
    return size


def sendable_text(text: str) -> str:
    """`text` with each character that SQS refuses (outside XML 1.0's set) replaced by U+FFFD."""
    return _REFUSED.sub("\ufffd", text)


def packed(attributes: Mapping[str, str], *, room: int = MESSAGE_ATTRIBUTES_MAX) -> Mapping[str, str]:
    """The attributes in at most `room` of them; those that find no place are in `MORE_ATTRIBUTES`."""
    if len(attributes) <= room:
        return attributes
    names = sorted(attributes)
    kept = {name: attributes[name] for name in names[: room - 1]}
    return {
        **kept,
        MORE_ATTRIBUTES: json.dumps({name: attributes[name] for name in names[room - 1 :]}, ensure_ascii=False),
    }
