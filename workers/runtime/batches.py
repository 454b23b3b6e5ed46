"""Batches small requests about held messages, and tries those that fail again until the message's visibility ends."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import anyio

from workers.runtime.backoff import full_jitter_s
from workers.runtime.held import Held
from workers.runtime.queue import BATCH_ENTRIES_MAX, QueueError

CALLS_AT_ONCE_MAX = 8
RETRY_BASE_S = 0.1
RETRY_CAP_S = 5.0

Ending = Literal["ok", "gone", "expired"]
"""The request had its effect; the receipt was gone; or the visibility ended before the request got through."""


class Batcher:
    """Sends held messages by tens, or after `linger_s`, whichever comes first.

    `send` carries out one batch and returns the messages to be tried again and those whose receipt is gone; `ended` is called once for
    each message; `failed` hears of each failure. Memory is bounded by what is held.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Held]], Awaitable[tuple[Sequence[Held], Sequence[Held]]]],
        *,
        ended: Callable[[Held, Ending], None],
        failed: Callable[[int, str], None],
        linger_s: float,
        call_timeout_s: float,
        source: random.Random,
    ) -> None:
        self._send = send
        self._ended = ended
        self._failed = failed
        self._linger_s = linger_s
        self._call_timeout_s = call_timeout_s
        self._source = source
        self._waiting: list[Held] = []
        self._pending = 0
        self._arrived = anyio.Event()
        self._full = anyio.Event()
        self._idle = anyio.Event()

    def add(self, held: Held) -> None:
        """Take it on; returns at once."""
        self._waiting.append(held)
        self._pending += 1
        self._arrived.set()
        if len(self._waiting) >= BATCH_ENTRIES_MAX:
            self._full.set()

    async def run(self) -> None:
        """Send until cancelled."""
        limiter = anyio.CapacityLimiter(CALLS_AT_ONCE_MAX)
        async with anyio.create_task_group() as batches:
            while True:
                await self._arrived.wait()
                with anyio.move_on_after(self._linger_s) as linger:
                    await self._full.wait()
                # What is left over when a batch is full lingers for company of its own.
                least = 1 if linger.cancelled_caught or self._linger_s == 0 else BATCH_ENTRIES_MAX
                while len(self._waiting) >= least:
                    batch, self._waiting = self._waiting[:BATCH_ENTRIES_MAX], self._waiting[BATCH_ENTRIES_MAX:]
                    batches.start_soon(self._deliver, batch, limiter, name="batch")
                self._full = anyio.Event()
                if not self._waiting:
                    self._arrived = anyio.Event()

    async def flush(self) -> None:
        """Send what waits without lingering, and return when all of it has ended."""
        self._linger_s = 0
        self._full.set()
        while self._pending:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _deliver(self, batch: Sequence[Held], limiter: anyio.CapacityLimiter) -> None:
        attempt = 0
        while batch:
            batch = await self._without_expired(batch)
            if not batch:
                return
            async with limiter:
                batch = await self._try(batch)
            if batch:
                attempt += 1
                await anyio.sleep(
                    full_jitter_s(attempt=attempt, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, source=self._source)
                )

    async def _without_expired(self, batch: Sequence[Held]) -> Sequence[Held]:
        kept = []
        now = anyio.current_time()
        for held in batch:
            if held.beat is not None:
                # A heartbeat that lands after this request would hide the message again.
                await held.beat.wait()
                now = anyio.current_time()
            if held.is_ours(now):
                kept.append(held)
            else:
                self._end(held, "expired")
        return kept

    async def _try(self, batch: Sequence[Held]) -> Sequence[Held]:
        again: Sequence[Held] = batch
        gone: Sequence[Held] = ()
        try:
            with anyio.fail_after(self._call_timeout_s):
                again, gone = await self._send(batch)
        except (QueueError, TimeoutError) as error:
            self._failed(len(batch), type(error).__name__)
        for held in batch:
            if held not in again:
                self._end(held, "gone" if held in gone else "ok")
        return again

    def _end(self, held: Held, ending: Ending) -> None:
        self._pending -= 1
        if not self._pending:
            self._idle.set()
        self._ended(held, ending)
