"""The sender's loop: for each endpoint it finds what is due and attempts it, a few at once, whatever the other endpoints do.

Any number of processes may run it: claims decide who sends. Nothing is remembered here that the tables do not know.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from workers.webhooks.attempting import Attempts
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.delivery import is_test
from workers.webhooks.endpoints import KnownEndpoints
from workers.webhooks.lane import LOOK_EVERY_S, LOOK_LIMIT, Lane
from workers.webhooks.observe import WebhookObserver

LOOKS_AT_ONCE_MAX: Final = 16
# An attempt is given its time-out, and what it takes to write its outcome down.
DRAIN_S: Final = 30.0

_log: Final = structlog.get_logger("workers.webhooks")


class Dispatcher:
    """A part of the service: runs until stopped, and then lets attempts under way come to their end."""

    name = "webhook sender"
    able = True

    def __init__(
        self,
        deliveries: Deliveries,
        known: KnownEndpoints,
        attempts: Attempts,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: WebhookObserver,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._deliveries = deliveries
        self._known = known
        self._attempts = attempts
        self._now_ms = now_ms
        self._random = random
        self._observer = observer
        self._look_every_s = look_every_s
        self._lanes: dict[str, Lane] = {}
        self._tasks: TaskGroup | None = None
        self._changed = anyio.Event()
        self._stopping = False
        self._looks = anyio.CapacityLimiter(LOOKS_AT_ONCE_MAX)

    def offer(self, endpoint: str, delivery: str) -> None:
        """A delivery that was just written down: attempted at once, if this process has the time."""
        if self._tasks is not None and not self._stopping:
            self._lane(endpoint).offer(delivery)
            self._changed.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Find and attempt what is due until `stop`."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                task_status.started()
                while not self._stopping:
                    pause_s = self._pause_s() if await self._round(tasks) else self._known.kept_s
                    with anyio.move_on_after(pause_s):
                        await self._changed.wait()
                    self._changed = anyio.Event()
                with anyio.move_on_after(DRAIN_S):
                    while any(lane.running for lane in self._lanes.values()):
                        await self._changed.wait()
                        self._changed = anyio.Event()
                tasks.cancel_scope.cancel()
        finally:
            self._tasks = None

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping = True
        self._changed.set()

    def stop_now(self) -> None:
        """Attempts under way are cut: they are made again when their claims are over."""
        self.stop()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _round(self, tasks: TaskGroup) -> bool:
        """Begin what is due; False when nobody can say which endpoints there are."""
        try:
            endpoints = await self._known.all()
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender goes on
            self._trouble(error)
            return False
        enabled = [endpoint for endpoint in endpoints if endpoint.state == "enabled"]
        failing = sum(1 for endpoint in enabled if endpoint.failing_since_ms)
        self._observer.endpoints(enabled=len(enabled), disabled=len(endpoints) - len(enabled), failing=failing)
        for endpoint in endpoints:
            self._lane(endpoint.id)  # a disabled one's too: what falls due there is put aside
        named = {endpoint.id for endpoint in endpoints}
        for gone in [name for name, lane in self._lanes.items() if name not in named and not lane.running]:
            del self._lanes[gone]
        now = anyio.current_time()
        for lane in list(self._lanes.values()):
            self._start(lane, tasks)
            if lane.wants_to_look_for_tests(now):
                lane.looking = True
                tasks.start_soon(self._look_for_tests, lane, tasks, name=f"look for tests of {lane.endpoint}")
            elif lane.wants_to_look(now):
                lane.looking = True
                tasks.start_soon(self._look, lane, tasks, name=f"look for what is due at {lane.endpoint}")
        # Of those that answer: what waits for one that does not is late through its own fault, and told by `failing`.
        well = [lane for lane in self._lanes.values() if lane.breaker.is_closed]
        oldest = min((lane.oldest_due_at_ms for lane in well if lane.oldest_due_at_ms is not None), default=None)
        self._observer.oldest_due(0.0 if oldest is None else max(0.0, (self._now_ms() - oldest) / 1000))
        return True

    async def _look(self, lane: Lane, tasks: TaskGroup) -> None:
        try:
            async with self._looks:
                found = await self._deliveries.due(lane.endpoint, limit=LOOK_LIMIT)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender goes on
            self._trouble(error)
            lane.look_at = anyio.current_time() + self._look_every_s
        else:
            lane.looked(found, now=anyio.current_time(), now_ms=self._now_ms())
            self._start(lane, tasks)
        finally:
            lane.looking = False
            self._changed.set()

    async def _look_for_tests(self, lane: Lane, tasks: TaskGroup) -> None:
        try:
            async with self._looks:
                found = await self._deliveries.due_last(lane.endpoint, limit=LOOK_LIMIT)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender goes on
            self._trouble(error)
            lane.test_look_at = anyio.current_time() + self._look_every_s
        else:
            lane.looked_for_tests(found, now=anyio.current_time())
            self._start(lane, tasks)
        finally:
            lane.looking = False
            self._changed.set()

    def _start(self, lane: Lane, tasks: TaskGroup) -> None:
        while not self._stopping and (delivery := lane.next(anyio.current_time())) is not None:
            tasks.start_soon(self._attempt, lane, delivery, tasks, name=f"webhook {delivery}")

    async def _attempt(self, lane: Lane, delivery: str, tasks: TaskGroup) -> None:
        try:
            result = await self._attempts.make(delivery)
        except Exception as error:  # noqa: BLE001 - one delivery must not end the others; its claim expires
            self._trouble(error)
            result = None
        finally:
            lane.running.discard(delivery)
        now = anyio.current_time()
        if is_test(delivery) and (result is None or not result.ok):
            if result is not None and result.due_in_s is not None:
                lane.soon(result.due_in_s, now)  # the breaker did not let it through, and learns nothing bad of it
        elif result is None:
            lane.breaker.nothing_sent()
        elif result.ok:
            lane.breaker.succeeded()
        else:
            pause_s = lane.breaker.failed(now, pause_s=result.pause_s)
            if pause_s is not None:
                lane.hold()
                self._observer.throttled(lane.endpoint, for_s=pause_s)
            if result.due_in_s is not None:
                lane.soon(result.due_in_s, now)
        self._start(lane, tasks)
        self._changed.set()

    def _pause_s(self) -> float:
        """Until some lane has something to do, or a new endpoint may be there."""
        now = anyio.current_time()
        times = (lane.next_at(now) for lane in self._lanes.values())
        return min([self._known.kept_s, *(max(0.0, time - now) for time in times if time is not None)])

    def _lane(self, endpoint: str) -> Lane:
        if endpoint not in self._lanes:
            self._lanes[endpoint] = Lane(endpoint, self._random, look_every_s=self._look_every_s)
        return self._lanes[endpoint]

    def _trouble(self, error: Exception) -> None:
        self._observer.trouble(error)
        _log.warning("webhooks wait", error=f"{type(error).__module__}.{type(error).__qualname__}")
