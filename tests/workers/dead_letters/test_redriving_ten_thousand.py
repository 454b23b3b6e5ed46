"""Fault 27: ten thousand letters are sent on while live traffic flows. Throttled, each once, and live messages hardly wait."""

import random
from collections import Counter

import anyio
import orjson
import pytest

from orderstore.objects import MemoryObjectStore
from orderstore.recorded import Actor
from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import EPOCH_MS
from workers.dead_letters.filters import Filter
from workers.dead_letters.letter import REDRIVEN_FROM, Letter
from workers.dead_letters.look import Box
from workers.dead_letters.records import Mandate, Records
from workers.dead_letters.redrive import Plan, Redriver, Report
from workers.dead_letters.standing import Standing
from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings

LETTERS = 10_000
COPIES = 200
RATE = 60.0
LIVE_PER_S = 20
HANDLER_S = 0.1
CONCURRENCY = 10
"""So the worker does 100 messages a second: live traffic takes 20 of them, the redrive may take the rest, and no more."""


class Wanting:
    """Every order still wants it. (What the order says is another test's business: here it is about ten thousand.)"""

    async def judge(self, _letter: Letter) -> Standing:
        await anyio.sleep(0.004)
        return Standing(state="Received", version=1, wanted=True, words="Received, and it still wants Authorize")


def body_of(event: str) -> str:
    return orjson.dumps(
        {
            "eventId": event,
            "eventType": "OrderCreated",
            "eventVersion": "1.0",
            "orderId": f"order-{event}",
            "tenant": "test",
            "correlationId": "c",
        }
    ).decode()


class Traffic:
    """A queue under live traffic, its dead letters, and a worker that notes what it did and how old each message was."""

    def __init__(self) -> None:
        self.dead = MemoryQueue("payment-dlq", now_ms=self.now_ms, retention_s=14 * 86_400)
        self.queue = MemoryQueue("payment", now_ms=self.now_ms, dead_letters=self.dead)
        self.done: Counter[str] = Counter()
        self.redriven_at: list[float] = []
        self.live_ages_s: list[float] = []
        self.handler_s = HANDLER_S
        self.depth_max = 0

    def now_ms(self) -> int:
        return EPOCH_MS + round(anyio.current_time() * 1_000)

    async def handle(self, message: Message) -> Outcome:
        if REDRIVEN_FROM not in message.attributes:
            self.live_ages_s.append((self.now_ms() - message.sent_at_ms) / 1_000)
        else:
            self.redriven_at.append(message.sent_at_ms / 1_000)
        await anyio.sleep(self.handler_s)
        self.done[orjson.loads(message.body)["eventId"]] += 1
        return Done()

    async def live(self) -> None:
        number = 0
        while True:
            await self.queue.send(body_of(f"live-{number}"))
            number += 1
            await anyio.sleep(1 / LIVE_PER_S)

    async def watch(self) -> None:
        while True:
            self.depth_max = max(self.depth_max, (await self.queue.depths()).visible)
            await anyio.sleep(0.5)

    def redriver(self) -> Redriver:
        return Redriver(
            Box(source=self.queue, letters=self.dead, receive_count_max=3),
            judge=Wanting(),  # type: ignore[arg-type]  # as a Judge
            records=Records(MemoryObjectStore(), tenant="test", now_ms=self.now_ms),
            now_ms=self.now_ms,
            source=random.Random(27),
        )

    def loop(self) -> ConsumeLoop:
        settings = ConsumeSettings(concurrency=CONCURRENCY, batch_size=10)
        return ConsumeLoop(self.queue, self.handle, settings, now_ms=self.now_ms, source=random.Random(1))


async def _redriven(traffic: Traffic, plan: Plan) -> Report:
    """The report of a run, made while the worker works and live traffic flows, after everything has drained."""
    async with anyio.create_task_group() as tasks:
        loop = traffic.loop()
        await tasks.start(loop.run)
        async with anyio.create_task_group() as around:
            around.start_soon(traffic.live)
            around.start_soon(traffic.watch)
            await anyio.sleep(5)
            report = await traffic.redriver().run(plan)
            await anyio.sleep(60)
            around.cancel_scope.cancel()
        await anyio.sleep(5)
        loop.stop()
    return report


def plan_of(**how: float) -> Plan:
    mandate = Mandate(Actor("operator", "ada"), "INC-27")
    return Plan(wanted=Filter(), mandate=mandate, sent_max=50_000, **how)  # type: ignore[arg-type]


@pytest.mark.thorough
def test_ten_thousand_are_sent_on_and_live_messages_hardly_wait() -> None:
    """Each event is done once, none is left, the rate is kept, and the oldest live message waited for seconds."""  # E140, E123

    async def story() -> None:
        traffic = Traffic()
        for number in range(LETTERS):
            await traffic.dead.send(body_of(f"dead-{number}"))
        for number in range(COPIES):
            await traffic.dead.send(body_of(f"dead-{number}"))

        report = await _redriven(traffic, plan_of(rate_per_s=RATE))

        assert report.counts == {"redriven": LETTERS, "duplicate": COPIES}
        assert report.stopped is None
        done = {event: count for event, count in traffic.done.items() if event.startswith("dead-")}
        assert len(done) == LETTERS
        assert set(done.values()) == {1}
        assert (await traffic.dead.depths()).visible == 0
        assert max(traffic.live_ages_s) < 5, max(traffic.live_ages_s)
        seconds = Counter(int(at) for at in traffic.redriven_at)
        assert max(seconds.values()) <= RATE + 1

    run_virtual(story)


@pytest.mark.thorough
def test_when_the_workers_fall_behind_the_redrive_waits_for_them() -> None:
    """Asked for more than the worker can do: the backlog stays below its bound and a little, and so does what live messages wait."""

    async def story() -> None:
        traffic = Traffic()
        for number in range(3_000):
            await traffic.dead.send(body_of(f"dead-{number}"))

        report = await _redriven(traffic, plan_of(rate_per_s=200, backlog_max=200))

        assert report.counts == {"redriven": 3_000}
        assert 150 < traffic.depth_max < 200 + 30
        assert max(traffic.live_ages_s) < 5, "200 messages are 2 s of the worker's work"

    run_virtual(story)


def test_a_worker_that_stands_still_ends_the_run_instead_of_being_buried() -> None:
    """The letters lie where they are until it works again."""

    async def story() -> None:
        traffic = Traffic()
        for number in range(300):
            await traffic.dead.send(body_of(f"dead-{number}"))

        report = await traffic.redriver().run(plan_of(rate_per_s=200, backlog_max=100))

        assert report.counts["redriven"] == 100
        assert "its workers are behind" in str(report.stopped)
        assert (await traffic.dead.depths()).visible == 200

    run_virtual(story)
