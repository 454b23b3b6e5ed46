"""Polling by credit: never ask for more than can be started, with one poll when idle and several when busy."""

import math
import random
from collections.abc import Callable, Sequence

import anyio

from workers.runtime.backoff import full_jitter_s
from workers.runtime.held import Holdings
from workers.runtime.observe import EmptyReceive, PollFailed, QueueObserver, Received
from workers.runtime.pace import Pace
from workers.runtime.queue import Message, Queue, QueueError
from workers.runtime.settings import ConsumeSettings


class Poller:
    """Asks the queue for messages and hands them, with the time before the call, to `admit`."""

    def __init__(
        self,
        queue: Queue,
        holdings: Holdings,
        settings: ConsumeSettings,
        *,
        pace: Pace,
        observer: QueueObserver,
        source: random.Random,
        now_ms: Callable[[], int],
        admit: Callable[[Sequence[Message], float], None],
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._settings = settings
        self._pace = pace
        self._observer = observer
        self._source = source
        self._now_ms = now_ms
        self._admit = admit
        self._scope = anyio.CancelScope()
        self._closed = False
        self._polls = 0
        self._polls_wanted = 1
        self._credits_asked = 0
        self._not_before = -math.inf
        self._window_ends_at: float | None = None
        self.failures_in_a_row = 0
        self.answered_at: float | None = None
        """When a receive call last returned, monotonic: a worker with free credit whose value grows old is stuck."""

    @property
    def polls(self) -> int:
        """How many receive calls are under way."""
        return self._polls

    async def run(self) -> None:
        """Poll until closed, then until the polls under way have answered or their grace is over."""
        with self._scope:
            async with anyio.create_task_group() as polls:
                while not self._closed:
                    changed = self._holdings.changed
                    wait_s = self._wait_s()
                    if wait_s == math.inf:
                        await changed.wait()  # most of the time, and a scope costs more than the wait
                        continue
                    if wait_s > 0:
                        with anyio.move_on_after(wait_s):
                            await changed.wait()
                        continue
                    count = self._credits_to_ask()
                    self._polls += 1
                    self._credits_asked += count
                    self._window_ends_at = None
                    polls.start_soon(self._poll, count, name=f"{self._queue.name} poll")

    def close(self, *, grace_s: float) -> None:
        """Start no further poll; those under way have `grace_s` to answer."""
        self._closed = True
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + grace_s)
        self._holdings.notify()

    def _credits_allowed(self) -> int:
        settings = self._settings
        return min(self._pace.allowed + settings.prefetch, settings.initial_credits + self._holdings.returned)

    def _credits_to_ask(self) -> int:
        settings = self._settings
        credit = self._credits_allowed() - self._holdings.credits_taken - self._credits_asked
        room = settings.held_max - len(self._holdings) - self._credits_asked
        return max(0, min(settings.batch_size, credit, room))

    def _wait_s(self) -> float:
        """Seconds until the next poll may start, infinite until something changes."""
        count = self._credits_to_ask()
        if self._polls >= self._polls_wanted or count == 0:
            return math.inf
        now = anyio.current_time()
        if count >= min(self._settings.batch_size, math.ceil(self._credits_allowed() / 2)):
            return max(0.0, self._not_before - now)
        # Nearly all is busy: asking for one message at a time would multiply the requests.
        if self._window_ends_at is None:
            self._window_ends_at = now + self._settings.batch_window_s
        return max(0.0, self._not_before - now, self._window_ends_at - now)

    async def _poll(self, count: int) -> None:
        before = anyio.current_time()
        messages: Sequence[Message] = ()
        try:
            # The client's own read time-out comes first; this bounds a client that hangs.
            with anyio.fail_after(self._settings.wait_s + self._settings.call_timeout_s):
                messages = await self._queue.receive(
                    max_messages=count,
                    wait_s=self._settings.wait_s,
                    visibility_timeout_s=self._settings.visibility_timeout_s,
                )
        except (QueueError, TimeoutError) as error:
            self._failed(error)
        else:
            self._answered(messages, count, before)
        finally:
            self._polls -= 1
            self._credits_asked -= count
            self._holdings.notify()
        self._admit(messages, before)

    def _answered(self, messages: Sequence[Message], count: int, before: float) -> None:
        now = anyio.current_time()
        self.answered_at = now
        self.failures_in_a_row = 0
        if not messages:
            self._polls_wanted = 1
            self._observer.empty_receive(EmptyReceive(queue=self._queue.name, call_s=now - before))
            return
        grows = len(messages) >= count
        # SQS may answer with fewer than there are ("fewer messages might be returned"): most of what was asked for is no trickle.
        if 2 * len(messages) <= count:
            self._not_before = max(self._not_before, now + self._settings.gather_s)
        self._polls_wanted = (
            min(self._settings.polls_max, self._polls_wanted + 1) if grows else max(1, self._polls_wanted - 1)
        )
        oldest_age_s = max(0, self._now_ms() - min(message.sent_at_ms for message in messages)) / 1000
        self._observer.received(
            Received(queue=self._queue.name, count=len(messages), oldest_age_s=oldest_age_s, call_s=now - before)
        )

    def _failed(self, error: Exception) -> None:
        self.failures_in_a_row += 1
        self._polls_wanted = 1
        retry_in_s = full_jitter_s(
            attempt=self.failures_in_a_row,
            base_s=self._settings.poll_backoff_base_s,
            cap_s=self._settings.poll_backoff_cap_s,
            source=self._source,
        )
        self._not_before = max(self._not_before, anyio.current_time() + retry_in_s)
        self._observer.poll_failed(
            PollFailed(
                queue=self._queue.name, error=error, failures_in_a_row=self.failures_in_a_row, retry_in_s=retry_in_s
            )
        )
