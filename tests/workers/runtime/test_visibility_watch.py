"""The watch over the end of visibility sleeps until the first of all ends, and is woken when one comes that ends sooner."""

import anyio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues
from workers.runtime.held import Held, Holdings
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import Message


def held(name, *, visible_at):
    message = Message(id=name, receipt=name, body=name, attributes={}, receive_count=1, sent_at_ms=0)
    return Held(message, received_at=0, visible_at=visible_at, hold_until=300)


def test_one_that_comes_later_and_ends_sooner_wakes_the_watch():
    """Its answer took long, and its time counts from before the call; one that ends later wakes nobody."""

    async def scenario():
        holdings = Holdings()
        woken = []

        async def watch():
            await holdings.watch(100)
            woken.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.sleep(5)
            holdings.add(held("later", visible_at=120))
            await anyio.sleep(5)
            assert woken == []
            holdings.add(held("sooner", visible_at=90))
        assert woken == [10]

    run_virtual(scenario)


def test_a_message_of_a_slow_answer_is_lost_at_its_own_end():
    """Heartbeats fail: of two messages the one that was asked for first is given up first, although it came second."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["change_visibility"] = 1_000
        real = queue.inner.receive
        calls = []

        async def first_is_slow(**arguments):
            calls.append(anyio.current_time())
            number = len(calls)
            messages = await real(**arguments)
            if number == 1:
                await anyio.sleep(15)
            return messages

        queue.inner.receive = first_is_slow

        async def handler(message):
            return Defer(1_000) if message.receive_count == 1 else Done()

        lost = []

        class Timed(Recorder):
            def visibility_lost(self, detail):
                lost.append(anyio.current_time())

        await queue.inner.send("asked for first")
        settings = full_load(visibility_timeout_s=60, handler_deadline_s=10, heartbeat_interval_s=10, concurrency=20)
        loop = make_loop(queue, handler, settings, observer=Timed(), clock=clock)
        loop._poller._polls_wanted = 2
        async with consuming(loop):
            await anyio.sleep(5)
            await queue.inner.send("came first")
            await anyio.sleep(54)
            assert lost == []
            await anyio.sleep(30)
        assert calls[:2] == [0, 0]
        assert lost[0] == 60

    run_virtual(scenario)
