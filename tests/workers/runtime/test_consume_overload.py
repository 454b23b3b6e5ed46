"""What handlers stand on is slow, not down: it has so much to give a second, and shares it among all who ask at once."""

import math
import random

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import SEED, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Done
from workers.runtime.pace import Pace

DEADLINE_S = 15.0
ANSWER_S = 13.5
SLICE_S = 0.5


class Shared:
    """Does so many messages a second, all at once, each a little slower for every other. What is cut off is begun again."""

    def __init__(self, per_s):
        self.per_s = per_s
        self.at_once = 0
        self.at_once_max = 0
        self.done = []
        self._enough = (math.inf, None)

    async def has_done(self, count):
        """Wait for so many."""
        self._enough = (count, anyio.Event())
        await self._enough[1].wait()

    async def __call__(self, message):
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            left = 1.0
            while left > 0:
                await anyio.sleep(SLICE_S)
                left -= SLICE_S * self.per_s / self.at_once
        finally:
            self.at_once -= 1
        self.done.append(message.body)
        if len(self.done) >= self._enough[0]:
            self._enough[1].set()
        return Done()


async def work_off(backend, *, messages, guarded, within_s, concurrency=100):
    """A loop at full load on so many messages; how many became dead letters, and how long it took."""
    queue, clock = make_queues()
    await send_many(queue, messages)
    handler = backend
    if guarded:
        settings = BreakerSettings(answer_within_s=ANSWER_S)
        handler = Guarded(
            backend,
            is_outage=lambda error: isinstance(error, TimeoutError),
            source=random.Random(SEED),
            settings=settings,
        )
    loop = make_loop(
        queue,
        handler,
        full_load(concurrency=concurrency, handler_deadline_s=DEADLINE_S),
        clock=clock,
    )
    began = anyio.current_time()
    async with consuming(loop):
        with anyio.move_on_after(within_s):
            await backend.has_done(messages)
    return (await queue.dead.depths()).visible, anyio.current_time() - began


@pytest.mark.thorough
@pytest.mark.parametrize("guarded", [True, False], ids=["behind the breaker", "alone"])
def test_a_backend_that_is_too_slow_for_all_at_once_is_asked_by_fewer_until_it_can(guarded: bool) -> None:
    """A hundred at once would take twenty-five seconds each, and none ever be done: the loop finds out how many can be."""
    backend = Shared(per_s=4)
    dead, took_s = run_virtual(lambda: work_off(backend, messages=300, guarded=guarded, within_s=2_000))
    assert sorted(backend.done, key=int) == [str(number) for number in range(300)]
    assert dead == 0
    assert took_s < 3 * 300 / backend.per_s


@pytest.mark.thorough
def test_a_slowed_loop_takes_no_more_into_its_hands_than_it_may_work_on() -> None:
    """What it holds burns a receive when its process dies: what cannot be worked on stays in the queue, for others."""

    async def held_after_a_minute() -> int:
        queue, clock = make_queues()
        await send_many(queue, 600)
        settings = full_load(concurrency=100, handler_deadline_s=DEADLINE_S)
        loop = make_loop(queue, Shared(per_s=4), settings, clock=clock)
        async with consuming(loop):
            await anyio.sleep(60)
            return loop.held

    assert run_virtual(held_after_a_minute) <= 60


def test_a_backend_that_is_quick_is_asked_by_all_at_once() -> None:
    """No handler hangs, so nothing is held back."""
    backend = Shared(per_s=400)
    run_virtual(lambda: work_off(backend, messages=500, guarded=True, within_s=100))
    assert len(backend.done) == 500
    assert backend.at_once_max == 100


def hang(pace: Pace, *, began_at: float, beside: int) -> None:
    """A handler that took its whole deadline."""
    pace.ended(began_at=began_at, now=began_at + DEADLINE_S, done=False, beside=beside)


def test_those_who_hang_together_halve_the_pace_once() -> None:
    """A hundred that began together and hang for one reason are one sign; those that began afterwards are the next."""
    pace = Pace(100, deadline_s=DEADLINE_S)
    for left in range(99, 0, -1):
        hang(pace, began_at=0, beside=left)
    assert pace.allowed == 50
    hang(pace, began_at=DEADLINE_S, beside=49)
    assert pace.allowed == 25


def test_one_alone_that_hangs_and_one_that_fails_at_once_slow_nobody_down() -> None:
    """It is not company that they fail for."""
    pace = Pace(100, deadline_s=DEADLINE_S)
    hang(pace, began_at=0, beside=0)
    pace.ended(began_at=0, now=1, done=False, beside=99)
    assert pace.allowed == 100


def test_the_pace_comes_back_one_more_a_round_and_never_above_what_is_set() -> None:
    """Each round of as many as are allowed raises it by about one; it never falls below one."""
    pace = Pace(8, deadline_s=DEADLINE_S)
    began = 0.0
    for _ in range(10):
        hang(pace, began_at=began, beside=7)
        began += DEADLINE_S
    assert pace.allowed == 1
    rounds = 0
    while pace.allowed < 8:
        for _ in range(pace.allowed):
            pace.ended(began_at=began, now=began + 1, done=True, beside=0)
        rounds += 1
        assert rounds <= 20
    assert rounds >= 6
    for _ in range(1_000):
        pace.ended(began_at=began, now=began + 1, done=True, beside=0)
    assert pace.allowed == 8
    assert math.isfinite(pace.allowed)
