"""What the layers below refuse or fail at, in the API's words. One table; anything that is not in it is a 500.

CommandRejected, HooksRefused,          the caller's: 404, 409, 422
KeyReused, CustomerErased
WrongVersion                            412 with the version that the order has
Throttled, Unavailable, Contended,      try again: 503 with Retry-After
ViewsUnavailable
InvalidCursor                           400
CommitAhead                             404 with where the order's head is
CorruptCommit, CodecError,              500 of its own: repeating does not help, an operator must look
StreamTooLong
RequestValidationError, HTTPException   the framework's own, as problem+json too
"""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from orderstore.audit.moments import CommitAhead
from orderstore.codec import CodecError
from orderstore.domain.rejections import CommandRejected
from orderstore.expected import WrongVersion
from orderstore.orders import CustomerErased, HooksRefused, KeyReused
from orderstore.refusals import refusal_of
from orderstore.store.errors import CommitTooLarge, CorruptCommit, StreamTooLong, Throttled, Unavailable
from orderstore.transact import Contended
from projections.answers.ports import InvalidCursor, ViewsUnavailable
from projections.http.problems import KINDS, SEE_ERRORS, FieldError, Problem, answer, problem_of_refusal

_BUSY: Final = {"Retry-After": "1"}
_DOWN: Final = {"Retry-After": "5"}
_REPEAT: Final = "repeat the request with the same Idempotency-Key"

_UNREADABLE: Final = (
    "the order cannot be read as it is stored; repeating the request does not help: "
    "an operator must look (orderstore audit verify --order)"
)
_DETAILS: Final = {
    "not_found": "nothing is at this address, and nothing was done; /openapi.json names what there is",
    "method_not_allowed": "nothing was done; Allow names what this resource does",
}
_BY_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def install(app: FastAPI) -> None:
    """Make every expected exception an answer."""
    for kind in (Problem, HTTPException, RequestValidationError, *_TRANSLATED):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.code == "method_not_allowed":
        problem.headers["Allow"] = _allowed(request)
    if problem.kind.status >= 500:
        request.state.notes["error"] = type(error).__qualname__
    return answer(problem, request_id=request.state.request_id)


def _allowed(request: Request) -> str:
    """Every method of the path: the framework knows only those of its first match."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods
    return ", ".join(sorted(methods))


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is to the caller. What is unknown tells nothing of itself."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            errors = _parameter_errors(error.errors())
            return Problem("bad_parameter", SEE_ERRORS, errors=errors)
        case HTTPException():
            code = _BY_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
            return Problem(code, _DETAILS.get(code, KINDS[code].title), headers=error.headers)
        case CommandRejected():
            return Problem(error.code if error.code in KINDS else "order_closed", str(error))
        case HooksRefused() | KeyReused() | CustomerErased() | CommitTooLarge() if refusal := refusal_of(error):
            return problem_of_refusal(refusal)
        case WrongVersion():
            detail = f"{error}; nothing was stored: read it again and decide again"
            return Problem("wrong_version", detail, extra={"currentVersion": error.version})
        case InvalidCursor():
            wrong = FieldError(parameter="cursor", detail=str(error), code="bad_cursor")
            return Problem("bad_cursor", "begin again without a cursor", errors=[wrong])
        case CommitAhead():
            head = {"commit": error.head_commit, "version": error.head_version}
            return Problem("unknown_commit", str(error), extra={"head": head})
        case Throttled():
            return Problem("throttled", "nothing was stored; try again later", headers=_BUSY)
        case Contended():
            return Problem("contended", "nothing was stored; try again later", headers=_BUSY)
        case Unavailable(ambiguous=True):
            return Problem("unavailable", f"it may have been stored: {_REPEAT} to find out", headers=_DOWN)
        case Unavailable() | ViewsUnavailable():
            return Problem("unavailable", "nothing was stored; try again later", headers=_DOWN)
        case (
            CorruptCommit() | CodecError() | StreamTooLong()
        ):  # not in _TRANSLATED: it is logged as a failure, with its cause
            return Problem("unreadable_order", _UNREADABLE)
        case ClientDisconnect():
            return Problem("bad_request", "the body ended before it was complete; nothing was stored")
        case _:
            return Problem("internal", "it was logged under this instance; the request may be repeated")


_TRANSLATED: Final[tuple[type[Exception], ...]] = (
    CommandRejected,
    HooksRefused,
    KeyReused,
    CustomerErased,
    WrongVersion,
    InvalidCursor,
    CommitAhead,
    Throttled,
    Contended,
    Unavailable,
    ViewsUnavailable,
    CommitTooLarge,
    ClientDisconnect,
)


def _parameter_errors(errors: Sequence[Any]) -> list[FieldError]:
    """FastAPI's errors of query, path and header parameters."""
    return [
        FieldError(parameter=str(error["loc"][-1])[:128], detail=error["msg"], code=error["type"]) for error in errors
    ]
