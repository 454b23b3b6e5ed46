"""How stock, parcels and returns of the view `order_status` change with what happens to them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from orderstore.codec import timestamp
from orderstore.domain import events as e
from projections.views.order_status_parts import (
    SHIPMENTS_MAX,
    Inventory,
    OrderStatus,
    Return,
    ReturnStatus,
    Seen,
    Shipment,
    ShipmentStatus,
)

StockEvent = (
    e.InventoryReserved
    | e.InventoryPartiallyReserved
    | e.InventoryFailed
    | e.BackorderFilled
    | e.ReservationExpired
    | e.InventoryReleased
)
ParcelEvent = (
    e.ShipmentCreated
    | e.ShipmentCancelled
    | e.ShipmentDispatched
    | e.ShipmentDelivered
    | e.ShipmentFailed
    | e.TrackingUpdated
)
ReturnEvent = (
    e.ReturnRequested | e.ReturnApproved | e.ReturnDeclined | e.ReturnCancelled | e.ReturnReceived | e.ReturnInspected
)


def count_of(lines: Iterable[e.Pieces | e.InspectedPieces]) -> int:
    """How many pieces these are."""
    return sum(part.quantity for part in lines)


def inventory_after(inventory: Inventory, event: StockEvent) -> Inventory:
    """What is set aside, and what is missing of it."""
    match event:
        case e.InventoryReserved():
            return Inventory(status="RESERVED", backorder=inventory.backorder)
        case e.InventoryPartiallyReserved():
            return Inventory(
                status="BACKORDERED" if inventory.backorder else "PARTIAL",
                missing=_by_line(event.missing),
                backorder=inventory.backorder,
            )
        case e.BackorderFilled():
            missing = _less(inventory.missing, (part for at in event.allocations for part in at.lines))
            return replace(inventory, status="BACKORDERED" if missing else "RESERVED", missing=missing)
        case e.InventoryFailed():
            return replace(inventory, status="FAILED")
        case e.ReservationExpired():
            return replace(inventory, status="EXPIRED")
        case e.InventoryReleased():
            return replace(inventory, status="RELEASED")
        case _:
            assert_never(event)


def without(inventory: Inventory, lines: tuple[e.Pieces, ...]) -> Inventory:
    """The stock of an order that wants these pieces no more: what is missing of them is missed no more."""
    missing = _less(inventory.missing, lines)
    if inventory.status in ("PARTIAL", "BACKORDERED") and not missing:
        return replace(inventory, status="RESERVED", missing=missing)
    return replace(inventory, missing=missing)


def with_committed(view: OrderStatus, event: e.InventoryCommitted) -> OrderStatus:
    """The same when stock knows that this parcel has left."""
    pieces = sum(parcel.pieces for parcel in view.shipments if parcel.shipment_id == event.shipment_id)
    return all_committed(replace(view, inventory=replace(view.inventory, committed=view.inventory.committed + pieces)))


def all_committed(view: OrderStatus) -> OrderStatus:
    """The same, where nothing that was set aside is still here."""
    inventory = view.inventory
    if inventory.status != "RESERVED" or inventory.committed < view.piece_count - view.cancelled_pieces:
        return view
    return replace(view, inventory=replace(inventory, status="COMMITTED", committed=0))


def _by_line(lines: Iterable[e.Pieces]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for part in lines:
        counts[part.line] = counts.get(part.line, 0) + part.quantity
    return counts


def _less(missing: Mapping[int, int], lines: Iterable[e.Pieces]) -> Mapping[int, int]:
    if not missing:
        return missing
    gone = _by_line(lines)
    return {line: count - gone.get(line, 0) for line, count in missing.items() if count > gone.get(line, 0)}


def with_parcel(view: OrderStatus, event: ParcelEvent) -> OrderStatus:
    """One parcel more, or one that is somewhere else now."""
    match event:
        case e.ShipmentCreated():
            booked = Shipment(
                shipment_id=event.shipment_id,
                status="BOOKED",
                pieces=count_of(event.lines) if event.lines else view.piece_count,
                location=event.location,
            )
            parcels = (*view.shipments, booked)
            omitted = view.shipments_omitted + max(0, len(parcels) - SHIPMENTS_MAX)
            return replace(view, shipments=parcels[-SHIPMENTS_MAX:], shipments_omitted=omitted)
        case e.TrackingUpdated():
            seen = Seen(code=event.code, at=timestamp(event.seen_at), place=event.place)
            parcels = tuple(
                replace(one, seen=seen) if one.shipment_id == event.shipment_id else one for one in view.shipments
            )
            return replace(view, shipments=parcels)
        case _:
            parcels = tuple(
                _moved(one, event) if one.shipment_id == event.shipment_id else one for one in view.shipments
            )
            return replace(view, shipments=parcels)


def _moved(
    parcel: Shipment, event: e.ShipmentCancelled | e.ShipmentDispatched | e.ShipmentDelivered | e.ShipmentFailed
) -> Shipment:
    match event:
        case e.ShipmentDispatched():
            return replace(parcel, status="DISPATCHED", tracking_number=event.tracking_number)
        case e.ShipmentDelivered():
            return replace(parcel, status="DELIVERED")
        case e.ShipmentCancelled():
            return replace(parcel, status="CANCELLED")
        case e.ShipmentFailed():
            status: ShipmentStatus = "LOST" if parcel.status == "DISPATCHED" else "FAILED"
            return replace(parcel, status=status)
        case _:
            assert_never(event)


def returns_after(returns: tuple[Return, ...], event: ReturnEvent) -> tuple[Return, ...]:
    """One return more, or one that is further on; the order has a bounded number of them (`decide_returns.RETURNS_MAX`)."""
    match event:
        case e.ReturnRequested():
            asked = Return(
                return_id=event.return_id,
                status="REQUESTED",
                pieces=count_of(event.lines),
                exchange_order_id=event.exchange_order_id,
            )
            return (*returns, asked)
        case e.ReturnInspected():
            found = count_of(event.pieces)
            return tuple(
                replace(one, status="INSPECTED", inspected=found) if one.return_id == event.return_id else one
                for one in returns
            )
        case e.ReturnApproved():
            return _is_now(returns, event.return_id, "APPROVED")
        case e.ReturnDeclined():
            return _is_now(returns, event.return_id, "DECLINED")
        case e.ReturnCancelled():
            return _is_now(returns, event.return_id, "CANCELLED")
        case e.ReturnReceived():
            return _is_now(returns, event.return_id, "RECEIVED")
        case _:
            assert_never(event)


def _is_now(returns: tuple[Return, ...], return_id: str, status: ReturnStatus) -> tuple[Return, ...]:
    return tuple(replace(one, status=status) if one.return_id == return_id else one for one in returns)
