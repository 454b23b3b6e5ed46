"""Polling asks for what can be started, no more; errors slow it down and nothing else."""

from collections import deque

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import CredentialsInvalid, QueueMissing, Throttled, Unavailable
from workers.runtime.settings import ConsumeSettings


def test_an_idle_worker_keeps_one_long_poll():
    """Twenty idle minutes cost one receive every 20 s, counted as empty."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(1_200.5)
            assert queue.receives_under_way_max == 1
            assert len(queue.asked) == 61
            assert len(observer.of("empty_receive")) == 60  # E082

    run_virtual(scenario)


@pytest.mark.parametrize("concurrency", [1, 7, 100, pytest.param(500, marks=pytest.mark.thorough)])
def test_no_more_handlers_run_than_allowed_and_no_more_is_held(concurrency):
    """With a deep queue the bound is reached and never passed; what is asked for never exceeds the free slots."""

    async def scenario():
        queue, clock = make_queues()
        running = 0
        peak = 0
        held_peak = 0

        async def handler(message):
            nonlocal running, peak, held_peak
            running += 1
            peak = max(peak, running)
            held_peak = max(held_peak, loop.held)
            await anyio.sleep(3)
            running -= 1
            return Done()

        settings = full_load(concurrency=concurrency, polls_max=10)
        count = 4 * concurrency
        await send_many(queue, count)
        loop = make_loop(queue, handler, settings, clock=clock)
        async with consuming(loop):
            await anyio.sleep(120)
        assert peak == concurrency  # D43 E106
        assert held_peak <= settings.held_max
        assert len(queue.deleted) == count

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_worker_starts_with_one_message_and_each_that_returns_adds_one():
    """Never more at once than have returned, plus one; so the load doubles with every round, up to the bound."""

    async def scenario():
        queue, clock = make_queues()
        running = returned = peak = 0

        async def handler(message):
            nonlocal running, returned, peak
            running += 1
            peak = max(peak, running)
            assert running <= 1 + returned
            await anyio.sleep(1)
            running -= 1
            returned += 1
            return Done()

        await send_many(queue, 1_000)
        loop = make_loop(queue, handler, ConsumeSettings(concurrency=40, polls_max=10), clock=clock)
        observer = loop._observer
        async with consuming(loop):
            await anyio.sleep(120)
        assert observer.of("retried") == []
        assert peak == 40
        assert len(queue.deleted) == 1_000

    run_virtual(scenario)


def test_slow_handlers_hold_back_the_polling():
    """Back-pressure: with all slots taken there is no receive call, and the rest stays visible in the queue for others."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(14)
            return Done()

        await send_many(queue, 100)
        async with consuming(make_loop(queue, handler, full_load(concurrency=5), clock=clock)):
            await anyio.sleep(13)
            assert queue.asked == [5]
            assert (await queue.depths()).visible == 95
            assert (await queue.depths()).in_flight == 5

    run_virtual(scenario)


def test_while_acknowledgements_do_not_get_through_memory_stays_bounded():
    """Deletions hang for good: the worker stops taking messages instead of piling them up."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["delete"] = 200
        settings = full_load(concurrency=5)

        async def handler(message):
            return Done()

        await send_many(queue, 400)
        loop = make_loop(queue, handler, settings, clock=clock)
        async with consuming(loop):
            for _ in range(100):
                await anyio.sleep(1)
                assert loop.held <= settings.held_max
            assert (await queue.depths()).visible >= 370
            await anyio.sleep(500)
        assert len({message.id for message in queue.deleted}) == 400

    run_virtual(scenario)


def test_a_burst_is_met_with_several_polls_and_then_one_again():
    """Full answers add polls up to the bound; empty ones take them away."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(1)
            return Done()

        await send_many(queue, 400)
        queue.hang_s["receive"] = 0.2
        async with consuming(make_loop(queue, handler, full_load(concurrency=60, polls_max=3), clock=clock)):
            await anyio.sleep(60)
            assert len(queue.deleted) == 400
            before = len(queue.asked)
            await anyio.sleep(101)
            assert len(queue.asked) - before <= 6
        assert queue.receives_under_way_max <= 3

    run_virtual(scenario)


