"""The article's concurrencies in one process, what they hold in memory, and what they cost in requests."""

from collections import Counter

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.outcome import Done
from workers.runtime.queue import CredentialsInvalid, QueueMissing
from workers.runtime.settings import ConsumeSettings


def requests_of(queue):
    return Counter(method for method, _ in queue.calls)


@pytest.mark.parametrize(
    ("role", "concurrency", "batch"),
    [("payment", 100, 5), ("inventory", 40, 5), pytest.param("notification", 500, 10, marks=pytest.mark.thorough)],
)
def test_the_articles_concurrency_is_reached_in_one_process_and_never_passed(role, concurrency, batch):
    """From the slow start on: exactly so many at work, held and in flight within the bound, and the rest stays in the queue."""

    async def scenario():
        queue, clock = make_queues()
        at_work = peak = held_peak = 0

        async def handler(message):
            nonlocal at_work, peak, held_peak
            at_work += 1
            peak, held_peak = max(peak, at_work), max(held_peak, loop.held)
            await anyio.sleep(5)
            at_work -= 1
            return Done()

        settings = ConsumeSettings(concurrency=concurrency, batch_size=batch)
        await send_many(queue, 6 * concurrency)
        loop = make_loop(queue, handler, settings, clock=clock)
        async with consuming(loop):
            for _ in range(600):
                await anyio.sleep(0.5)
                assert loop.running <= concurrency
                assert loop.held <= settings.held_max
                assert (await queue.depths()).in_flight <= settings.held_max
                if len(queue.deleted) == 6 * concurrency:
                    break
        assert peak == concurrency  # E106
        assert held_peak <= settings.held_max
        assert len(queue.deleted) == 6 * concurrency

    run_virtual(scenario)


@pytest.mark.thorough
def test_full_batches_cost_a_fifth_of_a_request_per_message():
    """Receives and deletions by tens: 0.2 is the least there is, and a deep queue gets it."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(0.05)
            return Done()

        await send_many(queue, 2_000)
        async with consuming(make_loop(queue, handler, full_load(concurrency=100), clock=clock)):
            await anyio.sleep(5)
            assert len(queue.deleted) == 2_000
            counts = requests_of(queue)
        assert sum(counts.values()) / 2_000 <= 0.22
        assert counts["change_visibility"] == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_the_slow_start_costs_few_requests_more():
    """One, two, four, … messages at a time in the beginning: a thousand messages still cost less than a quarter each."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(0.05)
            return Done()

        await send_many(queue, 1_000)
        async with consuming(make_loop(queue, handler, ConsumeSettings(concurrency=100), clock=clock)):
            await anyio.sleep(5)
            assert len(queue.deleted) == 1_000
            counts = requests_of(queue)
        assert sum(counts.values()) / 1_000 <= 0.25

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_held_message_costs_one_heartbeat_call_for_ten_and_none_before_half_of_its_time():
    """Deletions that do not get through for five minutes: a hundred messages are held for that long by some ten calls at a time."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["delete"] = 290

        async def handler(message):
            return Done()

        await send_many(queue, 100)
        async with consuming(make_loop(queue, handler, full_load(concurrency=100, polls_max=10), clock=clock)):
            await anyio.sleep(39)
            assert requests_of(queue)["change_visibility"] == 0
            await anyio.sleep(361)
        assert {message.receive_count for message in queue.deleted} == {1}
        assert len(queue.deleted) == 100
        beats = requests_of(queue)["change_visibility"]
        assert 10 <= beats <= 10 * 8

    run_virtual(scenario)


def test_back_pressure_reaches_the_queue_within_a_round_and_lets_go_again():
    """Handlers turn slow: the receives stop while all are busy, and come back with them; no message is held unstarted."""

    async def scenario():
        queue, clock = make_queues()
        slow = False

        async def handler(message):
            await anyio.sleep(14 if slow else 0.25)
            return Done()

        await send_many(queue, 1_400)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, full_load(concurrency=20), observer=observer, clock=clock)):
            await anyio.sleep(2)
            quick = requests_of(queue)["receive"]
            slow = True
            await anyio.sleep(2)
            before = requests_of(queue)["receive"]
            await anyio.sleep(8)
            assert requests_of(queue)["receive"] == before
            slow = False
            await anyio.sleep(12)
            assert requests_of(queue)["receive"] > before + quick
        assert max(detail.waited_s for detail in observer.of("started")) < 1

    run_virtual(scenario)


@pytest.mark.parametrize("error", [QueueMissing("gone"), CredentialsInvalid("expired")], ids=repr)
def test_a_missing_queue_is_told_from_bad_credentials_and_both_from_an_empty_queue(error):
    """The observer is given the error itself; the row of failures, which turns readiness red, ends with the first answer."""

    async def scenario():
        queue, clock = make_queues()
        queue.error = error
        queue.failing["receive"] = 30

        async def handler(message):
            return Done()

        observer = Recorder()
        loop = make_loop(queue, handler, observer=observer, clock=clock)
        async with consuming(loop):
            await anyio.sleep(20)
            assert loop.poll_failures_in_a_row >= 3
            await anyio.sleep(60)
            assert loop.poll_failures_in_a_row == 0
        assert {type(detail.error) for detail in observer.of("poll_failed")} == {type(error)}
        assert observer.of("empty_receive") != []

    run_virtual(scenario)


@pytest.mark.parametrize("letters_sent", [400, pytest.param(2_000, marks=pytest.mark.thorough)])
def test_a_redrive_of_thousands_at_a_rate_leaves_live_messages_young(letters_sent):
    """Forty old letters a second beside ten live messages: nobody who is live waits, and every letter is done once."""

    async def scenario():
        queue, clock = make_queues()
        waited = []
        letters = Counter()

        async def handler(message):
            await anyio.sleep(0.5)
            if message.body == "live":
                waited.append(clock() - message.sent_at_ms)
            else:
                letters[message.body] += 1
            return Done()

        async def redrive():
            for number in range(letters_sent):
                await queue.inner.send(f"letter {number}")
                await anyio.sleep(1 / 40)

        async with consuming(make_loop(queue, handler, full_load(concurrency=40), clock=clock)):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(redrive)
                for _ in range(letters_sent // 4):
                    await queue.inner.send("live")
                    await anyio.sleep(1 / 10)
            await anyio.sleep(30)
        assert len(waited) == letters_sent // 4
        assert max(waited) < 3_000  # fault 27
        assert len(letters) == letters_sent
        assert set(letters.values()) == {1}

    run_virtual(scenario)
