"""Golden events of an order's goods: set aside, sent, and sent back."""

from dataclasses import replace
from datetime import timedelta

from orderstore.domain import events as e
from tests.builders import BOOKED, BOOKING_CANCELLED, DELIVERED, DISPATCHED, NOON, RELEASED, RESERVED, SHORT

LAPTOP, MOUSE = e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1)
IN_BERLIN = e.Allocation(location="berlin", lines=(LAPTOP, MOUSE))
IN_PARIS = e.Allocation(location="paris", lines=(MOUSE,))
WORDS = e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk"))
PARTLY = e.InventoryPartiallyReserved(
    reservation_id="reservation-1",
    allocations=(IN_BERLIN,),
    missing=(MOUSE,),
    untracked_skus=("POST",),
    expires_at=NOON + timedelta(hours=1),
    answer_by=NOON + timedelta(days=2),
)
ASKED = e.ReturnRequested(
    return_id="return-1",
    lines=(MOUSE,),
    reason="damaged",
    note=WORDS,
    exchange_order_id="6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0002",
)
DELAYED = e.ShipmentDelayed(
    delay_id="delay-1",
    promised_at=NOON + timedelta(days=40),
    reason="supplier_late",
    consent_by=NOON + timedelta(days=3),
)
SEEN = e.TrackingUpdated(shipment_id="shipment-1", code="in_transit", seen_at=NOON, place="Leipzig")

COMPLETE: dict[str, e.Event] = {
    "InventoryReserved": e.InventoryReserved(
        reservation_id="reservation-1",
        untracked_skus=("POST",),
        allocations=(IN_BERLIN, IN_PARIS),
        expires_at=NOON + timedelta(hours=1),
    ),
    "InventoryPartiallyReserved": PARTLY,
    "InventoryFailed": SHORT,
    "BackorderFilled": e.BackorderFilled(reservation_id="reservation-1", allocations=(IN_PARIS,)),
    "ReservationExpired": e.ReservationExpired(reservation_id="reservation-1"),
    "PiecesReleased": e.PiecesReleased(cancellation_id="cancellation-1"),
    "InventoryReleased": RELEASED,
    "InventoryCommitted": e.InventoryCommitted(shipment_id="shipment-1"),
    "InventoryRestocked": e.InventoryRestocked(return_id="return-1"),
    "ShipmentCreated": replace(BOOKED, location="berlin", lines=(LAPTOP, MOUSE)),
    "ShipmentRecalled": e.ShipmentRecalled(shipment_id="shipment-1"),
    "ShipmentCancelled": BOOKING_CANCELLED,
    "ShipmentDispatched": DISPATCHED,
    "ShipmentDelivered": DELIVERED,
    "ShipmentFailed": e.ShipmentFailed(shipment_id="shipment-1", code="address_unknown"),
    "ShipmentDelayed": DELAYED,
    "TrackingUpdated": SEEN,
    "ReturnRequested": ASKED,
    "ReturnApproved": e.ReturnApproved(return_id="return-1"),
    "ReturnDeclined": e.ReturnDeclined(return_id="return-1", note=WORDS),
    "ReturnCancelled": e.ReturnCancelled(return_id="return-1"),
    "ReturnReceived": e.ReturnReceived(return_id="return-1"),
    "ReturnInspected": e.ReturnInspected(
        return_id="return-1", pieces=(e.InspectedPieces(line=1, quantity=1, condition="sellable"),)
    ),
}
MINIMAL: dict[str, e.Event] = {
    "InventoryReserved": RESERVED,
    "InventoryPartiallyReserved": replace(PARTLY, untracked_skus=(), expires_at=None, answer_by=None),
    "InventoryReleased": e.InventoryReleased(reservation_id=None),
    "ShipmentCreated": BOOKED,
    "ShipmentDelayed": replace(DELAYED, consent_by=None),
    "TrackingUpdated": replace(SEEN, place=None),
    "ReturnRequested": replace(ASKED, note=None, exchange_order_id=None),
    "ReturnDeclined": e.ReturnDeclined(return_id="return-1"),
}
EARLIER: dict[str, e.Event] = {
    "InventoryReserved-1.0-complete": e.InventoryReserved(reservation_id="reservation-1", untracked_skus=("POST",)),
    "InventoryReserved-1.0-minimal": RESERVED,
    "ShipmentCreated-1.0-complete": BOOKED,
    "ShipmentCreated-1.0-minimal": BOOKED,
}
