"""A process that stands still (paused, starved, blocked) is no fault of its messages: none is given up merely because of it."""

import anyio
import trio

from tests.virtual_time import OpenClock, run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues
from workers.runtime.handling import STALLS_MAX
from workers.runtime.outcome import Done


async def stand_still(seconds: float) -> None:
    """All time passes and nothing runs, as while a SIGSTOP lasts."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, OpenClock)
    clock.jump(seconds)
    await anyio.sleep(0.001)


def test_a_deadline_that_passes_while_the_process_stands_still_burns_no_receive() -> None:
    """Three stalls of twenty seconds with the same message: it stays with us, and is done at its first receive (fault 17)."""

    async def scenario() -> None:
        queue, clock = make_queues(receive_count_max=1)
        observer, calls = Recorder(), []

        async def handler(message):
            calls.append(message.receive_count)
            if len(calls) <= STALLS_MAX:
                await stand_still(20)
            return Done()

        await queue.inner.send("work")
        async with consuming(make_loop(queue, handler, full_load(), observer=observer, clock=clock)):
            await anyio.sleep(300)
        assert calls == [1, 1, 1, 1]
        assert observer.of("retried") == []
        assert len(observer.of("done")) == 1
        assert (await queue.dead.depths()).visible == 0

    run_virtual(scenario)


def test_a_message_that_stalls_its_process_every_time_ends_in_the_dead_letters() -> None:
    """A handler that blocks the process looks like a pause; it is forgiven a few times for each receive, not for ever."""

    async def scenario() -> None:
        queue, clock = make_queues(receive_count_max=3)
        calls = []

        async def handler(message):
            calls.append(message.receive_count)
            await stand_still(20)
            return Done()

        await queue.inner.send("poison")
        async with consuming(make_loop(queue, handler, full_load(), clock=clock)):
            await anyio.sleep(3_600)
        assert (await queue.dead.depths()).visible == 1
        assert calls == [receive for receive in (1, 2, 3) for _ in range(STALLS_MAX + 1)]

    run_virtual(scenario)


def test_a_handler_that_hangs_while_the_process_runs_is_retried_as_ever() -> None:
    """The deadline is noticed at its moment: that is the handler's own doing."""

    async def scenario() -> None:
        queue, clock = make_queues(receive_count_max=2)
        observer = Recorder()

        async def handler(_message):
            await anyio.sleep_forever()

        await queue.inner.send("hangs")
        async with consuming(make_loop(queue, handler, full_load(), observer=observer, clock=clock)):
            await anyio.sleep(1_000)
        assert len(observer.of("retried")) == 2
        assert (await queue.dead.depths()).visible == 1

    run_virtual(scenario)
