"""A request's body, bounded while it arrives, then read as JSON with its decimals as written, then checked field by field."""

from contextlib import aclosing
from typing import Final, TypeVar

import anyio
from pydantic import BaseModel
from starlette.requests import Request

from orderstore import refusals
from orderstore.refusals import RequestRefused
from orderstore.requests import BODY_BYTES_MAX
from projections.http.problems import Problem, problem_of_refusal

BODY_TIMEOUT_S: Final = 10.0

# The rest of a refused body is not waited for, and the connection that it clogs is closed.
_CLOSE: Final = {"Connection": "close"}
_NOTHING: Final = "nothing was stored"
_Model = TypeVar("_Model", bound=BaseModel)


async def read_as(model: type[_Model], request: Request, *, empty_is: _Model | None = None) -> _Model:
    """The body as `model`; a body of no bytes is `empty_is` where that is given. Raises Problem."""
    _check_length(request)
    body = await _read(request)
    if not body and empty_is is not None:
        return empty_is
    _check_type(request)
    return validated(model, _parsed(body))


async def read_bytes(request: Request) -> bytes:
    """The body as it is, bounded in size and time. Raises Problem."""
    _check_length(request)
    return await _read(request)


def validated(model: type[_Model], document: object) -> _Model:
    """Raises Problem with a pointer to each field that is wrong."""
    try:
        return refusals.validated(model, document)
    except RequestRefused as error:
        raise problem_of_refusal(error.refusal) from error


def _check_length(request: Request) -> None:
    """Refuse what says that it is too large before it arrives; whether it told the truth is `_read`'s business."""
    declared = request.headers.get("content-length")
    if declared is not None and (not declared.isdecimal() or len(declared) > 18 or int(declared) > BODY_BYTES_MAX):
        raise _too_large()


def _check_type(request: Request) -> None:
    essence, *parameters = (part.strip() for part in request.headers.get("content-type", "").lower().split(";"))
    charsets = {part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")}
    if essence != "application/json" or not charsets <= {"utf-8"}:
        raise Problem("unsupported_media_type", f"send Content-Type: application/json, in UTF-8; {_NOTHING}")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported_media_type", f"send the body as it is, without Content-Encoding; {_NOTHING}")


async def _read(request: Request) -> bytes:
    chunks: list[bytes] = []
    read_bytes = 0
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            async with aclosing(request.stream()) as stream:
                async for chunk in stream:
                    read_bytes += len(chunk)
                    if read_bytes > BODY_BYTES_MAX:
                        raise _too_large()
                    chunks.append(chunk)
    except TimeoutError as error:
        raise Problem(
            "body_timeout", f"it must arrive within {BODY_TIMEOUT_S:.0f} s; {_NOTHING}: send it again", headers=_CLOSE
        ) from error
    return b"".join(chunks)


def _too_large() -> Problem:
    return Problem(
        "body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes; {_NOTHING}: send less at once", headers=_CLOSE
    )


def _parsed(body: bytes) -> object:
    try:
        return refusals.parsed(body)
    except RequestRefused as error:
        raise problem_of_refusal(error.refusal) from error
