"""Stopping gives back what is not started at once, finishes what runs within its budget, and flushes what is done."""

import math

import anyio
import anyio.lowlevel
import pytest
import trio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import Unavailable


def test_a_stop_finishes_what_runs_and_gives_back_the_buffer_at_once():
    """Two run and finish; four wait and are visible again within a second, not after the visibility timeout."""

    async def scenario():
        queue, clock = make_queues()
        finished = []

        async def handler(message):
            await anyio.sleep(10)
            finished.append(message.body)
            return Done()

        await send_many(queue, 6)
        observer = Recorder()
        loop = make_loop(queue, handler, full_load(concurrency=2, prefetch=4), observer=observer, clock=clock)
        async with anyio.create_task_group() as tasks:
            await tasks.start(loop.run)
            await anyio.sleep(1)
            loop.stop()
            await anyio.sleep(1)
            assert (await queue.depths()).visible == 4
        assert anyio.current_time() == pytest.approx(10, abs=0.5)
        assert len(finished) == 2
        assert len(queue.deleted) == 2
        (drained,) = observer.of("drained")
        assert (drained.given_back, drained.unsettled) == (4, 0)
        assert drained.duration_s == pytest.approx(9, abs=0.5)

    run_virtual(scenario)


@pytest.mark.parametrize("sent_after_stop_s", [0.5, 5, 19])
def test_messages_that_a_poll_under_way_brings_after_the_stop_are_given_back(sent_after_stop_s):
    """Ten messages arrive in the last long poll: none stays hidden for the visibility timeout."""

    async def scenario():
        queue, clock = make_queues()
        starts = []

        async def handler(message):
            starts.append(message.id)
            return Done()

        loop = make_loop(queue, handler, clock=clock)
        async with anyio.create_task_group() as tasks:
            await tasks.start(loop.run)
            await anyio.sleep(0.1)
            loop.stop()
            await anyio.sleep(sent_after_stop_s)
            await send_many(queue, 10)
        assert anyio.current_time() <= 25  # fault 11
        assert starts == []
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight) == (10, 0)

    run_virtual(scenario)


def test_a_stop_does_not_wait_longer_than_its_grace_for_an_idle_poll():
    """With a grace of 2 s an idle worker is gone after 2 s."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        async with consuming(make_loop(queue, handler, full_load(poll_grace_s=2), clock=clock)):
            await anyio.sleep(1)
        assert anyio.current_time() == 3

    run_virtual(scenario)


def test_a_handler_longer_than_the_budget_is_cancelled_and_its_message_given_back():
    """Started just before the stop and stuck behind a slow dead-letter queue or not: the budget bounds the stop."""

    async def scenario():
        queue, clock = make_queues()
        ended = []
        settings = full_load(
            visibility_timeout_s=240, handler_deadline_s=40, heartbeat_cap_s=300, drain_budget_s=40, stop_timeout_s=60
        )

        async def handler(message):
            try:
                await anyio.sleep(39)
            except trio.Cancelled:
                ended.append(anyio.current_time())
                raise
            return Done()

        await send_many(queue, 3)
        observer = Recorder()
        loop = make_loop(queue, handler, settings, observer=observer, clock=clock)
        async with anyio.create_task_group() as tasks:
            await tasks.start(loop.run)
            await anyio.sleep(5)
            loop.stop()
            await anyio.sleep(2)
            loop.stop_now()  # the second SIGTERM
        assert ended == [7, 7, 7]  # fault 12
        assert anyio.current_time() < 8
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight) == (3, 0)
        assert queue.deleted == []
        assert observer.of("drained")[0].given_back == 3

    run_virtual(scenario)


def test_after_the_second_signal_nothing_is_started_not_even_on_its_last_receive():
    """What a first signal would let run goes back as it is: the platform is about to kill."""

    async def scenario():
        queue, clock = make_queues()
        starts = []

        async def handler(message):
            starts.append(message.body)
            await anyio.sleep(14)
            return Done()

        await send_many(queue, 3)
        for _ in range(2):
            await queue.inner.receive(max_messages=10, wait_s=0, visibility_timeout_s=1)
            await anyio.sleep(2)
        loop = make_loop(queue, handler, full_load(concurrency=1, prefetch=2), clock=clock)
        async with anyio.create_task_group() as tasks:
            await tasks.start(loop.run)
            await anyio.sleep(1)
            loop.stop()
            await anyio.sleep(1)
            asked_at = anyio.current_time()
            loop.stop_now()
        assert len(starts) == 1
        assert anyio.current_time() - asked_at < 1  # fault 12

    run_virtual(scenario)


def test_the_drain_budget_bounds_the_stop():
    """A message deferred again and again does not keep the worker; it is given back with the rest of its delay."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Defer(100)

        await send_many(queue, 3)
        loop = make_loop(queue, handler, full_load(poll_grace_s=0), clock=clock)
        async with consuming(loop):
            await anyio.sleep(30)
        assert anyio.current_time() < 31
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight) == (0, 3)
        await anyio.sleep(70.5)
        assert (await queue.depths()).visible == 3

    run_virtual(scenario)


