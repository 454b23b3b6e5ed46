"""The shapes of the operations on dead letters: what is asked, and what is answered."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orderstore.request_fields import VISIBLE, Whole
from projections.http.json_types import Number, YesNo

SENT_MAX = 500
PURGE_MAX = 1_000
RATE_MAX = 100
_AGE_S_MAX = 14 * 86_400

_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why: it goes on record, in the clear, for years.",
        json_schema_extra={"pattern": VISIBLE},
    ),
]
_Age = Annotated[float, Field(ge=0, le=_AGE_S_MAX), Number]


class _Asked(BaseModel):
    """A misspelt field is refused: ignored, it would mean more letters than were meant."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Wanted(_Asked):
    """Which letters are meant; without any field, all of the queue."""

    message_id: _Name | None = None
    cause: Annotated[_Name | None, Field(description="A part of the cause, in any case.")] = None
    event_type: _Name | None = None
    order_id: _Name | None = None
    older_than_s: _Age | None = None
    newer_than_s: _Age | None = None

    def fields(self) -> dict[str, Any]:
        """What was said, by the names of `DeadLetterDesk`."""
        return self.model_dump(exclude_none=True, by_alias=False)


class Redrive(_Asked):
    """`dryRun` says what would be sent and needs no reason."""

    letters: Wanted = Wanted()
    dry_run: YesNo = False
    reason: _Reason | None = None
    even_if_moved_on: Annotated[
        YesNo, Field(description="Also letters whose order no longer wants anything of this worker.")
    ] = False
    rate: Annotated[float, Field(gt=0, le=RATE_MAX, description="How many a second at most."), Number] = 20
    max: Annotated[
        int, Field(strict=True, ge=1, le=SENT_MAX, description="How many at most in this request."), Whole
    ] = 100


class Correct(_Asked):
    """The new body as text, or `fromLog` for the one that the log has for the letter's event."""

    body: Annotated[str | None, Field(min_length=1, max_length=262_144)] = None
    from_log: YesNo = False
    reason: _Reason


class Purge(_Asked):
    """Without `confirm` it only says which letters are meant; with it they are deleted, if they are exactly so many."""

    letters: Wanted = Wanted()
    confirm: Annotated[int, Field(strict=True, ge=1, le=PURGE_MAX), Whole] | None = None
    shown: Annotated[
        _Name | None,
        Field(description="Of the answer that said which: then as many others are not deleted in their place."),
    ] = None
    reason: _Reason | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Group(_Answer):
    queue: str
    cause: str
    meaning: str
    event_type: str | None
    letters: int
    oldest: str
    newest: str
    oldest_age_seconds: int
    redriven_before: int
    unreadable: int
    examples: list[str]


class Groups(_Answer):
    """`notWhole` names the queues of which not every letter was seen, and says why."""

    letters: int
    groups: list[Group]
    not_whole: dict[str, str]


class Letter(_Answer):
    message_id: str
    queue: str
    cause: str
    event_id: str | None
    event_type: str | None
    order_id: str | None
    sent_at: str
    age_seconds: int
    attempts: int | None
    times_redriven: int
    unreadable: str | None


class Letters(_Answer):
    queue: str
    items: list[Letter]
    meant: int
    looked_at: int
    not_whole: str | None


class OrderNow(_Answer):
    state: str | None
    version: int | None
    wanted: bool
    words: str


class WholeLetter(Letter):
    """The body is cut and escaped: one that is no envelope may be anything."""

    meaning: str
    said: str | None
    redriven_from: str | None
    order: OrderNow
    attributes: dict[str, str]
    body: str
    body_sha256: str
    done: list[dict[str, Any]]


class OneTold(_Answer):
    message_id: str
    event_id: str | None
    event_type: str | None
    order_id: str | None
    outcome: Literal["redriven", "duplicate", "moved on", "unreadable", "left", "failed"]
    why: str


class Redriven(_Answer):
    """`counts` by outcome; in a dry run `redriven` are those that would be."""

    queue: str
    dry_run: bool
    looked_at: int
    not_meant: int
    counts: dict[str, int]
    not_whole: str | None
    letters: list[OneTold]
    letters_omitted: int


class Corrected(_Answer):
    """`messageId` is the corrected letter: it is among the dead letters, to be sent on."""

    queue: str
    message_id: str
    corrected_from: str
    old_body_sha256: str
    new_body_sha256: str


class Purged(_Answer):
    queue: str
    purged: bool
    count: int
    shown: str
    not_whole: str | None
    letters: list[Letter]
    letters_omitted: int
