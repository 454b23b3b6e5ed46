"""What is held stays ours while the work lasts; what cannot be kept is cancelled and never acknowledged."""

import math

import anyio
import trio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.outcome import Defer, Done, Retry
from workers.runtime.queue import Unavailable

LONG = full_load(
    visibility_timeout_s=60,
    handler_deadline_s=10,
    heartbeat_interval_s=10,
    heartbeat_cap_s=300,
    concurrency=2,
    prefetch=6,
    batch_size=8,
)


def test_buffered_and_running_messages_are_kept_beyond_the_visibility_timeout():
    """Dead-lettering is slow, so the buffer waits: still each message runs once, and heartbeats go by tens."""

    async def scenario():
        queue, clock = make_queues()
        runs = []

        async def handler(message):
            runs.append(message.id)
            await anyio.sleep(9.9)
            return Done()

        ids = await send_many(queue, 8)
        queue.failing["delete"] = 150
        observer = Recorder()
        async with consuming(make_loop(queue, handler, LONG, observer=observer, clock=clock)):
            await anyio.sleep(250)
        assert sorted(runs) == sorted(ids)  # E075 E079
        assert observer.of("visibility_lost") == []
        assert max(detail.count for detail in observer.of("extended")) == 8
        assert {message.receive_count for message in queue.deleted} == {1}

    run_virtual(scenario)


