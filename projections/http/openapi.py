"""Completes the framework's OpenAPI document: request bodies that are read by hand, problems, nothing that is not true."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orderstore.change_requests import BODIES as CHANGE_BODIES
from orderstore.requests import CancelOrder, HoldOrder, PlaceOrder, ReleaseHold, RequestRefund
from projections.http.dead_letter_schemas import Correct, Purge, Redrive
from projections.http.live_schemas import EVENTS
from projections.http.problem_schemas import ProblemDocument
from projections.http.webhook_schemas import BODIES as WEBHOOK_BODIES

DESCRIPTION: Final = """\
Places orders and answers what became of them. An order is durable before it is acknowledged (202); payment, stock, shipping,
invoicing and mail follow, and `GET /orders/{orderId}` tells how far they are.

Every operation but health needs `Authorization: Bearer <token>`, with the scope that it names; `admin` includes all.
Amounts are decimals in the request (JSON numbers or strings, exact as written) and integers of minor units in the answers.
What goes wrong is told as `application/problem+json` (RFC 9457) with a stable `code`; after a 4xx nothing was stored, and after
a 5xx the same request may be repeated safely if it carries an `Idempotency-Key`.\
"""

_WRITE_SCOPES: Final = ("orders:write", "orders:operate", "orders:review")

# FastAPI adds these to every operation with a parameter; this API answers 400 problem+json instead.
_FOREIGN: Final = ("HTTPValidationError", "ValidationError")


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the framework cannot see, and without what it wrongly assumes. Changes and returns it."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    asked: list[type[BaseModel]] = [
        PlaceOrder,
        CancelOrder,
        RequestRefund,
        HoldOrder,
        ReleaseHold,
        *CHANGE_BODIES,
        *_bodies_beside(document),
    ]
    _, bodies = models_json_schema(
        [(model, "validation") for model in asked], ref_template="#/components/schemas/{model}"
    )
    told: list[type[BaseModel]] = [ProblemDocument, *_events_beside(document)]
    _, answered = models_json_schema(
        [(model, "serialization") for model in told], ref_template="#/components/schemas/{model}"
    )
    schemas.update(bodies["$defs"] | answered["$defs"])
    for name in _FOREIGN:
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _name_commit(operation)
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _never_null(parameter["schema"])
            if _is_foreign(operation["responses"].get("422", {})):
                del operation["responses"]["422"]
            for status in [status for status in operation["responses"] if not status.startswith("2")]:
                _only_problem(operation["responses"][status])
    return document


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not sent is absent: in a query and in a header nothing means null, and `null` is a text."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _name_commit(operation: dict[str, Any]) -> None:
    """Every write that was carried out is answered with the commit that it made; the middleware says so in a header."""
    if any(scope in str(operation.get("security")) for scope in _WRITE_SCOPES):
        for response in (operation["responses"][status] for status in operation["responses"] if status.startswith("2")):
            response.setdefault("headers", {})["Order-Commit"] = {
                "description": "The commit that this write made, as `commit` of the body: a read may ask for it with `minCommit`.",
                "schema": {"type": "string"},
            }


def _bodies_beside(document: dict[str, Any]) -> tuple[type[BaseModel], ...]:
    """The bodies of operations that not every API has."""
    letters = (Redrive, Correct, Purge) if "/dead-letters" in document["paths"] else ()
    webhooks = WEBHOOK_BODIES if "/webhooks/endpoints" in document["paths"] else ()
    return (*letters, *webhooks)


def _events_beside(document: dict[str, Any]) -> tuple[type[BaseModel], ...]:
    """What live streams send, where there are any: no answer of its own names these."""
    return tuple(EVENTS.values()) if "/orders/{orderId}/live" in document["paths"] else ()


def _is_foreign(response: dict[str, Any]) -> bool:
    return any(name in str(response) for name in _FOREIGN)


def _only_problem(response: dict[str, Any]) -> None:
    """A problem is never plain `application/json`."""
    response.get("content", {}).pop("application/json", None)
