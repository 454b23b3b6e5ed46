"""The operations on dead letters, for administrators. What they do is the desk's; this only asks and tells."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from projections.http import dead_letter_schemas as schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import Administrator
from projections.http.body import read_as
from projections.http.described import accepts, answers
from projections.http.desks import translated
from projections.http.places import Limit, SaidOnce
from projections.http.problems import FieldError, Problem
from projections.http.services import DeadLetterDesk, ServicesOf

# A request must be answered before its client gives up; whoever has more to send on asks again, or uses the command line.
SECONDS_MAX: Final = 20.0

_BODY: Final = ("not_json", "body_timeout", "body_too_large", "unsupported_media_type")
_DESK: Final = ("bad_parameter", "not_found", "invalid", "unavailable", "internal")
_REDRIVE_EXAMPLES: Final[Mapping[str, Any]] = {
    "look": {
        "summary": "What would be sent on, of one cause",
        "value": {"letters": {"cause": "receives used up"}, "dryRun": True},
    },
    "send": {
        "summary": "Ten a second, with the reason for the record",
        "value": {
            "letters": {"eventType": "OrderCreated"},
            "rate": 10,
            "max": 200,
            "reason": "INC-1042: provider is back",
        },
    },
}
_CORRECT_EXAMPLES: Final[Mapping[str, Any]] = {
    "from the log": {
        "summary": "The body as the log has the event",
        "value": {"fromLog": True, "reason": "INC-1042: the body was cut on its way"},
    }
}
_PURGE_EXAMPLES: Final[Mapping[str, Any]] = {
    "look": {"summary": "Which letters are meant", "value": {"letters": {"cause": "MalformedMessage"}}},
    "delete": {
        "summary": "Delete them, if they are three",
        "value": {"letters": {"cause": "MalformedMessage"}, "confirm": 3, "reason": "INC-1042: a test's messages"},
    },
}

_NAME: Final = r"^[A-Za-z0-9_-]{1,100}$"
QueueOf = Annotated[str, Path(pattern=_NAME, examples=["payment"])]
LetterOf = Annotated[str, Path(alias="messageId", pattern=_NAME)]
Name = Annotated[str | None, Query(min_length=1, max_length=256)]


def add_routes(router: APIRouter) -> None:
    """Look at all, at a queue's, at one; send on, correct, purge."""
    common: dict[str, Any] = {"tags": ["dead letters"], "dependencies": [SaidOnce]}
    router.add_api_route(
        "/dead-letters",
        list_dead_letter_groups,
        methods=["GET"],
        summary="All dead letters, by queue, cause and event type",
        responses=answers(
            200, schemas.Groups, "The largest group of each queue first.", ("bad_parameter", "unavailable", "internal")
        ),
        **common,
    )
    router.add_api_route(
        "/dead-letters/{queue}",
        list_dead_letters,
        methods=["GET"],
        summary="The dead letters of a queue, one by one",
        responses=answers(200, schemas.Letters, "Without their bodies.", _DESK),
        **common,
    )
    router.add_api_route(
        "/dead-letters/{queue}/{messageId}",
        get_dead_letter,
        methods=["GET"],
        summary="One dead letter, where its order stands, and what was done before",
        responses=answers(200, schemas.WholeLetter, "Everything that is known about it.", _DESK),
        **common,
    )
    router.add_api_route(
        "/dead-letters/{queue}/redrive",
        redrive_dead_letters,
        methods=["POST"],
        summary="Send dead letters on to their worker",
        openapi_extra=accepts(schemas.Redrive, _REDRIVE_EXAMPLES),
        responses=answers(200, schemas.Redriven, "What became of each letter.", (*_BODY, *_DESK)),
        **common,
    )
    router.add_api_route(
        "/dead-letters/{queue}/{messageId}/correct",
        correct_dead_letter,
        methods=["POST"],
        summary="Replace the body of a dead letter",
        openapi_extra=accepts(schemas.Correct, _CORRECT_EXAMPLES),
        responses=answers(200, schemas.Corrected, "A new letter lies in the place of the old one.", (*_BODY, *_DESK)),
        **common,
    )
    router.add_api_route(
        "/dead-letters/{queue}/purge",
        purge_dead_letters,
        methods=["POST"],
        summary="Delete dead letters for good",
        openapi_extra=accepts(schemas.Purge, _PURGE_EXAMPLES),
        responses=answers(200, schemas.Purged, "Which were, or would be, deleted.", (*_BODY, *_DESK)),
        **common,
    )


