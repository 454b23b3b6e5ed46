"""From a received message to its outcome: duplicates, bounded concurrency, the handler's deadline, deferral."""

from collections import deque
from collections.abc import Callable, Sequence

import anyio
from anyio.abc import TaskGroup

from workers.runtime.acks import Acks
from workers.runtime.held import Held, Holdings, Stage
from workers.runtime.observe import DuplicateDropped, QueueObserver, Started
from workers.runtime.outcome import Classify, Handler, Outcome, Retry
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings
from workers.runtime.settle import Settler


class Handling:
    """Runs the handler on at most `concurrency` messages at once; the others wait in a buffer bounded by the credits."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        settings: ConsumeSettings,
        *,
        holdings: Holdings,
        acks: Acks,
        settler: Settler,
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
        self._observer = observer
        self._classify = classify
        self._stopped_at = stopped_at
        self._stopping = anyio.Event()
        self._buffer: deque[Held] = deque()
        self._tasks: TaskGroup | None = None
        self.running = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits to."""
        return not self.running and not self._buffer

    def open(self, tasks: TaskGroup) -> None:
        """Start handlers in `tasks` from now on."""
        self._tasks = tasks

    def close(self) -> None:
        """Give back what has not started, now and from now on."""
        self._stopping.set()
        self._start_more()

    def admit(self, messages: Sequence[Message], before: float) -> None:
        """Take on what a receive call made at `before` returned."""
        for message in messages:
            visible_at = before + self._settings.visibility_timeout_s
            hold_until = before + self._settings.heartbeat_cap_s
            held = Held(message, received_at=before, visible_at=visible_at, hold_until=hold_until)
            present = self._holdings.find(message.id)
            if self._acks.is_settled(message.id):
                self._settler.drop_duplicate(held)
            elif present is not None and present.stage is not Stage.RETURNING:
                present.adopt(message, visible_at=visible_at)
                self._observer.duplicate_dropped(
                    DuplicateDropped(queue=self._name, message_id=message.id, cause="held")
                )
            else:
                # New, or given back and here again before the queue has said so: what is being given back is soon forgotten.
                self._holdings.add(held)
                self._buffer.append(held)
        self._start_more()

    def lost(self, held: Held, reason: str) -> None:
        """Its visibility is lost: cancel whatever goes on for it."""
        if held.stage is Stage.BUFFERED:
            self._buffer.remove(held)
            self._settler.lost(held, reason)
        else:
            held.cancel("lost")

    def _start_more(self) -> None:
        while self._buffer and self._tasks is not None:
            reason = self._too_late(self._buffer[0])
            if reason is not None:
                self._settler.give_back(self._buffer.popleft(), reason)
            elif self.running < self._settings.concurrency:
                held = self._buffer.popleft()
                self.running += 1
                self._holdings.move(held, Stage.RUNNING)
                self._tasks.start_soon(self._handle, held, name=f"{self._name} {held.message.id}")
            else:
                return

    def _too_late(self, held: Held) -> str | None:
        """Why it must not be started any more, if so."""
        now = anyio.current_time()
        deadline_s = self._settings.handler_deadline_s
        if now + deadline_s > held.visible_at:
            return "too little visibility left"
        stopped_at = self._stopped_at()
        if stopped_at is not None:
            # One more receive would dead-letter it unread, so its last chance is here, however little time is left.
            last_chance = held.message.receive_count >= self._settings.receive_count_max
            if not last_chance or now >= stopped_at + self._settings.drain_budget_s:
                return "stopping"
        return None

    async def _handle(self, held: Held) -> None:
        try:
            again_after_s = await self._attempt(held)
        finally:
            self.running -= 1
            self._holdings.notify()
        # Not reached by a cancellation: what waits then must not start.
        self._holdings.returned += 1
        self._start_more()
        if again_after_s is not None:
            await self._defer(held, again_after_s)

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
        return await self._settler.settle(held, outcome, started_at=started_at, error=error)

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
        elif self._stopping.is_set():
            self._settler.give_back(held, "stopping", max(0.0, call_at - anyio.current_time()))
        else:
            self._holdings.move(held, Stage.BUFFERED)
            self._buffer.append(held)
            self._start_more()
