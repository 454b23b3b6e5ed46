"""The inventory worker: what an order's lines ask of stock, and what its answer means for the order."""

import pytest

from orderstore.domain.events import InventoryFailed, InventoryReleased, InventoryReserved, MissingStock
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.inventory.stock import StockContended, Withdrawn
from workers.reaction import OutOfStep
from workers.runtime.outcome import Done


def test_a_sku_on_several_lines_is_asked_for_in_one_sum() -> None:
    """Two lines of three and four pieces want seven; six are not enough."""  # E018

    async def scenario() -> None:
        world = World()
        await world.stock.receive("r", {"A": 7, "B": 6})
        lines = [("A", 3, "1"), ("A", 4, "2")]
        await world.place(*lines, stocked=False)
        await world.deliver()
        assert await world.stock_is_sound("A") == (7,)

        short = await world.place(*[("B", quantity, price) for _, quantity, price in lines], stocked=False)
        await world.deliver()
        history = await world.orders.load(short)
        failed = [found.event for found in history.events if isinstance(found.event, InventoryFailed)]
        assert failed == [InventoryFailed(missing=(MissingStock(sku="B", wanted=7, available=6),))]

    run_virtual(scenario)


def test_out_of_stock_is_an_event_and_no_retry() -> None:
    """The message is done after its first delivery, and the customer is told."""  # E021, E054, E055, E056

    async def scenario() -> None:
        world = World()
        order_id = await world.place(stocked=False)
        message = next(message for queue, message in world.messages if queue == "inventory")
        assert await world.handlers["inventory"](message) == Done()
        assert "InventoryFailed" in await world.events(order_id)
        await world.deliver()
        assert world.errors == []
        assert any("out of stock" in mail.subject for mail in world.mailbox.sent)

    run_virtual(scenario)


def test_what_is_released_names_the_reservation_only_if_there_was_one() -> None:
    """An order that was cancelled first never held anything."""  # D27

    async def released(first: str) -> InventoryReleased:
        world = World()
        order_id = await world.place()
        if first == "reserve":
            world.wants = lambda queue, event_type: queue == "inventory"
            await world.deliver()
            world.wants = lambda queue, event_type: True
        await world.cancel(order_id)
        await world.deliver()
        history = await world.orders.load(order_id)
        (found,) = [found.event for found in history.events if isinstance(found.event, InventoryReleased)]
        reserved = [found for found in history.events if isinstance(found.event, InventoryReserved)]
        assert len(reserved) == (1 if first == "reserve" else 0)
        assert found.reservation_id in (None, order_id)
        return found

    assert run_virtual(released, "reserve").reservation_id is not None
    assert run_virtual(released, "cancel").reservation_id is None


def test_an_answer_that_does_not_fit_the_order_is_trouble_and_no_endless_loop() -> None:
    """Stock says withdrawn, the log says wanted: nobody guesses, the message is retried and then seen by a person."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.stock.release(order_id)
        message = next(message for queue, message in world.messages if queue == "inventory")
        with pytest.raises(OutOfStep):
            await world.handlers["inventory"](message)
        assert await world.stock.reserve(order_id, {"LAPTOP-001": 1}) == Withdrawn()

    run_virtual(scenario)


def test_contended_stock_is_no_answer() -> None:
    """Nothing is recorded while nobody knows whether the goods are there."""  # E058

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        real = world.stock.reserve

        async def contended(*_: object, **__: object) -> None:
            raise StockContended("busy")

        world.stock.reserve = contended  # type: ignore[assignment, method-assign]
        message = next(message for queue, message in world.messages if queue == "inventory")
        with pytest.raises(StockContended):
            await world.handlers["inventory"](message)
        assert await world.events(order_id) == ["OrderCreated"]
        world.stock.reserve = real  # type: ignore[method-assign]
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(scenario)
