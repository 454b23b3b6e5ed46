"""Which pieces go into which parcel, and how far the parcels are. Pure; the plan follows from the log, so it needs no event of its own.

One parcel for each location that pieces are set aside at: what is there leaves, what is still missing follows when it comes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.evolving_stock import at_locations, pieces_of
from orderstore.domain.parts import Refund, Shipment, ShipmentStatus
from orderstore.domain.statuses import Placed

__all__ = ("pieces_of",)  # beside everything that is defined here

LIVE: Final = frozenset(
    {ShipmentStatus.BOOKED, ShipmentStatus.DISPATCHED, ShipmentStatus.DELIVERED, ShipmentStatus.LOST}
)
LEFT: Final = frozenset({ShipmentStatus.DISPATCHED, ShipmentStatus.DELIVERED, ShipmentStatus.LOST})


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be booked next; `lines` are (): everything that was ordered, `location` None: the one that there is."""

    location: str | None
    lines: tuple[e.Pieces, ...]


def next_parcel(state: Placed) -> Parcel | None:
    """The next parcel to book; None when every piece that is there is booked, gone or cancelled."""
    live = shipments_in(state, LIVE)
    if any(not shipment.lines for shipment in live):
        return None
    inventory = state.inventory
    if not (live or inventory.allocations or state.cancelled or inventory.missing):
        return Parcel(None, ())
    for location, set_aside in _set_aside(state):
        left = set_aside - in_shipments(state, tuple(one for one in live if one.location == location))
        if left:
            return Parcel(location, pieces_of(left))
    return None


def all_gone(state: Placed) -> bool:
    """Whether every piece of the order has left, lost ones too; pieces that were cancelled are no part of it."""
    gone = shipments_in(state, LEFT)
    return _hold_all(state, gone)


def all_arrived(state: Placed) -> bool:
    """Whether every piece has arrived, or was lost and its money is given back, as far as there is any."""
    arrived = shipments_in(state, frozenset({ShipmentStatus.DELIVERED}))
    if _hold_all(state, arrived):
        return True
    lost = shipments_in(state, frozenset({ShipmentStatus.LOST}))
    if not lost or not _hold_all(state, (*arrived, *lost)):
        return False
    given = [refund for refund in state.payment.refunds if refund.issued]
    left_minor = state.payment.captured_minor - sum(refund.amount_minor for refund in given)
    came_back = {return_refund_id(state, one.return_id) for one in state.returns}
    for_lost = refunded(state, [refund for refund in given if refund.refund_id not in came_back])
    return not in_shipments(state, lost) - for_lost or left_minor <= state.payment.disputed_minor


def shipments_in(state: Placed, statuses: frozenset[ShipmentStatus]) -> tuple[Shipment, ...]:
    """The parcels that are in one of these statuses, in the order of their booking."""
    return tuple(shipment for shipment in state.shipments if shipment.status in statuses)


def shipped(state: Placed, shipment: Shipment) -> tuple[e.Pieces, ...]:
    """What is in a parcel, piece by piece."""
    return shipment.lines or pieces_of(Counter({at: line.quantity for at, line in enumerate(state.order.lines)}))


def unbooked(state: Placed) -> Counter[int]:
    """Pieces by line that are in no parcel, and were not cancelled: what can still be taken out of the order."""
    return wanted(state) - in_shipments(state, shipments_in(state, LIVE))


def wanted(state: Placed) -> Counter[int]:
    """Pieces by line that are part of the order: ordered and not cancelled."""
    pieces = Counter({at: line.quantity for at, line in enumerate(state.order.lines)})
    for part in state.cancelled:
        pieces -= counted(part.lines)
    return pieces


def in_shipments(state: Placed, shipments: tuple[Shipment, ...]) -> Counter[int]:
    """Pieces by line that are in these parcels."""
    pieces = Counter[int]()
    for shipment in shipments:
        pieces += counted(shipped(state, shipment))
    return pieces


def refunded(state: Placed, refunds: Sequence[Refund]) -> Counter[int]:
    """Pieces by line that are part of the order and that these refunds give money back for. Not those that were cancelled: neither the
    ones that a cancellation gave money back for, nor the ones whose money had been promised back before."""
    pieces = Counter[int]()
    for refund in refunds:
        if not refund.of_cancellation:
            pieces += counted(refund.lines)
    for part in state.cancelled:
        pieces -= counted(part.lines) - counted(part.priced)
    return pieces


def return_refund_id(state: Placed, return_id: str) -> str:
    """Of the refund that an inspection promises."""
    return f"{state.order.order_id}:return:{return_id}"


def counted(lines: tuple[e.Pieces, ...]) -> Counter[int]:
    """Pieces by line; the same line may stand there more than once."""
    pieces = Counter[int]()
    for part in lines:
        pieces[part.line] += part.quantity
    return pieces


def _hold_all(state: Placed, shipments: tuple[Shipment, ...]) -> bool:
    if any(not shipment.lines for shipment in shipments):
        return True
    return bool(shipments) and not wanted(state) - in_shipments(state, shipments)


def _set_aside(state: Placed) -> Sequence[tuple[str | None, Counter[int]]]:
    inventory = state.inventory
    if not inventory.allocations:
        return [(None, wanted(state) - counted(inventory.missing))]
    return list(at_locations(inventory.allocations).items())
