"""Orders that leave in two parcels: laptops lie in the north, mice in the south."""

from typing import Any

from orderstore.change_requests import CancelLines
from orderstore.domain import next_steps
from orderstore.domain.state import Placed, Shipment, ShipmentStatus
from orderstore.history import History
from orderstore.orders import placed
from orderstore.wishes import undoing
from tests.workers.world import OPERATOR, World
from workers.inventory.locations import locations_in
from workers.runtime.queue import Message

SKUS = ("LAPTOP-001", "MOUSE-002")
BEFORE_SHIPPING = ("payment", "inventory")


def two_places(**asked: Any) -> World:
    """A world of two locations."""
    return World(locations=locations_in("north,south"), **asked)


async def place(world: World, *, laptops: int = 100, mice: int = 100, **fields: Any) -> str:
    """A laptop and two mice, of which so many are there."""
    if laptops:
        await world.stock.receive("in-north", {"LAPTOP-001": laptops}, location="north")
    if mice:
        await world.stock.receive("in-south", {"MOUSE-002": mice}, location="south")
    return await world.place(stocked=False, **fields)


async def confirmed(world: World, **fields: Any) -> str:
    """Paid for and set aside; the shipping worker has heard of nothing yet, and its messages are kept."""
    return await confirm(world, await place(world, **fields))


async def confirm(world: World, order_id: str) -> str:
    """The same, of an order that was placed."""
    world.wants = lambda queue, _event_type: queue in BEFORE_SHIPPING
    await world.deliver()
    world.wants = lambda _queue, _event_type: True
    world.messages.extend(entry for entry in world.history if entry[0] == "shipping")
    assert await world.status(order_id) == "Confirmed"
    return order_id


async def history_of(world: World, order_id: str) -> History:
    """The order's, without faults."""
    world.faults.armed = False
    return await world.orders.load(order_id)


async def state_of(world: World, order_id: str) -> Placed:
    """Where it stands."""
    return placed(await history_of(world, order_id))


async def parcels_of(world: World, order_id: str) -> tuple[Shipment, ...]:
    """Those that were booked."""
    return (await state_of(world, order_id)).shipments


async def statuses(world: World, order_id: str) -> list[ShipmentStatus]:
    """Of each parcel, in the order of their booking."""
    return [parcel.status for parcel in await parcels_of(world, order_id)]


async def next_booking(world: World, order_id: str) -> next_steps.Book:
    """The parcel that the order wants booked now."""
    step = next_steps.shipping_step(await state_of(world, order_id))
    assert isinstance(step, next_steps.Book)
    return step


def message_of(world: World, event_type: str, shipment_id: str = "") -> Message:
    """The shipping worker's message of an event (about this parcel)."""
    return next(
        message
        for queue, message in world.history
        if queue == "shipping" and f'"{event_type}"' in message.body and shipment_id in message.body
    )


async def fates(world: World) -> dict[str, str]:
    """What the carrier did of each shipment in the end."""
    world.faults.armed = False
    return {
        entry.key.split("/")[1]: entry.kind async for entry in world.ledger.entries() if entry.key.endswith("/fate")
    }


async def bookings(world: World) -> set[str]:
    """The shipments that were ever booked."""
    world.faults.armed = False
    return {entry.key.split("/")[1] async for entry in world.ledger.entries() if entry.kind == "booking"}


async def every_booking_is_accounted_for(world: World, order_id: str) -> None:
    """The carrier expects no parcel that the order has not, and the ids of all events differ."""
    history = await history_of(world, order_id)
    ended, known = await fates(world), {parcel.shipment_id for parcel in placed(history).shipments}
    for shipment_id in await bookings(world):
        assert shipment_id in known or ended.get(shipment_id) == "cancelled", "a booking that nobody knows of"
    ids = [recorded.event_id for recorded in history.events]
    assert len(ids) == len(set(ids))


async def cancel_lines(world: World, order_id: str, line: int, quantity: int, key: str = "c-1") -> None:
    """A person takes pieces out of the order."""
    armed, world.faults.armed = world.faults.armed, False
    asked = CancelLines.model_validate({"lines": [{"line": line, "quantity": quantity}]})
    wish = undoing.cancel_lines(order_id, asked, idempotency_key=key, actor=OPERATOR)
    await world.orders.ask(order_id, wish, actor=OPERATOR)
    world.faults.armed = armed


async def goods_in(world: World, receipt: str, goods: dict[str, int], location: str) -> None:
    """Goods come, and the inventory worker looks at the order again."""
    await world.stock.receive(receipt, goods, location=location)
    world.messages.append(next(entry for entry in world.history if entry[0] == "inventory"))


async def set_aside(world: World) -> tuple[int, int]:
    """Laptops in the north and mice in the south that are set aside for orders; every level adds up."""
    world.faults.armed = False
    (laptops,) = await world.stock.levels(SKUS[:1], location="north")
    (mice,) = await world.stock.levels(SKUS[1:], location="south")
    assert laptops is not None
    assert mice is not None
    assert laptops.adds_up
    assert mice.adds_up
    return laptops.reserved, mice.reserved
