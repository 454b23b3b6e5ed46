"""How a reservation changes with what happens to it; no rules here. Pieces are counted by line (0-based)."""

from collections import Counter
from typing import Final, assert_never

from orderstore.domain import events as e
from orderstore.domain.copying import replace
from orderstore.domain.parts import Inventory, InventoryStatus

MAIN: Final = "main"
"""The one location of those who have one."""

StockEvent = (
    e.InventoryReserved
    | e.InventoryPartiallyReserved
    | e.InventoryFailed
    | e.InventoryReleased
    | e.BackorderFilled
    | e.ReservationExpired
    | e.InventoryCommitted
    | e.PiecesReleased
)


def inventory_after(inventory: Inventory, event: StockEvent, *, backorder: bool) -> Inventory:
    """`backorder`: whether what is missing is sent when it comes."""
    match event:
        case e.InventoryReserved():
            return Inventory(
                status=InventoryStatus.RESERVED,
                reservation_id=event.reservation_id,
                allocations=event.allocations,
                expires_at=event.expires_at,
            )
        case e.InventoryCommitted():
            return replace(inventory, committed=(*inventory.committed, event.shipment_id))
        case e.InventoryFailed():
            return replace(inventory, status=InventoryStatus.FAILED)
        case e.InventoryReleased():
            return replace(inventory, status=InventoryStatus.RELEASED)
        case e.InventoryPartiallyReserved():
            return Inventory(
                status=InventoryStatus.BACKORDERED if backorder else InventoryStatus.PARTIAL,
                reservation_id=event.reservation_id,
                allocations=event.allocations,
                missing=event.missing,
                expires_at=event.expires_at,
            )
        case e.BackorderFilled():
            came = Counter[int]()
            for allocation in event.allocations:
                for line in allocation.lines:
                    came[line.line] += line.quantity
            missing = less(inventory.missing, came)
            return replace(
                inventory,
                status=InventoryStatus.BACKORDERED if missing else InventoryStatus.RESERVED,
                allocations=(*inventory.allocations, *event.allocations),
                missing=missing,
            )
        case e.ReservationExpired():
            return replace(inventory, status=InventoryStatus.EXPIRED)
        case e.PiecesReleased():
            return replace(inventory, released=(*inventory.released, event.cancellation_id))
        case _:
            assert_never(event)


def without(
    inventory: Inventory, lines: tuple[e.Pieces, ...], *, sent: dict[str | None, Counter[int]]
) -> tuple[Inventory, tuple[e.Allocation, ...]]:
    """The reservation without these pieces, and which of them were set aside: what is missing goes first, then what is set aside at the
    last location, and never what is in a parcel already (`sent`, by location)."""
    gone = Counter[int]()
    for part in lines:
        gone[part.line] += part.quantity
    missing = less(inventory.missing, gone)
    freed: list[e.Allocation] = []
    left = at_locations(inventory.allocations)
    for location in reversed(left):
        free = left[location] - sent.get(location, Counter())
        taken = free & gone
        if taken:
            freed.append(e.Allocation(location=location, lines=pieces_of(taken)))
            left[location] -= taken
            gone -= taken
    if not inventory.allocations and +gone and inventory.reservation_id is not None:
        freed.append(e.Allocation(location=MAIN, lines=pieces_of(gone)))
    allocations = tuple(e.Allocation(location=at, lines=pieces_of(pieces)) for at, pieces in left.items() if pieces)
    waits = inventory.status in (InventoryStatus.PARTIAL, InventoryStatus.BACKORDERED)
    status = InventoryStatus.RESERVED if waits and not missing else inventory.status
    return replace(inventory, status=status, allocations=allocations, missing=missing), tuple(freed)


def at_locations(allocations: tuple[e.Allocation, ...]) -> dict[str, Counter[int]]:
    """Pieces by line that are set aside at each location, the locations as they were first chosen."""
    found: dict[str, Counter[int]] = {}
    for allocation in allocations:
        pieces = found.setdefault(allocation.location, Counter())
        for part in allocation.lines:
            pieces[part.line] += part.quantity
    return found


def pieces_of(counts: Counter[int]) -> tuple[e.Pieces, ...]:
    """Pieces by line as the events tell them, in the order of the lines."""
    return tuple(e.Pieces(line=line, quantity=counts[line]) for line in sorted(counts) if counts[line] > 0)


def less(pieces: tuple[e.Pieces, ...], gone: Counter[int]) -> tuple[e.Pieces, ...]:
    """These pieces without so many of each line; what of `gone` was not among them is left in it."""
    left = []
    for part in pieces:
        taken = min(part.quantity, gone[part.line])
        gone[part.line] -= taken
        if taken < part.quantity:
            left.append(e.Pieces(line=part.line, quantity=part.quantity - taken))
    return tuple(left)
