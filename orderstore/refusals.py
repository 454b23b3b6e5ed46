"""How the door says no to a request: one wording for every way in, the API's problem documents and the intake's reports.

    RequestRefused      the request cannot be read as what it should be; carries the refusal

A refusal names fields and reasons, never what stood in them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from orderstore.orders import CustomerErased, HooksRefused, KeyReused
from orderstore.requests import BODY_BYTES_MAX, LINES_MAX
from orderstore.store.errors import CommitTooLarge
from orderstore.strict_json import parse

POINTER_CHARACTERS_MAX: Final = 256
SEE_REASONS: Final = "nothing was stored; see errors"
_PARSER_WORDS_MAX: Final = 200
_HOOKS: Final = ("paymentOutcome", "inventoryOutcome", "simulateTechnicalFailure", "shippingOutcome")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that is wrong, at `pointer` (RFC 6901) in the request."""

    pointer: str
    detail: str
    code: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was refused, for good: repeating it as it is does not help. `code` is one of the API's problem codes."""

    code: str
    detail: str
    reasons: tuple[Reason, ...] = ()


class RequestRefused(Exception):
    """The request cannot be read as what it should be. Nothing was stored."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry the refusal."""
        super().__init__(refusal.detail)
        self.refusal = refusal


def parsed(body: bytes) -> object:
    """The body as JSON, with decimals as they were written. Raises RequestRefused."""
    if len(body) > BODY_BYTES_MAX:
        raise RequestRefused(
            Refusal("body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes; nothing was stored")
        )
    try:
        return parse(body)
    except UnicodeDecodeError as error:
        raise RequestRefused(Refusal("not_json", "the body is not UTF-8; nothing was stored")) from error
    except (ValueError, ArithmeticError) as error:  # ArithmeticError: 1e99999999999999999999 fits no decimal
        detail = "a number in it is beyond all bounds" if isinstance(error, ArithmeticError) else str(error)
        raise RequestRefused(Refusal("not_json", f"{detail[:_PARSER_WORDS_MAX]}; nothing was stored")) from error


def validated(model: type[_Model], document: object) -> _Model:
    """The document as `model`. Raises RequestRefused with a pointer to each field that is wrong."""
    too_long = tuple(_too_long(document))
    if too_long:
        # A megabyte of `{},{},{}` is a million errors: the bound is checked before each of them is worked out.
        raise RequestRefused(Refusal("invalid", SEE_REASONS, too_long))
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise RequestRefused(Refusal("invalid", SEE_REASONS, _reasons(error))) from error


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that an exception of `Orders.place` is; None for what is no answer but trouble."""
    match error:
        case RequestRefused():
            return error.refusal
        case HooksRefused():
            detail = "this field works only with the sandbox providers"
            hooks = (Reason(pointer=f"/{name}", detail=detail, code="hooks_refused") for name in _HOOKS)
            return Refusal("hooks_refused", str(error), tuple(hooks))
        case KeyReused():
            return Refusal("idempotency_key_reused", str(error))
        case CustomerErased():
            return Refusal(
                "customer_erased", "order under another customerId, or without customerEmail and customerName"
            )
        case CommitTooLarge():
            return Refusal("body_too_large", "this order is too large to be stored")
        case _:
            return None


def _too_long(document: object, path: tuple[str, ...] = ()) -> Iterator[Reason]:
    """Of the document's own lists, and of those of the objects in it; lists of lists are no requests of ours."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            here = (*path, str(name))
            if isinstance(value, list) and len(value) > LINES_MAX:
                yield Reason(pointer=_pointer(here), detail=f"its length is at most {LINES_MAX}", code="too_long")
            elif not path:
                yield from _too_long(value, here)


def _reasons(error: ValidationError) -> tuple[Reason, ...]:
    found = error.errors(include_url=False, include_input=False)
    inner = {entry["loc"][:depth] for entry in found for depth in range(len(entry["loc"]))}
    return tuple(
        Reason(pointer=_pointer(entry["loc"]), detail=_detail(entry), code=entry["type"])
        for entry in found
        # A list whose entries are wrong is also "too short" to pydantic, which says nothing new.
        if not (entry["type"] == "too_short" and entry["loc"] in inner)
    )


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
            return f"at most {_plain(context['le'])}"
        case "greater_than_equal":
            return f"at least {_plain(context['ge'])}"
        case _:
            return str(entry["msg"]).removeprefix("Value error, ")


def _plain(limit: object) -> str:
    """A limit as a request would have it. Of a decimal among several types pydantic gives Python's own text."""
    return str(limit).removeprefix("Decimal('").removesuffix("')")
