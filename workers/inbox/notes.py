"""A note of an inbox: its keys, its row in the table, and the document that the API shows. Pure.

    owner    <tenant>/customer:<customer id>                            whose inbox; the same name that the customer's key has
    note     <when it was recorded, 13 digits of ms>-<event id>         notes in the order of what they tell of; the same at every try
             head                                                       the inbox's own row: the last number, and whether it is closed

`number` counts an inbox's notes as they come in, from 1 on and without holes: what a client has seen is one number, and a note that is late
is not missed for standing further down. `unread_until` is there until the note is read, and is when it expires (in s since 1970).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orderstore.codec import timestamp_of
from orderstore.privacy.subjects import operational_subject
from orderstore.recorded import Recorded

HEAD: Final = "head"
NOTES_END: Final = ":"
"""After every digit, so after every note; and before the head."""
TITLE_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 4_000
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNote:
    """What is to be put into an inbox."""

    owner: str
    note_id: str
    order_id: str
    event_id: str
    event_type: str
    template: str
    title: str
    text: str


def owner_of(tenant: str, subject: str) -> str:
    """Whose inbox this is, by the name of their key."""
    return f"{tenant}/{subject}"


def owner_for(tenant: str, customer_id: str) -> str:
    """The inbox of a customer. Guests have none: nobody could ask for it."""
    return owner_of(tenant, operational_subject(customer_id, ""))


def is_customers(subject: str) -> bool:
    """Whether this is the name of a customer's key, not of a guest's."""
    return subject.startswith(operational_subject("", ""))


def note_id_of(event: Recorded) -> str:
    """The same for the same event, and sorted by the time at which it was recorded."""
    return f"{event.recorded_at_ms:013d}-{event.event_id}"


def row_of(note: NewNote, *, number: int, now_ms: int, kept_days: int) -> dict[str, Any]:
    """The attributes beside the key."""
    expires_at_s = now_ms // 1000 + kept_days * DAY_S
    return {
        "number": number,
        "order_id": note.order_id,
        "event_id": note.event_id,
        "event_type": note.event_type,
        "template": note.template,
        "title": cut(note.title, TITLE_CHARACTERS_MAX),
        "text": cut(note.text, TEXT_CHARACTERS_MAX),
        "created_at_ms": now_ms,
        "expires_at_s": expires_at_s,
        "unread_until": expires_at_s,
    }


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The note as the API shows it."""
    read_at_ms = row.get("read_at_ms")
    return {
        "id": row["note"],
        "number": row["number"],
        "orderId": row["order_id"],
        "eventId": row["event_id"],
        "eventType": row["event_type"],
        "title": row["title"],
        "text": row["text"],
        "createdAt": timestamp_of(row["created_at_ms"]),
        "readAt": None if read_at_ms is None else timestamp_of(read_at_ms),
    }


def is_kept(row: Mapping[str, Any], *, now_ms: int) -> bool:
    """Whether its time is not over: DynamoDB deletes what has expired within some days, not at once."""
    return int(row["expires_at_s"]) > now_ms // 1000


def cut(text: str, characters_max: int) -> str:
    """Short enough; what was left out is shown by an ellipsis."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
