"""The consume loop against a bare loop, and against npm's sqs-consumer, on one queue: how fast, and how many requests."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from statistics import median
from typing import Any, Final

import anyio

from tests.benchmarks.measures import Comparison, Result, Side, compare, quartiles
from tests.benchmarks.queue_backend import BATCH, QueueBackend, url_of
from tests.benchmarks.queue_node import NodeConsumer
from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.observe import Deleted, SilentObserver
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message, Queue
from workers.runtime.settings import ConsumeSettings

LOOP_MIN: Final = 0.9
LOOP_BESIDE_MIN: Final = 0.65
"""On the service's client, whose calls cost less: what is ours weighs more beside them for that reason alone (docs/performance.md)."""
REQUESTS_LEAST: Final = 0.2
"""Receives and deletions by tens."""
POLLS: Final = 4
ROUND_S_MAX: Final = 90
ENOUGH_S: Final = 30.0
"""The clock judges here and the emulator has a say: three rounds lie from 0.82 to 0.94, and half of each goes into filling the queue."""
WAIT_S: Final = 1
# As production has it, but for the wait: a poll that is cut short at the end of a round would take messages of the next one along.
SETTINGS: Final = ConsumeSettings(concurrency=100, polls_max=POLLS, wait_s=WAIT_S, poll_grace_s=2 * WAIT_S)


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


async def nothing(_message: Message) -> Outcome:
    """A handler that is done at once: what is measured is what stands around it."""
    return Done()