def test_short_work_costs_no_heartbeat():
    """Handlers of five seconds never need one."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(5)
            return Done()

        await send_many(queue, 40)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(100)
        assert len(queue.deleted) == 40
        assert [method for method, _ in queue.calls if method == "change_visibility"] == []

    run_virtual(scenario)


def waiting_handler(runs, *, waits_s):
    """Defers until `waits_s` have passed since the start, so that a message is held that long without a run over its deadline."""

    async def handler(message):
        runs.append((message.id, message.receive_count))
        return Done() if anyio.current_time() >= waits_s else Defer(waits_s)

    return handler


def test_a_heartbeat_throttled_for_twenty_seconds_loses_nothing():
    """The heartbeat is tried again until it gets through; there is no redelivery."""

    async def scenario():
        queue, clock = make_queues()
        runs = []
        (message_id,) = await send_many(queue, 1)
        queue.failing["change_visibility"] = 50  # the first beat that is needed comes at about 20 s
        observer = Recorder()
        async with consuming(
            make_loop(queue, waiting_handler(runs, waits_s=200), LONG, observer=observer, clock=clock)
        ):
            await anyio.sleep(400)
        assert runs == [(message_id, 1), (message_id, 1)]  # fault 6, first half
        assert len(observer.of("heartbeat_failed")) > 5
        assert observer.of("visibility_lost") == []

    run_virtual(scenario)


def test_a_heartbeat_that_hangs_is_bounded_and_tried_again():
    """A call without an answer is given up after the call time-out."""

    async def scenario():
        queue, clock = make_queues()
        runs = []
        (message_id,) = await send_many(queue, 1)
        queue.hang_s["change_visibility"] = math.inf

        async with consuming(make_loop(queue, waiting_handler(runs, waits_s=100), LONG, clock=clock)):
            await anyio.sleep(40)
            queue.hang_s.clear()
            await anyio.sleep(200)
        assert runs == [(message_id, 1), (message_id, 1)]

    run_virtual(scenario)


def test_a_message_held_while_heartbeats_fail_for_longer_than_the_visibility_timeout_is_given_up_at_its_end():
    """At exactly the end of the visibility the wait is cancelled and nothing is acknowledged; the redelivery is handled."""

    async def scenario():
        queue, clock = make_queues()
        runs = []
        (message_id,) = await send_many(queue, 1)
        queue.failing["change_visibility"] = 90
        observer = Recorder()
        async with consuming(make_loop(queue, waiting_handler(runs, waits_s=90), LONG, observer=observer, clock=clock)):
            await anyio.sleep(59.99)
            assert observer.of("visibility_lost") == []
            await anyio.sleep(0.02)
            assert [detail.message_id for detail in observer.of("visibility_lost")] == [message_id]
            await anyio.sleep(400)
        assert runs[-1] == (message_id, 2)  # fault 6, second half
        assert {message.receive_count for message in queue.deleted} == {2}

    run_virtual(scenario)


def test_a_receipt_that_the_queue_calls_gone_cancels_its_handler_at_once():
    """The message was deleted or given to someone else: the handler is cancelled, nothing is acknowledged."""

    async def scenario():
        queue, clock = make_queues()
        ended = []

        async def handler(message):
            try:
                await anyio.sleep(14)
            except trio.Cancelled:
                ended.append("cancelled")
                raise
            ended.append("finished")
            return Done()

        settings = full_load(heartbeat_interval_s=5, concurrency=1, prefetch=1, polls_max=1)
        ids = await send_many(queue, 2)
        observer = Recorder()
        # Somebody else takes the messages over: their receipts here go stale. Long visibility makes the first beat late, so
        # the messages wait (deferred) until one is due.
        first = []

        async def deferring(message):
            if message.id not in first:
                first.append(message.id)
                return Defer(60)
            return await handler(message)

        async with consuming(make_loop(queue, deferring, settings, observer=observer, clock=clock)):
            await anyio.sleep(20)
            for stored in queue.inner._stored.values():
                stored.receipt = "another worker's"
            await anyio.sleep(60)
            assert {detail.message_id for detail in observer.of("visibility_lost")} == set(ids)
            assert {detail.reason for detail in observer.of("visibility_lost")} == {"MessageNotInflight"}
            assert queue.deleted == []
            assert ended == []
        assert queue.deleted == []

    run_virtual(scenario)


def test_the_heartbeat_ends_at_its_cap():
    """A message is not held for ever: with a cap of 120 s it is lost at most one visibility timeout later."""

    async def scenario():
        queue, clock = make_queues()
        settings = full_load(
            visibility_timeout_s=60,
            handler_deadline_s=10,
            heartbeat_interval_s=10,
            heartbeat_cap_s=120,
            concurrency=1,
        )

        async def handler(message):
            return Done()

        # Deletions never get through: held in "deleting" until the cap, then remembered and let go.
        queue.failing["delete"] = math.inf
        await send_many(queue, 1)
        observer = Recorder()
        loop = make_loop(queue, handler, settings, observer=observer, clock=clock)
        async with consuming(loop):
            await anyio.sleep(119)
            assert loop.held == 1
            extensions = len(observer.of("extended"))
            assert extensions >= 2
            await anyio.sleep(61)
            queue.failing.clear()
            await anyio.sleep(100)
        assert len(observer.of("started")) == 1
        assert {message.receive_count for message in queue.deleted} == {2}

    run_virtual(scenario)


def test_a_jump_of_the_wall_clock_changes_nothing():
    """An hour forward, two back: deadlines and heartbeats run on the monotonic clock; ages never fall below 0."""

    async def scenario():
        queue, clock = make_queues()
        runs = []
        ids = await send_many(queue, 3)
        observer = Recorder()
        async with consuming(
            make_loop(queue, waiting_handler(runs, waits_s=150), LONG, observer=observer, clock=clock)
        ):
            await anyio.sleep(30)
            clock.offset_ms = 3_600_000
            await anyio.sleep(60)
            clock.offset_ms = -3_600_000
            await anyio.sleep(300)
        assert sorted(message.id for message in queue.deleted) == sorted(ids)  # fault 16
        assert {count for _, count in runs} == {1}
        assert observer.of("visibility_lost") == []
        assert min(detail.age_s for detail in observer.of("done")) == 0

    run_virtual(scenario)


def test_a_stall_of_the_whole_process_longer_than_the_visibility_blocks_the_acknowledgement():
    """The handler returns success, but too late by this process's own clock: no deletion with the stale receipt."""

    async def scenario():
        queue, clock = make_queues()
        runs = []

        async def handler(message):
            runs.append(message.receive_count)
            if message.receive_count == 1:
                trio.lowlevel.current_clock().jump(130)  # a blocking call: no task of this process ran meanwhile
            return Done()

        (message_id,) = await send_many(queue, 1)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(400)
        (lost,) = observer.of("visibility_lost")
        assert (lost.message_id, lost.handled) == (message_id, True)  # fault 17
        assert runs == [1]  # the redelivery to this process is recognised
        assert [message.receive_count for message in queue.deleted] == [2]

    run_virtual(scenario)


