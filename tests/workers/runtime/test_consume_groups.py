"""A FIFO queue's groups: each in its sequence, beside the others; what fails holds back those behind it and nobody else."""

import random
from collections import defaultdict

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import FaultyQueue, Recorder, WallClock, consuming, full_load, make_loop
from workers.runtime.memory import MemoryQueue
from workers.runtime.memory_groups import MemoryFairQueue, MemoryFifoQueue
from workers.runtime.outcome import Defer, Done, Poison, Retry
from workers.runtime.queue import RequestRefused


def fifo_queues(*, receive_count_max=3):
    clock = WallClock()
    dead = MemoryFifoQueue("work-dlq", now_ms=clock, retention_s=14 * 86_400)
    queue = MemoryFifoQueue("work", now_ms=clock, dead_letters=dead, receive_count_max=receive_count_max)
    return FaultyQueue(queue, dead), clock


def in_order(**settings):
    return full_load(ordered=True, **settings)


async def send_groups(queue, *bodies):
    """`a1` is sent as the group `a`."""
    for body in bodies:
        await queue.inner.send(body, group=body[0])


async def letters(queue):
    found = await queue.dead.receive(max_messages=10, wait_s=0, visibility_timeout_s=600)
    return [message.body for message in found]


def test_a_group_runs_in_its_sequence_and_beside_the_other_groups():
    """Three groups in one receive: three at work at once, never two of a group, each in the order in which it was sent."""

    async def scenario():
        queue, clock = fifo_queues()
        ended = []
        at_work = defaultdict(int)
        peak = 0

        async def handler(message):
            nonlocal peak
            group = message.group
            at_work[group] += 1
            assert at_work[group] == 1
            peak = max(peak, sum(at_work.values()))
            await anyio.sleep(1)
            at_work[group] -= 1
            ended.append(message.body)
            return Done()

        await send_groups(queue, "a1", "a2", "b1", "a3", "b2", "c1")
        async with consuming(make_loop(queue, handler, in_order(), clock=clock)):
            await anyio.sleep(4)
        assert peak == 3
        for group in "abc":
            assert [body for body in ended if body[0] == group] == sorted(body for body in ended if body[0] == group)
        assert len(ended) == len(queue.deleted) == 6
        assert [m for m, _ in queue.calls].count("receive") <= 5

    run_virtual(scenario)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_order_within_groups_survives_failures_deferrals_and_restarts(seed):
    """Two hundred messages of ten groups, random trouble, four workers one after another: the first successes come in order."""

    async def scenario():
        source = random.Random(seed)
        queue, clock = fifo_queues(receive_count_max=1_000)
        done = defaultdict(list)

        async def handler(message):
            await anyio.sleep(source.uniform(0, 3))
            fate = source.random()
            if fate < 0.15:
                raise ConnectionError
            if fate < 0.3:
                return Defer(source.uniform(0, 20))
            if message.body not in done[message.group]:
                done[message.group].append(message.body)
            return Done()

        sent = defaultdict(list)
        for number in range(200):
            group = f"g{source.randrange(10)}"
            sent[group].append(f"{group}/{number}")
            await queue.inner.send(f"{group}/{number}", group=group)
        for runs_s in (5, 31, 60, 4_000):
            async with consuming(
                make_loop(queue, handler, in_order(receive_count_max=1_000, retry_base_s=1, retry_cap_s=8), clock=clock)
            ):
                await anyio.sleep(runs_s)
        assert done == sent, f"seed {seed}"
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 0)

    run_virtual(scenario)


def test_one_that_fails_holds_back_those_behind_it_and_nobody_else():
    """The rest of its group goes back to the queue with it, unstarted, and all of them come again in their order."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            ran.append(message.body)
            return Retry("busy", after_s=30) if message.body == "a1" and message.receive_count == 1 else Done()

        await send_groups(queue, "a1", "a2", "a3", "b1", "b2")
        observer = Recorder()
        async with consuming(make_loop(queue, handler, in_order(), observer=observer, clock=clock)):
            await anyio.sleep(5)
            assert sorted(ran) == ["a1", "b1", "b2"]
            assert {detail.reason for detail in observer.of("given_back")} == {"behind another of its group"}
            assert (await queue.depths()).visible == 2
            await anyio.sleep(60)
        assert [body for body in ran if body[0] == "a"] == ["a1", "a1", "a2", "a3"]
        assert (await queue.depths()).dead_letters == 0

    run_virtual(scenario)


def test_after_its_last_receive_a_message_holds_back_nobody_and_nobody_goes_to_the_dead_letters_unread():
    """Each failure of the first also cost those behind it a receive; when it leaves for the dead letters they run, on their last one."""

    async def scenario():
        queue, clock = fifo_queues(receive_count_max=3)
        ran = []

        async def handler(message):
            ran.append((message.body, message.receive_count))
            if message.body == "a1":
                raise ConnectionError("provider down")
            return Done()

        await send_groups(queue, "a1", "a2", "a3")
        async with consuming(make_loop(queue, handler, in_order(), clock=clock)):
            await anyio.sleep(1_000)
        assert ran == [("a1", 1), ("a1", 2), ("a1", 3), ("a2", 3), ("a3", 3)]
        assert await letters(queue) == ["a1"]

    run_virtual(scenario)


def test_poison_leaves_the_group_and_the_next_goes_on_at_once():
    """Nothing behind it is given back: no receive is burnt for a message that no retry can help."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            ran.append((message.body, message.receive_count))
            return Poison("undecodable") if message.body == "a1" else Done()

        await send_groups(queue, "a1", "a2")
        observer = Recorder()
        async with consuming(make_loop(queue, handler, in_order(), observer=observer, clock=clock)):
            await anyio.sleep(5)
        assert ran == [("a1", 1), ("a2", 1)]
        assert observer.of("given_back") == []
        assert await letters(queue) == ["a1"]

    run_virtual(scenario)


