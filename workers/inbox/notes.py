"""A note of an inbox: its keys, its row in the table, and the document that the API shows. Pure.

    owner    <tenant>/customer:<customer id>                            whose inbox; the same name that the customer's key has
    note     <when it was recorded, 13 digits of ms>-<event id>         notes in the order of what they tell of; the same at every try
             head                                                       the inbox's own row: the last number, and whether it is closed

`ordinal` counts an inbox's notes as they come in, from 1 on and without holes: what a client has seen is one number, and a note that is
late is not missed for standing further down. Rows of before November 2026 have `number` for it, and `unread_until` until they are read, by
which two local indexes had them; nothing reads those any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta

from orderstore.codec import timestamp_of
from orderstore.privacy.subjects import operational_subject
from orderstore.recorded import Recorded
from workers.tables.rows import typed

HEAD: Final = "head"
NOTES_END: Final = ":"
"""After every digit, so after every note; and before the head."""
TITLE_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 4_000
DAY_S: Final = 86_400
UNREAD_AMONG: Final = 1_000
"""Of so many newest notes those that are not read are counted."""
MOMENT_MS_MAX: Final = 253_402_300_799_999  # the last one that has four digits for its year
WHAT: Final = "a note"


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


_Moment = Annotated[int, Meta(ge=0, le=MOMENT_MS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    note: str
    order_id: str
    event_id: str
    event_type: str
    title: str
    text: str
    created_at_ms: _Moment
    read_at_ms: _Moment | None = None


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int


@dataclass(frozen=True, slots=True)
class _Kept:
    expires_at_s: int


@dataclass(frozen=True, slots=True)
class _Head:
    last_number: Annotated[int, Meta(ge=0)]


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
        "ordinal": number,
        "order_id": note.order_id,
        "event_id": note.event_id,
        "event_type": note.event_type,
        "template": note.template,
        "title": cut(note.title, TITLE_CHARACTERS_MAX),
        "text": cut(note.text, TEXT_CHARACTERS_MAX),
        "created_at_ms": now_ms,
        "expires_at_s": expires_at_s,
    }


def number_of(row: Mapping[str, Any]) -> int:
    """The how-manieth note of its inbox it is. Raises RowUnreadable."""
    return typed(_Numbered, {"number": row.get("ordinal", row.get("number"))}, WHAT).number


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The note as the API shows it. Raises RowUnreadable."""
    note = typed(_Row, row, WHAT)
    return {
        "id": note.note,
        "number": number_of(row),
        "orderId": note.order_id,
        "eventId": note.event_id,
        "eventType": note.event_type,
        "title": note.title,
        "text": note.text,
        "createdAt": timestamp_of(note.created_at_ms),
        "readAt": None if note.read_at_ms is None else timestamp_of(note.read_at_ms),
    }


def last_number_of(head: Mapping[str, Any]) -> int:
    """The number of the last note, in an inbox's own row. Raises RowUnreadable."""
    return typed(_Head, head, "an inbox").last_number


def is_kept(row: Mapping[str, Any], *, now_ms: int) -> bool:
    """Whether its time is not over: DynamoDB deletes what has expired within some days, not at once. Raises RowUnreadable."""
    return typed(_Kept, row, WHAT).expires_at_s > now_ms // 1000


def cut(text: str, characters_max: int) -> str:
    """Short enough; what was left out is shown by an ellipsis."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
