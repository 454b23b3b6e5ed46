"""The few headers that the API listens to, each with its bounds. W3C Trace Context, Idempotency-Key, If-Match, X-Request-Id."""

import re
from typing import Annotated, Final
from uuid import uuid4

from fastapi import Depends, Header
from starlette.requests import Request

from orderstore.expected import Exactly, Expected, OneOf, StreamExists, Whatever
from orderstore.request_fields import check_key
from orderstore.tracing import TRACEPARENT, current, parse_traceparent
from projections.http.problems import SEE_ERRORS, FieldError, Problem

# RFC 9110, 5.6.1 and 8.8.3: a list's next element, which may be empty, and what ends it.
_ELEMENT: Final = re.compile(r'[ \t]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(,|\Z)')
_VERSION_TAG: Final = re.compile(r'"([1-9][0-9]{0,15})"')
IF_MATCH_CHARACTERS_MAX: Final = 1024
_TAG: Final = r'(W/)?"[!#-~]*"'
TAGS_DESCRIBED: Final = {"pattern": rf"^(\*|{_TAG}(, ?{_TAG})*)$"}
"""The plain forms of what `entity_tags` takes, and `*`, for the document: the framework would look at the first of several lines only."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


async def _idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 255 printable ASCII characters, drawn by the client for each request that it means. "
            "A repeat with the same key and body is answered as the first was; with another body it is refused. Never expires.",
            min_length=1,
            max_length=255,
            pattern=r"^[\x20-\x7e]+$",
        ),
    ] = None,
) -> str | None:
    if len(request.headers.getlist("idempotency-key")) > 1:
        error = FieldError(parameter="Idempotency-Key", detail="send it once", code="repeated")
        raise Problem("bad_parameter", SEE_ERRORS, errors=[error])
    try:
        return None if key is None else check_key(key)
    except ValueError as refused:
        error = FieldError(parameter="Idempotency-Key", detail=str(refused), code="value_error")
        raise Problem("bad_parameter", SEE_ERRORS, errors=[error]) from None


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


async def _if_match(
    request: Request,
    _described: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description='The version of the order that the client saw, as its `ETag`: `"7"`; or several, `"7", "8"`; or `*`. '
            "At another version the request is refused with 412 and nothing is stored, unless what it asks for is so already. "
            "Weak tags never match (RFC 9110, 13.1.1).",
            examples=['"7"'],
            json_schema_extra=TAGS_DESCRIBED,
        ),
    ] = None,
) -> Expected:
    lines = request.headers.getlist("if-match")
    if not lines:
        return Whatever()
    told = ", ".join(lines)
    if told.strip(" \t") == "*":
        return StreamExists()
    tags = entity_tags(told) if len(told) <= IF_MATCH_CHARACTERS_MAX else None
    if not tags:
        detail = 'a list of entity tags such as "7", or *'
        error = FieldError(parameter="If-Match", detail=detail, code="malformed")
        raise Problem("bad_parameter", SEE_ERRORS, errors=[error])
    # Compared character by character, so that "07" is not "7", and a weak tag is nothing.
    versions = tuple(sorted({int(found[1]) for tag in tags if (found := _VERSION_TAG.fullmatch(tag))}))
    return Exactly(versions[0]) if len(versions) == 1 else OneOf(versions)


def entity_tags(told: str) -> list[str] | None:
    """The entity tags of a list; None where it is none. One pass: whatever is sent, it costs what its length costs."""
    tags: list[str] = []
    position = 0
    while (element := _ELEMENT.match(told, position)) is not None:
        if element[1] is not None:
            tags.append(element[1])
        if not element[2]:
            return tags
        position = element.end()
    return None


IfMatch = Annotated[Expected, Depends(_if_match)]


def traceparent_of(request: Request) -> str | None:
    """The trace that the events go on with: this request's own span, where requests are traced, else the caller's.

    A caller's that is not well-formed is dropped, as W3C asks; it is counted, and harms nothing.
    """
    if (here := current()) is not None:
        return here.traceparent
    told = request.headers.getlist(TRACEPARENT)
    context = parse_traceparent(told[0]) if len(told) == 1 else None
    if told and context is None:
        request.app.state.services.observer.trace_context_ignored()
    return None if context is None else context.traceparent


def request_id_of(offered: str | None) -> str:
    """The caller's own request id where it is a plain word (it goes into logs and a header), else a new one."""
    if offered is None or not _REQUEST_ID.fullmatch(offered):
        return str(uuid4())
    try:
        return check_key(offered)
    except ValueError:
        return str(uuid4())  # what looks like a card number goes into no log
