"""Where pieces that come back are put: where they were sent from. Pure, and the same whenever it is asked: it follows from what the log
said when they were inspected."""

from collections import Counter
from collections.abc import Iterable

from orderstore.domain import events as e
from orderstore.domain.events import Event
from orderstore.domain.parcels import counted, shipped
from orderstore.domain.state import Placed
from workers.inventory.stock import MAIN

BackAt = dict[str, dict[str, int]]


def back_at(order: Placed, events: Iterable[Event], return_id: str) -> tuple[BackAt, BackAt]:
    """The sellable and the damaged pieces of a return, by SKU and location. Of several parcels with such a piece, the one that had
    arrived first, as long as it had more of them than have come back before."""
    parcels = {one.shipment_id: one for one in order.shipments}
    arrived: list[tuple[str, Counter[int]]] = []
    for event in events:
        match event:
            case e.ShipmentDelivered() if event.shipment_id in parcels:
                parcel = parcels[event.shipment_id]
                arrived.append((parcel.location or MAIN, counted(shipped(order, parcel))))
            case e.ReturnInspected():
                sellable = _put(order, arrived, event.pieces, "sellable")
                damaged = _put(order, arrived, event.pieces, "damaged")
                if event.return_id == return_id:
                    return sellable, damaged
            case _:
                pass
    raise ValueError(f"return {return_id} was not inspected")


def _put(
    order: Placed, arrived: list[tuple[str, Counter[int]]], pieces: tuple[e.InspectedPieces, ...], condition: str
) -> BackAt:
    found: BackAt = {}
    for part in pieces:
        if part.condition != condition:
            continue
        left, sku = part.quantity, order.order.lines[part.line].sku
        for location, room in (*arrived, (MAIN, Counter({part.line: left}))):
            count = min(left, room[part.line])
            room[part.line] -= count
            left -= count
            if count:
                at = found.setdefault(location, {})
                at[sku] = at.get(sku, 0) + count
    return found
