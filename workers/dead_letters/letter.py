"""One dead letter, as far as its body, its attributes and the queue tell: which event and order, why it died, how often it was tried.

Bodies are our own envelopes, which hold no personal data; one that is no envelope may be anything, so it is only shown cut and escaped.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orderstore.registry import HEARS_EVERYTHING
from workers.dead_letters.causes import Cause, cause_of
from workers.envelope import MalformedMessage, parse_envelope
from workers.intake.queue.envelope import read_event
from workers.payment.hints import notice_in
from workers.runtime.deadletter import ORIGINAL_ID, REASON, RECEIVE_COUNT, original_attributes
from workers.runtime.queue import Message

PAYMENT: Final = "payment"
"""The queue that the provider's webhooks fill beside the topic: what they tell of a dispute names a payment and no order."""
INTAKE: Final = "intake"
"""The queue that the bus fills, not the topic: its letters name no order of ours."""
REDRIVEN_FROM: Final = "redrivenFrom"
"""The id of the letter that a message was sent on from."""
REDRIVE_COUNT: Final = "redriveCount"
CORRECTED_FROM: Final = "correctedFrom"
"""The id of the letter whose body was replaced by this one's."""
NAME_CHARACTERS_MAX: Final = 256
SHOWN_CHARACTERS_MAX: Final = 4_000
COUNT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter. `queue` is the queue whose worker it is for, not the dead-letter queue."""

    queue: str
    message: Message
    """One receipt of it, as it lies in the dead-letter queue."""
    cause: Cause
    event_id: str | None
    event_type: str | None
    order_id: str | None
    tenant: str | None
    unreadable: str | None
    """Why this build's worker cannot read it; None when it can."""
    attempts: int | None
    """How often the worker received it: what it said, or what the queue's own rule says; None when neither does."""
    redrive_count: int
    """How often its event was sent on before, on the way to this letter."""
    redriven_from: str | None
    attributes: Mapping[str, str]
    """The message's own, without what dead-lettering added."""
    body_sha256: str
    """The fingerprint of the body that stands in the records."""

    @property
    def id(self) -> str:
        """The dead letter's own id: another for each copy."""
        return self.message.id

    @property
    def identity(self) -> str:
        """What makes two letters the same: the event, or for want of one the body."""
        return self.event_id or f"sha256-{self.body_sha256}"

    @property
    def ids(self) -> frozenset[str]:
        """Its own id, and that of the letter that it is a correction of."""
        return frozenset({self.id, self.attributes.get(CORRECTED_FROM, self.id)})

    @property
    def original_id(self) -> str:
        """The id of the message that first told of this, through all dead-letterings and redrives."""
        return self.message.attributes.get(ORIGINAL_ID, self.id)


def read(queue: str, message: Message, *, receive_count_max: int) -> Letter:
    """The letter in a message of a queue's dead-letter queue. Never raises: what cannot be read is said."""
    names = _bus_names(message.body) if queue == INTAKE else _names(message.body)
    attributes = message.attributes
    unreadable = _unreadable(queue, message)
    try:
        original: Mapping[str, str] = original_attributes(attributes)
        damaged = not all(isinstance(value, str) for value in original.values())
    except (ValueError, TypeError, RecursionError):
        damaged = True
    if damaged:
        original, unreadable = attributes, "its attributes are damaged"
    count = attributes.get(RECEIVE_COUNT)
    return Letter(
        queue=queue,
        message=message,
        cause=cause_of(attributes, receive_count_max=receive_count_max),
        event_id=names.get("eventId"),
        event_type=names.get("eventType") or original.get("eventType"),
        order_id=names.get("orderId") or original.get("orderId"),
        tenant=names.get("tenant"),
        unreadable=unreadable,
        attempts=_count(count) or (receive_count_max if REASON not in attributes else None),
        redrive_count=_count(original.get(REDRIVE_COUNT)),
        redriven_from=original.get(REDRIVEN_FROM),
        attributes=original,
        body_sha256=sha256_of(message.body),
    )


def sha256_of(body: str) -> str:
    """The fingerprint of a body."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def shown(text: str, *, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """A text for a terminal: cut, and every character that could move a cursor or hide something written out."""
    kept = text[:characters_max]
    plain = "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in kept)
    return plain if len(text) <= characters_max else f"{plain}… ({len(text) - characters_max:,} more characters)"


def shown_body(letter: Letter, *, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """The body for whoever looks at the letter. An order request holds personal data: of its detail only the names of the fields show."""
    body = letter.message.body
    if letter.queue == INTAKE:
        try:
            document = json.loads(body)
            detail = document["detail"]
            names = sorted(detail) if isinstance(detail, Mapping) else type(detail).__name__
            body = json.dumps(
                {**document, "detail": names} if document.get("detail-type") == "OrderRequest" else document
            )
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            body = f"{len(body):,} characters, which are no event"
    return shown(body, characters_max=characters_max)


def is_notice(queue: str, message: Message) -> bool:
    """Whether it tells of a payment at the provider, by the provider's name for it: no order is named, the worker asks whose it is."""
    return queue == PAYMENT and notice_in(message.body) is not None


def _names(body: str) -> Mapping[str, str]:
    """The ids in a body, if it is a JSON object that has them, whatever else is wrong with it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, Mapping):
        return {}
    names = ((name, document.get(name)) for name in ("eventId", "eventType", "orderId", "tenant"))
    return {name: value for name, value in names if isinstance(value, str) and 1 <= len(value) <= NAME_CHARACTERS_MAX}


def _bus_names(body: str) -> Mapping[str, str]:
    """The same of an event of the bus, which names no order yet. Its sender draws the id, so it counts within the source."""
    try:
        event = read_event(body)
    except MalformedMessage:
        return {}
    return {"eventId": f"{event.source}:{event.id}", "eventType": event.detail_type}


def _unreadable(queue: str, message: Message) -> str | None:
    if queue == HEARS_EVERYTHING:
        # It archives also what this build cannot read: whose order it is suffices.
        names = _names(message.body)
        return None if {"orderId", "tenant"} <= names.keys() else "it does not say which order has grown"
    if is_notice(queue, message):
        return None
    try:
        read_event(message.body) if queue == INTAKE else parse_envelope(message.body)
    except MalformedMessage as error:
        return str(error)
    return None


def _count(text: str | None) -> int:
    return min(int(text), COUNT_MAX) if text is not None and text.isdecimal() and len(text) < 10 else 0
