"""What it costs to hold messages for long, and how soon another takes over from a consumer that was killed while it held some."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.benchmarks.measures import Result
from tests.benchmarks.queue_backend import BATCH, QueueBackend, url_of
from tests.benchmarks.queue_node import NodeConsumer
from tests.benchmarks.queueing import AllDeleted, by_loop, now_ms
from workers.runtime.consume import ConsumeLoop
from workers.runtime.outcome import Defer, Done, Outcome
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings

ROOT: Final = Path(__file__).parents[2]
VISIBILITY_S: Final = 12
HELD_S: Final = 30
HEARTBEAT_S: Final = VISIBILITY_S / 2  # what both do: ours extends at half of the time, theirs is told to
KILLED_AFTER_S: Final = (3.0, 6.5, 10.0, 13.5, 17.0)
"""After so long, round by round: before the first heartbeat, between two, and just after one."""
TAKEN_OVER_WITHIN_S: Final = 60
SETTINGS: Final = ConsumeSettings(
    visibility_timeout_s=VISIBILITY_S,
    handler_deadline_s=2,
    heartbeat_interval_s=VISIBILITY_S / 6,
    heartbeat_cap_s=300,
    wait_s=1,
    poll_grace_s=1,
    drain_budget_s=5,
    initial_credits=BATCH,
    concurrency=BATCH,
)


class Holder:
    """Keeps each message, as an outage does, and is done with it at the second call."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.held: set[str] = set()

    async def __call__(self, message: Message) -> Outcome:
        """The first time: not yet."""
        if message.id in self.held:
            return Done()
        self.held.add(message.id)
        return Defer(self._seconds)


async def holding(backend: QueueBackend, node: NodeConsumer | None, *, rounds: int) -> list[Result]:
    """All of it at once, since each waits for nothing but the clock: heartbeats, and the kills round by round."""
    found: dict[str, list[Result]] = {}

    async def beats() -> None:
        async with backend.apart() as apart:
            found["heartbeats"] = await heartbeats(apart, node)

    async def kills() -> None:
        found["recovery"] = await recovery(backend, node, rounds=rounds)

    async with anyio.create_task_group() as group:
        group.start_soon(beats, name="heartbeats")
        group.start_soon(kills, name="kills")
    return [*found["heartbeats"], *found["recovery"]]


async def _each(measured: Callable[[int], Awaitable[float]], rounds: int) -> list[float]:
    """All rounds at once, each on a queue of its own; the answers in the order of their numbers."""
    took: dict[int, float] = {}

    async def one(number: int) -> None:
        took[number] = await measured(number)

    async with anyio.create_task_group() as group:
        for number in range(rounds):
            group.start_soon(one, number, name=f"round {number}")
    return [took[number] for number in range(rounds)]


async def heartbeats(backend: QueueBackend, node: NodeConsumer | None) -> list[Result]:
    """Ten messages held two and a half times as long as they are hidden: visibility calls for each."""
    ours = await backend.make("held")
    await backend.fill(url_of(ours), BATCH)
    before = dict(backend.counted.requests)
    observer = AllDeleted(BATCH)
    loop = ConsumeLoop(ours, Holder(HELD_S), SETTINGS, now_ms=now_ms, source=Random(1), observer=observer)
    async with anyio.create_task_group() as group:
        await group.start(loop.run)
        await observer.event.wait()
        loop.stop()
    calls = backend.counted.since(before)["ChangeMessageVisibilityBatch"]
    name = f"heartbeat calls per message held {HELD_S} s, hidden for {VISIBILITY_S} s"
    results = [Result(name=name, value=calls / BATCH, note=f"{calls} calls for {BATCH} messages")]
    if node is not None:
        theirs = await backend.make("held-theirs")
        await backend.fill(url_of(theirs), BATCH)
        async with node.running(backend, url_of(theirs)) as process:
            wanted = {"do": "hold", "visibility": VISIBILITY_S, "heartbeat": HEARTBEAT_S}
            answer = await process.ask({**wanted, "seconds": HELD_S, "messages": BATCH})
            while "requests" not in answer:
                answer = await process.answer()
        beats = answer["requests"].get("ChangeMessageVisibilityBatchCommand", 0)
        results.append(
            Result(
                name=f"  the same of npm's sqs-consumer, heartbeat every {HEARTBEAT_S:g} s",
                value=beats / BATCH,
                note=f"{beats} calls, one batch; of its messages one by one it would be one call each",
            )
        )
    return results


async def recovery(backend: QueueBackend, node: NodeConsumer | None, *, rounds: int) -> list[Result]:
    """SIGKILL for a consumer that holds ten messages; until another has completed all of them, over the visibility timeout."""
    ours = await _each(partial(killed_ours, backend), rounds)
    results = [
        Result(
            name="recovery after SIGKILL / visibility timeout",
            value=median(ours) / VISIBILITY_S,
            at_most=True,
            floor=1.25,
            note=f"{rounds} rounds, {min(ours):.1f} to {max(ours):.1f} s of {VISIBILITY_S} s",
        )
    ]
    if node is not None:
        theirs = await _each(partial(killed_theirs, backend, node), rounds)
        results.append(
            Result(
                name="  npm's sqs-consumer after SIGKILL / visibility timeout",
                value=median(theirs) / VISIBILITY_S,
                note=f"{rounds} rounds, {min(theirs):.1f} to {max(theirs):.1f} s of {VISIBILITY_S} s",
            )
        )
    return results


async def killed_ours(backend: QueueBackend, number: int) -> float:
    """Seconds from the kill to the last deletion by another loop, which polls from then on."""
    queue = await backend.make(f"killed-{number}")
    await backend.fill(url_of(queue), BATCH)
    async with held_by_a_process(backend, url_of(queue)) as process:
        await anyio.sleep(KILLED_AFTER_S[number % len(KILLED_AFTER_S)])
        process.kill()
        with anyio.fail_after(TAKEN_OVER_WITHIN_S):
            return await by_loop(queue, BATCH, settings=SETTINGS)


async def killed_theirs(backend: QueueBackend, node: NodeConsumer, number: int) -> float:
    """The same of sqs-consumer, which another sqs-consumer follows."""
    queue = await backend.make(f"killed-theirs-{number}")
    await backend.fill(url_of(queue), BATCH)
    async with node.running(backend, url_of(queue)) as first, node.running(backend, url_of(queue)) as second:
        await first.tell({"do": "hold", "visibility": VISIBILITY_S, "heartbeat": HEARTBEAT_S})
        while (await first.answer())["held"] < BATCH:
            pass
        await anyio.sleep(KILLED_AFTER_S[number % len(KILLED_AFTER_S)])
        first.kill()
        with anyio.fail_after(TAKEN_OVER_WITHIN_S):
            answer = await second.ask({"do": "drain", "messages": BATCH, "consumers": 1, "batch": True, "wait": 1})
        return float(answer["seconds"])


@asynccontextmanager
async def held_by_a_process(backend: QueueBackend, url: str) -> AsyncIterator[Process]:
    """A process of ours that has received all ten messages and keeps them, with heartbeats."""
    environment = {
        **os.environ,
        "QUEUE_URL": url,
        "ENDPOINT": str(backend.settings.aws_endpoint_url),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.benchmarks.queue_process"]
    async with await anyio.open_process(command, env=environment, cwd=ROOT, stderr=None) as process:
        try:
            assert process.stdout is not None
            lines = BufferedByteReceiveStream(process.stdout)
            while int(await lines.receive_until(b"\n", 100)) < BATCH:
                pass
            yield process
        finally:
            if process.returncode is None:
                process.kill()
