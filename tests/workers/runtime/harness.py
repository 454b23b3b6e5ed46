"""What the consume loop's tests share: a queue whose faults can be dialled, a recording observer, a loop under a task group."""

import random
from collections import deque
from contextlib import asynccontextmanager

import anyio
import msgspec

from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.queue import FailedEntry, Throttled
from workers.runtime.settings import ConsumeSettings

SEED = 20_260_101
EPOCH_MS = 1_767_225_600_000


class WallClock:
    """The wall clock, which a test may set wrong; it moves with virtual time."""

    def __init__(self):
        self.offset_ms = 0

    def __call__(self):
        return EPOCH_MS + self.offset_ms + int(anyio.current_time() * 1000)


class Recorder:
    """An observer that keeps every detail by the fact's name."""

    def __init__(self):
        self.facts = {}

    def __getattr__(self, name):
        return lambda detail: self.facts.setdefault(name, []).append(detail)

    def of(self, name):
        return self.facts.get(name, [])


class FaultyQueue:
    """`MemoryQueue` behind a door that can jam.

    `failing[method]` is a time until which the method raises, or a list of errors to raise one by one (None lets a call pass);
    `refuse` names receipts' message ids whose next deletion fails; `calls` counts and `deleted` lists what got through.
    """

    def __init__(self, inner, dead):
        self.inner = inner
        self.dead = dead
        self.failing = {}
        self.error = Throttled("slow down")
        self.refuse = []
        self.calls = []
        self.deleted = []
        self.asked = []
        self.receives_under_way = 0
        self.receives_under_way_max = 0
        self.duplicate_within_batch = False
        self.hang_s = {}

    @property
    def name(self):
        return self.inner.name

    async def _door(self, method):
        self.calls.append((method, anyio.current_time()))
        if method in self.hang_s:
            await anyio.sleep(self.hang_s[method])
        failing = self.failing.get(method)
        if isinstance(failing, deque):
            error = failing.popleft() if failing else None
            if error is not None:
                raise error
        elif failing is not None and anyio.current_time() < failing:
            raise self.error

    async def receive(self, *, max_messages, wait_s, visibility_timeout_s):
        await self._door("receive")
        self.asked.append(max_messages)
        self.receives_under_way += 1
        self.receives_under_way_max = max(self.receives_under_way_max, self.receives_under_way)
        try:
            messages = list(
                await self.inner.receive(
                    max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s
                )
            )
        finally:
            self.receives_under_way -= 1
        if self.duplicate_within_batch:
            messages = [
                copy for m in messages for copy in (msgspec.structs.replace(m, receipt=m.receipt + "/older"), m)
            ]
        return messages

    async def delete(self, messages):
        assert 1 <= len(messages) <= 10
        await self._door("delete")
        refused = [m for m in messages if m.id in self.refuse]
        for message in refused:
            self.refuse.remove(message.id)
        passed = [m for m in messages if m not in refused]
        self.deleted.extend(passed)
        failed = [FailedEntry(message=m, reason="InternalError", gone=False) for m in refused]
        return [*failed, *(await self.inner.delete(passed) if passed else ())]

    async def change_visibility(self, changes):
        assert 1 <= len(changes) <= 10
        await self._door("change_visibility")
        return await self.inner.change_visibility(changes)

    async def dead_letter(self, message, reason):
        await self._door("dead_letter")
        await self.inner.dead_letter(message, reason)

    async def depths(self):
        return await self.inner.depths()


def make_queues(*, receive_count_max=3):
    """A faulty queue (`inner` is the memory queue behind it, `dead` its dead-letter queue) and the wall clock they share."""
    clock = WallClock()
    dead = MemoryQueue("work-dlq", now_ms=clock, retention_s=14 * 86_400)
    queue = MemoryQueue("work", now_ms=clock, dead_letters=dead, receive_count_max=receive_count_max)
    return FaultyQueue(queue, dead), clock


def full_load(**settings):
    """Settings without the slow start, for tests that are about something else."""
    return ConsumeSettings(initial_credits=1_000, **settings)


def make_loop(queue, handler, settings=None, *, observer=None, clock=None, classify=None):
    """A consume loop with a fixed seed; without settings the defaults, but at full load from the start."""
    more = {} if classify is None else {"classify": classify}
    return ConsumeLoop(
        queue,
        handler,
        settings or full_load(),
        now_ms=clock or WallClock(),
        source=random.Random(SEED),
        observer=observer or Recorder(),
        **more,
    )


@asynccontextmanager
async def consuming(*loops):
    """Run the loops for the length of the block; then stop them and wait."""
    async with anyio.create_task_group() as tasks:
        for loop in loops:
            await tasks.start(loop.run)
        yield
        for loop in loops:
            loop.stop()


async def send_many(queue, count):
    """Send `count` messages with bodies "0", "1", …; their ids."""
    inner = getattr(queue, "inner", queue)
    return [await inner.send(str(number)) for number in range(count)]
