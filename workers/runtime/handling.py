"""From a received message to its outcome: duplicates, bounded concurrency, order within a group, the handler's deadline, deferral."""

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Final

import anyio
from anyio.abc import TaskGroup

from workers.runtime.acks import Acks
from workers.runtime.held import Held, Holdings, Stage
from workers.runtime.lanes import Lanes
from workers.runtime.observe import DuplicateDropped, QueueObserver, Started
from workers.runtime.outcome import Classify, Defer, Handler, Outcome, Retry
from workers.runtime.pace import Pace
from workers.runtime.queue import Message
from workers.runtime.seats import Seat
from workers.runtime.settings import ConsumeSettings
from workers.runtime.settle import Settler

STOOD_STILL_S = 0.02
"""A deadline is noticed within a few milliseconds, unless the process stands still."""
STALLS_MAX = 3
"""Stalls that a message is forgiven."""


IDLE_TASKS_MAX: Final = 64
"""Tasks that are kept for the next message, not more: after a burst most of them end."""


class Handling:
    """Runs the handler on as many messages at once as the pace allows; the others wait in a buffer bounded by the credits."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        settings: ConsumeSettings,
        *,
        holdings: Holdings,
        acks: Acks,
        settler: Settler,
        pace: Pace,
        observer: QueueObserver,
        classify: Classify,
        stopped_at: Callable[[], float | None],
    ) -> None:
        self._name = name
        self._handler = handler
        self._settings = settings
        self._holdings = holdings
        self._acks = acks
        self._settler = settler
        self._pace = pace
        self._observer = observer
        self._classify = classify
        self._stopped_at = stopped_at
        self._stopping = anyio.Event()
        self._patient = True
        self._buffer: deque[Held] = deque()
        self._lanes = Lanes(ordered=settings.ordered)
        self._tasks: TaskGroup | None = None
        self._running: dict[Held, float] = {}
        self._idle: list[Seat] = []

    @property
    def running(self) -> int:
        """Handlers at work."""
        return len(self._running)

    @property
    def oldest_began_at(self) -> float | None:
        """When the handler began that has been at work longest, monotonic; None while none is."""
        return next(iter(self._running.values()), None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits to."""
        return not self._running and not self._buffer

    def open(self, tasks: TaskGroup) -> None:
        """Start handlers in `tasks` from now on."""
        self._tasks = tasks

    def close(self) -> None:
        """Give back what has not started, now and from now on."""
        self._stopping.set()
        self._start_more()
        while self._idle:
            self._idle.pop().begin(None)
        now = anyio.current_time()
        for held in self._lanes.waiting():
            # What an earlier one of its lane took along is in no lane any more.
            if self._lanes.is_waiting(held) and (reason := self._too_late(held, now)) is not None:
                self._give_back(held, reason)

    def abandon(self) -> None:
        """Start nothing more, not even what is on its last receive."""
        self._patient = False
        self._start_more()

    def admit(self, messages: Sequence[Message], before: float) -> None:
        """Take on what a receive call made at `before` returned."""
        visible_at = before + self._settings.visibility_timeout_s
        hold_until = before + self._settings.heartbeat_cap_s
        for message in messages:
            held = Held(message, received_at=before, visible_at=visible_at, hold_until=hold_until)
            present = self._holdings.find(message.id)
            if self._acks.is_settled(message.id):
                self._settler.drop_duplicate(held)
            elif present is not None and present.stage is not Stage.RETURNING:
                present.adopt(message, visible_at=visible_at)
                self._holdings.expires(present)
                self._observer.duplicate_dropped(
                    DuplicateDropped(queue=self._name, message_id=message.id, cause="held")
                )
            else:
                # New, or given back and here again before the queue has said so: what is being given back is soon forgotten.
                self._holdings.add(held)
                if self._lanes.join(held):
                    self._buffer.append(held)
        self._start_more()

    def lost(self, held: Held, reason: str) -> None:
        """Its visibility is lost: cancel whatever goes on for it."""
        if held.stage is Stage.BUFFERED:
            if not self._lanes.is_waiting(held):
                self._buffer.remove(held)
            self._settler.lost(held, reason)
            self._hold_back(self._lanes.cut(held))
        else:
            held.cancel("lost")

    def _give_back(self, held: Held, reason: str, after_s: float = 0) -> None:
        """Unstarted, or not finished; with what waits behind it."""
        self._settler.give_back(held, reason, after_s)
        self._hold_back(self._lanes.cut(held))

    def _hold_back(self, behind: Sequence[Held]) -> None:
        for held in behind:
            self._settler.give_back(held, "behind another of its group")

    def _advance(self, held: Held) -> None:
        """Its work has come to an end here: the next of its group may start, unless this one comes again before it."""
        # After its last receive it goes to the dead letters, so nothing behind it has to wait; given back, those would go there unread.
        last_receive = held.message.receive_count >= self._settings.receive_count_max
        if held.stage is Stage.DELETING or last_receive:
            following = self._lanes.leave(held)
            if following is not None:
                self._buffer.append(following)
        else:
            self._hold_back(self._lanes.cut(held))

    def _start_more(self) -> None:
        if not self._buffer or self._tasks is None:
            return
        now = anyio.current_time()
        while (held := self._take(now)) is not None:
            if self._idle:
                self._idle.pop().begin(held)
            else:
                self._tasks.start_soon(self._work, held, name=f"{self._name} handler")

    def _take(self, now: float) -> Held | None:
        """The next that may start, which counts as running from now on; what it is too late for is given back on the way."""
        while self._buffer:
            reason = self._too_late(self._buffer[0], now)
            if reason is not None:
                self._give_back(self._buffer.popleft(), reason)
            elif len(self._running) < self._pace.allowed:
                held = self._buffer.popleft()
                self._running[held] = now
                self._holdings.move(held, Stage.RUNNING)
                return held
            else:
                return None
        return None

    def _too_late(self, held: Held, now: float) -> str | None:
        """Why it must not be started any more, if so."""
        deadline_s = self._settings.handler_deadline_s
        if now + deadline_s > held.visible_at:
            return "too little visibility left"
        stopped_at = self._stopped_at()
        if stopped_at is not None:
            # One more receive would dead-letter it unread, so its last chance is here, however little time is left.
            last_chance = held.message.receive_count >= self._settings.receive_count_max
            if not last_chance or not self._patient or now >= stopped_at + self._settings.drain_budget_s:
                return "stopping"
        return None

    async def _work(self, held: Held | None) -> None:
        """Handle one message after another: to start a task costs more than all that the loop does for a quick handler."""
        found = copy_context()
        while held is not None:
            again_after_s = await self._handle(held)
            if again_after_s is not None:
                await self._defer(held, again_after_s)
                return
            if copy_context() != found:
                return  # what a handler leaves in its context is not for the next message
            held = (self._take(anyio.current_time()) if self._buffer else None) or await self._next()

    async def _next(self) -> Held | None:
        """Wait for a message; None when this task is not needed any more."""
        if self._stopping.is_set() or len(self._idle) >= IDLE_TASKS_MAX:
            return None
        seat = Seat()
        self._idle.append(seat)
        try:
            await seat.taken.wait()
        finally:
            if seat in self._idle:  # cancelled
                self._idle.remove(seat)
        return seat.held

    async def _handle(self, held: Held) -> float | None:
        """Run the handler and settle; the seconds to wait when it is to be called again."""
        began_at = self._running[held]
        try:
            again_after_s = await self._attempt(held)
        finally:
            del self._running[held]
            self._holdings.notify()
        done = held.stage is Stage.DELETING
        self._pace.ended(began_at=began_at, now=anyio.current_time(), done=done, beside=len(self._running))
        # Not reached by a cancellation: what waits then must not start.
        self._holdings.returned += 1
        if again_after_s is None:
            self._advance(held)
        self._start_more()
        return again_after_s

    async def _attempt(self, held: Held) -> float | None:
        started_at = anyio.current_time()
        message = held.message
        self._observer.started(
            Started(
                queue=self._name,
                message_id=message.id,
                receive_count=message.receive_count,
                waited_s=started_at - held.received_at,
                age_s=self._settler.age_s(held),
            )
        )
        outcome: Outcome = Retry(reason=f"handler deadline of {self._settings.handler_deadline_s:g} s")
        error: Exception | None = None
        with anyio.CancelScope(deadline=started_at + self._settings.handler_deadline_s) as scope:
            held.scope = scope
            try:
                outcome = await self._handler(message)
            except Exception as raised:  # noqa: BLE001 - whatever a handler raises is classified; the loop lives on
                outcome, error = self._classify(raised), raised
        held.scope = None
        if scope.cancelled_caught and held.stopped and held.is_ours():
            self._settler.give_back(held, "stopping")
            return None
        if scope.cancelled_caught and self._stood_still(held, started_at):
            outcome = Defer(0)
        return await self._settler.settle(held, outcome, started_at=started_at, error=error)

    def _stood_still(self, held: Held, started_at: float) -> bool:
        """Whether its deadline was noticed too late to be the handler's fault: the process was paused, or got no time to run.

        Then no guard inside the handler had a chance either. It is called again and no receive is burnt, but not for ever: a handler
        that blocks the whole process looks the same.
        """
        late_s = anyio.current_time() - started_at - self._settings.handler_deadline_s
        if held.stopped or late_s < STOOD_STILL_S or held.stalls >= STALLS_MAX:
            return False
        held.stalls += 1
        return True

    async def _defer(self, held: Held, after_s: float) -> None:
        """Keep it, without a handler's place, until its time has come."""
        self._holdings.move(held, Stage.DEFERRED)
        call_at = anyio.current_time() + after_s
        with anyio.CancelScope(deadline=call_at) as scope:
            held.scope = scope
            await self._stopping.wait()
        held.scope = None
        if not held.is_ours():
            self._settler.lost(held, held.lost or "visibility timeout")
            self._hold_back(self._lanes.cut(held))
        elif self._stopping.is_set():
            self._give_back(held, "stopping", max(0.0, call_at - anyio.current_time()))
        else:
            self._holdings.move(held, Stage.BUFFERED)
            self._buffer.append(held)
            self._start_more()
