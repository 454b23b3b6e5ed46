"""A request's body, bounded while it arrives, then read as JSON with its decimals as written, then checked field by field."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import anyio
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from orderstore.requests import BODY_BYTES_MAX, LINES_MAX, parse
from projections.http.problems import FieldError, Problem

BODY_TIMEOUT_S: Final = 10.0
POINTER_CHARACTERS_MAX: Final = 256

# The rest of a refused body is not waited for, and the connection that it clogs is closed.
_CLOSE: Final = {"Connection": "close"}
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
    too_long = list(_too_long(document))
    if too_long:
        # A megabyte of `{},{},{}` is a million errors: the bound is checked before each of them is worked out.
        raise Problem("invalid", "nothing was stored; see errors", errors=too_long)
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise Problem("invalid", "nothing was stored; see errors", errors=_field_errors(error)) from error


def _check_length(request: Request) -> None:
    """Refuse what says that it is too large before it arrives; whether it told the truth is `_read`'s business."""
    declared = request.headers.get("content-length")
    if declared is not None and (not declared.isdecimal() or len(declared) > 18 or int(declared) > BODY_BYTES_MAX):
        raise _too_large()


def _check_type(request: Request) -> None:
    essence, *parameters = (part.strip() for part in request.headers.get("content-type", "").lower().split(";"))
    charsets = {part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")}
    if essence != "application/json" or not charsets <= {"utf-8"}:
        raise Problem("unsupported_media_type", "send Content-Type: application/json, in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported_media_type", "send the body as it is, without Content-Encoding")


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
        raise Problem("body_timeout", f"it must arrive within {BODY_TIMEOUT_S:.0f} s", headers=_CLOSE) from error
    return b"".join(chunks)


def _too_large() -> Problem:
    return Problem("body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes", headers=_CLOSE)


def _parsed(body: bytes) -> object:
    try:
        return parse(body)
    except UnicodeDecodeError as error:
        raise Problem("not_json", "the body is not UTF-8") from error
    except (ValueError, ArithmeticError) as error:  # ArithmeticError: 1e99999999999999999999 fits no decimal
        detail = "a number in it is beyond all bounds" if isinstance(error, ArithmeticError) else str(error)
        raise Problem("not_json", detail[:200]) from error


def _too_long(document: object) -> Iterator[FieldError]:
    if isinstance(document, Mapping):
        for name, value in document.items():
            if isinstance(value, list) and len(value) > LINES_MAX:
                yield FieldError(
                    pointer=_pointer((name,)), detail=f"its length is at most {LINES_MAX}", code="too_long"
                )


def _field_errors(error: ValidationError) -> list[FieldError]:
    found = error.errors(include_url=False, include_input=False)
    inner = {entry["loc"][:depth] for entry in found for depth in range(len(entry["loc"]))}
    return [
        FieldError(pointer=_pointer(entry["loc"]), detail=_detail(entry), code=entry["type"])
        for entry in found
        # A list whose entries are wrong is also "too short" to pydantic, which says nothing new.
        if not (entry["type"] == "too_short" and entry["loc"] in inner)
    ]


def _pointer(path: Sequence[int | str]) -> str:
    """RFC 6901. Of an unknown field with an endless name only the parent is named."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return pointer if len(pointer) <= POINTER_CHARACTERS_MAX else _pointer(path[:-1])


def _detail(entry: Mapping[str, Any]) -> str:
    """Plain words for what pydantic says in Python's; a limit is named, the value never."""
    context = entry.get("ctx", {})
    match entry["type"]:
        case "missing":
            return "this field is required"
        case "extra_forbidden":
            return "there is no such field"
        case "model_type" | "model_attributes_type":
            return "this must be a JSON object"
        case "tuple_type":
            return "this must be a list"
        case "too_short":
            return f"its length is at least {context['min_length']}"
        case "too_long":
            return f"its length is at most {context['max_length']}"
        case "less_than_equal":
            return f"at most {context['le']}"
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case _:
            return str(entry["msg"]).removeprefix("Value error, ")
