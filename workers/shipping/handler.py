"""The shipping worker's handler: book, dispatch, track; and cancel, which the carrier may answer with "too late"."""

from functools import partial
from typing import Final

from orderstore.domain import decisions, next_steps
from orderstore.domain.events import (
    OrderCancellationRequested,
    OrderConfirmed,
    OrderCreated,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from orderstore.domain.parcels import Parcel, next_parcel
from orderstore.domain.state import Cancelled as CancelledOrder
from orderstore.domain.state import Cancelling, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.reaction import Reaction
from workers.runtime.outcome import Defer, Outcome
from workers.shipping.carrier import Cancelled, Carrier, Delivered, Dispatched, InTransit, TooLate

TRACK_AGAIN_S: Final = 60.0
# The message that follows a parcel: others leave it to this one, which is always published.
_FOLLOWS: Final = "ShipmentDispatched"


class ShippingHandler(Reaction):
    """One shipment per order; its id follows from the order's. `track_again_s`: seconds between looks at a parcel."""

    def __init__(
        self,
        orders: Orders,
        *,
        carrier: Carrier,
        sandbox: bool,
        track_again_s: float = TRACK_AGAIN_S,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="shipping", sandbox=sandbox, observer=observer)
        self._carrier = carrier
        self._track_again_s = track_again_s

    def _may_want(self, state: State) -> bool:
        return next_steps.shipping_step(state) is not None or isinstance(state, Cancelling | CancelledOrder)

    async def _step(self, history: History, envelope: Envelope) -> History | Outcome | None:
        order = placed(history).order
        match next_steps.shipping_step(history.state):
            case None:
                unrecorded = _unrecorded_booking(history)
                if unrecorded is not None:
                    await self._carrier.cancel(unrecorded)
                return None
            case next_steps.Book(shipment_id, parcel):
                return await self._book(history, order, shipment_id, parcel)
            case next_steps.Dispatch(shipment_id):
                return await self._dispatch(history, order, shipment_id)
            case next_steps.Track(shipment_ids):
                return await self._track(history, envelope, shipment_ids[0])
            case next_steps.CancelBooking(shipment_id):
                return await self._cancel(history, shipment_id)

    async def _book(self, history: History, order: OrderCreated, shipment_id: str, parcel: Parcel) -> History:
        """A booking that the log no longer takes is cancelled by whoever looks next (`_unrecorded_booking`)."""
        booking = await self._carrier.book(shipment_id, order)
        if isinstance(booking, Cancelled):
            return await self._orders.load(order.order_id)  # the order was cancelled: look again
        self._observer.shipment("booked")
        created = ShipmentCreated(
            shipment_id=shipment_id,
            carrier=self._carrier.name,
            label_reference=booking.label_reference,
            location=parcel.location,
            lines=parcel.lines,
        )
        decide = partial(decisions.create_shipment, outcome=created)
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, OrderConfirmed, "shipment-created")
        )

    async def _dispatch(self, history: History, order: OrderCreated, shipment_id: str) -> History:
        match await self._carrier.dispatch(shipment_id):
            case Dispatched(tracking_number):
                return await self._left(history, shipment_id, tracking_number)
            case Cancelled():
                return await self._orders.load(order.order_id)  # the order is being cancelled: look again

    async def _cancel(self, history: History, shipment_id: str) -> History:
        match await self._carrier.cancel(shipment_id):
            case TooLate(tracking_number):
                self._observer.shipment("too_late")
                return await self._left(history, shipment_id, tracking_number)
            case Cancelled():
                self._observer.shipment("cancelled")
                cancelled = ShipmentCancelled(shipment_id=shipment_id)
                decide = partial(decisions.cancel_shipment, outcome=cancelled)
                return await self._orders.record(
                    history, decide, cause=self._caused_by(history, OrderCancellationRequested, "shipment-cancelled")
                )

    async def _left(self, history: History, shipment_id: str, tracking_number: str) -> History:
        """Record that the goods have left; on an order being cancelled the log then declines the cancellation."""
        self._observer.shipment("dispatched")
        dispatched = ShipmentDispatched(shipment_id=shipment_id, tracking_number=tracking_number)
        decide = partial(decisions.dispatch_shipment, outcome=dispatched)
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, ShipmentCreated, "shipment-dispatched")
        )

    async def _track(self, history: History, envelope: Envelope, shipment_id: str) -> History | Outcome | None:
        match await self._carrier.track(shipment_id):
            case InTransit():
                # Waiting for a parcel is nobody's fault, so it must not count as a receive on the way to the DLQ.
                return Defer(self._track_again_s) if envelope.event_type == _FOLLOWS else None
            case Delivered(proof_reference):
                self._observer.shipment("delivered")
                delivered = ShipmentDelivered(shipment_id=shipment_id, proof_reference=proof_reference)
                decide = partial(decisions.deliver_shipment, outcome=delivered)
                return await self._orders.record(
                    history, decide, cause=self._caused_by(history, ShipmentDispatched, "shipment-delivered")
                )


def _unrecorded_booking(history: History) -> str | None:
    """A worker may have booked the order's next parcel and died, or lost the race, before the log took it.

    Only an order that was confirmed can have been booked; telling the carrier once more that it is cancelled is harmless.
    """
    state = history.state
    if not isinstance(state, Cancelling | CancelledOrder) or any(not shipment.lines for shipment in state.shipments):
        return None
    parcel = next_parcel(state)
    booked = parcel is not None and any(isinstance(recorded.event, OrderConfirmed) for recorded in history.events)
    return next_steps.shipment_id(state, parcel) if parcel is not None and booked else None
