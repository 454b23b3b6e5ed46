"""Every outcome names the event that made it necessary, whichever message its work was done under."""  # E072

from itertools import permutations

import pytest

from tests.virtual_time import run_virtual
from tests.workers.world import World

CAUSES = {
    "PaymentCompleted": "OrderCreated",
    "InventoryReserved": "OrderCreated",
    "ShipmentCreated": "OrderConfirmed",
    "ShipmentDispatched": "ShipmentCreated",
    "ShipmentDelivered": "ShipmentDispatched",
    "PaymentCaptured": "ShipmentDispatched",
    "InvoiceIssued": "ShipmentDispatched",
}


def test_a_happy_order_is_a_chain_of_true_causes() -> None:
    """Each worker's outcome points at the event that asked for it."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.deliver()
        events = (await world.orders.load(order_id)).events
        names = {recorded.event_id: recorded.name for recorded in events}

        found = {recorded.name: names[recorded.causation_id] for recorded in events if recorded.name in CAUSES}
        assert found == CAUSES

    run_virtual(scenario)


@pytest.mark.parametrize("order", list(permutations([0, 1])))
def test_each_refund_names_its_own_request(order: tuple[int, int]) -> None:
    """Two refunds settled under one message: each is caused by its own request, and has the id that follows from it."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.deliver()
        await world.refund(order_id, line=order[0], quantity=1)
        await world.refund(order_id, line=order[1], quantity=1)
        await world.deliver()
        events = (await world.orders.load(order_id)).events
        requests = {r.event.refund_id: r.event_id for r in events if r.name == "RefundRequested"}
        issued = {r.event.refund_id: r.causation_id for r in events if r.name == "RefundIssued"}

        assert issued == requests
        assert len(issued) == 2

    run_virtual(scenario)
