"""What a request to place an order asks for, in the forms that the log keeps it in. Pure."""

import hashlib
from datetime import datetime
from typing import Any, Final

import orjson

from orderstore.asked_prices import pricing_of, total_of
from orderstore.asked_terms import Promises, moments_of, terms_of, understood_terms
from orderstore.domain.events import Allowances, OrderCreated, OrderLine, SandboxHooks, SealedText, Terms
from orderstore.domain.ids import OrderId
from orderstore.requests import Item, PlaceOrder, Shipping

ADDED_LATER: Final = ("payment_method", "tax_mode", "tax_rounding", "discount", "shipping", "terms", "shipping_outcome")

_PERSONAL: Final = ("customer_email", "customer_name", "customer_phone", "customer_address", "customer_vat_id")


def created_of(
    request: PlaceOrder,
    *,
    order_id: OrderId,
    contact: SealedText | None,
    allowances: Allowances,
    terms: Terms,
    promises: Promises,
    now: datetime,
) -> OrderCreated:
    """The order as it was asked for, its personal data sealed already. `terms` and `promises` are those of who asks for none."""
    grace_until, ship_by = moments_of(request.terms, promises, now=now)
    pricing = pricing_of(request)
    total_exact, total_minor = total_of(request, pricing)
    return OrderCreated(
        order_id=order_id,
        customer_id=request.customer_id,
        channel=request.channel,
        currency=request.currency,
        country=request.country,
        lines=tuple(
            OrderLine(sku=item.sku, quantity=item.quantity, unit_price=item.price, description=item.description)
            for item in request.items
        ),
        total_exact=total_exact,
        total_minor=total_minor,
        placed_at=request.placed_at or now,
        request_hash=request_hash(request),
        contact=contact,
        reference=request.reference,
        hooks=hooks_of(request),
        allowances=allowances,
        pricing=pricing,
        terms=terms_of(request.terms, terms),
        grace_until=grace_until,
        ship_by=ship_by,
    )


def has_contact(request: PlaceOrder) -> bool:
    """Whether the request brings personal data."""
    return any(getattr(request, name) is not None for name in _PERSONAL)


def contact_of(request: PlaceOrder) -> bytes:
    """The personal data of a request, as they are sealed."""
    contact: dict[str, Any] = {"email": request.customer_email, "name": request.customer_name}
    # What came later is only there when it is given: contacts from before stay what they were, and so their repeats.
    if request.customer_phone is not None:
        contact["phone"] = request.customer_phone
    if request.customer_address is not None:
        contact["address"] = request.customer_address.model_dump(by_alias=True, exclude_none=True)
    if request.customer_vat_id is not None:
        contact["vatId"] = request.customer_vat_id
    return orjson.dumps(contact)


def request_hash(request: PlaceOrder) -> str:
    """SHA-256 of the request as it was understood, without personal data: 850 and "850.00" are the same price, another price is
    another request."""
    understood = request.model_dump(mode="json", exclude=set(_PERSONAL))
    for name in ADDED_LATER:  # requests from before there was such a field keep their hash, and so their answer
        if understood[name] is None:
            del understood[name]
    for item, line in zip(request.items, understood["items"], strict=True):
        _understand(item, line)
    if request.shipping is not None:
        _understand(request.shipping, understood["shipping"])
    if request.terms is not None:
        understood["terms"] = understood_terms(understood["terms"])
    if request.discount is not None:
        understood["discount"] = format(request.discount.normalize(), "f")
    return hashlib.sha256(orjson.dumps(understood, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _understand(priced: Item | Shipping, written: dict[str, Any]) -> None:
    """Numbers in the one form that they have, and what was not asked for left out."""
    for name in ("price", "tax_rate_percent", "discount"):
        value = getattr(priced, name)
        if value is None:
            del written[name]
        else:
            written[name] = format(value.normalize(), "f")


def hooks_of(request: PlaceOrder) -> SandboxHooks | None:
    """What the request asks of the sandbox providers."""
    if not request.uses_sandbox_hooks:
        return None
    return SandboxHooks(
        payment_outcome=request.payment_outcome,
        inventory_outcome=request.inventory_outcome,
        technical_failure=request.simulate_technical_failure,
        shipping_outcome=request.shipping_outcome,
    )
