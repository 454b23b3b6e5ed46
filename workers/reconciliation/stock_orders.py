"""What the log says of the goods of an order: what is set aside for it, what has gone with its parcels."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from orderstore.domain.events import InventoryPartiallyReserved, InventoryReserved
from orderstore.domain.evolving_stock import at_locations
from orderstore.domain.parcels import counted, shipped, wanted
from orderstore.domain.parts import EditStatus, InventoryStatus
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import Cancelled, Placed, Rejected
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.inventory.editing import owner_of
from workers.inventory.reservation import reservation_of
from workers.inventory.stock import MAIN, Place
from workers.reconciliation.stock import Finding, Wants
from workers.reconciliation.whole import Discrepancy, note

SUBJECT_MAX: Final = 200

_HOLDS_NOTHING: Final = (InventoryStatus.FAILED, InventoryStatus.EXPIRED, InventoryStatus.RELEASED)
WHOLE: Final = (InventoryStatus.RESERVED, InventoryStatus.COMMITTED)
"""Of what has left all of it may have; what was cancelled of it and is not back yet is set aside still."""
HOLDS: Final = (*WHOLE, InventoryStatus.PARTIAL, InventoryStatus.BACKORDERED)


@dataclass(frozen=True, slots=True)
class Booked:
    """Goods that need stock, by where they are or were: set aside, and gone with parcels."""

    held: Counter[Place]
    gone: Counter[Place]


async def order_wants(orders: Orders, reservation_id: str) -> Wants:
    """Whether it still holds goods. Raises what `Orders.load` raises, but for an order that is not there."""
    order_id, edit_id = owner_of(reservation_id)
    try:
        history = await orders.load(order_id)
    except UnknownOrder:
        return "unknown"
    order = placed(history)
    if edit_id is not None:
        edit = next((one for one in order.edits if one.edit_id == edit_id), None)
        if edit is None or edit.released:
            return "nothing"
        if edit.status is not EditStatus.APPLIED:
            return "goods"
    ended = isinstance(order, Cancelled | Rejected) or order.inventory.status in _HOLDS_NOTHING
    all_gone = order.inventory.status in WHOLE and not booked(history).held
    return "nothing" if ended or all_gone else "goods"


async def note_finding(orders: Orders, finding: Finding) -> bool:
    """Have the order say it that a finding is about; False where it is about none. Raises StoreError, Contended."""
    row = finding.subject if finding.kind in ("order_ended", "order_unknown") else reservation_of(finding.subject)
    about = None if row is None else owner_of(row)[0]
    discrepancy = Discrepancy(
        area="stock",
        kind=finding.kind,
        subject=subject_of(Place(finding.location, finding.sku)),
        order_id=about,
        ours=finding.theirs,  # of a reservation: what the log says, which is nothing
        theirs=finding.ours,
    )
    return await note(orders, discrepancy)


def subject_of(place: Place) -> str:
    """What a discrepancy of goods is about."""
    return f"{place.sku} at {place.location}"[:SUBJECT_MAX]


def booked(history: History) -> Booked:
    """What stock should say of the order, were every step of the log taken there too."""
    order = placed(history)
    untracked = _untracked(history, order)
    gone: Counter[Place] = Counter()
    for shipment in order.shipments:
        if shipment.shipment_id in order.inventory.committed:
            gone += _goods(order, shipment.location or MAIN, counted(shipped(order, shipment)), untracked)
    held: Counter[Place] = Counter()
    if order.inventory.status in HOLDS:
        for location, pieces in _set_aside(order).items():
            held += _goods(order, location, pieces, untracked)
    return Booked(held - gone, gone)


def _set_aside(order: Placed) -> dict[str, Counter[int]]:
    """With what was cancelled, and is not back yet."""
    inventory = order.inventory
    found = at_locations(inventory.allocations) or {MAIN: wanted(order) - counted(inventory.missing)}
    for part in order.cancelled:
        if part.cancellation_id not in inventory.released:
            for location, pieces in at_locations(part.freed).items():
                found.setdefault(location, Counter()).update(pieces)
    return found


def _goods(order: Placed, location: str, pieces: Counter[int], untracked: Collection[int]) -> Counter[Place]:
    goods: Counter[Place] = Counter()
    for line, count in pieces.items():
        if line not in untracked:
            goods[Place(location, order.order.lines[line].sku)] += count
    return goods


def _untracked(history: History, order: Placed) -> Collection[int]:
    """The lines that need no stock: each as it was when its goods were first set aside, which is another time for those of an edit."""
    lines, found = order.order.lines, set[int]()
    for recorded in history.events:
        if isinstance(recorded.event, InventoryReserved | InventoryPartiallyReserved):
            found |= {at for at, line in enumerate(lines) if line.sku in recorded.event.untracked_skus}
            break
    for edit in order.edits:
        if edit.status is EditStatus.APPLIED:
            added = range(edit.first_line, edit.first_line + len(edit.lines))
            found -= set(added)
            found |= {at for at in added if lines[at].sku in edit.untracked_skus}
    return found
