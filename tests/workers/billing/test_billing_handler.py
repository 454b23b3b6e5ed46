"""The billing worker: numbers without a gap, in the series of the year in which the goods left."""

import contextlib
from datetime import UTC, datetime

import anyio
import pytest

from orderstore.domain.events import InvoiceIssued, SealedText
from orderstore.privacy.buyers import Buyer, open_buyer
from orderstore.transact import Contended
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.reaction import OutOfStep
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


@pytest.mark.parametrize("count", [50, pytest.param(200, marks=pytest.mark.thorough)])
def test_many_invoices_at_once_are_numbered_from_one_without_a_gap(count: int) -> None:
    """From two processes, each message twice: no gap, no number twice, one invoice per order."""

    async def scenario() -> None:
        world = World()
        orders = await dispatched(world, count)
        messages = [message for queue, message in world.history if queue == "billing"]
        assert len(messages) == count

        async def bill(handlers, message) -> None:
            for _ in range(count):  # a series that is too busy is a matter for the message's next delivery
                with contextlib.suppress(Contended):
                    assert await handlers["billing"](message) == Done()
                    return
            raise AssertionError("contended for ever")

        async with anyio.create_task_group() as tasks:
            for message in messages:
                tasks.start_soon(bill, world.handlers, message)
                tasks.start_soon(bill, world.elsewhere, message)

        numbered = await invoices(world, orders)
        assert sorted(number for _, number in numbered) == list(range(1, count + 1))
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
            faults.at, faults.after = faults.calls + 4, after  # load, counter, another look, then the transaction
            with pytest.raises(Exception, match=r"log\.append_numbered"):
                await world.handlers["billing"](message)
        for message in reversed(messages):
            await world.handlers["billing"](message)

        assert sorted(number for _, number in await invoices(world, orders)) == [1, 2, 3]

    run_virtual(scenario)


async def billed(world: World, order_id: str) -> InvoiceIssued:
    """The order's invoice, once billing was told of it."""
    message = next(m for queue, m in world.history if queue == "billing" and order_id in m.body)
    assert await world.handlers["billing"](message) == Done()
    (invoice,) = [past.event for past in (await world.orders.load(order_id)).events if past.name == "InvoiceIssued"]
    assert isinstance(invoice, InvoiceIssued)
    return invoice


def test_an_invoice_names_its_buyer_under_the_fiscal_key_of_the_year_of_issue() -> None:
    """Goods that left on New Year's Eve and are invoiced a day later: the year that the retention counts from is the new one."""

    async def scenario() -> None:
        world = World()
        world.time_ms = int(datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp() * 1000)
        (order_id,) = await dispatched(world, 1)
        world.time_ms += 86_400_000
        invoice = await billed(world, order_id)

        assert invoice.series == "SHOP-2026"
        assert invoice.buyer is not None
        assert invoice.buyer.subject == "fiscal:2027:customer:customer-1"
        history = await world.orders.load(order_id)
        assert await open_buyer(world.vault, invoice, history.stream) == Buyer(name="Ada")
        world.vault.erased.add("customer:customer-1")
        assert await open_buyer(world.vault, invoice, history.stream) == Buyer(name="Ada")
        assert b"ada@example.com" not in await world.vault.open(invoice.buyer, "any")

    run_virtual(scenario)


@pytest.mark.parametrize("contact", [{"customerName": None}, {"customerName": None, "customerEmail": None}, None])
def test_who_has_no_name_or_is_erased_is_invoiced_without_a_buyer(contact: dict[str, None] | None) -> None:
    """Numbers, sums and dates are the same; no fiscal key is made for nobody."""

    async def scenario() -> None:
        world = World()
        world.wants = lambda queue, event_type: queue != "billing"
        order_id = await world.place(**(contact or {}))
        await world.deliver()
        if contact is None:
            world.vault.erased.add("customer:customer-1")
        invoice = await billed(world, order_id)

        assert invoice.buyer is None
        assert (invoice.invoice_number, invoice.total_minor) == ("SHOP-2026-000001", 90_000)
        assert "OrderCompleted" in await world.events(order_id)

    run_virtual(scenario)


def test_a_year_that_ends_between_sealing_and_numbering_is_noticed() -> None:
    """The name would be destroyed a year too early: the message comes again, and the new year's key is taken. No number is lost."""

    async def scenario() -> None:
        world = World()
        world.time_ms = int(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() * 1000)
        (order_id,) = await dispatched(world, 1)
        honest = world.vault.seal

        async def slow(subject: str, purpose: str, plain: bytes) -> SealedText:
            world.time_ms += 2_000
            return await honest(subject, purpose, plain)

        world.vault.seal = slow  # type: ignore[method-assign]
        with pytest.raises(OutOfStep, match="year"):
            await billed(world, order_id)
        invoice = await billed(world, order_id)

        assert invoice.buyer is not None
        assert (invoice.buyer.subject, invoice.issued_at.year) == ("fiscal:2027:customer:customer-1", 2027)
        assert invoice.number == 1

    run_virtual(scenario)
