"""What the log tells of an order that waits for goods: under which id they are to be set aside next, and which fills were in vain. Pure.

A fill and its event are two writes, and pieces may be cancelled in between. So a fill is called by how many pieces are missing, as the log
says: each fill that is recorded, and each missing piece that is cancelled, makes it another number, and never one that it was before. Who
comes too late has its fill refused by the log; who looks next has stock take it back (`Stock.forgo`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orderstore.domain import events as e
from orderstore.domain.events import Event
from orderstore.domain.parcels import counted
from orderstore.domain.state import Cancelled, Cancelling, LineCancellation, Placed, Rejected
from workers.inventory.lines import goods_of
from workers.inventory.outcomes import terms_of


@dataclass(frozen=True, slots=True)
class InVain:
    """A fill that the log will never take, and the goods that were cancelled."""

    fill_id: str
    unwanted: dict[str, int]


def fill_id(missing: Iterable[e.Pieces]) -> str:
    """Of the next fill, while so much is missing."""
    return f"{sum(part.quantity for part in missing)} missing"


def may_have_fills_in_vain(order: Placed) -> bool:
    """Whether `in_vain` may name any: no ordinary order."""
    ended = isinstance(order, Cancelling | Cancelled | Rejected)
    return bool(order.cancelled) and terms_of(order.order).missing_stock == "backorder" and not ended


def in_vain(order: Placed, events: Iterable[Event]) -> tuple[InVain, ...]:
    """The fills since the last one that the log took, by the order's events. Those before it were seen to before it was begun."""
    if not may_have_fills_in_vain(order):
        return ()
    parts = {part.cancellation_id: part for part in order.cancelled}
    found: list[InVain] = []
    missing: Counter[int] | None = None
    for event in events:
        match event:
            case e.InventoryPartiallyReserved():
                missing, found = counted(event.missing), []
            case e.BackorderFilled() if missing is not None:
                for allocation in event.allocations:
                    missing -= counted(allocation.lines)
                found = []
            case e.LinesCancelled() if missing is not None:
                gone = _missing_ones(parts[event.cancellation_id])
                if gone:
                    pieces = [e.Pieces(line=line, quantity=count) for line, count in gone.items()]
                    found.append(InVain(f"{missing.total()} missing", goods_of(order.order, pieces)))
                missing -= gone
    return tuple(found)


def _missing_ones(part: LineCancellation) -> Counter[int]:
    """Of a cancelled part the pieces that were not set aside."""
    gone = counted(part.lines)
    for allocation in part.freed:
        gone -= counted(allocation.lines)
    return gone