def test_a_deferred_message_keeps_its_place_and_burns_no_receive():
    """An outage of ten minutes: the group waits behind its first, which is kept; the others go on."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            if message.group == "a" and anyio.current_time() < 600:
                return Defer(20)
            ran.append((message.body, message.receive_count))
            return Done()

        await send_groups(queue, "a1", "a2", "b1", "b2")
        settings = in_order(heartbeat_cap_s=900)
        async with consuming(make_loop(queue, handler, settings, clock=clock)):
            await anyio.sleep(700)
        assert ran == [("b1", 1), ("b2", 1), ("a1", 1), ("a2", 1)]

    run_virtual(scenario)


def test_one_whose_visibility_is_lost_takes_those_behind_it_along():
    """Somebody else may run it now, so what waited behind it must not run here: it comes again, in order."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            ran.append((message.body, message.receive_count))
            if message.body == "a1" and message.receive_count == 1:
                for held in loop._holdings:
                    if held.message.body == "a1":
                        held.visible_at = anyio.current_time() + 3
                        loop._holdings.expires(held)
                await anyio.sleep(10)
            return Done()

        await send_groups(queue, "a1", "a2", "a3")
        loop = make_loop(queue, handler, in_order(), clock=clock)
        async with consuming(loop):
            await anyio.sleep(300)
        assert ran == [("a1", 1), ("a1", 2), ("a2", 2), ("a3", 2)]

    run_virtual(scenario)


def test_what_is_lost_in_the_middle_of_a_lane_takes_along_what_is_behind_it_only():
    """Of four the third is lost while the first runs: the second still runs, the fourth does not before the third."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            ran.append((message.body, message.receive_count))
            if message.body == "a1":
                for held in loop._holdings:
                    if held.message.body == "a3":
                        held.visible_at = anyio.current_time() + 3
                        loop._holdings.expires(held)
                await anyio.sleep(10)
            return Done()

        await send_groups(queue, "a1", "a2", "a3", "a4")
        observer = Recorder()
        loop = make_loop(queue, handler, in_order(), observer=observer, clock=clock)
        async with consuming(loop):
            await anyio.sleep(300)
        assert ran == [("a1", 1), ("a2", 1), ("a3", 2), ("a4", 2)]
        assert [detail.reason for detail in observer.of("given_back")] == ["behind another of its group"]

    run_virtual(scenario)


def test_a_stop_gives_back_what_waits_behind_another_at_once():
    """One runs and finishes; the two behind it are visible before it has."""

    async def scenario():
        queue, clock = fifo_queues()
        ran = []

        async def handler(message):
            ran.append(message.body)
            await anyio.sleep(10)
            return Done()

        await send_groups(queue, "a1", "a2", "a3")
        async with anyio.create_task_group() as tasks:
            loop = make_loop(queue, handler, in_order(poll_grace_s=0), clock=clock)
            await tasks.start(loop.run)
            await anyio.sleep(1)
            loop.stop()
            await anyio.sleep(1)
            assert (await queue.depths()).visible == 2
        assert ran == ["a1"]
        assert anyio.current_time() < 12

    run_virtual(scenario)


def test_on_a_standard_queue_a_group_orders_nothing():
    """There it names a tenant for SQS's fairness, whose messages run side by side."""

    async def scenario():
        clock = WallClock()
        queue = MemoryQueue("work", now_ms=clock)
        at_work = peak = 0

        async def handler(message):
            nonlocal at_work, peak
            assert message.group == "acme"
            at_work += 1
            peak = max(peak, at_work)
            await anyio.sleep(1)
            at_work -= 1
            return Done()

        for number in range(6):
            await queue.send(str(number), group="acme")
        async with consuming(make_loop(queue, handler, full_load(), clock=clock)):
            await anyio.sleep(5)
        assert peak == 6

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_noisy_tenant_does_not_make_the_others_wait():
    """Two thousand messages of one tenant before ten of others: with groups these are done first, without they wait for all of it."""

    async def scenario():
        clock = WallClock()
        waits = {}
        for groups in (True, False):
            queue = MemoryFairQueue("work", now_ms=clock)
            ended = []

            async def handler(message, ended=ended):
                await anyio.sleep(1)
                if message.body == "quiet":
                    ended.append(anyio.current_time())
                return Done()

            for _ in range(2_000):
                await queue.send("noisy", group="noisy" if groups else None)
            loop = make_loop(queue, handler, full_load(concurrency=40, polls_max=10), clock=clock)
            async with consuming(loop):
                await anyio.sleep(10)
                sent_at = anyio.current_time()
                for number in range(10):
                    await queue.send("quiet", group=f"tenant-{number}" if groups else None)
                await anyio.sleep(90)
            assert len(ended) == 10
            waits[groups] = max(ended) - sent_at
        assert waits[True] <= 5  # fault 29
        assert waits[False] > 30

    run_virtual(scenario)


async def test_a_fifo_queue_takes_nothing_without_a_group():
    """SQS refuses it, and a delay of a message's own too."""
    queue = MemoryFifoQueue("work", now_ms=WallClock())
    with pytest.raises(RequestRefused, match="group"):
        await queue.send("a1")
    with pytest.raises(RequestRefused, match="delay"):
        await queue.send("a1", group="a", delay_s=1)
