"""In which stages an order is: what may stall, and what no longer can. Pure."""

from typing import Final

from orderstore.domain import events as e
from orderstore.domain.parcels import shipments_in
from orderstore.domain.parts import PaymentStatus, ShipmentStatus, Stall
from orderstore.domain.statuses import Cancelled, Cancelling, Confirmed, InFulfilment, Order, Received, Rejected

PAYMENT: Final = "payment"
"""The subject of the stage `outcomes` where it is about a payment of which nobody knows what became of it, and not about the time."""
_BOOKED: Final = frozenset({ShipmentStatus.BOOKED})
_UNDER_WAY: Final = frozenset({ShipmentStatus.DISPATCHED})


def waits_in(order: Order, stage: e.StalledStage, subject: str | None) -> bool:
    """Whether the order is in this stage."""
    match stage:
        case "outcomes":
            return isinstance(order, Received) and order.grace_until is None
        case "capture":
            payment = order.payment
            held = payment.status is PaymentStatus.AUTHORIZED and payment.capture_before is not None
            return held and isinstance(order, Received | Confirmed | InFulfilment)
        case "dispatch" if order.holds:
            return False
        case "dispatch" if subject is None:
            return isinstance(order, Confirmed)
        case "dispatch":  # one of the parcels that follow the first
            booked = any(parcel.shipment_id == subject for parcel in shipments_in(order, _BOOKED))
            return booked and isinstance(order, InFulfilment)
        case "delivery":
            return any(parcel.shipment_id == subject for parcel in shipments_in(order, _UNDER_WAY))
        case "undo":
            return isinstance(order, Cancelling)
        case "refund":
            if isinstance(order, Cancelled | Rejected):  # money that was never taken: it is waited for in vain
                return False
            return any(refund.refund_id == subject for refund in order.payment.refunds_owed)


def stalls_left(order: Order, event: e.Event) -> tuple[Stall, ...]:
    """What still stalls after this event: a stage that went on has ended what was said of it, so that it can be said again. What was said
    of money that was held ends with it too where other money is held at once, which is so when an edit is covered."""
    held_anew = isinstance(event, e.PaymentCompleted)
    return tuple(
        stall
        for stall in order.stalls
        if waits_in(order, stall.stage, stall.subject) and not (held_anew and stall.stage == "capture")
    )
