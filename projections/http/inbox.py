"""A customer's inbox: the notes that they are shown in the app, and which of them were read."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections.answers.cursors import decode_pair, encode_pair
from projections.answers.ports import InvalidCursor
from projections.http import live_schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import InboxUser
from projections.http.described import answers
from projections.http.live import desk_of
from projections.http.live_places import CustomerIdOf, InboxQuery, NoteId
from projections.http.places import SaidOnce
from projections.http.problems import Problem
from projections.http.services import ServicesOf

_DOWN: Final = {"Retry-After": "5"}
_LIST: Final = "inbox"


def add_routes(router: APIRouter) -> None:
    """Show, and note as read."""
    router.add_api_route(
        "/customers/{customerId}/inbox",
        list_inbox,
        methods=["GET"],
        tags=["inbox"],
        dependencies=[SaidOnce],
        summary="A customer's notes",
        responses=answers(
            200,
            live_schemas.InboxPage,
            "One page, newest first; a page may be short.",
            ("bad_parameter", "bad_cursor", "unavailable", "internal"),
        ),
    )
    router.add_api_route(
        "/customers/{customerId}/inbox/{noteId}/read",
        mark_read,
        methods=["POST"],
        tags=["inbox"],
        summary="A customer has read a note",
        responses=answers(
            200,
            live_schemas.Note,
            "The note. Read once, it stays read: `readAt` is the first time.",
            ("bad_parameter", "unknown_note", "unavailable", "internal"),
        ),
    )


async def list_inbox(
    request: Request, _user: InboxUser, customer_id: CustomerIdOf, asked: InboxQuery, services: ServicesOf
) -> Response:
    """What the customer was told of their orders, as long as it is kept. Nobody is unknown here: an inbox may be empty."""
    request.state.notes["customerId"] = customer_id
    inbox = desk_of(services).inbox
    before = None
    if asked.cursor is not None:
        before, whose = decode_pair(_LIST, asked.cursor)
        if whose != customer_id:
            raise InvalidCursor("the cursor is another customer's")
    try:
        notes, following = await inbox.page(customer_id, before=before, limit=asked.limit)
        unread, more = await inbox.unread(customer_id)
    except ConnectionError as error:
        raise Problem("unavailable", "try again later", headers=_DOWN) from error
    return JsonAnswer(
        {
            "customerId": customer_id,
            "items": list(notes),
            "nextCursor": None if following is None else encode_pair(_LIST, following, customer_id),
            "unread": unread,
            "unreadMore": more,
        }
    )


async def mark_read(
    request: Request, _user: InboxUser, customer_id: CustomerIdOf, note_id: NoteId, services: ServicesOf
) -> Response:
    """May be repeated: it changes nothing then."""
    request.state.notes["customerId"] = customer_id
    try:
        return JsonAnswer(await desk_of(services).inbox.mark_read(customer_id, note_id))
    except LookupError as error:
        raise Problem("unknown_note", f"there is no note {note_id}") from error
    except ConnectionError as error:
        raise Problem("unavailable", "it may be marked: repeat the request", headers=_DOWN) from error
