"""The parameters of live streams and of inboxes, with their bounds."""

from typing import Annotated, Final

from fastapi import Depends, Header, Path, Query
from pydantic import AfterValidator, Field
from starlette.requests import Request

from orderstore.request_fields import check_key
from projections.http.places import PAGE_ITEMS, Asked, Cursor, Limit
from projections.http.problems import SEE_ERRORS, FieldError, Problem
from projections.live.positions import POSITION_CHARACTERS_MAX

CustomerIdOf = Annotated[
    str,
    Path(alias="customerId", min_length=1, max_length=128, description="Whose inbox and orders."),
    AfterValidator(check_key),
]
NoteId = Annotated[str, Path(alias="noteId", pattern=r"^[0-9]{13}-[0-9a-f-]{36}$", description="`id` of a note.")]

_HEADER: Final = "Last-Event-ID"
_PARAMETER: Final = "lastEventId"


class InboxAsked(Asked):
    """`GET /customers/{customerId}/inbox`."""

    cursor: Cursor = None
    limit: Limit = PAGE_ITEMS


class LiveAsked(Asked):
    """The streams."""

    last_event_id: Annotated[
        str | None,
        Field(
            max_length=POSITION_CHARACTERS_MAX,
            description=f"The same as `{_HEADER}`, for clients that cannot set headers. The header wins: a browser that comes back by "
            "itself repeats the address that it was given first.",
        ),
    ] = None


class LastEventId:
    """Where the client was, as it says, and by which parameter it says so."""

    def __init__(self, text: str | None, parameter: str) -> None:
        self.text = text
        self.parameter = parameter

    def refuse(self, reason: str) -> Problem:
        """The problem with it."""
        return _problem(self.parameter, reason, code="not_a_position")


async def _last_event_id(
    request: Request,
    asked: Annotated[LiveAsked, Query()],
    _described: Annotated[
        str | None,
        Header(
            alias=_HEADER,
            description="The id of the last event that the client was given: the stream goes on after it, and misses and repeats nothing.",
        ),
    ] = None,
) -> LastEventId:
    found = request.headers.getlist(_HEADER)
    if len(found) > 1:
        raise _problem(_HEADER, "send it once", code="repeated")
    if found:
        return LastEventId(found[0], _HEADER)
    return LastEventId(asked.last_event_id, _PARAMETER)


def _problem(parameter: str, reason: str, *, code: str) -> Problem:
    return Problem("bad_parameter", SEE_ERRORS, errors=[FieldError(parameter=parameter, detail=reason, code=code)])


LastEventIdOf = Annotated[LastEventId, Depends(_last_event_id)]
InboxQuery = Annotated[InboxAsked, Query()]
