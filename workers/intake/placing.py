"""One order request from outside, put through the same validation and the same door as `POST /orders`.

The request is the API's body with two fields of its own: `idempotencyKey`, the sender's own key, and `traceparent`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.refusals import SEE_REASONS, Reason, Refusal, RequestRefused, refusal_of, validated
from orderstore.request_fields import check_key
from orderstore.requests import PlaceOrder
from orderstore.tracing import parse_traceparent

KEY: Final = "idempotencyKey"
TRACEPARENT: Final = "traceparent"
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
_KEY_WORDS: Final = "1 to 255 printable ASCII characters"


@dataclass(frozen=True, slots=True)
class Taken:
    """The order is durable. `new` is False when an earlier delivery, or an earlier request with its key, had placed it."""

    order_id: str
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request comes from. An own key counts within `scope`; without one the request's place is its key, `place_key`."""

    actor: Actor
    channel: str
    scope: str
    place_key: str
    traceparent: str | None = None


class Placing:
    """Places what is asked for, or says why not. Nothing is stored for a request that is refused."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def place(self, asked: object, origin: Origin) -> Taken | Refusal:
        """`asked` is the request as JSON. Repeating it is harmless. Raises StoreError and PrivacyError: trouble, no answer."""
        try:
            request, key, traceparent = read_request(asked, origin)
            accepted = await self._orders.place(
                request, actor=origin.actor, idempotency_key=key, traceparent=traceparent
            )
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            return refusal
        return Taken(accepted.history.events[0].order_id, new=accepted.new)


def read_request(asked: object, origin: Origin) -> tuple[PlaceOrder, str, str | None]:
    """The request, its idempotency key and its trace. Raises RequestRefused with everything that is wrong."""
    own: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    wrong = _wrong_key(own.get(KEY))
    document = asked
    if isinstance(asked, Mapping):
        document = {name: value for name, value in asked.items() if name not in (KEY, TRACEPARENT)}
        document.setdefault("channel", origin.channel)
    try:
        request = validated(PlaceOrder, document)
    except RequestRefused as error:
        refusal = error.refusal
        raise RequestRefused(Refusal(refusal.code, refusal.detail, (*wrong, *refusal.reasons))) from error
    if wrong:
        raise RequestRefused(Refusal("invalid", SEE_REASONS, wrong))
    key = own.get(KEY)
    return request, origin.place_key if key is None else f"{origin.scope}{key}", _trace(own, origin)


def _wrong_key(key: object) -> tuple[Reason, ...]:
    if key is None:
        return ()
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return (Reason(pointer=f"/{KEY}", detail=_KEY_WORDS, code="malformed"),)
    try:
        check_key(key)
    except ValueError as refused:
        return (Reason(pointer=f"/{KEY}", detail=str(refused), code="value_error"),)
    return ()


def _trace(own: Mapping[str, Any], origin: Origin) -> str | None:
    """The sender's trace where it is well-formed, else the delivery's, else none: a trace never refuses an order."""
    given = own.get(TRACEPARENT)
    found = parse_traceparent(given) if isinstance(given, str) else None
    found = found or parse_traceparent(origin.traceparent)
    return None if found is None else found.traceparent
