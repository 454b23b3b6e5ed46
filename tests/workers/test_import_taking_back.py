"""What takes a sale back, by where its goods are: cancelled, on their way, arrived; once, whatever ended the run before. # C16"""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.ids import order_id_for_key
from orderstore.domain.state import Cancelling, ReturnStatus, ShipmentStatus
from orderstore.orders import Orders, placed
from orderstore.requests import RefundLine as Pieces
from orderstore.requests import RequestRefund
from orderstore.wishes import returning
from tests.builders import BOOKED, DELIVERED, DISPATCHED, PAID, RESERVED
from tests.ordering import ACTOR, TENANT, PlainVault, TickingClock, cause, orders_over
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.import_door import IMPORTER, OrdersDoor
from workers.intake.door import DoorBusy, DoorNotYet, DoorRefused, Form, Requested, instruction_key, sale_key
from workers.intake.online_retail.model import CancelOrder, Line, RefundLine, RefundLines, Sale

AT = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
HEART, LANTERN, POSTAGE = range(3)
SALE = Sale(
    invoice="536365",
    placed_at=AT,
    customer_id="17850",
    country="United Kingdom",
    lines=(
        Line(line_number=2, sku="85123A", description="WHITE HANGING HEART", quantity=6, unit_price=Decimal("2.55")),
        Line(line_number=3, sku="71053", description="WHITE LANTERN", quantity=3, unit_price=Decimal("3.39")),
        Line(line_number=4, sku="POST", description="POSTAGE", quantity=1, unit_price=Decimal("18.00")),
    ),
)
TOTAL_MINOR = 6 * 255 + 3 * 339 + 1800
ORDER_ID = order_id_for_key(TENANT, sale_key(SALE.invoice))
WHOLE = CancelOrder(sale="536365", cancellation="C536379", requested_at=AT, line_number=9)

STAGES: dict[str, Any] = {
    "paid": partial(decisions.complete_payment, outcome=dataclasses.replace(PAID, amount_minor=TOTAL_MINOR)),
    "reserved": partial(decisions.reserve_inventory, outcome=RESERVED),
    "booked": partial(decisions.create_shipment, outcome=BOOKED),
    "dispatched": partial(decisions.dispatch_shipment, outcome=DISPATCHED),
    "captured": partial(
        decisions.capture_payment,
        outcome=e.PaymentCaptured(amount_minor=TOTAL_MINOR, provider_reference="cap_1"),
    ),
    "delivered": partial(decisions.deliver_shipment, outcome=DELIVERED),
}


def back(*pieces: tuple[int, int], cancellation: str = "C536391") -> RefundLines:
    """A `C…` invoice that takes so many pieces of these lines."""
    lines = tuple(
        RefundLine(line_index=at, sku=SALE.lines[at].sku, quantity=count, unit_price=SALE.lines[at].unit_price)
        for at, count in pieces
    )
    return RefundLines(sale="536365", cancellation=cancellation, requested_at=AT, line_number=12, lines=lines)


async def at_stage(stage: str | None, **door: bool) -> tuple[Orders, OrdersDoor]:
    """The sale's order, as far as this."""
    orders = orders_over()
    await OrdersDoor(orders, tenant=TENANT).place(SALE, key=sale_key(SALE.invoice))
    if stage is not None:
        await going_on(orders, to=stage)
    return orders, OrdersDoor(orders, tenant=TENANT, **door)


async def going_on(orders: Orders, *, to: str) -> None:
    """What an order did already it does not do twice."""
    history = await orders.load(ORDER_ID)
    for stage, decide in STAGES.items():
        history = await orders.record(history, decide, cause=cause(stage))
        if stage == to:
            return


async def taken(door: OrdersDoor, one: CancelOrder | RefundLines) -> Requested:
    if isinstance(one, CancelOrder):
        return await door.cancel(one, key=instruction_key(one))
    return await door.refund(one, key=instruction_key(one))


async def names(orders: Orders) -> list[str]:
    return [recorded.name for recorded in (await orders.load(ORDER_ID)).events]


