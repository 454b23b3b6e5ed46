"""Handlers run in tasks that are used again: what one of them leaves behind never meets the next message."""

from contextvars import ContextVar

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.handling import IDLE_TASKS_MAX
from workers.runtime.outcome import Done, Retry

mark: ContextVar[str] = ContextVar("mark", default="clean")


@pytest.mark.parametrize("resets", [True, False])
def test_what_a_handler_leaves_in_its_context_is_not_for_the_next_message(resets):
    """A trace or a log field that is not reset belongs to one message; the next one begins as the loop began."""

    async def scenario():
        queue, clock = make_queues()
        seen = []

        async def handler(message):
            seen.append(mark.get())
            token = mark.set(message.body)
            await anyio.sleep(0.1)
            if resets:
                mark.reset(token)
            return Done()

        await send_many(queue, 30)
        async with consuming(make_loop(queue, handler, full_load(concurrency=3), clock=clock)):
            await anyio.sleep(30)
        assert seen == ["clean"] * 30

    run_virtual(scenario)


@pytest.mark.thorough
def test_quick_messages_start_few_tasks_and_a_burst_leaves_few_behind():
    """A hundred one after another need one task; five hundred at once leave no more than are kept."""

    async def scenario():
        queue, clock = make_queues()
        tasks = set()

        async def handler(message):
            tasks.add(anyio.get_current_task().id)
            await anyio.sleep(0.01)
            return Done()

        loop = make_loop(queue, handler, full_load(concurrency=500, polls_max=50), clock=clock)
        async with consuming(loop):
            for _ in range(100):
                await queue.inner.send("one")
                await anyio.sleep(1)
            assert len(tasks) == 1
            await send_many(queue, 500)
            await anyio.sleep(10)
            assert len(queue.deleted) == 600
            assert len(loop._handling._idle) <= IDLE_TASKS_MAX

    run_virtual(scenario)


def test_tasks_that_wait_for_work_do_not_hold_up_a_stop():
    """Stopped between two messages: the loop ends at once."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        await send_many(queue, 20)
        async with consuming(make_loop(queue, handler, full_load(poll_grace_s=0), clock=clock)):
            await anyio.sleep(5)
        assert anyio.current_time() < 5.5
        assert len(queue.deleted) == 20

    run_virtual(scenario)


def test_a_handler_that_was_cancelled_at_its_deadline_leaves_its_task_usable():
    """The deadline cuts off one message; the next in the same task has a whole one."""

    async def scenario():
        queue, clock = make_queues()
        ran = []

        async def handler(message):
            ran.append((message.body, anyio.current_time()))
            await anyio.sleep(20 if message.body == "0" and message.receive_count == 1 else 14)
            return Done()

        await send_many(queue, 3)
        async with consuming(make_loop(queue, handler, full_load(concurrency=1, prefetch=3), clock=clock)):
            await anyio.sleep(200)
        assert [body for body, _ in ran][:3] == ["0", "1", "2"]
        assert [at for _, at in ran][:3] == [0, 15, 29]
        assert len(queue.deleted) == 3

    run_virtual(scenario)


def test_a_failure_in_one_message_does_not_meet_the_next():
    """Errors are classified message by message, whatever task they share."""

    async def scenario():
        queue, clock = make_queues()
        outcomes = []

        async def handler(message):
            await anyio.sleep(0.1)
            if int(message.body) % 2 and message.receive_count == 1:
                raise ValueError(message.body)
            outcomes.append(message.body)
            return Done()

        await send_many(queue, 20)
        loop = make_loop(
            queue, handler, full_load(concurrency=2), clock=clock, classify=lambda error: Retry(str(error), after_s=1)
        )
        async with consuming(loop):
            await anyio.sleep(100)
        assert sorted(map(int, outcomes)) == list(range(20))

    run_virtual(scenario)
