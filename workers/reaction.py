"""How every worker reacts: a message is a hint, the order is read, steps are taken until the order wants nothing more.

EventNotInOrder              the message names an event that is not in the order's log
OutOfStep                    a step was taken and the log did not grow: another writer is at odds with us
SimulatedTechnicalFailure    the order's test hook asks this worker to fail (sandbox only, E095)
"""

from abc import ABC, abstractmethod
from typing import Final

from orderstore.domain.events import Event, OrderCreated
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Actor, Cause
from orderstore.tracing import continued
from workers.envelope import Envelope, parse_envelope
from workers.observe import SilentWorkerObserver, WorkerObserver
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message

# Each step is an event in the order; what is left after so many waits for the message's next delivery.
STEPS_MAX: Final = 32


class EventNotInOrder(Exception):
    """The order exists, but not the event that the message tells of."""


class OutOfStep(Exception):
    """What a port answered and what the log says do not fit together yet; a later look will settle it, or a person must."""


class SimulatedTechnicalFailure(Exception):
    """The order's test hook asks this worker to fail."""


class OrderWorker:
    """What every handler begins with: the envelope, the order as the log has it now, and the sandbox's test hook."""

    def __init__(self, orders: Orders, *, worker: str, sandbox: bool, observer: WorkerObserver | None = None) -> None:
        self._orders = orders
        self._worker = worker
        self._sandbox = sandbox
        self._observer: WorkerObserver = observer or SilentWorkerObserver()

    async def _read(self, message: Message) -> tuple[Envelope, History]:
        """Raises MalformedMessage, UnknownOrder, SimulatedTechnicalFailure, StoreError."""
        envelope = parse_envelope(message.body)
        history = await self._orders.load(envelope.order_id)
        self._fail_if_asked(placed(history).order)
        return envelope, history

    def _fail_if_asked(self, order: OrderCreated) -> None:
        """Hooks stand in an order only if the door let them in; outside the sandbox they mean nothing here either."""
        hooks = order.hooks
        if self._sandbox and hooks is not None and hooks.technical_failure == self._worker:
            raise SimulatedTechnicalFailure(f"the order asks the {self._worker} worker to fail")


class Reaction(OrderWorker, ABC):
    """The handler of one queue. A subclass says what one step is; it must be safe to repeat at any point."""

    async def __call__(self, message: Message) -> Outcome:
        """Do what the order wants. Raises: see `workers/classify.py` for what becomes of each error."""
        envelope = parse_envelope(message.body)
        history = await self._wanting(envelope)
        if history is None:
            self._observer.nothing_to_do(self._worker, envelope.event_type)
            return Done()
        for steps_taken in range(STEPS_MAX):
            taken = await self._step(history, envelope)
            if taken is None:
                if steps_taken == 0:
                    self._observer.nothing_to_do(self._worker, envelope.event_type)
                return Done()
            if not isinstance(taken, History):
                return taken
            if _length(taken) <= _length(history):
                state = type(history.state).__name__
                raise OutOfStep(f"the {self._worker} step of an order that is {state} added nothing")
            history = taken
        raise OutOfStep(f"an order wanted more than {STEPS_MAX} {self._worker} steps in a row")

    async def _wanting(self, envelope: Envelope) -> History | None:
        """The order's whole history; None for a very long order of which a snapshot already says that it wants nothing here."""
        order = await self._orders.look(envelope.order_id)
        self._fail_if_asked(placed(order).order)
        if isinstance(order, History):
            return order
        return await self._orders.load(envelope.order_id) if self._may_want(order.state) else None

    def _caused_by(
        self,
        history: History,
        event_type: type[Event] | tuple[type[Event], ...],
        purpose: str,
        **about: str | None,
    ) -> Cause:
        """The cause of an outcome: the event in the log that made the step necessary, whichever message brought us here. `about` names the
        refund or the parcel (`refund_id`, `shipment_id`) that the event must be about; None: whichever.

        So an outcome has the same id however its work was come by (E072), and history names the true cause.
        """
        for recorded in reversed(history.events):
            event = recorded.event
            if isinstance(event, event_type) and all(
                value is None or getattr(event, name, None) == value for name, value in about.items()
            ):
                return Cause(
                    causation_id=recorded.event_id,
                    purpose=purpose,
                    correlation_id=recorded.correlation_id,
                    actor=Actor("service", self._worker),
                    source=self._worker,
                    traceparent=continued(recorded.traceparent),
                )
        raise OutOfStep(f"nothing in the log asks for {purpose}")

    @abstractmethod
    def _may_want(self, state: State) -> bool:
        """Whether an order in this state may want a step; if not, its history need not be read."""

    @abstractmethod
    async def _step(self, history: History, envelope: Envelope) -> History | Outcome | None:
        """Take the next step and return the grown history; None when the order wants nothing; an outcome ends it here."""


def _length(history: History) -> int:
    return 0 if history.head is None else history.head.number
