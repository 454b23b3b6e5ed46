"""The test hooks of an order: obeyed by the sandbox, unheard of by everything else."""

import pytest

from orderstore.orders import placed
from tests.virtual_time import run_virtual
from tests.workers.payment.test_payment_handler import ForgetfulProvider
from tests.workers.world import World
from workers.inventory.stock import always
from workers.payment import gateway
from workers.reaction import SimulatedTechnicalFailure

WORKERS = ("payment", "inventory", "shipping", "billing", "notification")


@pytest.mark.parametrize("worker", WORKERS)
def test_a_simulated_failure_fails_its_worker_every_time_and_no_other(worker: str) -> None:
    """The exception comes on each of three receives, before anything is done; other workers go on."""  # E095, E062

    async def scenario() -> None:
        world = World()
        await world.place(simulateTechnicalFailure=worker)
        failures = 0
        while world.messages:
            queue, message = world.messages.popleft()
            for _ in range(3):
                if queue == worker:
                    with pytest.raises(SimulatedTechnicalFailure):
                        await world.handlers[queue](message)
                    failures += 1
                else:
                    await world.handlers[queue](message)
        assert failures >= 3
        assert worker != "payment" or "authorize" not in await world.effects()

    run_virtual(scenario)


def test_outside_the_sandbox_an_order_with_hooks_is_an_order_like_any_other() -> None:
    """Should hooks ever get into a real log, no provider sees them and nobody fails for them."""  # E038, E095

    async def scenario() -> None:
        for worker in WORKERS:
            world = World(sandbox=False)
            provider = ForgetfulProvider()
            world.handlers["payment"]._gateway_for = gateway.always(provider)
            world.handlers["inventory"]._stock_for = always(world.stock)
            order_id = await world.place(
                paymentOutcome="declined", inventoryOutcome="out_of_stock", simulateTechnicalFailure=worker
            )
            await world.deliver()

            assert await world.status(order_id) == "Completed"
            assert await world.stock_is_sound("LAPTOP-001", "MOUSE-002") == (1, 2)
            assert len(provider.charges) == 1
            assert world.errors == []

    run_virtual(scenario)


def test_the_article_s_success_needs_no_goods_and_its_failure_finds_none() -> None:
    """`reserved` sets nothing real aside; `declined` and `out_of_stock` end as a rejection with two mails and a third."""
    # E093, E094

    async def scenario() -> None:
        world = World()
        success = await world.place(paymentOutcome="approved", inventoryOutcome="reserved", stocked=False)
        await world.deliver()
        assert await world.status(success) == "Completed"
        assert [mail.subject.split(" for ")[0] for mail in world.mailbox.sent[:2]] == [
            "We have your payment",
            "Your goods",
        ]

        world = World()
        failure = await world.place(paymentOutcome="declined", inventoryOutcome="out_of_stock")
        await world.deliver()
        assert await world.status(failure) == "Rejected"
        assert {"PaymentFailed", "InventoryFailed"} < set(await world.events(failure))
        assert await world.stock_is_sound("LAPTOP-001", "MOUSE-002") == (0, 0)
        assert await world.notifications() == {"sent": 3}
        assert world.errors == []

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("missing_stock", "status"),
    [("refuse", "Cancelled"), ("ask", "Cancelled"), ("cancel_lines", "Cancelled"), ("backorder", "Received")],
)
def test_what_becomes_of_an_order_that_is_out_of_stock_is_for_its_terms_to_say(missing_stock: str, status: str) -> None:
    """There is nothing to go on with, but for an order that waits; it waits in vain, and can be cancelled."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(
            inventoryOutcome="out_of_stock", stocked=False, terms={"missingStock": missing_stock}
        )
        await world.deliver(copies=2)
        assert (await world.status(order_id) == "Cancelled") == (status == "Cancelled")
        if missing_stock == "backorder":
            order = placed(await world.orders.load(order_id))
            assert sum(part.quantity for part in order.inventory.missing) == 3
            await world.hint("inventory", await world.orders.load(order_id))
            await world.deliver()
            assert "BackorderFilled" not in await world.events(order_id)
            await world.cancel(order_id)
            await world.deliver()
            assert await world.status(order_id) == "Cancelled"
        assert world.errors == []

    run_virtual(scenario)


def test_a_hooked_reservation_can_be_released_like_any_other() -> None:
    """`declined` and `reserved`: the order is undone."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(paymentOutcome="declined", inventoryOutcome="reserved", stocked=False)
        await world.deliver(copies=2)
        assert await world.status(order_id) == "Cancelled"
        assert world.errors == []

    run_virtual(scenario)
