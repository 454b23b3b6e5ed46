"""Drills: one downstream is out for twenty minutes while orders come in. Nothing is lost, doubled or dead-lettered, nothing else waits,
and everything drains afterwards. Real handlers and consume loops, virtual time.
"""

import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from orderstore.store.errors import Unavailable
from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import EPOCH_MS, SEED, Recorder
from tests.workers.world import Faults, World
from workers.classify import classify, is_outage
from workers.notification.mail import MailNotSent, MailUncertain
from workers.payment.gateway import GatewayTimeout
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.settings import ConsumeSettings
from workers.tables.errors import TableThrottled, TableUnavailable

DOWN_FROM_S, DOWN_UNTIL_S = 120.0, 120.0 + 20 * 60.0
ORDER_EVERY_S = 15.0
DRAINED_WITHIN_S = 300.0
SKU = "LAPTOP-001"


class Outage(Faults):
    """Every call to the ports called `names` fails between the two moments; `landed`: only after it had its effect."""

    def __init__(self, *names: str, error: Exception, landed: bool = False) -> None:
        super().__init__()
        self.down = set(names)
        self.error = error
        self.landed = landed
        self.refused = 0

    @property
    def is_on(self) -> bool:
        return DOWN_FROM_S <= anyio.current_time() < DOWN_UNTIL_S

    def wrap(self, name: str, port: Any) -> Any:
        return _Port(name, port, self)


class _Port:
    def __init__(self, name: str, port: Any, outage: Outage) -> None:
        self._name, self._port, self._outage = name, port, outage

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        if method in ("subscribe", "scan", "streams", "stored", "entries", "subjects", "name", "pages"):
            return real

        async def called(*arguments: Any, **named: Any) -> Any:
            outage = self._outage
            fails = outage.armed and self._name in outage.down and outage.is_on
            if fails and not outage.landed:
                outage.refused += 1
                raise outage.error
            answer = await real(*arguments, **named)
            if fails:
                outage.refused += 1
                raise outage.error
            return answer

        return called


class DrillWorld(World):
    """The world with clocks that go by themselves, and a queue with a consume loop for each department."""

    def __init__(self, outage: Outage, *, topic_down: bool = False) -> None:
        self.outgoing: deque[tuple[str, str]] = deque()
        super().__init__(faults=outage)
        self.outage = outage
        self.topic_down = topic_down
        self.observers = {name: Recorder() for name in self.handlers}
        self.dead = {
            name: MemoryQueue(f"{name}-dlq", now_ms=self.now_ms, retention_s=14 * 86_400) for name in self.handlers
        }
        self.queues = {
            name: MemoryQueue(name, now_ms=self.now_ms, dead_letters=self.dead[name], receive_count_max=3)
            for name in self.handlers
        }

    def now_ms(self) -> int:
        return EPOCH_MS + round(anyio.current_time() * 1_000)

    def send(self, queue: str, body: str) -> None:
        self.outgoing.append((queue, body))

    async def relay(self) -> None:
        """What the relay does: hands on in order, and tries again for ever while the topic refuses."""
        while True:
            while self.outgoing and not (self.topic_down and self.outage.is_on):
                queue, body = self.outgoing.popleft()
                await self.queues[queue].send(body)
            await anyio.sleep(0.2)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Every department's loop, until the block ends."""
        loops = [self._loop(name) for name in self.handlers]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.relay)
            for loop in loops:
                await tasks.start(loop.run)
            yield
            for loop in loops:
                loop.stop()
            tasks.cancel_scope.deadline = anyio.current_time() + 60

    def _loop(self, name: str) -> ConsumeLoop:
        source = random.Random(f"{SEED} {name}")
        return ConsumeLoop(
            self.queues[name],
            Guarded(self.handlers[name], is_outage=is_outage, source=source, settings=BreakerSettings()),
            ConsumeSettings(defer_hold_s_max=36_000.0),
            now_ms=self.now_ms,
            source=source,
            observer=self.observers[name],
            classify=classify,
        )

    async def dead_letters(self) -> dict[str, int]:
        return {name: depths.visible for name, queue in self.dead.items() if (depths := await queue.depths()).visible}

    async def left_over(self) -> dict[str, int]:
        depths = {name: await queue.depths() for name, queue in self.queues.items()}
        return {
            name: found.visible + found.in_flight for name, found in depths.items() if found.visible + found.in_flight
        }


DRILLS = {
    "the payment provider and the carrier refuse": (
        Outage("sandbox", error=TableUnavailable("down")),
        {"payment", "shipping"},
    ),
    "the payment provider answers too late": (
        Outage("sandbox", error=GatewayTimeout("no answer"), landed=True),
        {"payment", "shipping"},
    ),
    "mail is paused": (Outage("mail", error=MailNotSent("paused")), {"notification"}),
    "nobody knows whether mail was sent": (Outage("mail", error=MailUncertain("lost"), landed=True), {"notification"}),
    "the payments table is throttled": (Outage("payments", error=TableThrottled("slower")), {"payment"}),
    "the stock table is throttled": (Outage("inventory", error=TableThrottled("slower")), {"inventory"}),
    "the log does not answer the workers": (
        Outage("log", error=Unavailable("Query", tries=5, ambiguous=True)),
        {"payment", "inventory", "shipping", "billing", "notification"},
    ),
    "the topic refuses": (Outage(error=TableUnavailable("never raised")), set()),
}


@pytest.mark.thorough
@pytest.mark.parametrize("drill", DRILLS)
def test_after_twenty_minutes_without_it_every_order_is_where_it_belongs(drill: str) -> None:
    """Each order ends as it would have, each effect once; the departments that do not need it never held a message."""  # D12
    outage, held_up = DRILLS[drill]
    orders = run_virtual(_drill, outage, held_up, drill == "the topic refuses")
    assert orders > DOWN_UNTIL_S / ORDER_EVERY_S * 0.9


async def _drill(outage: Outage, held_up: set[str], topic_down: bool) -> int:
    world = DrillWorld(outage, topic_down=topic_down)
    placed: list[str] = []
    async with world.at_work():
        while anyio.current_time() < DOWN_UNTIL_S:
            async with _intake(outage):
                placed.append(await world.place((SKU, 1, "850")))
            await anyio.sleep(ORDER_EVERY_S)
        await anyio.sleep(DRAINED_WITHIN_S)
        assert await world.left_over() == {}, "everything is drained"
    assert (outage.refused > 0) != topic_down, "the drill took place"
    assert await world.dead_letters() == {}
    statuses = {await world.status(order_id) for order_id in placed}
    assert statuses == {"Completed"}
    effects = await world.effects()
    assert {kind: effects.count(kind) for kind in set(effects)} == dict.fromkeys(
        ("authorize", "booking", "capture", "dispatched"), len(placed)
    ), "each effect once for each order"
    assert await world.stock_is_sound(SKU) == (len(placed),)
    deferred = {name for name, observer in world.observers.items() if observer.of("deferred")}
    if outage.down:
        assert deferred & held_up, "its users waited"
    _assert_nothing_was_retried_for_the_outage(world)
    return len(placed)


@asynccontextmanager
async def _intake(outage: Outage) -> AsyncIterator[None]:
    """The client's own calls meet no outage: the door's store is up, or there would be no order to lose."""
    armed, outage.armed = outage.armed, False
    try:
        yield
    finally:
        outage.armed = armed


def _assert_nothing_was_retried_for_the_outage(world: DrillWorld) -> None:
    for name, observer in world.observers.items():
        burnt = [started for started in observer.of("started") if started.receive_count > 1]
        assert not burnt, f"{name} received {len(burnt)} messages twice"
