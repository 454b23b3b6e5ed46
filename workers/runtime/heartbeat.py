"""One batched heartbeat over everything held, the buffer included, and the watch over what is lost.

A heartbeat that fails is tried again and again until the message's own deadline on the monotonic clock; the message counts as lost
only then, or when the queue says that the receipt is gone. The wall clock plays no part.
"""

import math
import random
from collections.abc import Callable, Sequence

import anyio

from workers.runtime.backoff import full_jitter_s
from workers.runtime.held import CREDITED, Held, Holdings, Stage
from workers.runtime.observe import CallFailed, Extended, QueueObserver
from workers.runtime.queue import BATCH_ENTRIES_MAX, Queue, QueueError
from workers.runtime.settings import ConsumeSettings

CALLS_AT_ONCE_MAX = 8
RETRY_BASE_S = 0.5
RETRY_CAP_S = 3.0
JITTER = 0.1
"""Share of the interval by which beats vary, so that workers started together do not beat together."""


class Heartbeat:
    """Extends what is held; `on_lost` is called once for each message that could not be kept."""

    def __init__(
        self,
        queue: Queue,
        holdings: Holdings,
        settings: ConsumeSettings,
        *,
        observer: QueueObserver,
        source: random.Random,
        on_lost: Callable[[Held, str], None],
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._settings = settings
        self._observer = observer
        self._source = source
        self._on_lost = on_lost

    async def run(self) -> None:
        """Beat until cancelled."""
        failures = 0
        while True:
            failures = 0 if await self.beat() else failures + 1
            if failures:
                await anyio.sleep(
                    full_jitter_s(attempt=failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, source=self._source)
                )
            else:
                await anyio.sleep(self._settings.heartbeat_interval_s * (1 - JITTER * self._source.random()))

    async def watch(self) -> None:
        """Report messages as lost at the moment their visibility ends, until cancelled."""
        while True:
            now = anyio.current_time()
            watched = [held for held in self._holdings if held.stage in CREDITED and held.lost is None]
            for held in watched:
                if held.visible_at <= now:
                    self._lose(held, "visibility timeout")
            # One that is settled or extended meanwhile only makes this wake too early.
            await self._holdings.watch(
                min((held.visible_at for held in watched if held.lost is None), default=math.inf)
            )

    async def beat(self) -> bool:
        """Extend whatever needs it; False when some of it has to be tried again soon."""
        now = anyio.current_time()
        due = sorted(
            (held for held in self._holdings if self._needs_extending(held, now)), key=lambda held: held.visible_at
        )
        if not due:
            return True
        failed: list[Held] = []
        limiter = anyio.CapacityLimiter(CALLS_AT_ONCE_MAX)
        async with anyio.create_task_group() as calls:
            for first in range(0, len(due), BATCH_ENTRIES_MAX):
                calls.start_soon(
                    self._extend, due[first : first + BATCH_ENTRIES_MAX], failed, limiter, name="heartbeat call"
                )
        return not failed

    def _needs_extending(self, held: Held, now: float) -> bool:
        # Extending at half of the visibility timeout leaves the other half for retries, and short work costs no call.
        remaining_s = held.visible_at - now
        early_s = self._settings.visibility_timeout_s / 2 + self._settings.heartbeat_interval_s
        kept = held.stage in CREDITED or held.stage is Stage.DELETING
        return kept and held.lost is None and 0 < remaining_s <= early_s and now < held.hold_until

    async def _extend(self, batch: Sequence[Held], failed: list[Held], limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            # What was settled while this call waited for its turn must not be hidden again.
            batch = [held for held in batch if self._needs_extending(held, anyio.current_time())]
            if not batch:
                return
            ended = anyio.Event()
            for held in batch:
                held.beat = ended
            try:
                failed.extend(await self._call(batch))
            finally:
                for held in batch:
                    held.beat = None
                ended.set()

    async def _call(self, batch: Sequence[Held]) -> Sequence[Held]:
        visibility_s = self._settings.visibility_timeout_s
        before = anyio.current_time()
        receipts = {held.message.receipt: held for held in batch}
        try:
            with anyio.fail_after(self._settings.call_timeout_s):
                failures = await self._queue.change_visibility([(held.message, visibility_s) for held in batch])
        except (QueueError, TimeoutError) as error:
            reason = type(error).__name__
            self._observer.heartbeat_failed(CallFailed(queue=self._queue.name, count=len(batch), reason=reason))
            return batch
        again: list[Held] = []
        for failure in failures:
            held = receipts.pop(failure.message.receipt)
            self._observer.heartbeat_failed(CallFailed(queue=self._queue.name, count=1, reason=failure.reason))
            if not failure.gone:
                again.append(held)
            elif held.message.receipt == failure.message.receipt and held.stage in CREDITED:
                self._lose(held, failure.reason)
        for receipt, held in receipts.items():
            if held.message.receipt == receipt:  # a newer receipt has a visibility of its own
                held.visible_at = before + visibility_s
                self._holdings.expires(held)
        if receipts:
            self._observer.extended(Extended(queue=self._queue.name, count=len(receipts)))
        return again

    def _lose(self, held: Held, reason: str) -> None:
        held.lost = reason
        self._on_lost(held, reason)
