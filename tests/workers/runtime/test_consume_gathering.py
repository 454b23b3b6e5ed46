"""A queue that nobody waits for: what trickles in comes several at a time, a backlog as fast as ever, and a stop waits for nothing."""

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.outcome import Done
from workers.runtime.settings import ConsumeSettings


async def _done(message):
    return Done()


def _receives(queue):
    return sum(1 for name, _ in queue.calls if name == "receive")


def _trickle(gather_s, *, seconds=60, a_second=5):
    """How many receives a minute of five messages a second costs, and how late the latest was deleted."""

    async def scenario():
        queue, clock = make_queues()
        settings = full_load(concurrency=100, gather_s=gather_s)
        async with consuming(make_loop(queue, _done, settings, clock=clock)):
            for _ in range(seconds * a_second):
                await send_many(queue, 1)
                await anyio.sleep(1 / a_second)
            await anyio.sleep(gather_s + 0.2)
            assert len(queue.deleted) == seconds * a_second
            return _receives(queue)

    return run_virtual(scenario)


def test_a_trickle_costs_a_request_a_second_and_not_one_a_message():
    """Each message within the pause, each once; without a pause a long poll answers with every single one."""
    assert _trickle(0.0) >= 300
    assert _trickle(1.0) <= 65


@pytest.mark.thorough
def test_a_backlog_is_taken_without_a_pause():
    """Full answers say that there is more: nothing is waited for until it is gone."""

    async def scenario():
        queue, clock = make_queues()
        await send_many(queue, 1_000)
        settings = full_load(concurrency=100, gather_s=5.0)
        async with consuming(make_loop(queue, _done, settings, clock=clock)):
            await anyio.sleep(4.0)
            assert len(queue.deleted) == 1_000

    run_virtual(scenario)


def test_a_backlog_is_taken_without_a_pause_from_a_queue_that_hands_out_less_than_it_has():
    """SQS, ReceiveMessage: fewer messages might be returned than are asked for."""

    async def scenario():
        queue, clock = make_queues()
        await send_many(queue, 700)
        receive = queue.receive

        async def receive_some(*, max_messages, **named):
            return await receive(max_messages=min(7, max_messages), **named)

        queue.receive = receive_some
        settings = full_load(concurrency=100, gather_s=5.0)
        async with consuming(make_loop(queue, _done, settings, clock=clock)):
            await anyio.sleep(4.0)
            assert len(queue.deleted) == 700

    run_virtual(scenario)


def test_a_first_message_is_not_kept_waiting():
    """Whoever has polled an empty queue is answered at once: the pause comes after an answer, not before it."""

    async def scenario():
        queue, clock = make_queues()
        settings = full_load(concurrency=10, gather_s=5.0)
        async with consuming(make_loop(queue, _done, settings, clock=clock)):
            await anyio.sleep(30)
            await send_many(queue, 1)
            await anyio.sleep(0.2)
            assert len(queue.deleted) == 1

    run_virtual(scenario)


def test_a_stop_does_not_wait_for_the_pause():
    """The loop ends as soon as nothing runs."""

    async def scenario():
        queue, clock = make_queues()
        loop = make_loop(queue, _done, full_load(concurrency=10, gather_s=3_600.0), clock=clock)
        async with consuming(loop):
            await send_many(queue, 1)
            await anyio.sleep(1)
            stopped_at = anyio.current_time()
            loop.stop()
        assert anyio.current_time() - stopped_at < 1

    run_virtual(scenario)


def test_no_queue_gathers_unless_it_is_told_to():
    """Orders wait for payment and stock."""
    assert ConsumeSettings().gather_s == 0