RETURNED = ["ReturnRequested", "ReturnApproved", "ReturnReceived", "ReturnInspected", "RefundRequested"]


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize(("one", "refunded"), [(back((HEART, 2), (LANTERN, 1)), 849), (WHOLE, 6 * 255 + 3 * 339)])
async def test_goods_that_have_arrived_come_back(one: CancelOrder | RefundLines, refunded: int, patient: bool) -> None:
    """Requested, approved, received and inspected, which promises the money; all of it asked for again is nothing new. No postage comes
    back in a parcel: its money is given back beside the return."""
    orders, door = await at_stage("delivered", patient=patient)
    before = await names(orders)

    answers = [await taken(door, one) for _ in range(3)]

    assert answers == [Requested(new, Form.RETURNED) for new in (True, False, False)]
    fees = [] if one is not WHOLE else ["RefundRequested"]
    assert (await names(orders))[len(before) :] == RETURNED + fees
    order = placed(await orders.load(ORDER_ID))
    assert [refund.amount_minor for refund in order.payment.refunds] == [refunded] + [1800] * len(fees)
    (returned,) = order.returns
    assert returned.status is ReturnStatus.INSPECTED
    assert {part.condition for part in returned.inspected} == {"sellable"}
    assert POSTAGE not in {part.line for part in returned.lines}


async def test_a_return_is_finished_from_wherever_the_run_before_was_ended() -> None:
    """After each of its commits the process dies; the next run goes on, and in the end everything was made once."""
    one = back((HEART, 2), (POSTAGE, 1))
    whole, door = await at_stage("delivered")
    begins = (await whole.load(ORDER_ID)).version
    await taken(door, one)
    commits = [*RETURNED, "RefundRequested"]

    for made in range(1, 5):
        orders, door = await at_stage("delivered")
        await dying_after(orders, made, partial(taken, door, one))
        assert len((await orders.load(ORDER_ID)).events) > begins

        again = await taken(door, one)

        assert again == Requested(made < 4, Form.RETURNED)
        assert (await names(orders))[begins:] == commits
        assert await taken(door, one) == Requested(False, Form.RETURNED)


class Died(Exception):
    """The process ended here."""


async def dying_after(orders: Orders, commits: int, work: Callable[[], Awaitable[object]]) -> None:
    """So many commits are durable; nothing after them happens."""
    store: Any = orders._transactor._store
    real, made = store.append, 0

    async def append(commit: Any) -> None:
        nonlocal made
        await real(commit)
        made += 1
        if made == commits:
            raise Died

    store.append = append
    with pytest.raises(Died):
        await work()
    store.append = real


@pytest.mark.parametrize("stage", ["booked", "dispatched", "captured"])
async def test_goods_that_are_on_their_way_are_refunded_or_waited_for(stage: str) -> None:
    """Money at once and no return ever; or, for a patient door, nothing until they have arrived, and then a return."""
    orders, door = await at_stage(stage)
    before = await names(orders)
    assert await taken(door, back((HEART, 2))) == Requested(True, Form.REFUNDED)
    assert (await names(orders))[len(before) :] == ["RefundRequested"]

    orders, door = await at_stage(stage, patient=True)
    for _ in range(2):
        with pytest.raises(DoorNotYet):
            await taken(door, back((HEART, 2)))
    assert await names(orders) == before
    await going_on(orders, to="delivered")
    assert await taken(door, back((HEART, 2))) == Requested(True, Form.RETURNED)
    assert placed(await orders.load(ORDER_ID)).returns[0].status is ReturnStatus.INSPECTED


@pytest.mark.parametrize("patient", [False, True])
async def test_what_was_refunded_on_its_way_is_not_returned_when_it_has_arrived(patient: bool) -> None:
    """The second run finds the first one's refund, whichever way it would choose itself."""
    orders, door = await at_stage("dispatched")
    await taken(door, back((HEART, 2)))
    await going_on(orders, to="delivered")
    before = await names(orders)

    later = OrdersDoor(orders, tenant=TENANT, patient=patient)

    assert await taken(later, back((HEART, 2))) == Requested(False, Form.REFUNDED)
    assert await names(orders) == before


async def test_pieces_that_no_carrier_expects_leave_the_order() -> None:
    """They are cancelled, with the fees of the same document; when the rest has arrived, that is how it stays."""
    orders, door = await at_stage("reserved")
    one = back((HEART, 2), (POSTAGE, 1))

    assert await taken(door, one) == Requested(True, Form.LINES_CANCELLED)

    order = placed(await orders.load(ORDER_ID))
    assert order.due_minor == TOTAL_MINOR - 2 * 255 - 1800
    assert not order.payment.refunds
    await going_on(orders, to="dispatched")
    assert await taken(door, one) == Requested(False, Form.LINES_CANCELLED)
    assert len(placed(await orders.load(ORDER_ID)).cancelled) == 1