def test_acknowledgements_are_flushed_on_stop():
    """Done a moment before the stop, with a batch that is not full: deleted before the loop returns."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        settings = full_load(ack_linger_s=1_000, poll_grace_s=0)
        await send_many(queue, 3)
        async with consuming(make_loop(queue, handler, settings, clock=clock)):
            await anyio.sleep(1)
            assert queue.deleted == []
        assert len(queue.deleted) == 3
        assert anyio.current_time() < 2

    run_virtual(scenario)


def test_a_queue_that_is_down_does_not_keep_the_stop_beyond_its_budgets():
    """Deletions fail for ever: after the flush budget the loop ends and says what is left."""

    async def scenario():
        queue, clock = make_queues()
        queue.error = Unavailable("down")
        queue.failing["delete"] = math.inf

        async def handler(message):
            return Done()

        settings = full_load()
        await send_many(queue, 3)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, settings, observer=observer, clock=clock)):
            await anyio.sleep(1)
        assert anyio.current_time() <= 1 + settings.drain_budget_s + settings.flush_budget_s
        assert observer.of("drained")[0].unsettled == 3

    run_virtual(scenario)


def test_a_message_on_its_last_receive_is_finished_rather_than_given_back():
    """Given back unstarted it would be dead-lettered at the next receive without ever having been tried."""

    async def scenario():
        queue, clock = make_queues()
        runs = []

        async def handler(message):
            await anyio.sleep(4)
            runs.append(message.body)
            return Done()

        await send_many(queue, 3)
        for _ in range(2):  # two workers died holding them
            await queue.inner.receive(max_messages=10, wait_s=0, visibility_timeout_s=1)
            await anyio.sleep(2)
        loop = make_loop(queue, handler, full_load(concurrency=1, prefetch=2), clock=clock)
        async with consuming(loop):
            await anyio.sleep(1)
        depths = await queue.depths()
        assert len(runs) == 3  # fault 30
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 0)

    run_virtual(scenario)


def test_ten_restarts_in_a_minute_dead_letter_nothing():
    """Deploy churn under load: what runs is finished, so receive counts do not climb."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(3)
            return Done()

        ids = await send_many(queue, 200)
        for _ in range(10):
            async with consuming(make_loop(queue, handler, clock=clock)):
                await anyio.sleep(3.5)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(300)
        assert (await queue.depths()).dead_letters == 0  # fault 30
        assert {message.id for message in queue.deleted} == set(ids)

    run_virtual(scenario)


def test_a_cancellation_gives_back_everything_and_flushes_before_it_goes_on():
    """Cancelled from outside: done work is deleted, the rest is visible at once, no handler starts any more."""

    async def scenario():
        queue, clock = make_queues()
        starts = []

        async def handler(message):
            starts.append(message.body)
            if message.body in {"0", "1"}:
                return Done()
            await anyio.sleep(14)
            return Done()

        await send_many(queue, 8)
        settings = full_load(concurrency=4, prefetch=4, ack_linger_s=100)
        observer = Recorder()
        loop = make_loop(queue, handler, settings, observer=observer, clock=clock)
        with anyio.move_on_after(2) as scope:
            await loop.run()
        assert scope.cancelled_caught
        assert anyio.current_time() < 3
        assert sorted(message.body for message in queue.deleted) == ["0", "1"]
        assert sorted(starts) == ["0", "1", "2", "3", "4", "5"]
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight) == (6, 0)
        assert observer.of("drained")[0].given_back == 6

    run_virtual(scenario)


def test_a_cancellation_is_bounded_when_the_queue_is_down():
    """The clean-up is shielded, but only for the flush budget."""

    async def scenario():
        queue, clock = make_queues()
        queue.hang_s["change_visibility"] = math.inf

        async def handler(message):
            await anyio.sleep(14)
            return Done()

        await send_many(queue, 2)
        with anyio.move_on_after(2):
            await make_loop(queue, handler, clock=clock).run()
        assert anyio.current_time() == 7

    run_virtual(scenario)


def test_a_heartbeat_under_way_does_not_hide_again_what_is_given_back():
    """The return waits for the heartbeat call that carries the message."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Defer(200)

        await send_many(queue, 2)
        settings = full_load(poll_grace_s=0)
        loop = make_loop(queue, handler, settings, clock=clock)
        async with consuming(loop):
            await anyio.sleep(1)
            queue.hang_s["change_visibility"] = 3
            await anyio.sleep(199.9 - 1)
            for held in loop._holdings:
                held.visible_at = anyio.current_time() + 50
            await anyio.sleep(20)
        assert len([at for method, at in queue.calls if method == "change_visibility"]) >= 2
        await anyio.sleep(200)
        assert (await queue.depths()).visible == 2

    run_virtual(scenario)


@pytest.mark.parametrize("turns", range(6))
def test_a_cancellation_in_the_moment_of_the_start_ends_the_loop(turns):
    """Whatever of it has started by then: nothing that is shielded is left behind, with nobody to end it."""

    async def scenario():
        queue, clock = make_queues()
        loop = make_loop(queue, lambda _message: None, clock=clock)
        left_behind = []

        async def rescue():
            await anyio.sleep(600)
            left_behind.append(turns)
            loop._background_scope.cancel()

        async with anyio.create_task_group() as watching:
            watching.start_soon(rescue)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(loop.run)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            watching.cancel_scope.cancel()
        assert not left_behind

    run_virtual(scenario)
