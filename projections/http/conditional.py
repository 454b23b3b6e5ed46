"""ETag and If-None-Match (RFC 9110, 8.8.3 and 13.1.2) of an order: the tag is its version, which moves with every event."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from projections.http.headers import IF_MATCH_CHARACTERS_MAX, TAGS_DESCRIBED, entity_tags
from projections.http.problems import SEE_ERRORS, FieldError, Problem

_ANY: Final = "*"


def etag_of(version: int) -> str:
    """The tag of an order's version; the same one that `If-Match` of a change is compared with."""
    return f'"{version}"'


async def _if_none_match(
    request: Request,
    told: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="The `ETag` of an answer that the client has: 304 if it is still so.",
            json_schema_extra=TAGS_DESCRIBED,
        ),
    ] = None,
) -> frozenset[str]:
    """The tags that the client has, weak ones without their mark: for reading the two are compared as equal."""
    if told is None:
        return frozenset()
    text = ", ".join(request.headers.getlist("if-none-match"))
    if text.strip(" \t") == _ANY:
        return frozenset({_ANY})
    tags = entity_tags(text) if len(text) <= IF_MATCH_CHARACTERS_MAX else None
    if not tags:
        refused = FieldError(parameter="If-None-Match", detail='a list of tags such as "7", or *', code="malformed")
        raise Problem("bad_parameter", SEE_ERRORS, errors=[refused])
    return frozenset(tag.removeprefix("W/") for tag in tags)


IfNoneMatch = Annotated[frozenset[str], Depends(_if_none_match)]


def has(tags: frozenset[str], version: int) -> bool:
    """Whether the client has this version already."""
    return _ANY in tags or etag_of(version) in tags


def not_modified(headers: Mapping[str, str]) -> Response:
    """The answer to one who has it; `headers` are those that the whole answer would have had, its ETag among them."""
    return Response(status_code=304, headers={"Cache-Control": "no-store", **headers})
