"""Orders that people add pieces to, in the workers' world; and what must be so whatever happened to them."""

from typing import Any

from orderstore.change_requests import EditOrder
from orderstore.domain.parts import EditStatus, PaymentStatus
from orderstore.domain.state import Placed
from orderstore.history import History
from orderstore.orders import placed
from orderstore.wishes import editing
from tests.workers.inventory.stocks import all_levels
from tests.workers.world import CUSTOMER, World
from workers.reconciliation.stock_orders import booked

LAMPS = ({"sku": "LAMP-003", "quantity": 2, "price": "19.99"},)
LAMPS_MINOR = 3_998


async def stocked(world: World, *, lamps: int = 10, **fields: Any) -> str:
    """An order of a laptop and two mice; so many lamps are there too. No call meets faults until somebody arms them."""
    world.faults.armed = False
    if lamps:
        await world.stock.receive("lamps", {"LAMP-003": lamps})
    order_id = await world.place(**fields)
    world.faults.armed = False
    return order_id


async def ask(world: World, order_id: str, *, items: Any = LAMPS, key: str = "more") -> str:
    """Somebody wants more of it; the id of the edit. A person's call meets no faults."""
    armed, world.faults.armed = world.faults.armed, False
    try:
        request = EditOrder.model_validate({"items": list(items)})
        wish = editing.edit(order_id, request, idempotency_key=key)
        await world.orders.ask(order_id, wish, actor=CUSTOMER)
    finally:
        world.faults.armed = armed
    return editing.edit_id_for_key(order_id, key)


async def withdraw(world: World, order_id: str, edit_id: str) -> None:
    """And takes it back."""
    armed, world.faults.armed = world.faults.armed, False
    try:
        await world.orders.ask(order_id, editing.withdraw_edit(edit_id), actor=CUSTOMER)
    finally:
        world.faults.armed = armed


async def history_of(world: World, order_id: str) -> History:
    """The order's, without faults."""
    world.faults.armed = False
    return await world.orders.load(order_id)


async def all_of(world: World, order_id: str, kind: type[Any]) -> list[Any]:
    """Its events of this kind."""
    history = await history_of(world, order_id)
    return [recorded.event for recorded in history.events if isinstance(recorded.event, kind)]


async def holds(world: World) -> dict[str, tuple[int, str]]:
    """What the provider ever held, by attempt: how much, and what became of it ("" : it is held still)."""
    world.faults.armed = False
    entries = {entry.key: entry async for entry in world.ledger.entries()}
    found = {}
    for key, entry in entries.items():
        if entry.kind == "authorize":
            settled = entries.get(f"{key}/settled")
            became = "" if settled is None else settled.kind
            found[key.rpartition(":")[2]] = (int(entry.details["amount_minor"]), became)
    return found


async def everything_agrees(world: World, order_id: str) -> Placed:
    """Stock has set aside and let go what the log says, the provider holds or took what the order is paid with and nothing else, the
    documents come to what was taken, and no event is there twice."""
    history = await history_of(world, order_id)
    order, said, levels = placed(history), booked(history), all_levels(world.tables["inventory"])
    assert all(level.adds_up for level in levels.values())
    assert {place: level.reserved for place, level in levels.items() if level.reserved} == dict(+said.held)
    assert {place: level.committed for place, level in levels.items() if level.committed} == dict(+said.gone)
    ids = [recorded.event_id for recorded in history.events]
    assert len(ids) == len(set(ids))
    assert order.payment.spare == ()
    for attempt, (amount_minor, became) in (await holds(world)).items():
        if attempt != str(order.payment.attempt):
            assert became == "void", f"attempt {attempt} holds {amount_minor} that nobody needs"
        elif order.payment.status is PaymentStatus.CAPTURED:
            assert (amount_minor, became) == (order.payment.amount_minor, "capture")
    if order.invoice is not None:
        assert order.invoice.total_minor == order.due_minor == order.payment.captured_minor
    for edit in order.edits:
        if edit.status is EditStatus.DECLINED:
            assert edit.released
    return order


def settled(order: Placed) -> str:
    """What became of its only edit."""
    (edit,) = order.edits
    return edit.status.value


def lines(order: Placed) -> list[tuple[str, int]]:
    """What it has."""
    return [(line.sku, line.quantity) for line in order.order.lines]


CREATED = [("LAPTOP-001", 1), ("MOUSE-002", 2)]
EDITED = [*CREATED, ("LAMP-003", 2)]
TOTAL_MINOR = 90_000
