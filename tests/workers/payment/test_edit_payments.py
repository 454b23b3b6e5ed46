"""The money of edits, over Stripe's fake: two intents for a while, one of them needed in the end, and the other always ended."""

from functools import partial
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.orders import placed
from tests.ordering import cause
from tests.virtual_time import run_virtual
from tests.workers.editing import (
    LAMPS_MINOR,
    TOTAL_MINOR,
    all_of,
    ask,
    history_of,
    stocked,
    withdraw,
)
from tests.workers.payment.test_stripe_faults import StripeWorld
from workers.payment.gateway import GatewayTimeout


async def held(world: StripeWorld, **fields: Any) -> str:
    """Confirmed, and kept here."""
    order_id = await stocked(world, paymentMethod="pm_ok", **fields)
    await world.hold(order_id, "wait")
    await world.deliver()
    assert await world.status(order_id) == "Confirmed"
    return order_id


def intents(world: StripeWorld) -> list[tuple[int, str]]:
    """Each that was ever confirmed, with its amount and its status, in the order in which they were made."""
    found = [(intent["amount"], intent["status"]) for intent in world.stripe.intents.values()]
    return [(amount, status) for amount, status in found if status != "requires_payment_method"]


@pytest.mark.parametrize("fault", [None, "lost before", "lost after", "500 after", "unsent"])
@pytest.mark.parametrize("at", range(4))
def test_the_larger_hold_replaces_the_smaller_whatever_gets_lost(at: int, fault: str | None) -> None:
    """Each request may be lost: one intent holds what the order costs, and the other is cancelled."""

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await held(world)
        world.stripe.faults.extend([*[None] * at, fault])
        await ask(world, order_id)
        await world.deliver()
        assert intents(world) == [(TOTAL_MINOR, "canceled"), (TOTAL_MINOR + LAMPS_MINOR, "requires_capture")]
        await world.release(order_id, "wait")
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert intents(world)[1] == (TOTAL_MINOR + LAMPS_MINOR, "succeeded")

    run_virtual(scenario)


@pytest.mark.parametrize("undo", ["cancel", "withdraw"])
@pytest.mark.parametrize("fault", ["lost before", "lost after"])
def test_an_answer_that_never_came_holds_nothing_in_the_end(fault: str, undo: str) -> None:
    """The edit is undone while nobody knows what became of its attempt: it is found out, and ended."""  # 5.5.9, 5.5.11

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await held(world)
        edit_id = await ask(world, order_id)
        world.wants = lambda queue, _event: queue == "inventory"
        await world.deliver()
        world.wants = lambda _queue, _event: True
        world.stripe.faults.extend([None, fault])
        told = next(one for queue, one in reversed(world.history) if queue == "payment")
        with pytest.raises(GatewayTimeout):
            await world.handlers["payment"](told)
        if undo == "cancel":
            await world.cancel(order_id)
        else:
            await withdraw(world, order_id, edit_id)
        await world.deliver()
        states = [status for _, status in intents(world)]
        assert states[0] == ("canceled" if undo == "cancel" else "requires_capture")
        assert set(states[1:]) <= {"canceled"}
        order = (await history_of(world, order_id)).state
        assert order.payment.spare == ()  # type: ignore[union-attr]  # it is placed
        (let_go,) = await all_of(world, order_id, e.PaymentHoldReleased)
        assert let_go.attempt == 2

    run_virtual(scenario)


def test_a_hold_that_runs_out_while_the_order_is_edited_declines_the_edit() -> None:
    """What was held is asked for anew, under a number that no attempt has had, and the edit's own attempt is ended."""

    async def scenario() -> None:
        world = StripeWorld()
        order_id = await held(world)
        await ask(world, order_id)
        history = await world.orders.load(order_id)
        reference = placed(history).payment.provider_reference
        assert reference is not None
        expired = e.PaymentAuthorizationExpired(provider_reference=reference)
        over = partial(decisions.expire_authorization, outcome=expired)
        await world.orders.record(history, over, cause=cause("over", causation_id=order_id))
        await world.deliver()
        (declined,) = await all_of(world, order_id, e.OrderEditDeclined)
        assert (declined.reason, declined.code) == ("payment_failed", "authorization_expired")
        paid = await all_of(world, order_id, e.PaymentCompleted)
        assert [one.attempt for one in paid] == [1, 3]
        await ask(world, order_id, key="again")
        await world.deliver()
        order = (await history_of(world, order_id)).state
        assert settled_last(order) == "applied"
        assert order.payment.attempt == 4  # type: ignore[union-attr]  # it is placed
        assert [status for _, status in intents(world)].count("requires_capture") == 1

    run_virtual(scenario)


@pytest.mark.parametrize("bank_asks", [False, True])
def test_a_hold_that_runs_out_leaves_nothing_of_an_edit_that_was_being_paid_for(bank_asks: bool) -> None:
    """The edit's own attempt had begun: whatever the provider or the bank say of it late, it holds nothing in the end."""

    async def scenario() -> None:
        world = StripeWorld(asks_customer=True)
        order_id = await held(world)
        await ask(world, order_id)
        world.wants = lambda queue, _event: queue == "inventory"
        await world.deliver()
        world.wants = lambda _queue, _event: True
        world.stripe.faults.extend([None, "lost after"])
        told = next(one for queue, one in reversed(world.history) if queue == "payment")
        with pytest.raises(GatewayTimeout):
            await world.handlers["payment"](told)
        if bank_asks:
            list(world.stripe.intents.values())[-1]["status"] = "requires_action"
        history = await world.orders.load(order_id)
        reference = placed(history).payment.provider_reference
        assert reference is not None
        world.stripe.intents[reference].update(status="canceled", cancellation_reason="automatic")
        expired = e.PaymentAuthorizationExpired(provider_reference=reference)
        over = partial(decisions.expire_authorization, outcome=expired)
        await world.orders.record(history, over, cause=cause("over", causation_id=order_id))
        await world.deliver()
        order = placed(await history_of(world, order_id))
        assert (order.payment.attempt, order.payment.spare) == (3, ())
        assert [status for _, status in intents(world)] == ["canceled", "canceled", "requires_capture"]
        (let_go,) = await all_of(world, order_id, e.PaymentHoldReleased)
        assert let_go.attempt == 2

    run_virtual(scenario)


def settled_last(order: Any) -> str:
    """What became of the last of its edits."""
    return str(order.edits[-1].status.value)
