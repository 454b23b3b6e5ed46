"""Decisions about parcels, in the shape of `decisions`, which offers them."""

from typing import Final

from orderstore.domain import events as e
from orderstore.domain.decide_stock import cancelling_lines
from orderstore.domain.deciding import Decision, existing, with_follow_up
from orderstore.domain.parcels import Parcel, all_gone, next_parcel, shipped
from orderstore.domain.rejections import OrderClosed, TooManyDelays
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    Order,
    Received,
    Rejected,
    Shipment,
    ShipmentStatus,
    State,
    fold,
)

DELAYS_MAX: Final = 100
"""Of one order, by whomever."""


def create_shipment(state: State, *, outcome: e.ShipmentCreated) -> Decision:
    """The carrier is booked. `()` on an order being undone or edited, or for a parcel that it wants no longer: the worker cancels the
    booking."""
    order = existing(state)
    if not isinstance(order, Confirmed | InFulfilment) or _shipment(order, outcome.shipment_id) is not None:
        return ()
    if order.open_edit is not None:
        return ()
    return (outcome,) if next_parcel(order) == Parcel(outcome.location, outcome.lines) else ()


def dispatch_shipment(state: State, *, outcome: e.ShipmentDispatched) -> Decision:
    """The goods have left. A cancellation that was under way has then come too late: the carrier decides that race."""
    order = existing(state)
    if not _is(order, outcome.shipment_id, ShipmentStatus.BOOKED):
        return ()
    match order:
        case Confirmed() | InFulfilment():
            return (outcome,)
        case Cancelling():
            return (outcome, e.OrderCancellationDeclined(reason="dispatched"))
        case Received() | Completed() | Cancelled() | Rejected():
            return ()


def cancel_shipment(state: State, *, outcome: e.ShipmentCancelled) -> Decision:
    """The carrier let the booking go before the goods left. The pieces of a parcel that was recalled leave the order with it."""
    order = existing(state)
    shipment = _shipment(order, outcome.shipment_id)
    if shipment is None or shipment.status is not ShipmentStatus.BOOKED:
        return ()
    if isinstance(order, Cancelling):
        return with_follow_up(order, outcome)
    return _given_up(order, shipment, outcome) if shipment.recalled else ()


def fail_shipment(state: State, *, outcome: e.ShipmentFailed) -> Decision:
    """The carrier will not bring it. Before it left, the order is held, so that nobody books the same again and again, unless nobody wants
    it any more; afterwards the pieces are lost, and somebody refunds them."""
    order = existing(state)
    if _is(order, outcome.shipment_id, ShipmentStatus.DISPATCHED):
        return with_follow_up(order, outcome)
    if not _is(order, outcome.shipment_id, ShipmentStatus.BOOKED):
        return ()
    if isinstance(order, Cancelling):
        return with_follow_up(order, outcome)
    shipment = _shipment(order, outcome.shipment_id)
    if shipment is not None and shipment.recalled:
        return _given_up(order, shipment, outcome)
    return (outcome, e.OrderHeld(hold_id=f"shipment:{outcome.shipment_id}", reason="address"))


def deliver_shipment(state: State, *, outcome: e.ShipmentDelivered) -> Decision:
    """The goods have arrived."""
    order = existing(state)
    if not _is(order, outcome.shipment_id, ShipmentStatus.DISPATCHED):
        return ()
    return with_follow_up(order, outcome)


def track_shipment(state: State, *, outcome: e.TrackingUpdated) -> Decision:
    """The carrier has seen the parcel; whether that is recorded already, the log knows and the state does not."""
    return (outcome,) if _is(existing(state), outcome.shipment_id, ShipmentStatus.DISPATCHED) else ()


def delay_shipment(state: State, *, outcome: e.ShipmentDelayed) -> Decision:
    """The goods will leave later than was said, and the customer is asked where that needs consent.

    Raises UnknownOrder, OrderClosed (everything has left, or the order has ended), TooManyDelays.
    """
    order = existing(state)
    question = f"delay:{outcome.delay_id}"
    if question in order.question_ids:
        return ()
    match order:
        case Completed() | Cancelling() | Cancelled() | Rejected():
            raise OrderClosed("nothing of the order is still to leave")
        case Received() | Confirmed() | InFulfilment():
            if all_gone(order):
                raise OrderClosed("nothing of the order is still to leave")
    if order.delays >= DELAYS_MAX:
        raise TooManyDelays(f"the order was delayed {DELAYS_MAX} times: send it, or cancel it")
    if outcome.consent_by is None:
        return (outcome,)
    asked = e.OrderActionRequired(action_id=question, kind="delay_consent", deadline=outcome.consent_by)
    return (outcome, asked)


def _given_up(order: Order, shipment: Shipment, fact: e.ShipmentCancelled | e.ShipmentFailed) -> Decision:
    """A parcel that will not leave, and nobody wants: its pieces are no part of the order any more."""
    without = cancelling_lines(
        fold(order, (fact,)),
        cancellation_id=f"recalled:{shipment.shipment_id}",
        lines=shipped(order, shipment),
        reason="delay",
    )
    return with_follow_up(order, fact, *without)


def _shipment(order: Order, shipment_id: str) -> Shipment | None:
    for shipment in order.shipments:
        if shipment.shipment_id == shipment_id:
            return shipment
    return None


def _is(order: Order, shipment_id: str, status: ShipmentStatus) -> bool:
    shipment = _shipment(order, shipment_id)
    return shipment is not None and shipment.status is status
