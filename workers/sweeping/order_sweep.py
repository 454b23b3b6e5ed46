"""One order whose time is over: what follows from that, decided by the log as it stands now.

A promise that ended is expired (`timers`), a stage that is late is told so (`deadlines`, `decisions.stall`), and whoever is to act on it is
woken once more. Ids follow from the deadline: whoever does it a second time, here or in another instance, finds that it is done.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orderstore.domain import deadlines, decisions, timers
from orderstore.domain.allowances import STAGES, Stage
from orderstore.domain.events import Event, OrderCreated
from orderstore.domain.next_steps import billing_step, inventory_step, payment_step, shipping_step
from orderstore.domain.parts import ShipmentStatus, Stall
from orderstore.domain.state import InFulfilment, Placed, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Actor, Cause
from orderstore.tracing import continued
from workers.sweeping.observe import SweepObserver
from workers.sweeping.ports import HintNotTaken, Hints

STEPS_MAX: Final = 32
"""Deadlines of one order that are seen to in one go; what is left is due in the next turn."""
SOURCE: Final = "sweeper"
STEPS: Final[Mapping[str, Callable[[State], object]]] = {
    "payment": payment_step,
    "inventory": inventory_step,
    "shipping": shipping_step,
    "billing": billing_step,
}


@dataclass(frozen=True, slots=True)
class _Late:
    """A stage, since when, and until when it might have taken."""

    stage: Stage
    since: datetime
    due_at: datetime
    subject: str | None


class OrderSweep:
    """Sees to one order at a time. `now_ms` is the wall clock."""

    def __init__(self, orders: Orders, hints: Hints, *, now_ms: Callable[[], int], observer: SweepObserver) -> None:
        self._orders = orders
        self._hints = hints
        self._now_ms = now_ms
        self._observer = observer

    async def sweep(self, order_id: str) -> bool:
        """Do what is due; whether anything was. Raises UnknownOrder, StoreError, Contended, CodecError, ImpossibleTransition."""
        now = datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC)
        history = await self._orders.load(order_id)
        before = history.version
        for _ in range(STEPS_MAX):
            over, late = timers.first_over(history.state, now=now), _first_late(history, now)
            if over is not None:
                grown = await self._expired(history, over, now)
            elif late is not None:
                grown = await self._told(history, late)
            else:
                break
            if grown.version == history.version:
                break
            history = grown
        return history.version > before

    async def _expired(self, history: History, over: timers.Due, now: datetime) -> History:
        events: tuple[Event, ...] = ()

        def decide(state: State) -> tuple[Event, ...]:
            nonlocal events
            events = timers.expire(state, now=now) if timers.first_over(state, now=now) == over else ()
            return events

        cause = _cause(history, f"expired:{over.timer}:{over.subject or ''}:{over.at.isoformat()}")
        history = await self._orders.record(history, decide, cause=cause)
        if events:
            self._observer.swept(over.timer)
        return history

    async def _told(self, history: History, late: _Late) -> History:
        """Say that it is late, and wake whoever is to act: perhaps a message was lost."""
        events: tuple[Event, ...] = ()

        def decide(state: State) -> tuple[Event, ...]:
            nonlocal events
            events = decisions.stall(
                state, stage=late.stage, since=late.since, due_at=late.due_at, subject=late.subject
            )
            return events

        cause = _cause(history, f"stalled:{late.stage}:{late.subject or ''}:{late.due_at.isoformat()}")
        history = await self._orders.record(history, decide, cause=cause)
        if events:
            self._observer.swept(f"late_{late.stage}")
            await self.wake(history)
        return history

    async def wake(self, history: History, *, departments: Collection[str] = STEPS) -> tuple[str, ...]:
        """Have every one of these departments look that the order wants a step of; those that were reached."""
        woken = []
        for department, step in STEPS.items():
            if department in departments and step(history.state) is not None:
                try:
                    await self._hints.hint(department, history)
                except HintNotTaken:
                    self._observer.hinted(department, taken=False)
                    continue
                self._observer.hinted(department, taken=True)
                woken.append(department)
        return tuple(woken)


def _first_late(history: History, now: datetime) -> _Late | None:
    """The stage that is late for longest and is not told so yet, as the log says."""
    waited = waited_for(history)
    for due in waited.dues():
        if due.due_at > now:
            return None
        for stage in STAGES:
            if due.what == stage and due.since is not None:
                subject = due.subject
                if subject is None:
                    subject = _unkept(history, waited, stage)
                return _Late(stage, due.since, due.due_at, subject)
    return None


def waited_for(history: History) -> deadlines.Deadlines:
    """What the order is waited for, folded from its whole history."""
    first = history.events[0]
    assert isinstance(first.event, OrderCreated), "an order begins with its creation"
    waited = deadlines.begun(first.event, first.occurred_at)
    for recorded in history.events[1:]:
        waited = deadlines.evolve(waited, recorded.event, recorded.occurred_at)
    return waited


def _unkept(history: History, waited: deadlines.Deadlines, stage: Stage) -> str | None:
    """Of more parcels or refunds than are kept singly, the first that is not, and of which nothing is said; None for other stages."""
    order = placed(history)
    if stage == "refund":
        kept, every = waited.refunds, [refund.refund_id for refund in order.payment.refunds_owed]
    elif stage == "delivery":
        kept, every = waited.parcels, _parcels_in(order, ShipmentStatus.DISPATCHED)
    elif stage == "dispatch" and isinstance(order, InFulfilment):
        kept, every = waited.booked, _parcels_in(order, ShipmentStatus.BOOKED)
    else:
        return None
    return next((one for one in every if not kept.has(one) and Stall(stage, one) not in order.stalls), None)


def _parcels_in(order: Placed, status: ShipmentStatus) -> list[str]:
    return [one.shipment_id for one in order.shipments if one.status is status]


def _cause(history: History, purpose: str) -> Cause:
    """What follows from a deadline of an order follows from the order's beginning, and from nothing that somebody sent."""
    first = history.events[0]
    return Cause(
        causation_id=first.event_id,
        purpose=purpose,
        correlation_id=first.correlation_id,
        actor=Actor("service", SOURCE),
        source=SOURCE,
        traceparent=continued(first.traceparent),
    )
