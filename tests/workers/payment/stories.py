"""Orders on which payments meet everything else, told by events: the other departments are played by hand where that is shorter."""

from collections.abc import Callable
from functools import partial
from typing import Any

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.state import Placed
from orderstore.history import History
from orderstore.orders import placed
from tests.ordering import cause
from tests.workers.payment.test_stripe_faults import StripeWorld
from tests.workers.world import World

LINES = (("LAPTOP-001", 1, "850"), ("MOUSE-002", 2, "25"))
NORTH, SOUTH = e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=2)
"""The laptop lies in one place, the mice in another."""


class Story:
    """One order, in the sandbox or over Stripe's fake (`world`)."""

    def __init__(self, world: World, order_id: str) -> None:
        self.world = world
        self.order_id = order_id

    async def history(self) -> History:
        return await self.world.orders.load(self.order_id)

    async def order(self) -> Placed:
        return placed(await self.history())

    async def names(self) -> list[str]:
        return [recorded.name for recorded in (await self.history()).events]

    async def all(self, kind: type[Any]) -> list[Any]:
        return [recorded.event for recorded in (await self.history()).events if isinstance(recorded.event, kind)]

    async def tell(self, decide: Callable[..., Any], purpose: str, **inputs: Any) -> History:
        """Somebody decides something. The cause is the order's own, so that each purpose happens once."""
        why = cause(purpose, causation_id=self.order_id)
        return await self.world.orders.record(await self.history(), partial(decide, **inputs), cause=why)

    async def retry(self, method: str | None = None) -> None:
        attempt = (await self.order()).payment.attempt
        await self.tell(decisions.retry_payment, f"retry:{attempt}", method=method)

    async def reserved_at_two_places(self) -> None:
        outcome = e.InventoryReserved(
            reservation_id="r",
            allocations=(
                e.Allocation(location="north", lines=(NORTH,)),
                e.Allocation(location="south", lines=(SOUTH,)),
            ),
        )
        await self.tell(decisions.reserve_inventory, "reserved", outcome=outcome)

    async def leaves(self, parcel: str, location: str, pieces: e.Pieces) -> None:
        """A parcel is booked and handed over."""
        booked = e.ShipmentCreated(
            shipment_id=parcel, carrier="c", label_reference="l", location=location, lines=(pieces,)
        )
        await self.tell(decisions.create_shipment, f"booked:{parcel}", outcome=booked)
        gone = e.ShipmentDispatched(shipment_id=parcel, tracking_number="t")
        await self.tell(decisions.dispatch_shipment, f"gone:{parcel}", outcome=gone)

    async def deliver(self, *, copies: int = 1) -> None:
        await self.world.deliver(copies=copies)


async def placed_in(world: World, **fields: Any) -> Story:
    """An order of which only the payment worker hears."""
    world.wants = lambda queue, _event: queue == "payment"
    return Story(world, await world.place(*LINES, **fields))


async def sandbox(method: str | None = None, **fields: Any) -> Story:
    return await placed_in(World(), **({} if method is None else {"paymentMethod": method}), **fields)


async def over_stripe(
    method: str = "pm_ok", *, asks_customer: bool = False, capture: Any = "on_dispatch", **fields: Any
) -> Story:
    return await placed_in(StripeWorld(asks_customer=asks_customer, capture=capture), paymentMethod=method, **fields)