def test_a_busy_worker_waits_a_moment_for_a_batch_worth_of_credit():
    """Nine long runners and a slot that frees often: at most one poll a second, not one for each message."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(0.01 if int(message.body) >= 9 else 14.5)
            return Done()

        await send_many(queue, 100)
        settings = full_load(concurrency=10, polls_max=1)
        async with consuming(make_loop(queue, handler, settings, clock=clock)):
            await anyio.sleep(10)
            assert len(queue.asked) <= 11  # E051

    run_virtual(scenario)


@pytest.mark.parametrize(
    "error", [Unavailable("dns"), Throttled("slow"), CredentialsInvalid("expired"), QueueMissing("gone")], ids=repr
)
def test_failing_polls_back_off_and_recover(error):
    """Ten minutes of failing receives: the rate falls, the failure is visible, nothing is dead-lettered, then all is done."""

    async def scenario():
        queue, clock = make_queues()
        queue.error = error
        queue.failing["receive"] = 600
        ids = await send_many(queue, 30)

        async def handler(message):
            return Done()

        observer = Recorder()
        loop = make_loop(queue, handler, observer=observer, clock=clock)
        async with consuming(loop):
            await anyio.sleep(500)
            assert loop.poll_failures_in_a_row >= 10
            assert loop.answered_at is None
            await anyio.sleep(200)
            assert loop.poll_failures_in_a_row == 0
        failures = observer.of("poll_failed")
        assert 20 <= len(failures) <= 150  # fault 13
        assert {detail.error for detail in failures} == {error}
        assert max(detail.retry_in_s for detail in failures) <= 30
        assert len({detail.retry_in_s for detail in failures}) == len(failures)  # jitter
        assert {message.id for message in queue.deleted} == set(ids)
        assert (await queue.depths()).dead_letters == 0

    run_virtual(scenario)


def test_credentials_that_expire_in_mid_poll_cost_one_poll():
    """One error, then normal work."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["receive"] = deque([None, CredentialsInvalid("expired")])

        async def handler(message):
            return Done()

        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(25)
            await send_many(queue, 3)
            await anyio.sleep(5)
        assert len(observer.of("poll_failed")) == 1
        assert len(queue.deleted) == 3

    run_virtual(scenario)


def test_a_receive_call_that_never_answers_is_given_up():
    """A client that hangs is bounded by wait + call time-out, and counts as a failed poll."""

    async def scenario():
        queue, clock = make_queues()
        queue.hang_s["receive"] = 10_000

        async def handler(message):
            return Done()

        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(31)
            assert [type(detail.error) for detail in observer.of("poll_failed")] == [TimeoutError]
            queue.hang_s.clear()
            await send_many(queue, 1)
            await anyio.sleep(40)
            assert len(queue.deleted) == 1

    run_virtual(scenario)


def test_a_worker_whose_messages_are_all_deferred_pauses_and_burns_no_receive():
    """An outage of 20 minutes: the messages held wait, the rest stays untouched, and nothing reaches the dead letters."""

    async def scenario():
        queue, clock = make_queues()
        counts = []

        async def handler(message):
            if anyio.current_time() < 1_200:
                return Defer(30)
            counts.append(message.receive_count)
            return Done()

        ids = await send_many(queue, 50)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, full_load(concurrency=5), observer=observer, clock=clock)):
            await anyio.sleep(1_190)
            assert queue.asked == [5]
            assert (await queue.depths()).visible == 45
            await anyio.sleep(300)
        assert counts == [1] * len(ids)  # D12
        assert all(detail.held for detail in observer.of("deferred"))
        assert (await queue.depths()).dead_letters == 0

    run_virtual(scenario)


def test_the_age_of_the_oldest_message_is_reported_from_what_is_received():
    """Messages that waited ten minutes say so."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        await send_many(queue, 2)
        await anyio.sleep(600)
        await send_many(queue, 2)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(10)
        (received,) = observer.of("received")
        assert (received.count, received.oldest_age_s) == (4, 600)  # E109
        assert sorted(detail.age_s for detail in observer.of("started")) == [0, 0, 600, 600]

    run_virtual(scenario)


def test_a_trickle_needs_no_more_than_one_poll():
    """Answers that are not full add no poll."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        async with consuming(make_loop(queue, handler, full_load(concurrency=40), clock=clock)):
            for number in range(60):
                await queue.inner.send(str(number))
                await anyio.sleep(0.5)
            assert queue.receives_under_way_max == 1
        assert len(queue.deleted) == 60

    run_virtual(scenario)
