"""What a request to place an order asks for, in the forms that the log keeps it in. Pure."""

import hashlib

import orjson

from orderstore.domain.events import SandboxHooks
from orderstore.requests import PlaceOrder


def has_contact(request: PlaceOrder) -> bool:
    """Whether the request brings personal data."""
    return request.customer_email is not None or request.customer_name is not None


def contact_of(request: PlaceOrder) -> bytes:
    """The personal data of a request, as they are sealed."""
    return orjson.dumps({"email": request.customer_email, "name": request.customer_name})


def request_hash(request: PlaceOrder) -> str:
    """SHA-256 of the request as it was understood, without personal data: 850 and "850.00" are the same price, another price is
    another request."""
    understood = request.model_dump(mode="json", exclude={"customer_email", "customer_name"})
    for item, line in zip(request.items, understood["items"], strict=True):
        line["price"] = format(item.price.normalize(), "f")
    return hashlib.sha256(orjson.dumps(understood, option=orjson.OPT_SORT_KEYS)).hexdigest()


def hooks_of(request: PlaceOrder) -> SandboxHooks | None:
    """What the request asks of the sandbox providers."""
    if not request.uses_sandbox_hooks:
        return None
    return SandboxHooks(
        payment_outcome=request.payment_outcome,
        inventory_outcome=request.inventory_outcome,
        technical_failure=request.simulate_technical_failure,
    )