class AllDeleted(SilentObserver):
    """Sets `event` when so many were deleted."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.event = anyio.Event()

    def deleted(self, detail: Deleted, /) -> None:
        """Count down."""
        self._left -= detail.count
        if self._left <= 0:
            self.event.set()


async def by_loop(queue: Queue, count: int, *, settings: ConsumeSettings = SETTINGS) -> float:
    """Let the consume loop work off so many messages; seconds until the last deletion was answered."""
    observer = AllDeleted(count)
    loop = ConsumeLoop(queue, nothing, settings, now_ms=now_ms, source=Random(1), observer=observer)
    started = time.perf_counter()
    with anyio.fail_after(ROUND_S_MAX):
        async with anyio.create_task_group() as group:
            await group.start(loop.run)
            await observer.event.wait()
            seconds = time.perf_counter() - started
            loop.stop()
    return seconds


async def by_hand(client: Any, url: str, count: int, *, workers: int) -> int:
    """Receive ten and delete ten with the bare client; so many loops side by side, none waiting for another."""
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            answer = await client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=0,
                VisibilityTimeout=120,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if messages:
                entries = [
                    {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                    for place, message in enumerate(messages)
                ]
                deleted = await client.delete_message_batch(QueueUrl=url, Entries=entries)
                assert not deleted.get("Failed"), "the emulator deletes whole batches"
                left -= len(messages)

    async with anyio.create_task_group() as group:
        for number in range(workers):
            group.start_soon(work, name=f"bare loop {number}")
    return count


class Loop:
    """Our side. The clock stops at the last deletion: how a loop stops is measured elsewhere."""

    def __init__(self, backend: QueueBackend, queue: Queue, url: str, count: int) -> None:
        self.backend = backend
        self._queue = queue
        self.url = url
        self.count = count
        self.requests: Counter[str] = Counter()
        self.rates: list[float] = []

    async def prepare(self, number: int) -> Callable[[], Awaitable[int]]:
        """Fill the queue."""
        await self.backend.fill(self.url, self.count)

        async def work() -> int:
            before = dict(self.backend.counted.requests)
            seconds = await by_loop(self._queue, self.count)
            if number > 0:
                self.requests += self.backend.counted.since(before)
                self.rates.append(self.count / seconds)
            return self.count

        return work


async def against_bare(backend: QueueBackend, *, rounds: int, count: int) -> list[Result]:
    """The loop's rate against that of as many bare loops as it has polls: on the library's client as it comes, which is what a program
    without us would have, and on the very client that the service has; and the loop's requests."""
    queue = await backend.make("loop")
    ours = Loop(backend, queue, url_of(queue), count)
    compared = await _beside(ours, backend.stock, rounds=rounds)
    same_client = (await _beside(ours, backend.client, rounds=rounds // 2)).processor
    assert same_client is not None, "rounds of `compare` have it"
    handled = len(ours.rates) * count  # fewer rounds may have been enough
    return [
        Result(
            name=f"consume loop / {POLLS} bare receive + delete loops",
            value=compared.ratio,
            floor=LOOP_MIN,
            note=compared.spread,
        ),
        Result(
            name="  both on the service's client, by our processor time",
            value=same_client.ratio,
            floor=LOOP_BESIDE_MIN,
            note=same_client.spread,
        ),
        Result(
            name=f"  SQS requests per message (least {REQUESTS_LEAST:g})",
            value=sum(ours.requests.values()) / handled,
            note=", ".join(f"{name} {total / handled:.3f}" for name, total in sorted(ours.requests.items())),
        ),
    ]


async def _beside(ours: Loop, client: Any, *, rounds: int) -> Comparison:
    """Rounds in turn with bare loops on this client."""
    backend, url, count = ours.backend, ours.url, ours.count
    before = len(ours.rates)
    bare_rates: list[float] = []

    async def bare(number: int) -> Callable[[], Awaitable[int]]:
        await backend.fill(url, count)

        async def work() -> int:
            started = time.perf_counter()
            done = await by_hand(client, url, count, workers=POLLS)
            if number > 0:
                bare_rates.append(done / (time.perf_counter() - started))
            return done

        return work

    compared = await compare(Side(ours.prepare), Side(bare), rounds=rounds, enough_s=ENOUGH_S)
    # By the clock without how a loop stops; by processor time with it.
    return Comparison(tuple(ours.rates[before:]), tuple(bare_rates), compared.processor)


async def in_memory(*, rounds: int, count: int) -> list[Result]:
    """The loop's own cost: the same against a queue in memory, whose calls cost next to nothing."""
    rates: list[float] = []
    spent: list[float] = []
    for number in range(rounds + 1):
        queue = MemoryQueue("memory", now_ms=now_ms)
        for _ in range(count):
            await queue.send("body")
        before = time.process_time()
        seconds = await by_loop(queue, count)
        if number > 0:
            rates.append(count / seconds)
            spent.append((time.process_time() - before) / count)
    low, high = quartiles(rates)
    return [
        Result(
            name="  the loop's own processor time per message, microseconds",
            value=1e6 * median(spent),
            note=f"on a queue in memory: {median(rates):,.0f} messages/s, half of the rounds {low:,.0f} to {high:,.0f}",
        )
    ]


async def against_node(backend: QueueBackend, node: NodeConsumer | None, *, rounds: int, count: int) -> list[Result]:
    """npm's sqs-consumer on the same queue, taking turns with ours."""
    name = "consume loop / npm's sqs-consumer, as many polls"
    if node is None:
        return [Result(name=name, value=0.0, note=NodeConsumer.missing())]
    queue = await backend.make("turns")
    url = url_of(queue)
    ours = Loop(backend, queue, url, count)
    node_rates: list[float] = []
    requests: Counter[str] = Counter()
    async with node.running(backend, url) as process:

        async def theirs(number: int) -> Callable[[], Awaitable[int]]:
            await backend.fill(url, count)

            async def work() -> int:
                answer = await process.ask(
                    {"do": "drain", "messages": count, "consumers": POLLS, "batch": True, "wait": WAIT_S}
                )
                if number > 0:
                    node_rates.append(count / answer["seconds"])
                    requests.update(answer["requests"])
                return count

            return work

        await compare(Side(ours.prepare), Side(theirs), rounds=rounds)
        single = max(1, count // 5)
        await backend.fill(url, single)
        alone = await process.ask({"do": "drain", "messages": single, "consumers": 1, "batch": False, "wait": WAIT_S})
    compared = Comparison(tuple(ours.rates), tuple(node_rates))
    handled = len(ours.rates) * count  # fewer rounds may have been enough
    return [
        Result(name=name, value=compared.ratio, note=compared.spread),
        Result(
            name="  its SQS requests per message, batches of ten",
            value=sum(requests.values()) / handled,
            note=", ".join(f"{kind} {total / handled:.3f}" for kind, total in sorted(requests.items())),
        ),
        Result(
            name="  the same as it comes (batchSize 1, one at a time)",
            value=sum(alone["requests"].values()) / single,
            note=f"{single / alone['seconds']:.0f} messages/s",
        ),
    ]
