"""Departments that act on the same dispatch: whoever has done something slow looks again before it writes, and is not refused.

A refused write is charged as a write, billing's as a transaction: `docs/cost.md`.
"""

from itertools import permutations

import pytest

from orderstore.history import History
from orderstore.orders import Orders
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.envelope import parse_envelope
from workers.runtime.outcome import Done
from workers.runtime.queue import Message

WRITES = {
    "payment": ["log.append"],
    "inventory": ["log.append"],
    "billing": ["log.append_numbered", "log.append"],
}
"""Those of each department, none of them refused."""


async def dispatched(world: World) -> tuple[str, dict[str, Message]]:
    """An order that has left, and what each department was told of it and has not heard yet."""
    world.wants = lambda queue, event_type: queue not in WRITES or event_type != "ShipmentDispatched"
    order_id = await world.place()
    await world.deliver()
    told = {
        queue: message
        for queue, message in world.history
        if queue in WRITES and parse_envelope(message.body).event_type == "ShipmentDispatched"
    }
    return order_id, told


@pytest.mark.parametrize(("late", "first", "second"), list(permutations(WRITES)))
def test_who_was_overtaken_meanwhile_writes_once(late: str, first: str, second: str) -> None:
    """Both others act while the provider, stock or the counter is asked: their commits are seen, none refuses a write."""

    async def scenario() -> None:
        world = World()
        order_id, told = await dispatched(world)

        async def meanwhile() -> None:
            for queue in (first, second):
                assert await world.elsewhere[queue](told[queue]) == Done()

        before = len(world.faults.names)
        world.faults.at, world.faults.meanwhile = world.faults.calls + 2, meanwhile  # the first call after the load
        assert await world.handlers[late](told[late]) == Done()

        own = [name for name in world.faults.names[before:] if name.startswith("log.append")]
        assert own == WRITES[late]
        for name in ("PaymentCaptured", "InventoryCommitted", "InvoiceIssued", "OrderCompleted"):
            assert (await world.events(order_id)).count(name) == 1

    run_virtual(scenario)


def test_payment_that_stock_overtook_writes_once() -> None:
    """A provider takes longer than a table: of the first two outcomes this is the usual order."""

    async def scenario() -> None:
        world = World()
        world.wants = lambda _queue, _event_type: False
        order_id = await world.place()
        await world.deliver()
        told = {queue: message for queue, message in world.history if queue in ("payment", "inventory")}

        async def meanwhile() -> None:
            assert await world.elsewhere["inventory"](told["inventory"]) == Done()

        before = len(world.faults.names)
        world.faults.at, world.faults.meanwhile = world.faults.calls + 2, meanwhile
        assert await world.handlers["payment"](told["payment"]) == Done()

        assert [name for name in world.faults.names[before:] if name.startswith("log.append")] == ["log.append"]
        assert (await world.events(order_id))[-1] == "OrderConfirmed"

    run_virtual(scenario)


def test_billing_that_was_overtaken_while_it_drew_writes_once() -> None:
    """Drawing a document takes longest of all."""

    async def scenario() -> None:
        world = World()
        order_id, told = await dispatched(world)

        async def meanwhile() -> None:
            for queue in ("payment", "inventory"):
                assert await world.elsewhere[queue](told[queue]) == Done()

        before = len(world.faults.names)
        world.faults.meanwhile = meanwhile
        world.faults.at = world.faults.calls + await _calls_until("objects.put_new", queue="billing")
        assert await world.handlers["billing"](told["billing"]) == Done()

        own = [name for name in world.faults.names[before:] if name.startswith("log.append")]
        assert own == WRITES["billing"]
        assert (await world.events(order_id)).count("InvoiceDocumentStored") == 2

    run_virtual(scenario)


@pytest.mark.parametrize("late", WRITES)
def test_who_is_overtaken_after_the_look_is_refused_and_goes_on(late: str) -> None:
    """The look saves a charge and decides nothing: the condition of the write does."""

    async def scenario() -> None:
        world = World()
        order_id, told = await dispatched(world)
        others = [queue for queue in WRITES if queue != late]

        async def meanwhile() -> None:
            for queue in others:
                assert await world.elsewhere[queue](told[queue]) == Done()

        real = world.faults.names
        before = len(real)
        world.faults.meanwhile = meanwhile
        world.faults.at = world.faults.calls + await _calls_until(WRITES[late][0], queue=late)
        assert await world.handlers[late](told[late]) == Done()

        own = [name for name in real[before:] if name.startswith("log.append")]
        assert own[0] == WRITES[late][0]
        assert len(own) > len(WRITES[late]), "it was refused, and wrote again"
        for name in ("PaymentCaptured", "InventoryCommitted", "InvoiceIssued", "OrderCompleted"):
            assert (await world.events(order_id)).count(name) == 1

    run_virtual(scenario)


async def _calls_until(call: str, *, queue: str) -> int:
    """The number of the first such call of a department, counted in a world of its own."""
    world = World()
    _, told = await dispatched(world)
    before = len(world.faults.names)
    assert await world.handlers[queue](told[queue]) == Done()
    own = world.faults.names[before:]
    return own.index(call) + 1


def test_what_is_caught_up_is_what_is_loaded() -> None:
    """With what others wrote, and also where nobody did; what was read before is not read again."""

    async def scenario() -> None:
        world = World()
        order_id, told = await dispatched(world)
        orders: Orders = world.orders
        early: History = await orders.load(order_id)
        assert await orders.caught_up(early) is early
        await world.elsewhere["billing"](told["billing"])
        asked: list[int] = []
        read = world.log.read

        async def noted(stream: str, *, after: int = 0) -> object:
            asked.append(after)
            return await read(stream, after=after)

        world.log.read = noted  # type: ignore[method-assign, assignment]  # counted
        late = await orders.caught_up(early)
        assert early.head is not None
        assert asked == [early.head.number]
        assert late == await orders.load(order_id)

    run_virtual(scenario)