async def test_the_last_pieces_of_an_order_that_nobody_expects_are_the_order() -> None:
    """Nothing would be left to send: the order is cancelled, once, and the first document's lines stay what they were."""
    orders, door = await at_stage("reserved")
    first, rest = back((HEART, 6)), back((LANTERN, 3), (POSTAGE, 1), cancellation="C2")

    answers = [await taken(door, one) for one in (first, rest, first, rest)]

    assert answers == [
        Requested(True, Form.LINES_CANCELLED),
        Requested(True, Form.CANCELLED),
        Requested(False, Form.LINES_CANCELLED),
        Requested(False, Form.CANCELLED),
    ]
    assert isinstance((await orders.load(ORDER_ID)).state, Cancelling)


async def test_a_patient_door_waits_for_goods_that_could_still_be_cancelled() -> None:
    """It was told to: the file says that they came back. A whole order is cancelled all the same."""
    orders, door = await at_stage("reserved", patient=True)
    with pytest.raises(DoorNotYet):
        await taken(door, back((HEART, 2)))
    assert await taken(door, WHOLE) == Requested(True, Form.CANCELLED)
    assert isinstance((await orders.load(ORDER_ID)).state, Cancelling)


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize("stage", ["reserved", "dispatched", "delivered"])
async def test_what_is_no_goods_is_refunded_wherever_the_goods_are(stage: str, patient: bool) -> None:
    """Postage, manual corrections and discounts: nobody sends them back, and nobody waits for them."""
    orders, door = await at_stage(stage, patient=patient)

    assert await taken(door, back((POSTAGE, 1))) == Requested(True, Form.REFUNDED)

    order = placed(await orders.load(ORDER_ID))
    assert [refund.amount_minor for refund in order.payment.refunds] == [1800]
    assert not order.returns


@pytest.mark.parametrize("patient", [False, True])
async def test_a_cancellation_that_lost_its_race_ends_as_a_return(patient: bool) -> None:
    """The goods left while the order was to be cancelled: nothing is made while they are on their way, and they come back afterwards."""
    orders, door = await at_stage("booked", patient=patient)
    assert await taken(door, WHOLE) == Requested(True, Form.CANCELLED)
    history = await orders.load(ORDER_ID)
    await orders.record(history, STAGES["dispatched"], cause=cause("faster"))
    before = await names(orders)

    if patient:
        with pytest.raises(DoorNotYet):
            await taken(door, WHOLE)
    else:
        assert await taken(door, WHOLE) == Requested(False, Form.CANCELLED)
    assert await names(orders) == before

    for stage in ("captured", "delivered"):
        await orders.record(await orders.load(ORDER_ID), STAGES[stage], cause=cause(stage))
    assert await taken(door, WHOLE) == Requested(True, Form.RETURNED)
    assert await taken(door, WHOLE) == Requested(False, Form.RETURNED)
    assert sum(refund.amount_minor for refund in placed(await orders.load(ORDER_ID)).payment.refunds) == TOTAL_MINOR


async def test_goods_that_were_lost_are_refunded_and_not_waited_for() -> None:
    """They will never arrive, so they never come back."""
    orders, door = await at_stage("captured", patient=True)
    lost = e.ShipmentFailed(shipment_id=DISPATCHED.shipment_id, code="lost")
    history = await orders.record(
        await orders.load(ORDER_ID), partial(decisions.fail_shipment, outcome=lost), cause=cause("lost")
    )
    assert placed(history).shipments[0].status is ShipmentStatus.LOST
    assert await taken(door, back((HEART, 2))) == Requested(True, Form.REFUNDED)
    assert not placed(await orders.load(ORDER_ID)).returns


async def test_a_return_that_came_too_late_to_be_allowed_at_once_is_approved_by_the_import() -> None:
    """The file says that the shop took the goods back, whatever the deployment allows its customers."""
    orders, _ = await at_stage("delivered")
    store = orders._transactor
    strict = Orders(store, tenant=TENANT, vault=PlainVault(), hooks_allowed=False, now_ms=TickingClock(), return_days=0)
    door = OrdersDoor(strict, tenant=TENANT)
    await dying_after(strict, 1, lambda: taken(door, back((HEART, 2))))
    assert placed(await orders.load(ORDER_ID)).returns[0].status is ReturnStatus.REQUESTED

    assert await taken(door, back((HEART, 2))) == Requested(True, Form.RETURNED)

    (recorded,) = [one for one in (await orders.load(ORDER_ID)).events if one.name == "ReturnApproved"]
    assert recorded.actor == IMPORTER


