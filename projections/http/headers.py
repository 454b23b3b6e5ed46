"""The few headers that the API listens to, each with its bounds. W3C Trace Context, Idempotency-Key, X-Request-Id."""

import re
from typing import Annotated, Final
from uuid import uuid4

from fastapi import Depends, Header
from starlette.requests import Request

from projections.http.problems import FieldError, Problem

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
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
        raise Problem("bad_parameter", "see errors", errors=[error])
    return key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


def traceparent_of(request: Request) -> str | None:
    """The caller's trace, to travel with the events. One that is not well-formed is dropped, as W3C asks, and harms nothing."""
    found = request.headers.getlist("traceparent")
    return found[0] if len(found) == 1 and _TRACEPARENT.fullmatch(found[0]) else None


def request_id_of(offered: str | None) -> str:
    """The caller's own request id where it is a plain word (it goes into logs and a header), else a new one."""
    return offered if offered is not None and _REQUEST_ID.fullmatch(offered) else str(uuid4())
