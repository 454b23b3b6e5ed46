"""The notification worker's handler: each event that somebody is told of is told by every channel that is meant for it, each on its own.

The channels are decided once, before the first record of the event is written, and stand in every record of it: a redelivery after the
settings were changed tells the same people by the same ways. A channel that fails is tried again without the others, and one that is
slow holds none of them up.
"""

from collections.abc import Callable, Sequence

import anyio

from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Recorded
from workers.notification.records import FINAL_STATES, Notification, NotificationRecords
from workers.notification.routes import Plan, Routes
from workers.notification.telling import Occasion, Telling
from workers.observe import WorkerObserver
from workers.reaction import EventNotInOrder, OrderWorker
from workers.runtime.outcome import Defer, Done, Handler, Outcome
from workers.runtime.queue import Message

CHANNEL_OFF = "channel_off"
"""The reason of a record whose channel is no longer configured."""

Guard = Callable[[Handler, str], Handler]
"""Puts a breaker around one channel: (handler, channel) -> handler. So an outage of one is not taken for an outage of all."""


class Turn(Message, frozen=True, kw_only=True):
    """A message, as one channel has it before it."""

    channel: str
    plan: Plan
    occasion: Occasion
    known: Notification | None


class NotificationHandler(OrderWorker):
    """Tells. Without a `guard`, the errors of a channel come out as they are."""

    def __init__(
        self,
        orders: Orders,
        *,
        records: NotificationRecords,
        routes: Routes,
        telling: Telling,
        sandbox: bool,
        guard: Guard | None = None,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="notification", sandbox=sandbox, observer=observer)
        self._records = records
        self._routes = routes
        self._telling = telling
        self._guard = guard
        self._turns: dict[str, Handler] = {}

    async def __call__(self, message: Message) -> Outcome:
        """Send the event's notifications, once each. Raises: see `workers/classify.py`."""
        envelope, history = await self._read(message)
        planned = self._routes.plan(envelope.event_type)
        if planned is None:
            return Done()
        occasion = _occasion(history, _find(history, envelope.event_id))
        standing = await self._records.of_event(occasion.order.order_id, occasion.event.event_id)
        if not standing and self._is_short_lived(planned.channels[0]):
            standing = (await self._begin(occasion, planned, planned.channels[0]),)
        plan = planned
        if standing:
            # What stands was decided before; records from before there were several channels stand for themselves.
            plan = Plan(planned.template, standing[0].channels or (standing[0].channel,))
        known = {record.channel: record for record in standing}
        turns = [_turn(message, name, plan, occasion, known.get(name)) for name in plan.channels]
        outcomes = await self._take(turns)
        told_before = bool(standing) and standing[0].state in FINAL_STATES
        if told_before and all(isinstance(outcome, Done) for outcome in outcomes):
            self._observer.nothing_to_do("notification", envelope.event_type)
        return _sum(outcomes)

    async def _take(self, turns: Sequence[Turn]) -> list[Outcome]:
        """Every channel's turn, side by side. The first trouble comes out when all are through."""
        outcomes: list[Outcome] = []
        troubles: list[Exception] = []

        async def take(turn: Turn) -> None:
            try:
                outcomes.append(await self._turn_of(turn.channel)(turn))
            except Exception as error:  # noqa: BLE001 - whatever it is, the other channels' turns come first
                troubles.append(error)

        if len(turns) == 1:
            await take(turns[0])
        else:
            async with anyio.create_task_group() as group:
                for turn in turns:
                    group.start_soon(take, turn, name=f"tell by {turn.channel}")
        if troubles:
            raise troubles[0]
        return outcomes

    def _turn_of(self, channel: str) -> Handler:
        """One handler per channel for the life of the process: its breaker remembers."""
        if channel not in self._turns:
            self._turns[channel] = self._tell if self._guard is None else self._guard(self._tell, channel)
        return self._turns[channel]

    async def _tell(self, turn: Message) -> Outcome:
        if not isinstance(turn, Turn):
            raise TypeError("a channel has turns, no messages")
        channel = self._routes.channel(turn.channel)
        known = turn.known
        if known is None and channel is not None and channel.patience_s is not None:
            known = await self._begin(turn.occasion, turn.plan, turn.channel)
        new = _new(turn.occasion, turn.plan, turn.channel)
        if channel is None:
            return await self._telling.end(known or new, CHANNEL_OFF)
        if known is None:
            return await self._telling.begin(new, channel, turn.occasion)
        return await self._telling.tell(known, channel, turn.occasion)

    def _is_short_lived(self, name: str) -> bool:
        """Whether there is soon no point in telling by this channel: its time runs from when the event was first heard of, also while its
        breaker is open."""
        channel = self._routes.channel(name)
        return channel is not None and channel.patience_s is not None

    async def _begin(self, occasion: Occasion, plan: Plan, channel: str) -> Notification:
        new = _new(occasion, plan, channel)
        return await self._records.begin(
            new.order,
            new.notification,
            template=new.template,
            channel=new.channel,
            subject=new.subject,
            channels=new.channels,
        )


def occasion_of(history: History, event_id: str) -> Occasion:
    """An event of an order, ready to be told of. Raises EventNotInOrder."""
    return _occasion(history, _find(history, event_id))


def _new(occasion: Occasion, plan: Plan, channel: str) -> Notification:
    """A record that nobody has written yet."""
    contact = occasion.order.contact
    return Notification(
        order=occasion.order.order_id,
        notification=f"{occasion.event.event_id}:{channel}",
        channel=channel,
        template=plan.template,
        state="pending",
        channels=plan.channels,
        subject="" if contact is None else contact.subject,
    )


def _occasion(history: History, recorded: Recorded) -> Occasion:
    return Occasion(order=placed(history).order, stream=history.stream, event=recorded)


def _find(history: History, event_id: str) -> Recorded:
    for recorded in history.events:
        if recorded.event_id == event_id:
            return recorded
    raise EventNotInOrder(f"the order has no event {event_id}")


def _turn(message: Message, channel: str, plan: Plan, occasion: Occasion, known: Notification | None) -> Turn:
    return Turn(
        id=f"{message.id}:{channel}",
        receipt=message.receipt,
        body=message.body,
        attributes=message.attributes,
        receive_count=message.receive_count,
        sent_at_ms=message.sent_at_ms,
        channel=channel,
        plan=plan,
        occasion=occasion,
        known=known,
    )


def _sum(outcomes: Sequence[Outcome]) -> Outcome:
    """Done when all are; else what asks to be looked at again first."""
    unfinished = [outcome for outcome in outcomes if not isinstance(outcome, Done)]
    waits = [outcome.after_s for outcome in unfinished if isinstance(outcome, Defer)]
    others = [outcome for outcome in unfinished if not isinstance(outcome, Defer)]
    if others:
        return others[0]
    return Defer(min(waits)) if waits else Done()
