"""What the carrier's answers mean for the order, as decisions about its state. Pure."""

from orderstore.domain import decisions, next_steps
from orderstore.domain import events as e
from orderstore.domain.decide_shipping import DELAYS_MAX
from orderstore.domain.parcels import next_parcel, shipments_in
from orderstore.domain.state import Confirmed, InFulfilment, NotPlaced, Shipment, ShipmentStatus, State, fold
from workers.shipping.carrier import Delivered, InTransit, Lost


def created(state: State, *, booked: e.ShipmentCreated, failed: e.ShipmentFailed | None) -> decisions.Decision:
    """The carrier has the booking, or (`failed`) will not have it: then the order is held in the same commit, and the next try has another
    id. `()` for a parcel that the order does not want any more, also where it wants the same pieces again: its id has been given up."""
    if isinstance(state, NotPlaced):
        return ()
    parcel = next_parcel(state)
    if parcel is None or next_steps.shipment_id(state, parcel) != booked.shipment_id:
        return ()
    events = decisions.create_shipment(state, outcome=booked)
    if failed is None or not events:
        return events
    return (*events, *decisions.fail_shipment(fold(state, events), outcome=failed))


def told_late(state: State, *, shipment_id: str, notice: e.ShipmentDelayed) -> decisions.Decision:
    """The parcel leaves later; `()` for one that has left, or never will, and where the order was told so as often as it may be."""
    if not isinstance(state, Confirmed | InFulfilment) or not is_booked(state, shipment_id):
        return ()
    if state.delays >= DELAYS_MAX:
        return ()
    return decisions.delay_shipment(state, outcome=notice)


def tracked(
    state: State, *, shipment_id: str, answer: InTransit | Delivered | Lost, scans: tuple[e.TrackingUpdated, ...]
) -> decisions.Decision:
    """What was seen of a parcel on its way, and how that ended, if it has."""
    seen = [event for scan in scans for event in decisions.track_shipment(state, outcome=scan)]
    match answer:
        case InTransit():
            return tuple(seen)
        case Delivered(proof_reference):
            arrived = e.ShipmentDelivered(shipment_id=shipment_id, proof_reference=proof_reference)
            return (*seen, *decisions.deliver_shipment(state, outcome=arrived))
        case Lost(code):
            lost = e.ShipmentFailed(shipment_id=shipment_id, code=code)
            return (*seen, *decisions.fail_shipment(state, outcome=lost))


def is_booked(state: State, shipment_id: str) -> bool:
    """Whether the carrier has this parcel's booking, and the goods are here."""
    return any(one.shipment_id == shipment_id for one in booked_in(state))


def booked_in(state: State) -> tuple[Shipment, ...]:
    """The parcels that may still leave."""
    return () if isinstance(state, NotPlaced) else shipments_in(state, frozenset({ShipmentStatus.BOOKED}))


def wants_more(state: State, waiting: frozenset[str]) -> bool:
    """Whether there is a step to take now; `waiting` are the parcels that the carrier keeps for the time being."""
    match next_steps.shipping_step(state):
        case next_steps.Book() | next_steps.CancelBooking():
            return True
        case next_steps.Dispatch():
            return any(one.shipment_id not in waiting for one in booked_in(state))
        case next_steps.Track() | None:
            return False
