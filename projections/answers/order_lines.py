"""An order's lines piece by piece: what became of each, counted from the order's own state. Pure.

For each line: pieces that were ordered, of which so many are cancelled and so many are shipped; of those that are shipped so many have
arrived and so many are lost; of those that have arrived so many came back. Money is given back for pieces whichever way they went.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from orderstore.domain.parcels import LEFT, counted, in_shipments, shipments_in
from orderstore.domain.parts import InventoryStatus, ShipmentStatus
from orderstore.domain.state import Order

_STILL_MISSED = frozenset({InventoryStatus.PARTIAL, InventoryStatus.BACKORDERED})


def lines_of(order: Order, *, start: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` lines from this one on (0-based), as JSON values."""
    cancelled = _sum(counted(part.lines) for part in order.cancelled)
    missing = counted(order.inventory.missing) if order.inventory.status in _STILL_MISSED else Counter[int]()
    shipped = in_shipments(order, shipments_in(order, LEFT))
    delivered = in_shipments(order, shipments_in(order, frozenset({ShipmentStatus.DELIVERED})))
    lost = in_shipments(order, shipments_in(order, frozenset({ShipmentStatus.LOST})))
    returned = _sum(_inspected(order))
    refunded = _sum(counted(refund.lines) for refund in order.payment.refunds if refund.issued)
    return [
        {
            "line": at,
            "sku": line.sku,
            "description": line.description,
            "ordered": line.quantity,
            "cancelled": cancelled[at],
            "missing": missing[at],
            "shipped": shipped[at],
            "delivered": delivered[at],
            "lost": lost[at],
            "returned": returned[at],
            "refunded": refunded[at],
        }
        for at, line in enumerate(order.order.lines[start : start + limit], start=start)
    ]


def _inspected(order: Order) -> Iterator[Counter[int]]:
    for one in order.returns:
        found = Counter[int]()
        for part in one.inspected:
            found[part.line] += part.quantity
        yield found


def _sum(counts: Iterable[Counter[int]]) -> Counter[int]:
    return sum(counts, start=Counter[int]())
