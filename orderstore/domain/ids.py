"""Identifiers: every id that can be derived is derived, so that doing something twice gives the same id twice."""

import hashlib
from typing import Final, NewType
from uuid import UUID

OrderId = NewType("OrderId", str)
EventId = NewType("EventId", str)

# Drawn once, for ever: every deterministic id of this service lives in it.
NAMESPACE: Final = UUID("6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11")


def event_id(cause: str, purpose: str, position: int = 0) -> EventId:
    """The id of the event that `cause` (an event id, or a client's key) brings about for `purpose`.

    `position` counts the events of one commit: the join's second event follows from the same cause.
    """
    name = f"{cause}:{purpose}" if position == 0 else f"{cause}:{purpose}:{position}"
    return EventId(_drawn_from(name))


def order_id_for_key(tenant: str, idempotency_key: str) -> OrderId:
    """The order that a client's Idempotency-Key names: a repeat meets its own first commit."""
    return OrderId(_drawn_from(f"{tenant}:order:{idempotency_key}"))


def _drawn_from(name: str) -> str:
    """`str(uuid5(NAMESPACE, name))` (RFC 9562, 5.5), without making a UUID on the way, which takes twice as long as all of this."""
    digits = hashlib.sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def stream_of(tenant: str, order_id: str) -> str:
    """The log's stream for an order."""
    return f"{tenant}/order-{order_id}"


def order_of(stream: str) -> tuple[str, OrderId]:
    """Tenant and order of a stream; raises ValueError for a stream that is not an order's."""
    tenant, separator, rest = stream.rpartition("/order-")
    if not separator or not tenant or not rest:
        raise ValueError(f"not an order's stream: {stream!r}")
    return tenant, OrderId(rest)
