"""What must be true of goods: at each location what the van brought is available, set aside, gone or damaged, and nothing of it twice."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from orderstore.domain import events as e
from orderstore.domain import next_steps
from orderstore.domain.parcels import LEFT, in_shipments, next_parcel, shipments_in, wanted
from orderstore.domain.state import Cancelled, Completed, Placed, Rejected, ShipmentStatus
from orderstore.history import History
from orderstore.orders import Orders, placed
from tests.simulation.around import locations_of
from tests.simulation.wishing import SKUS
from workers.inventory.stock import Level, Place
from workers.inventory.table_stock import TableStock
from workers.reconciliation.stock import StockReconciliation
from workers.reconciliation.stock_orders import booked, order_wants
from workers.sandbox.ledger import Entry

if TYPE_CHECKING:
    from tests.simulation.run import Run

NOTHING = Level(0, 0, 0)


async def goods(run: "Run", histories: Mapping[str, History], orders: Orders) -> AsyncIterator[str]:
    """What does not fit between stock, the orders and what came in."""
    held, gone = Counter[Place](), Counter[Place]()
    for history in histories.values():
        said = booked(history)
        held += said.held
        gone += said.gone
    table, locations = run.outside.tables["inventory"], locations_of(run.habits)
    found = await TableStock(table, random=Random(1), locations=locations).everywhere(SKUS)
    for sku, levels in zip(SKUS, found, strict=True):
        back, damaged = _came_back(histories, sku)
        for name in locations.names:
            place, level = Place(name, sku), levels.get(name, NOTHING)
            if not level.adds_up:
                yield f"{sku} at {name} does not add up: {level}"
            if (level.reserved, level.committed) != (held[place], gone[place]):
                yield f"{sku} at {name}: {level}; the orders hold {held[place]}, and {gone[place]} have left"
        brought = sum(pieces for place, pieces in run.van.received.items() if place.sku == sku)
        there = sum(level.on_hand for level in levels.values())
        if there != brought + back:
            yield f"{sku}: {there} are there; {brought} were brought, and {back} came back"
        if sum(level.damaged for level in levels.values()) != damaged:
            yield f"{sku}: {levels}; {damaged} came back damaged"
    report = await StockReconciliation(table, partial(order_wants, orders), look_again_s=0).reconcile()
    for finding in report.findings:
        yield f"the reconciliation of stock finds {finding}"
    for order_id, history in histories.items():
        if problem := _of_order(placed(history), [recorded.event for recorded in history.events]):
            yield f"order {order_id}: {problem}"


def _came_back(histories: Mapping[str, History], sku: str) -> tuple[int, int]:
    """Pieces of an article that returns brought back, and how many of them are damaged, by what was found in them."""
    back = damaged = 0
    for history in histories.values():
        order = placed(history).order
        for recorded in history.events:
            if isinstance(recorded.event, e.ReturnInspected):
                for part in recorded.event.pieces:
                    if part.condition != "dismissed" and order.lines[part.line].sku == sku:
                        back += part.quantity
                        damaged += part.quantity if part.condition == "damaged" else 0
    return back, damaged


def _of_order(order: Placed, events: Sequence[e.Event]) -> str | None:
    """Each parcel is taken off once, each cancelled part and each return put back once, and every piece has gone where it was to."""
    for kind, subject in (
        (e.InventoryCommitted, "shipment_id"),
        (e.PiecesReleased, "cancellation_id"),
        (e.InventoryRestocked, "return_id"),
    ):
        told = [getattr(event, subject) for event in events if isinstance(event, kind)]
        if len(told) != len(set(told)):
            return f"{kind.__name__} more than once: {told}"
    left = shipments_in(order, LEFT)
    if isinstance(order, Completed):
        if in_shipments(order, left) != wanted(order):
            return f"it is completed, {in_shipments(order, left)} have left, and {wanted(order)} were wanted"
        if {shipment.shipment_id for shipment in left} != set(order.inventory.committed):
            return f"stock heard of {order.inventory.committed}, and {len(left)} parcels left"
    if isinstance(order, Cancelled | Rejected) and left:
        return "it came to nothing, and a parcel has left"
    for one in order.returns:
        sellable = any(part.condition != "dismissed" for part in one.inspected)
        if sellable and not one.restocked:
            return f"return {one.return_id} is inspected, and stock has not heard of it"
    return None


def parcels(order: Placed, events: Sequence[e.Event], ledger: Sequence[Entry]) -> list[str]:
    """What does not fit between the parcels of the log and those of the carrier: none is at the carrier that nobody knows."""
    del events
    booked_there = {entry.key.removeprefix("carrier/") for entry in ledger if entry.kind == "booking"}
    fates = {entry.key.split("/")[1]: entry.kind for entry in ledger if entry.key.endswith("/fate")}
    ours = {shipment.shipment_id: shipment.status for shipment in order.shipments}
    found = []
    for shipment_id, kind in fates.items():
        left = ours.get(shipment_id) in LEFT
        if (kind == "dispatched") != left:
            found.append(f"the carrier says that {shipment_id} is {kind}, and the log says {ours.get(shipment_id)}")
    if stray := {one for one in booked_there if one not in ours and one not in fates} - _kept_here(order):
        found.append(f"the carrier expects {sorted(stray)}, and the order knows nothing of it")
    if waiting := [one for one, status in ours.items() if status is ShipmentStatus.BOOKED and one not in booked_there]:
        found.append(f"{waiting} are booked in the log, and not at the carrier")
    return found


def _kept_here(order: Placed) -> set[str]:
    """The parcel that a hold keeps here, and that the carrier may have been asked for before: it is written down when the hold ends."""
    parcel = next_parcel(order) if order.holds else None
    return set() if parcel is None else {next_steps.shipment_id(order, parcel)}