async def test_a_return_that_somebody_cancelled_is_not_forced() -> None:
    """Their word stands; the report names the document."""
    orders, door = await at_stage("delivered")
    await dying_after(orders, 1, lambda: taken(door, back((HEART, 2))))
    (one,) = placed(await orders.load(ORDER_ID)).returns
    await orders.ask(ORDER_ID, returning.cancel(one.return_id), actor=ACTOR)

    with pytest.raises(DoorRefused, match="cancelled"):
        await taken(door, back((HEART, 2)))


async def test_other_pieces_under_the_same_numbers_are_refused() -> None:
    """A file that was changed between two runs shows itself."""
    for stage in ("reserved", "dispatched", "delivered"):
        _, door = await at_stage(stage)
        await taken(door, back((HEART, 2)))
        with pytest.raises(DoorRefused, match="another request"):
            await taken(door, back((HEART, 3)))


async def test_two_imports_at_once_take_pieces_back_once() -> None:
    """One run sees the pieces unbooked, and before it has cancelled them the other has done it: the slower one looks again."""
    orders, door = await at_stage("reserved")
    real = orders.ask
    other = OrdersDoor(orders, tenant=TENANT)

    async def overtaken(*arguments: Any, **named: Any) -> Any:
        orders.ask = real  # type: ignore[method-assign]  # only the first time
        await going_on(orders, to="delivered")
        await taken(other, back((HEART, 1), cancellation="C9"))
        return await real(*arguments, **named)

    orders.ask = overtaken  # type: ignore[method-assign]  # something comes between the look and the request
    with pytest.raises(DoorBusy):
        await taken(door, back((HEART, 2)))

    assert await taken(door, back((HEART, 2))) == Requested(True, Form.RETURNED)
    order = placed(await orders.load(ORDER_ID))
    assert not order.cancelled
    assert sum(part.quantity for one in order.returns for part in one.inspected) == 3


@pytest.mark.parametrize(("saw", "faster"), [("dispatched", Form.RETURNED), ("delivered", Form.REFUNDED)])
async def test_two_imports_of_one_document_take_its_pieces_back_once(saw: str, faster: Form) -> None:
    """One has chosen a way, and before it goes it the other has gone another: it looks again, and finds what was done."""
    orders, door = await at_stage(saw)
    one, ask = back((HEART, 2)), orders.ask
    other = OrdersDoor(orders, tenant=TENANT)

    async def overtaken(*arguments: Any, **named: Any) -> Any:
        orders.ask = ask  # type: ignore[method-assign]  # only the first time
        if faster is Form.RETURNED:
            await going_on(orders, to="delivered")
            await taken(other, one)
        else:
            refund = RequestRefund(lines=(Pieces(line=HEART, quantity=2),), reason="returned by C536391")
            await orders.request_refund(ORDER_ID, refund, actor=IMPORTER, idempotency_key=instruction_key(one))
        return await ask(*arguments, **named)

    orders.ask = overtaken  # type: ignore[method-assign]  # something comes between the look and the request
    with pytest.raises(DoorBusy):
        await taken(door, one)

    assert await taken(door, one) == Requested(False, faster)
    order = placed(await orders.load(ORDER_ID))
    assert len(order.payment.refunds) == 1
    assert len(order.returns) == (faster is Form.RETURNED)


def test_what_comes_back_is_in_stock_again_and_on_a_credit_note() -> None:
    """The whole way through all departments: pieces on the shelf, money given back, one credit note for the goods and one for the fee."""

    async def scenario() -> None:
        world = World()
        door = OrdersDoor(world.orders, tenant="test", patient=True)
        await world.stock.receive("opening", {line.sku: 10 for line in SALE.lines})
        await door.place(SALE, key=sale_key(SALE.invoice))
        await world.deliver()
        for _ in range(2):
            await taken(door, back((HEART, 2), (POSTAGE, 1)))
            await world.deliver()
        heart, postage = await world.stock.levels(["85123A", "POST"])
        assert heart is not None
        assert heart.adds_up
        assert heart.available == 10 - 6 + 2
        assert postage is not None
        assert postage.adds_up
        assert postage.available == 10 - 1
        order = placed(await world.orders.load(order_id_for_key("test", sale_key(SALE.invoice))))
        assert order.invoice is not None
        assert order.invoice.total_minor == TOTAL_MINOR
        assert [note.total_minor for note in order.credit_notes] == [510, 1800]
        assert all(one.restocked for one in order.returns)
        assert len(order.returns) == 1

    run_virtual(scenario)
