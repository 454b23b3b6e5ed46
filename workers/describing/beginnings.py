"""Orders of which the play would hardly find the beginning: each is a path of real decisions, from which it goes on by itself."""

from dataclasses import replace
from typing import Any, Final

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from workers.describing.samples import LATER, SOONER

Path = tuple[tuple[Any, dict[str, Any]], ...]
"""Decisions, each with its inputs."""

_PAID: Final = e.PaymentCompleted(attempt=1, mode="authorized", amount_minor=10_000, provider_reference="provider-1")
_AT: Final = (
    e.Allocation(location="location-1", lines=(e.Pieces(line=0, quantity=2),)),
    e.Allocation(location="location-2", lines=(e.Pieces(line=1, quantity=1),)),
)
_BOOKED: Final = tuple(
    e.ShipmentCreated(
        shipment_id=f"shipment-{number}",
        carrier="carrier-1",
        label_reference=f"label-{number}",
        location=part.location,
        lines=part.lines,
    )
    for number, part in enumerate(_AT, start=1)
)


def beginnings(order: e.OrderCreated) -> tuple[Path, ...]:
    """Of an order with a grace and a promise; of one whose goods are kept for a while; and of one in two parcels, one of which has left
    when the other is late."""
    promised = replace(order, grace_until=SOONER, ship_by=LATER)
    reserved = e.InventoryReserved(reservation_id="reservation-1", allocations=_AT)
    left = e.ShipmentDispatched(shipment_id=_BOOKED[0].shipment_id, tracking_number="track-1")
    delayed = e.ShipmentDelayed(delay_id="delay-1", promised_at=LATER, reason="delayed", consent_by=SOONER)
    return (
        ((d.place, {"order": promised}),),
        ((d.place, {"order": order}), (d.reserve_inventory, {"outcome": replace(reserved, expires_at=SOONER)})),
        (
            (d.place, {"order": order}),
            (d.complete_payment, {"outcome": _PAID}),
            (d.reserve_inventory, {"outcome": reserved}),
            *((d.create_shipment, {"outcome": parcel}) for parcel in _BOOKED),
            (d.dispatch_shipment, {"outcome": left}),
            (d.delay_shipment, {"outcome": delayed}),
        ),
    )
