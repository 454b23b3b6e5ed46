"""The billing worker: numbers without a gap, in the series of the year in which the goods left."""

import contextlib
from datetime import UTC, datetime

import anyio
import pytest

from orderstore.transact import Contended
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.runtime.outcome import Done


async def dispatched(world: World, count: int) -> list[str]:
    world.wants = lambda queue, event_type: queue != "billing"
    await world.stock.receive("for all", {"LAPTOP-001": 1_000, "MOUSE-002": 1_000})
    orders = [await world.place() for _ in range(count)]
    await world.deliver(rounds_max=count * 50)
    return orders


async def invoices(world: World, orders: list[str]) -> list[tuple[str, int]]:
    found = []
    for order_id in orders:
        state = (await world.orders.load(order_id)).state
        assert state.invoice is not None
        found.append((state.invoice.series, state.invoice.number))
    return found


def test_two_hundred_invoices_at_once_are_numbered_from_one_to_two_hundred() -> None:
    """From two processes, each message twice: no gap, no number twice, one invoice per order."""

    async def scenario() -> None:
        world = World()
        orders = await dispatched(world, 200)
        messages = [message for queue, message in world.history if queue == "billing"]
        assert len(messages) == 200

        async def bill(handlers, message) -> None:
            for _ in range(200):  # a series that is too busy is a matter for the message's next delivery
                with contextlib.suppress(Contended):
                    assert await handlers["billing"](message) == Done()
                    return
            raise AssertionError("contended for ever")

        async with anyio.create_task_group() as tasks:
            for message in messages:
                tasks.start_soon(bill, world.handlers, message)
                tasks.start_soon(bill, world.elsewhere, message)

        numbered = await invoices(world, orders)
        assert sorted(number for _, number in numbered) == list(range(1, 201))
        for order_id in orders:
            assert (await world.events(order_id)).count("InvoiceIssued") == 1

    run_virtual(scenario)


def test_the_series_is_that_of_the_year_of_supply() -> None:
    """Goods that left on New Year's Eve are invoiced in the old year's series, also when billing runs a day later."""

    async def scenario() -> None:
        world = World()
        world.time_ms = int(datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp() * 1000)
        orders = await dispatched(world, 1)
        world.time_ms += 86_400_000
        await world.handlers["billing"](next(message for queue, message in world.history if queue == "billing"))

        state = (await world.orders.load(orders[0])).state
        assert state.invoice.invoice_number == "SHOP-2026-000001"
        assert state.invoice.supplied_at == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
        assert state.invoice.issued_at == datetime(2027, 1, 1, 23, 59, tzinfo=UTC)

    run_virtual(scenario)


def test_a_number_is_not_lost_when_the_writer_dies_around_the_transaction() -> None:
    """The number and the invoice are stored together; whoever comes next takes the next one."""

    async def scenario() -> None:
        world = World()
        orders = await dispatched(world, 3)
        messages = [message for queue, message in world.history if queue == "billing"]
        faults = world.faults
        for after, message in zip((False, True, False), messages, strict=True):
            faults.at, faults.after = faults.calls + 3, after  # load, counter, then the transaction
            with pytest.raises(Exception, match=r"log\.append_numbered"):
                await world.handlers["billing"](message)
        for message in reversed(messages):
            await world.handlers["billing"](message)

        assert sorted(number for _, number in await invoices(world, orders)) == [1, 2, 3]

    run_virtual(scenario)
