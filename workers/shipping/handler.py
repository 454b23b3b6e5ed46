"""The shipping worker's handler: book, dispatch, track; and cancel, which the carrier may answer with "too late".

The carrier is asked first, and the log told second. What the log does not take any more is undone at the carrier (`bookings`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from orderstore.domain import decisions, next_steps
from orderstore.domain import events as e
from orderstore.domain.parcels import Parcel, shipments_in
from orderstore.domain.state import Cancelling, ShipmentStatus, State
from orderstore.expected import WrongVersion
from orderstore.history import History
from orderstore.orders import Orders, placed
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Defer, Done, Outcome
from workers.shipping.bookings import consignment_of, may_have_changed_its_mind, unrecorded
from workers.shipping.carrier import (
    Booking,
    Cancelled,
    Carrier,
    Delayed,
    Delivered,
    Dispatched,
    InTransit,
    Lost,
    Refused,
    TooLate,
    Waiting,
)
from workers.shipping.news import DELAY_CONSENT_S, began, follows, lets_go, new_scans, notice_of, scanned
from workers.shipping.outcomes import booked_in, created, is_booked, told_late, tracked, wants_more

TRACK_AGAIN_S: Final = 60.0
_UNDER_WAY: Final = frozenset({ShipmentStatus.DISPATCHED})
_WANT_PARCELS: Final = (e.OrderConfirmed, e.BackorderFilled)
_DISPATCHED: Final = "ShipmentDispatched"
_NO_LABEL: Final = "none"
_WITHDRAWN_MAX: Final = 1_000
_LOOKS_MAX: Final = 16


class ShippingHandler(Reaction):
    """Brings every parcel of an order to its end. `track_again_s`: seconds between looks at a parcel; `delay_consent_s`: how far the day
    may move before the customer is asked; `now_ms`: the wall clock in milliseconds since 1970.

    The message of a parcel's booking waits until it has left, that of its dispatch until it has arrived; others look once.
    """

    def __init__(
        self,
        orders: Orders,
        *,
        carrier: Carrier,
        now_ms: Callable[[], int],
        sandbox: bool,
        track_again_s: float = TRACK_AGAIN_S,
        delay_consent_s: float = DELAY_CONSENT_S,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="shipping", sandbox=sandbox, observer=observer)
        self._carrier = carrier
        self._now_ms = now_ms
        self._track_again_s = track_again_s
        self._delay_consent_s = delay_consent_s
        # Only so that the carrier need not hear the same at every look at a parcel: after a restart it hears it once more.
        self._withdrawn: dict[str, None] = {}

    def _may_want(self, state: State) -> bool:
        return next_steps.shipping_step(state) is not None or may_have_changed_its_mind(state)

    async def _step(self, history: History, envelope: Envelope) -> History | Outcome | None:
        match next_steps.shipping_step(history.state):
            case None:
                await self._withdraw(history)
                return None
            case next_steps.Book(shipment_id, parcel):
                return await self._book(history, shipment_id, parcel)
            case next_steps.CancelBooking(shipment_id):
                return await self._cancel(history, shipment_id)
            case next_steps.Dispatch() | next_steps.Track():
                return await self._move(history, envelope)

    async def _book(self, history: History, shipment_id: str, parcel: Parcel) -> History:
        """A booking that the log no longer takes is cancelled by whoever looks next (`_withdraw`)."""
        order = placed(history)
        booking = await self._carrier.book(shipment_id, consignment_of(order.order, parcel))
        reference, code = _NO_LABEL, None
        match booking:
            case Booking(label_reference):
                reference = label_reference
            case Refused():
                code = booking.code
            case Cancelled():
                newer = await self._orders.load(order.order.order_id)
                if newer.version > history.version:
                    return newer  # the order was cancelled, or wants another parcel: look again
                code = "cancelled"  # by nobody here
        self._observer.shipment("booked" if code is None else "refused")
        booked = e.ShipmentCreated(
            shipment_id=shipment_id,
            carrier=self._carrier.name,
            label_reference=reference,
            location=parcel.location,
            lines=parcel.lines,
        )
        failed = None if code is None else e.ShipmentFailed(shipment_id=shipment_id, code=code)
        purpose = f"shipment-created:{shipment_id}" if order.shipments else "shipment-created"
        cause = self._caused_by(history, _WANT_PARCELS, purpose)
        return await self._orders.record(history, partial(created, booked=booked, failed=failed), cause=cause)

    async def _cancel(self, history: History, shipment_id: str) -> History:
        match await self._carrier.cancel(shipment_id):
            case TooLate(tracking_number):
                self._observer.shipment("too_late")
                return await self._left(history, shipment_id, tracking_number)
            case Cancelled():
                self._observer.shipment("cancelled")
                first = placed(history).shipments[0].shipment_id == shipment_id
                purpose = "shipment-cancelled" if first else f"shipment-cancelled:{shipment_id}"
                decide = partial(decisions.cancel_shipment, outcome=e.ShipmentCancelled(shipment_id=shipment_id))
                if isinstance(history.state, Cancelling):
                    cause = self._caused_by(history, e.OrderCancellationRequested, purpose)
                else:
                    cause = self._caused_by(history, e.ShipmentRecalled, purpose, shipment_id=shipment_id)
                return await self._orders.record(history, decide, cause=cause)

    async def _move(self, history: History, envelope: Envelope) -> History | Outcome | None:
        """Hand over what is booked, and look after what is under way."""
        before = history
        history, waiting = await self._hand_over(history)
        waits = any(self._waits_for(history, envelope, shipment_id) for shipment_id in waiting)
        history, under_way = await self._look_after(history, envelope)
        if wants_more(history.state, waiting):
            return history
        await self._withdraw(history)
        if waits or under_way:
            # Waiting for a parcel is nobody's fault, so it must not count as a receive on the way to the DLQ.
            return Defer(self._track_again_s)
        return None if history is before else Done()

    async def _hand_over(self, history: History) -> tuple[History, frozenset[str]]:
        """Each parcel that is booked, as long as the order lets it go; and those that the carrier keeps for now."""
        waiting: set[str] = set()
        for shipment in booked_in(history.state):
            shipment_id = shipment.shipment_id
            goes = isinstance(next_steps.shipping_step(history.state), next_steps.Dispatch)
            if not goes or not is_booked(history.state, shipment_id):
                continue
            match await self._carrier.dispatch(shipment_id):
                case Dispatched(tracking_number):
                    history = await self._left(history, shipment_id, tracking_number)
                case Refused(code):
                    history = await self._refused(history, shipment_id, code)
                case Cancelled():
                    newer = await self._orders.load(placed(history).order.order_id)
                    if newer.version == history.version:  # by nobody here
                        newer = await self._refused(history, shipment_id, "cancelled")
                    history = newer
                case Waiting():
                    waiting.add(shipment_id)
                case Delayed() as told:
                    waiting.add(shipment_id)
                    history = await self._delayed(history, shipment_id, told)
        return history, frozenset(waiting)

    async def _left(self, history: History, shipment_id: str, tracking_number: str) -> History:
        """Record that the goods have left; on an order being cancelled the log then declines the cancellation."""
        self._observer.shipment("dispatched")
        dispatched = e.ShipmentDispatched(shipment_id=shipment_id, tracking_number=tracking_number)
        decide = partial(decisions.dispatch_shipment, outcome=dispatched)
        cause = self._caused_by(history, e.ShipmentCreated, "shipment-dispatched", shipment_id=shipment_id)
        return await self._orders.record(history, decide, cause=cause)

    async def _refused(self, history: History, shipment_id: str, code: str) -> History:
        """Before it left: the order is held in the same commit, until somebody has seen to it."""
        self._observer.shipment("refused")
        failed = e.ShipmentFailed(shipment_id=shipment_id, code=code)
        cause = self._caused_by(history, e.ShipmentCreated, "shipment-failed", shipment_id=shipment_id)
        return await self._orders.record(history, partial(decisions.fail_shipment, outcome=failed), cause=cause)

    async def _delayed(self, history: History, shipment_id: str, told: Delayed) -> History:
        beginning = began(history, shipment_id, e.ShipmentCreated)
        notice = notice_of(history, beginning, told, now=self._now(), consent_after_s=self._delay_consent_s)
        if notice is None:
            return history
        cause = self._caused_by(history, e.ShipmentCreated, f"delay:{notice.delay_id}", shipment_id=shipment_id)
        decide = partial(told_late, shipment_id=shipment_id, notice=notice)
        try:
            after = await self._orders.record_on_top(history, decide, cause=cause)
        except WrongVersion:
            return await self._orders.load(placed(history).order.order_id)  # the carrier says it again at the next look
        self._observer.shipment("delayed")
        return after

    async def _look_after(self, history: History, envelope: Envelope) -> tuple[History, bool]:
        """Ask for the parcels that are under way, and say whether this message waits for one of them.

        The message of a dispatch leaves the others to theirs.
        """
        waits = False
        for shipment in shipments_in(placed(history), _UNDER_WAY):
            own = self._follows(history, envelope, shipment.shipment_id, e.ShipmentDispatched)
            if own or envelope.event_type != _DISPATCHED:
                history, arrives = await self._track(history, shipment.shipment_id)
                waits = waits or (own and arrives)
        return history, waits

    async def _track(self, history: History, shipment_id: str) -> tuple[History, bool]:
        """Record what is new; and whether there is more to come."""
        answer = await self._carrier.track(shipment_id)
        for _ in range(_LOOKS_MAX):
            scans = new_scans(history, shipment_id, answer.scans)
            if isinstance(answer, InTransit) and not scans:
                return history, True
            try:
                after = await self._tell(history, shipment_id, answer, scans)
            except WrongVersion:
                history = await self._orders.load(placed(history).order.order_id)
            else:
                return after, isinstance(answer, InTransit)
        raise OutOfStep("other writers were quicker with every look at a parcel")

    async def _tell(
        self,
        history: History,
        shipment_id: str,
        answer: InTransit | Delivered | Lost,
        scans: tuple[e.TrackingUpdated, ...],
    ) -> History:
        """Raises WrongVersion: there are scans, and whether they are recorded has to be looked up again."""
        purpose = "shipment-delivered" if isinstance(answer, Delivered) else "shipment-failed"
        if scans:
            purpose = f"tracking:{scanned(history, shipment_id)}"
        cause = self._caused_by(history, e.ShipmentDispatched, purpose, shipment_id=shipment_id)
        decide = partial(tracked, shipment_id=shipment_id, answer=answer, scans=scans)
        record = self._orders.record_on_top if scans else self._orders.record
        after = await record(history, decide, cause=cause)
        if not isinstance(answer, InTransit):
            self._observer.shipment("delivered" if isinstance(answer, Delivered) else "lost")
        return after

    async def _withdraw(self, history: History) -> None:
        """Cancel what the carrier may have been asked for, and nobody wrote down. Raises OutOfStep: it has left, for a person."""
        for shipment_id in unrecorded(history):
            if shipment_id in self._withdrawn:
                continue
            if isinstance(await self._carrier.cancel(shipment_id), TooLate):
                raise OutOfStep("the carrier has sent a parcel that the order never handed over")
            self._withdrawn[shipment_id] = None
            if len(self._withdrawn) > _WITHDRAWN_MAX:
                del self._withdrawn[next(iter(self._withdrawn))]

    def _waits_for(self, history: History, envelope: Envelope, shipment_id: str) -> bool:
        beginning = began(history, shipment_id, e.ShipmentCreated)
        own = follows(beginning, envelope.event_id, now_ms=self._now_ms())
        return own or lets_go(history, beginning, envelope.event_id)

    def _follows(
        self,
        history: History,
        envelope: Envelope,
        shipment_id: str,
        stage: type[e.ShipmentCreated] | type[e.ShipmentDispatched],
    ) -> bool:
        return follows(began(history, shipment_id, stage), envelope.event_id, now_ms=self._now_ms())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC)
