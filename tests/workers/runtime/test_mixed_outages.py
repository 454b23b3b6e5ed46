"""An outage of one thing, while the same queue also brings what does not need it: those are done, and prove nothing about the others."""

import random

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import SEED, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Done

TWENTY_MINUTES_S = 1_200.0


@pytest.mark.parametrize("easy_every_s", [pytest.param(1.0, marks=pytest.mark.thorough), 10.0])
def test_what_is_done_without_the_downstream_makes_no_dead_letters_of_what_waits_for_it(easy_every_s):  # D12
    """The provider is down for charges; hints, repeats and cancellations of nothing go on being done, as in every real hour."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=3)
        done = []

        async def handler(message):
            if not message.body.startswith("easy") and anyio.current_time() < TWENTY_MINUTES_S:
                raise ConnectionError
            done.append(message.body)
            return Done()

        guarded = Guarded(
            handler, is_outage=lambda error: isinstance(error, ConnectionError), source=random.Random(SEED)
        )
        await send_many(queue, 12)
        loop = make_loop(queue, guarded, full_load(concurrency=20, defer_hold_s_max=36_000.0), clock=clock)
        async with consuming(loop):
            easy = 0
            while anyio.current_time() < TWENTY_MINUTES_S:
                await queue.inner.send(f"easy {easy}")
                easy += 1
                await anyio.sleep(easy_every_s)
            await anyio.sleep(120.0)
        assert (await queue.depths()).dead_letters == 0
        assert len(done) == len(set(done)) == easy + 12

    run_virtual(scenario)


def test_a_message_that_fails_for_half_an_hour_while_others_are_done_is_its_own_fault():
    """Then its error goes the way of every other: three of them, and it is a dead letter."""

    async def scenario():
        async def handler(message):
            if message.body == "bad":
                raise ConnectionError
            return Done()

        settings = BreakerSettings()
        guarded = Guarded(
            handler,
            is_outage=lambda error: isinstance(error, ConnectionError),
            source=random.Random(SEED),
            settings=settings,
        )
        queue, _ = make_queues()
        await queue.inner.send("bad")
        await send_many(queue, 1)
        bad, good = await queue.inner.receive(max_messages=10, wait_s=0, visibility_timeout_s=43_000)
        began = anyio.current_time()
        blamed_at = None
        while blamed_at is None and anyio.current_time() < began + 3_600:
            await guarded(good)
            try:
                await guarded(bad)
            except ConnectionError:
                blamed_at = anyio.current_time() - began
            await anyio.sleep(10)
        assert blamed_at is not None
        assert settings.own_fault_after_s <= blamed_at <= settings.own_fault_after_s + 10

    run_virtual(scenario)
