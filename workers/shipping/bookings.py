"""Which bookings a carrier may hold that the order's log knows nothing of. Pure.

A worker books the carrier first, and writes that down second. Between the two it may die, or the order may change its mind: be undone,
lose pieces, get more of them, be edited. So whoever looks next asks which parcels the order ever wanted, by the log: those that it wants
no longer, and that were never written down, are cancelled at the carrier, whether they were booked or not. A parcel that is wanted no
longer is never wanted again under the same id (`next_steps.shipment_id`), so this is safe whenever it is said, and however often.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from orderstore.domain import next_steps
from orderstore.domain.events import BackorderFilled, OrderCreated, ShipmentCreated
from orderstore.domain.parcels import Parcel, next_parcel, shipments_in
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Confirmed,
    InFulfilment,
    NotPlaced,
    Placed,
    ShipmentStatus,
    State,
    fold,
)
from orderstore.history import History
from workers.shipping.carrier import Consignment, Goods

_CAME_TO_NOTHING: Final = frozenset({ShipmentStatus.FAILED, ShipmentStatus.CANCELLED})


def consignment_of(order: OrderCreated, parcel: Parcel) -> Consignment:
    """What the carrier is told of a parcel: each article once, in the order of the lines."""
    pieces = Counter[str]()
    if parcel.lines:
        for part in parcel.lines:
            pieces[order.lines[part.line].sku] += part.quantity
    else:
        for line in order.lines:
            pieces[line.sku] += line.quantity
    goods = tuple(Goods(sku, quantity) for sku, quantity in pieces.items())
    return Consignment(order, parcel.location, goods)


def may_have_changed_its_mind(state: State) -> bool:
    """Whether the plan of parcels may have been another one before. Of nearly every order this is all that is ever asked."""
    return not isinstance(state, NotPlaced) and (_backorders(state) or _changed(state))


def unrecorded(history: History) -> tuple[str, ...]:
    """The ids of the parcels that the order wanted and wants no longer, and that the log does not know; the oldest first."""
    state = history.state
    if isinstance(state, NotPlaced) or not may_have_changed_its_mind(state):
        return ()
    events = [recorded.event for recorded in history.events]
    if _backorders(state) and not _changed(state) and not any(isinstance(event, BackorderFilled) for event in events):
        return ()
    known = {event.shipment_id for event in events if isinstance(event, ShipmentCreated)}
    known.add(_wanted_still(state))
    return tuple(dict.fromkeys(wanted for wanted in _ever_wanted(history) if wanted not in known))


def _ever_wanted(history: History) -> Iterator[str]:
    """At every commit: nobody ever saw the order in the middle of one."""
    state: State = INITIAL
    for _, commit in groupby(history.events, key=lambda recorded: recorded.commit):
        state = fold(state, [recorded.event for recorded in commit])
        step = next_steps.shipping_step(state)
        if isinstance(step, next_steps.Book):
            yield step.shipment_id


def _wanted_still(state: Placed) -> str:
    """The next parcel, also while a hold keeps it here, or while the carrier has still to say whether another one has left."""
    goes_on = isinstance(state, Confirmed | InFulfilment)
    if not goes_on and not shipments_in(state, frozenset({ShipmentStatus.BOOKED})):
        return ""
    parcel = next_parcel(state)
    return "" if parcel is None else next_steps.shipment_id(state, parcel)


def _backorders(state: Placed) -> bool:
    return state.order.terms is not None and state.order.terms.missing_stock == "backorder"


def _changed(state: Placed) -> bool:
    undone = isinstance(state, Cancelling | Cancelled)
    return bool(undone or state.cancelled or state.edits or shipments_in(state, _CAME_TO_NOTHING))