def test_a_receive_answered_too_late_is_not_started():
    """The answer took most of the visibility timeout: what cannot finish in time is given back unstarted."""

    async def scenario():
        queue, clock = make_queues()
        starts = []

        async def handler(message):
            starts.append(message.receive_count)
            return Done()

        settings = full_load(visibility_timeout_s=60, handler_deadline_s=10, call_timeout_s=40)
        real = queue.inner.receive

        async def late(**arguments):
            messages = await real(**arguments)
            if anyio.current_time() < 1:
                await anyio.sleep(51)
            return messages

        queue.inner.receive = late
        await send_many(queue, 3)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, settings, observer=observer, clock=clock)):
            await anyio.sleep(100)
        assert starts == [2, 2, 2]
        assert {detail.reason for detail in observer.of("given_back")} == {"too little visibility left"}

    run_virtual(scenario)


def test_a_running_handler_is_cancelled_at_the_moment_visibility_ends():
    """No stall, just no heartbeat: the handler started with little left does not outlive it."""

    async def scenario():
        queue, clock = make_queues()
        ended = []

        async def handler(message):
            if message.receive_count > 1:
                return Done()
            try:
                # Shortened from outside, as if the queue had given less than asked.
                for held in loop._holdings:
                    held.visible_at = anyio.current_time() + 3
                    loop._holdings.expires(held)
                await anyio.sleep(8)
            finally:
                ended.append(anyio.current_time())
            return Done()

        queue.error = Unavailable("down")
        queue.failing["change_visibility"] = 30
        await send_many(queue, 1)
        observer = Recorder()
        loop = make_loop(queue, handler, LONG, observer=observer, clock=clock)
        async with consuming(loop):
            await anyio.sleep(200)
        assert ended == [3.0]
        assert len(observer.of("visibility_lost")) == 1
        assert [message.receive_count for message in queue.deleted] == [2]

    run_virtual(scenario)


def test_a_heartbeat_under_way_does_not_hide_again_what_is_retried():
    """The call that gives a message back waits for the heartbeat call that carries it."""

    async def scenario():
        queue, clock = make_queues()
        started = []
        calls = []
        real = queue.inner.change_visibility

        async def slow_at_first(changes):
            calls.append(anyio.current_time())
            if len(calls) == 1:
                await anyio.sleep(8)  # on its way when the handler's verdict falls
            return await real(changes)

        queue.inner.change_visibility = slow_at_first

        async def handler(message):
            started.append(anyio.current_time())
            if len(started) == 1:
                return Defer(33)
            return Retry("busy", after_s=10) if message.receive_count == 1 else Done()

        await send_many(queue, 1)
        async with consuming(make_loop(queue, handler, LONG, clock=clock)):
            await anyio.sleep(150)
        assert calls[0] < 33 < calls[0] + 8
        assert len(started) == 3
        assert started[2] < 60

    run_virtual(scenario)


def test_an_extension_counts_from_before_its_call():
    """The answer is slow, the effect was at once: the message is given up before the queue gives it to somebody else."""

    async def scenario():
        queue, clock = make_queues()
        seen = []
        visible_at = []
        real = queue.inner.change_visibility

        async def slow_answer(changes):
            failed = await real(changes)
            visible_at.append(anyio.current_time() + changes[0][1])
            await anyio.sleep(8)
            queue.failing["change_visibility"] = math.inf
            return failed

        queue.inner.change_visibility = slow_answer

        class Timed(Recorder):
            def visibility_lost(self, detail):
                seen.append(anyio.current_time())

        await send_many(queue, 1)
        async with consuming(make_loop(queue, waiting_handler([], waits_s=500), LONG, observer=Timed(), clock=clock)):
            await anyio.sleep(visible_at[0] + 1 if visible_at else 120)
        assert len(visible_at) == 1
        assert seen[0] <= visible_at[0]

    run_virtual(scenario)
