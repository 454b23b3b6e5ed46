"""Refusals as they leave the service: on a bus, and in files, that others read. The door's words, without anything of what was sent.

The API answers whoever sent the request; here the reader may be somebody else. So a sum that was worked out from the request, the
characters of an address that are wrong, and names of fields that a sender made up are left out.
"""

import re
from typing import Any, Final

from orderstore.refusals import Reason, Refusal

REASONS_MAX: Final = 100
_PLAIN_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_MADE_UP: Final = "extra_forbidden"
_WHOLE_REQUEST: Final = "the total is not what the items come to, or it is out of bounds"


def document_of(refusal: Refusal, *, reasons_max: int = REASONS_MAX) -> dict[str, Any]:
    """The refusal as JSON: `code`, `detail`, and with fields `errors`, of which at most `reasons_max` are told one by one."""
    document: dict[str, Any] = {"code": refusal.code, "detail": _encodable(refusal.detail)}
    if refusal.reasons:
        document["errors"] = [_reason_document(reason) for reason in refusal.reasons[:reasons_max]]
        if len(refusal.reasons) > reasons_max:
            document["errorsOmitted"] = len(refusal.reasons) - reasons_max
    return document


def _reason_document(reason: Reason) -> dict[str, str]:
    pointer, detail = reason.pointer, reason.detail
    if reason.code == _MADE_UP:
        parent, _, name = pointer.rpartition("/")
        pointer = pointer if _PLAIN_NAME.fullmatch(name) else parent
    elif reason.code == "value_error" and pointer == "":
        detail = _WHOLE_REQUEST
    elif pointer == "/customerEmail":
        detail = detail.partition(":")[0]
    return {"pointer": _encodable(pointer), "detail": _encodable(detail), "code": reason.code}


def _encodable(text: str) -> str:
    """JSON may carry lone surrogates in, UTF-8 cannot carry them out."""
    return text.encode("utf-8", "replace").decode()
