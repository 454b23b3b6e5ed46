"""`POST /webhooks/payments`: what the payment provider tells of its own accord. No token guards it; the provider's signature does.

What it says is only a hint: the payment worker looks at the order, and asks the provider itself. So messages may come in any order, more
than once, or never.
"""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from projections.http import schemas
from projections.http.answers import JsonAnswer
from projections.http.body import read_bytes
from projections.http.described import answers
from projections.http.problems import Problem
from projections.http.services import ServicesOf

SIGNATURE_HEADER: Final = "Stripe-Signature"


def add_routes(router: APIRouter) -> None:
    """The one operation."""
    router.add_api_route(
        "/webhooks/payments",
        payment_hook,
        methods=["POST"],
        tags=["operations"],
        summary="The payment provider's webhook",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "parameters": [
                {"name": SIGNATURE_HEADER, "in": "header", "required": True, "schema": {"type": "string"}},
            ],
        },
        responses=answers(
            200,
            schemas.HookTaken,
            "It is taken: `noted` when the order's payment is looked at because of it, else `ignored`.",
            ("bad_signature", "body_timeout", "body_too_large", "throttled", "unavailable", "internal"),
            guarded=False,
        ),
    )


async def payment_hook(request: Request, services: ServicesOf) -> Response:
    """Answered at once; nothing is decided by what it says."""
    hooks = services.payment_hooks
    if hooks is None:
        raise Problem("not_found", "this API takes no payment webhooks")
    body = await read_bytes(request)
    try:
        noted = await hooks.take(body, request.headers.get(SIGNATURE_HEADER))
    except ValueError as error:
        raise Problem("bad_signature", "not signed with a secret that is known here, or too long ago") from error
    except ConnectionError as error:
        raise Problem("unavailable", "send it again") from error
    return JsonAnswer({"status": "noted" if noted else "ignored"})
