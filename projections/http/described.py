"""What the OpenAPI document says of an operation: its body with examples, its answer, and every problem it may raise."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from projections.http.problems import KINDS

BODY_PROBLEMS: Final = ("not_json", "body_timeout", "body_too_large", "unsupported_media_type", "invalid")
READ_PROBLEMS: Final = ("throttled", "unavailable", "internal", "unreadable_order")
STORE_PROBLEMS: Final = ("contended", *READ_PROBLEMS)
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}

# The first is the article's own request (E039): its total is 900.00 USD.
PLACE_EXAMPLES: Final[Mapping[str, Any]] = {
    "article": {
        "summary": "A laptop and two mice: 900.00 USD",
        "value": {
            "customerEmail": "jane@example.com",
            "currency": "USD",
            "items": [
                {"sku": "LAPTOP-001", "quantity": 1, "price": 850},
                {"sku": "MOUSE-002", "quantity": 2, "price": 25},
            ],
        },
    },
    "exact": {
        "summary": "Prices as decimal strings, exact to six digits; a known customer",
        "value": {
            "customerId": "C-1001",
            "currency": "GBP",
            "country": "United Kingdom",
            "reference": "PO-7781",
            "items": [{"sku": "85123A", "quantity": 6, "price": "2.55", "description": "HANGING T-LIGHT HOLDER"}],
        },
    },
}
CANCEL_EXAMPLES: Final[Mapping[str, Any]] = {
    "reason": {"summary": "With a reason", "value": {"reason": "ordered twice"}}
}
REFUND_EXAMPLES: Final[Mapping[str, Any]] = {
    "pieces": {
        "summary": "One piece of the second line",
        "value": {"lines": [{"line": 1, "quantity": 1}], "reason": "arrived broken"},
    }
}

HOLD_EXAMPLES: Final[Mapping[str, Any]] = {
    "review": {
        "summary": "Stopped until somebody has looked at it",
        "value": {"holdId": "review-4711", "reason": "fraud_review", "note": "the third card today"},
    }
}
RELEASE_EXAMPLES: Final[Mapping[str, Any]] = {"note": {"summary": "With a note", "value": {"note": "spoke to her"}}}


def accepts(model: type[BaseModel], examples: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The request body. It is read by hand (bounded, without floats), so the framework has to be told."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "examples": dict(examples)}}
    return {"requestBody": {"required": required, "content": content}}


def answers(
    status: int,
    model: Any,  # noqa: ANN401 - a model, a union of models, or None
    description: str,
    problems: Iterable[str],
    *,
    headers: Mapping[str, str] | None = None,
    unchanged: str | None = None,
    media_type: str | None = None,
    guarded: bool = True,
) -> dict[int | str, dict[str, Any]]:
    """The answer, and its problems by status; `guarded` operations also say 401 and 403. `unchanged` says when the answer is 304."""
    good: dict[str, Any] = {"description": description}
    if model is not None:
        good["model"] = model
    if media_type is not None:
        good["content"] = {media_type: {"schema": {"type": "string"}}}
    if headers:
        good["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    described: dict[int | str, dict[str, Any]] = {status: good}
    if unchanged is not None:
        described[304] = {"description": unchanged, "headers": good.get("headers", {})}
    for code in (*(("unauthenticated", "forbidden") if guarded else ()), *problems):
        kind = KINDS[code]
        entry = described.setdefault(kind.status, {"description": "", "content": _PROBLEM})
        told = f"`{code}`: {kind.title}"
        entry["description"] = f"{entry['description']}; {told}" if entry["description"] else told
    return described
