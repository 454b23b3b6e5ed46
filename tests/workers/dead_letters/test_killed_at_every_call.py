"""A redrive that dies at any of its calls, before or after that call had its effect, and is run again: nothing lost, nothing twice."""

from collections import Counter

import anyio
import orjson
import pytest

from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import DeskWorld
from tests.workers.world import Crash, Faults
from workers.dead_letters.look import Box
from workers.dead_letters.records import Records

HIDDEN_S = 900.0


class Ports:
    """The world's queue, letters and locked bucket, behind one counter of calls."""

    def __init__(self, world: DeskWorld, faults: Faults) -> None:
        self.faults = faults
        world.boxes["payment"] = Box(
            source=faults.wrap("source", world.queues["payment"]),
            letters=faults.wrap("letters", world.dead["payment"]),
            receive_count_max=3,
            poll_wait_s=0,
        )
        locked = _Bucket(faults.wrap("locked", world.locked), world.locked)
        world.desk._records = Records(locked, tenant="test", now_ms=world.now_ms)


class _Bucket:
    """Listing is a generator, which a wrapped call is not."""

    def __init__(self, wrapped: object, real: object) -> None:
        self.put_new = wrapped.put_new  # type: ignore[attr-defined]
        self.get = wrapped.get  # type: ignore[attr-defined]
        self.keys = real.keys  # type: ignore[attr-defined]


async def _story(at: int | None, after: bool) -> int:
    """Three orders' letters and a copy of one, sent on by a process that dies at call `at`; how many calls there were."""
    world = DeskWorld()
    orders = [(await world.buried_order())[0] for _ in range(3)]
    bodies = [message.body for name, message in world.history if name == "payment"]
    await world.bury("payment", bodies[0])
    ports = Ports(world, Faults(at=at, after=after))
    try:
        await world.redrive(rate_per_s=200)
    except* Crash:
        pass
    calls, ports.faults.at = ports.faults.calls, None
    await _nothing_was_sent_without_a_record(world)
    await anyio.sleep(HIDDEN_S)

    await world.redrive(rate_per_s=200)

    assert await world.letters() == 0, "nothing is left"
    sent = Counter(orjson.loads(message.body)["orderId"] for message in await world.waiting())
    assert set(sent) == set(orders), "nothing is lost"
    assert sent.total() <= len(orders) + 1, "one death, one duplicate at most"
    await _nothing_was_sent_without_a_record(world)
    await world.work("payment")
    await world.deliver()
    assert [await world.status(order_id) for order_id in orders] == ["Completed"] * 3
    assert (await world.effects()).count("authorize") == 3
    return calls


async def _nothing_was_sent_without_a_record(world: DeskWorld) -> None:
    recorded = {record.letter async for record in world.records.all() if record.act == "redrive"}
    sent = {message.attributes["redrivenFrom"] for message in await world.waiting()}
    assert sent <= recorded


@pytest.mark.parametrize("after", [False, True])
def test_wherever_it_dies_the_next_run_finishes_it(after: bool) -> None:
    """Every call to the queues and to the records, one death each."""  # E096, E126
    calls = run_virtual(_story, None, after)
    assert calls >= 20

    for at in moments(calls):
        run_virtual(_story, at, after)
