"""A message that was given back may come again before the answer of giving it back does."""

import anyio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import FaultyQueue, Recorder, consuming, make_loop, make_queues
from workers.runtime.outcome import Done, Outcome, Retry
from workers.runtime.queue import Message


class SlowToAnswer(FaultyQueue):
    """Gives messages back at once, and says so three seconds later."""

    async def change_visibility(self, changes):
        failed = await super().change_visibility(changes)
        await anyio.sleep(3)
        return failed


def test_a_message_that_comes_again_while_its_return_is_under_way_is_handled():
    """Its new receipt is a new delivery: forgotten, it would be hidden for a whole visibility timeout and burn a receive."""
    handled: list[tuple[int, float]] = []

    async def handler(message: Message) -> Outcome:
        handled.append((message.receive_count, anyio.current_time() - began_at_s))
        return Retry("not yet", after_s=1) if message.receive_count == 1 else Done()

    async def scenario() -> None:
        nonlocal began_at_s
        began_at_s = anyio.current_time()
        queue, clock = make_queues()
        slow, observer = SlowToAnswer(queue.inner, queue.dead), Recorder()
        await queue.inner.send("once")
        async with consuming(make_loop(slow, handler, observer=observer, clock=clock)):
            await anyio.sleep(600)
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 0)

    began_at_s = 0.0
    run_virtual(scenario)
    assert [receives for receives, _ in handled] == [1, 2]
    assert handled[1][1] < 10
