"""A parcel that nobody wants any more, while another one of its order has left: the carrier is stopped, if it still can be."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from orderstore.change_requests import AnswerQuestion, DelayOrder
from orderstore.domain import events as e
from orderstore.domain.state import Completed, InFulfilment, InventoryStatus, ShipmentStatus
from orderstore.wishes import answering
from tests.virtual_time import run_virtual
from tests.workers.shipping.parcels import (
    confirmed,
    every_booking_is_accounted_for,
    fates,
    history_of,
    parcels_of,
    set_aside,
    state_of,
    statuses,
    two_places,
)
from tests.workers.world import OPERATOR, World
from workers.reconciliation.stock import StockReconciliation
from workers.reconciliation.stock_orders import order_wants
from workers.shipping.carrier import Dispatched


async def half_gone(**asked: Any) -> tuple[World, str]:
    """The laptop waits at the carrier, the mice have arrived; no message of the laptop's booking is left."""
    world = two_places(delay_s=7_200)
    order_id = await confirmed(world, shippingOutcome="delayed", **asked)
    world.wants = lambda queue, event: queue != "shipping" or event != "ShipmentCreated"
    await world.deliver()
    world.wants = lambda _queue, _event: True
    assert await statuses(world, order_id) == [ShipmentStatus.BOOKED, ShipmentStatus.DELIVERED]
    return world, order_id


async def declined(world: World, order_id: str) -> None:
    """The customer is asked to wait, and does not want to."""
    promised_at = datetime.fromtimestamp(world.now_ms() / 1_000, tz=UTC) + timedelta(days=50)
    late = DelayOrder(promised_at=promised_at, reason="supplier", consent_within_s=3_600)
    granted = await world.orders.delay(order_id, late, actor=OPERATOR, idempotency_key="late")
    question = f"delay:{granted.event.delay_id}"
    wish = answering.answer(question, AnswerQuestion(answer="declined"))
    await world.orders.ask(order_id, wish, actor=OPERATOR)


@pytest.mark.parametrize("terms", [{}, {"terms": {"charge": "per_shipment"}}], ids=["per order", "per parcel"])
def test_what_is_booked_is_stopped_taken_out_and_paid_back(terms: dict[str, object]) -> None:
    """The booking is cancelled at the carrier, the laptop is on the shelf again, its money with the customer, and the order ends."""

    async def scenario() -> None:
        world, order_id = await half_gone(**terms)
        await declined(world, order_id)
        await world.deliver()

        state = await state_of(world, order_id)
        assert isinstance(state, Completed)
        assert await statuses(world, order_id) == [ShipmentStatus.CANCELLED, ShipmentStatus.DELIVERED]
        assert [part.lines for part in state.cancelled] == [(e.Pieces(line=0, quantity=1),)]
        given = sum(refund.amount_minor for refund in state.payment.refunds if refund.issued)
        assert state.payment.captured_minor - given == 5_000
        assert state.invoice is not None
        assert state.invoice.total_minor == 5_000
        assert state.inventory.status is InventoryStatus.COMMITTED
        assert await set_aside(world) == (0, 0)
        await every_booking_is_accounted_for(world, order_id)
        assert sorted((await fates(world)).values()) == ["cancelled", "dispatched"]
        causes = {recorded.event_id: recorded.name for recorded in (await history_of(world, order_id)).events}
        [stopped] = [
            recorded
            for recorded in (await history_of(world, order_id)).events
            if isinstance(recorded.event, e.ShipmentCancelled)
        ]
        assert causes[stopped.causation_id] == "ShipmentRecalled"
        assert world.errors == []

    run_virtual(scenario)


def test_what_could_not_be_stopped_goes_on() -> None:
    """The carrier had taken it before it was asked: it arrives, and nothing is paid back."""

    async def scenario() -> None:
        world, order_id = await half_gone()
        await declined(world, order_id)
        laptop = (await parcels_of(world, order_id))[0].shipment_id
        world.time_ms += 7_300_000
        assert isinstance(await world.carrier.dispatch(laptop), Dispatched)
        await world.deliver()
        state = await state_of(world, order_id)
        assert isinstance(state, Completed | InFulfilment)
        assert state.cancelled == ()
        assert ShipmentStatus.CANCELLED not in await statuses(world, order_id)

    run_virtual(scenario)


def test_pieces_that_stock_has_still_to_put_back_are_nobodys_mistake() -> None:
    """The rest of the order has left and stock knows it: what nobody wants of it is its own until it is back, and is put back once."""

    async def scenario() -> None:
        world, order_id = await half_gone()
        await declined(world, order_id)
        world.wants = lambda queue, _event: queue != "inventory"
        await world.deliver()
        world.wants = lambda _queue, _event: True
        assert await set_aside(world) == (1, 0)
        books = StockReconciliation(world.tables["inventory"], partial(order_wants, world.orders))
        assert (await books.reconcile()).findings == ()
        late = next(one for queue, one in world.history if queue == "inventory")
        await world.handlers["inventory"](late)
        assert await set_aside(world) == (0, 0)
        assert (await books.reconcile()).findings == ()
        assert await order_wants(world.orders, order_id) == "nothing"

    run_virtual(scenario)