async def list_dead_letter_groups(_administrator: Administrator, services: ServicesOf) -> Response:
    """A look hides the letters for the moment that it takes, and is bounded: `notWhole` says of which queue not all was seen."""
    with translated(after="; what is on record was done"):
        return JsonAnswer(dict(await _desk(services).groups()))


async def list_dead_letters(
    _administrator: Administrator,
    services: ServicesOf,
    queue: QueueOf,
    *,
    cause: Name = None,
    event_type: Annotated[str | None, Query(alias="eventType", min_length=1, max_length=256)] = None,
    order_id: Annotated[str | None, Query(alias="orderId", min_length=1, max_length=256)] = None,
    limit: Limit = 50,
) -> Response:
    """Those that are meant, in no order."""
    said = {"cause": cause, "event_type": event_type, "order_id": order_id}
    wanted = {name: value for name, value in said.items() if value is not None}
    with translated(after="; what is on record was done"):
        return JsonAnswer(dict(await _desk(services).letters(queue, wanted, limit=limit)))


async def get_dead_letter(
    _administrator: Administrator, services: ServicesOf, queue: QueueOf, letter_id: LetterOf
) -> Response:
    """Body, attributes, attempts, cause; the order's present state, and whether it still wants this of the worker."""
    with translated(after="; what is on record was done"):
        return JsonAnswer(dict(await _desk(services).letter(queue, letter_id)))


async def redrive_dead_letters(
    request: Request, administrator: Administrator, services: ServicesOf, queue: QueueOf
) -> Response:
    """As new messages, on record. Letters whose order has moved on stay where they are, copies of what was sent on are dropped."""
    asked = await read_as(schemas.Redrive, request)
    if not asked.dry_run:
        _check_reason(asked.reason)
    with translated(after="; what is on record was done"):
        done = await _desk(services).redrive(
            queue,
            asked.letters.fields(),
            actor=administrator.actor,
            reason=asked.reason,
            dry_run=asked.dry_run,
            even_if_moved_on=asked.even_if_moved_on,
            rate_per_s=asked.rate,
            sent_max=asked.max,
            seconds_max=SECONDS_MAX,
        )
    return JsonAnswer(dict(done))


async def correct_dead_letter(
    request: Request, administrator: Administrator, services: ServicesOf, queue: QueueOf, letter_id: LetterOf
) -> Response:
    """The new body must be an envelope of the same event and order, and the event must be in the order's log. Both hashes are recorded."""
    asked = await read_as(schemas.Correct, request)
    if (asked.body is None) != asked.from_log:
        raise _wrong("/body", "give a body, or fromLog: one of them")
    with translated(after="; what is on record was done"):
        done = await _desk(services).correct(
            queue,
            letter_id,
            asked.body,
            actor=administrator.actor,
            reason=asked.reason,
            seconds_max=SECONDS_MAX,
        )
    return JsonAnswer(dict(done))


async def purge_dead_letters(
    request: Request, administrator: Administrator, services: ServicesOf, queue: QueueOf
) -> Response:
    """Each letter is looked at and put on record before it is deleted; another number than `confirm` deletes nothing."""
    asked = await read_as(schemas.Purge, request)
    if asked.confirm is not None:
        _check_reason(asked.reason)
    with translated(after="; what is on record was done"):
        done = await _desk(services).purge(
            queue,
            asked.letters.fields(),
            actor=administrator.actor,
            reason=asked.reason,
            confirm=asked.confirm,
            shown=asked.shown,
            seconds_max=SECONDS_MAX,
        )
    return JsonAnswer(dict(done))


def _check_reason(reason: str | None) -> None:
    """Here, because a look needs none: the shape alone cannot ask for it."""
    if reason is None or not reason.strip():
        raise _wrong("/reason", "say why (reason): it goes on record")


def _wrong(pointer: str, detail: str) -> Problem:
    return Problem("invalid", detail, errors=[FieldError(pointer=pointer, detail=detail, code="refused")])


def _desk(services: ServicesOf) -> DeadLetterDesk:
    desk = services.dead_letters
    assert desk is not None, "these routes exist only where there is a desk"
    return desk
