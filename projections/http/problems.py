"""How the API says no: problem+json (RFC 9457), one row for each kind, so that clients may rely on `code` for ever.

`type` is `urn:orderstore:problem:<code>`; `instance` names this one occurrence, which the log shows under the same request id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from orderstore.refusals import Refusal
from projections.http.answers import JsonAnswer

ERRORS_SHOWN_MAX: Final = 100
SEE_ERRORS: Final = "nothing was done; see errors"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, and its title, which never changes from one occurrence to the next."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "bad_request": Kind(400, "The request cannot be understood"),
        "bad_signature": Kind(400, "The signature is not valid"),
        "bad_parameter": Kind(400, "A parameter of the request is wrong"),
        "bad_cursor": Kind(400, "This cursor was not handed out by this list"),
        "not_json": Kind(400, "The body is not acceptable JSON"),
        "unauthenticated": Kind(401, "Who are you?"),
        "forbidden": Kind(403, "You may not do this"),
        "not_found": Kind(404, "There is no such resource"),
        "unknown_order": Kind(404, "There is no such order"),
        "unknown_hold": Kind(404, "The order never had this hold"),
        "unknown_edit": Kind(404, "The order never had this edit"),
        "unknown_question": Kind(404, "The order never asked this"),
        "unknown_refund": Kind(404, "The order never had this refund"),
        "unknown_return": Kind(404, "The order never had this return"),
        "unknown_invoice": Kind(404, "There is no such invoice"),
        "unknown_document": Kind(404, "There is no such document"),
        "unknown_note": Kind(404, "There is no such note in this inbox"),
        "not_begun": Kind(404, "The order did not exist then"),
        "unknown_commit": Kind(404, "The order has no such commit"),
        "method_not_allowed": Kind(405, "This resource does not do that"),
        "not_acceptable": Kind(406, "The resource has no such form"),
        "body_timeout": Kind(408, "The body took too long to arrive"),
        "head_timeout": Kind(408, "The request took too long to begin"),
        "order_closed": Kind(409, "The order is closed"),
        "too_late_to_cancel": Kind(409, "It is too late to cancel"),
        "too_early_to_edit": Kind(409, "The order cannot be edited yet"),
        "too_late_to_edit": Kind(409, "It is too late to edit"),
        "edit_under_way": Kind(409, "The order is being edited"),
        "refund_too_large": Kind(409, "That is more than is left of the order"),
        "nothing_to_cancel": Kind(409, "These pieces are not the order's to lose"),
        "nothing_to_retry": Kind(409, "There is nothing to pay again"),
        "nothing_to_return": Kind(409, "These pieces cannot come back"),
        "too_many_attempts": Kind(409, "It was tried as often as it may be"),
        "too_many_returns": Kind(409, "The order has had as many returns as it can have"),
        "wrong_return_status": Kind(409, "The return is not that far, or further"),
        "wrong_answer": Kind(409, "The question takes no such answer"),
        "not_stalled": Kind(409, "Nobody waits for this stage of the order"),
        "not_under_review": Kind(409, "Nobody is to review this order"),
        "approval_needed": Kind(409, "A person has to approve the return first"),
        "too_many_holds": Kind(409, "The order has as many holds as it can have"),
        "too_many_notes": Kind(409, "The order has as many notes as it can have"),
        "too_many_delays": Kind(409, "The order was delayed as often as it can be"),
        "document_erased": Kind(410, "The time that the document was kept for is over"),
        "wrong_version": Kind(412, "The order has moved on"),
        "body_too_large": Kind(413, "The body is too large"),
        "head_too_large": Kind(431, "The request's head is too large"),
        "unsupported_media_type": Kind(415, "The body must be JSON"),
        "invalid": Kind(422, "The request is not valid"),
        "hooks_refused": Kind(422, "Test hooks are refused here"),
        "customer_erased": Kind(422, "This customer was erased"),
        "idempotency_key_reused": Kind(422, "This Idempotency-Key named another request"),
        "hold_reused": Kind(422, "This name was given to another hold"),
        "promise_over": Kind(422, "That time is over"),
        "edit_refused": Kind(422, "This cannot be added to the order"),
        "exchange_refused": Kind(422, "The order in exchange cannot be placed"),
        "nothing_to_refund": Kind(422, "The request names nothing to refund"),
        "internal": Kind(500, "Something went wrong on our side"),
        "unreadable_order": Kind(500, "The order cannot be read as it is stored"),
        "document_changed": Kind(500, "The stored document is not the one that was issued"),
        "contended": Kind(503, "The order is too busy"),
        "throttled": Kind(503, "The service is too busy"),
        "unavailable": Kind(503, "The service cannot do this now"),
        "too_many_streams": Kind(503, "There are as many live streams as there can be"),
        "not_ready": Kind(503, "The service is not ready"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing that is wrong: in the body (`pointer`, RFC 6901) or in a `parameter` (query, header)."""

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None

    def to_json(self) -> dict[str, str]:
        """Only what is known."""
        where = {"pointer": self.pointer, "parameter": self.parameter}
        known = {name: _encodable(value) for name, value in where.items() if value is not None}
        return {**known, "detail": _encodable(self.detail), "code": self.code}


class Problem(Exception):
    """Raise it anywhere below the app: it becomes the answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`code` is a row of KINDS; `extra` are members of this kind's own."""
        super().__init__(detail)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def problem_of_refusal(refusal: Refusal) -> Problem:
    """What the door said, as a problem."""
    errors = [FieldError(pointer=found.pointer, detail=found.detail, code=found.code) for found in refusal.reasons]
    return Problem(refusal.code, refusal.detail, errors=errors)


def answer(problem: Problem, *, request_id: str) -> JsonAnswer:
    """The response that says so."""
    document: dict[str, Any] = {
        "type": f"urn:orderstore:problem:{problem.code}",
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": _encodable(problem.detail),
        "instance": f"urn:orderstore:request:{request_id}",
        "code": problem.code,
        **problem.extra,
    }
    if problem.errors:
        document["errors"] = [error.to_json() for error in problem.errors[:ERRORS_SHOWN_MAX]]
        if len(problem.errors) > ERRORS_SHOWN_MAX:
            document["errorsOmitted"] = len(problem.errors) - ERRORS_SHOWN_MAX
    return JsonAnswer(
        document, status_code=problem.kind.status, headers=problem.headers, media_type="application/problem+json"
    )


def _encodable(text: str) -> str:
    """JSON may carry lone surrogates in, UTF-8 cannot carry them out."""
    return text.encode("utf-8", "replace").decode()
