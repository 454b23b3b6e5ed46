"""What people do about an order whose stage takes too long: on record with who and why, sealed, once, and the workers are woken."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain.events import RefundFailed, SealedText, ShipmentDelivered
from orderstore.history import History
from tests.builders import DISPATCHED, NOON
from tests.projections.http.api import OPERATOR, WRITER, Api, running
from tests.projections.http.stories import NOWHERE, dispatched, reserved

WHY = "the carrier lost our messages, Wilhelmina says"


class Waking:
    """Remembers whom it woke."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    async def __call__(self, history: History) -> tuple[str, ...]:
        self.woken.append(history.stream)
        return ("payment", "shipping")


async def stalled(api: Api, stage: str, order_id: str, subject: str | None = None) -> str:
    """The order, said to be late."""
    late = partial(decisions.stall, stage=stage, since=NOON, due_at=NOON + timedelta(hours=1), subject=subject)
    await api.record(order_id, late, purpose=f"stalled-{stage}")
    return order_id


async def act(api: Api, order_id: str, body: dict[str, Any], **headers: str) -> Any:
    token = headers.pop("token", OPERATOR)
    return await api.post(f"/orders/{order_id}/exceptions/actions", body, token=token, **headers)


async def listed(api: Api, kind: str) -> list[str]:
    found = (await api.get("/exceptions", kind=kind)).json()["items"]
    return [item["orderId"] for item in found]


async def test_retry_is_on_record_ends_the_exception_and_wakes_the_workers() -> None:
    """Who, what and when stand in the history; why is sealed; the list is empty again."""
    wake = Waking()
    async with running(wake=wake) as api:
        order_id = await stalled(api, "dispatch", await reserved(api))
        assert await listed(api, "stalled") == [order_id]

        response = await act(api, order_id, {"stage": "dispatch", "action": "retry", "reason": WHY})
        recorded = (await api.orders.load(order_id)).events[-1]
        assert (response.status_code, response.json()) == (
            202,
            {
                "orderId": order_id,
                "eventId": recorded.event_id,
                "commit": recorded.commit,
                "stage": "dispatch",
                "subject": None,
                "action": "retry",
                "woken": ["payment", "shipping"],
                "status": "RESUMED",
            },
        )
        assert wake.woken == [f"acme/order-{order_id}"]
        assert (recorded.name, recorded.actor.type, recorded.actor.id) == (
            "OrderProcessResumed",
            "operator",
            "warehouse",
        )
        assert isinstance(recorded.event.note.sealed, SealedText)
        assert "Wilhelmina" not in str((await api.get(f"/orders/{order_id}/events")).json())
        assert await listed(api, "stalled") == []


@pytest.mark.thorough
async def test_resume_and_skip_wake_nobody() -> None:
    """The clock alone, and nothing more."""
    wake = Waking()
    async with running(wake=wake) as api:
        for action in ("resume", "skip"):
            order_id = await stalled(api, "dispatch", await reserved(api))
            response = await act(api, order_id, {"stage": "dispatch", "action": action, "reason": WHY})
            assert (response.status_code, response.json()["woken"]) == (202, [])
        assert wake.woken == []


async def test_a_parcel_that_is_skipped_has_arrived() -> None:
    """By the word of an operator, and only the parcel that is named."""
    async with running() as api:
        order_id = await stalled(api, "delivery", await dispatched(api), DISPATCHED.shipment_id)
        other = {"stage": "delivery", "subject": "shipment-77", "action": "skip", "reason": WHY}
        assert (await act(api, order_id, other)).json()["code"] == "not_stalled"

        response = await act(api, order_id, {**other, "subject": DISPATCHED.shipment_id})
        assert response.status_code == 202
        events = [recorded.event for recorded in (await api.orders.load(order_id)).events]
        assert ShipmentDelivered(shipment_id=DISPATCHED.shipment_id, proof_reference="operator") in events


async def test_cancel_undoes_the_order_in_the_same_commit() -> None:
    """If its goods are still here; and says so where they are not."""
    async with running() as api:
        order_id = await stalled(api, "dispatch", await reserved(api))
        body = {"stage": "dispatch", "action": "cancel", "reason": WHY}
        assert (await act(api, order_id, body)).status_code == 202
        first, second = (await api.orders.load(order_id)).events[-2:]
        assert (first.name, second.name) == ("OrderProcessResumed", "OrderCancellationRequested")
        assert first.commit == second.commit

        gone = await stalled(api, "delivery", await dispatched(api), DISPATCHED.shipment_id)
        late = {**body, "stage": "delivery", "subject": DISPATCHED.shipment_id}
        response = await act(api, gone, late)
        assert (response.status_code, response.json()["code"]) == (409, "too_late_to_cancel")


async def test_a_refund_that_failed_is_tried_again_with_its_reason() -> None:
    """Before its stage has stalled too; a second time there is nothing left to act on."""
    async with running() as api:
        order_id = await dispatched(api)
        asked = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 1}]})
        refund_id = asked.json()["refundId"]
        failed = RefundFailed(refund_id=refund_id, attempt=1, code="account_closed")
        await api.record(order_id, decisions.fail_refund, purpose="refund", outcome=failed)
        assert await listed(api, "refund_failed") == [order_id]

        body = {"stage": "refund", "subject": refund_id, "action": "retry", "reason": WHY}
        assert (await act(api, order_id, body)).status_code == 202
        names = [recorded.name for recorded in (await api.orders.load(order_id)).events]
        assert names[-2:] == ["OrderProcessResumed", "RefundRetried"]
        assert await listed(api, "refund_failed") == []
        assert (await act(api, order_id, body)).json()["code"] == "not_stalled"


async def test_a_repeat_under_the_same_key_is_answered_the_same_and_done_once() -> None:
    """Another action, or other words, under it are another request."""
    async with running(wake=Waking()) as api:
        order_id = await stalled(api, "dispatch", await reserved(api))
        body = {"stage": "dispatch", "action": "retry", "reason": WHY}
        first = await act(api, order_id, body, Idempotency_Key="k1")
        again = await act(api, order_id, body, Idempotency_Key="k1")
        assert first.json() == again.json()
        assert again.headers["idempotency-replayed"] == "true"
        for other in ({**body, "action": "resume"}, {**body, "reason": "another"}):
            refused = await act(api, order_id, other, Idempotency_Key="k1")
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        names = [recorded.name for recorded in (await api.orders.load(order_id)).events]
        assert names.count("OrderProcessResumed") == 1


@pytest.mark.parametrize(
    "body",
    [
        {"stage": "dispatch", "action": "retry"},
        {"stage": "dispatch", "action": "retry", "reason": ""},
        {"stage": "dispatch", "action": "forget", "reason": WHY},
        {"stage": "packing", "action": "retry", "reason": WHY},
        {"stage": "refund", "action": "retry", "reason": WHY, "subject": "a b"},
        {"stage": "dispatch", "action": "retry", "reason": WHY, "by": "me"},
    ],
)
async def test_what_cannot_be_meant_is_refused_and_changes_nothing(body: dict[str, Any]) -> None:
    """Every field has its few values, and a reason is never left out."""
    async with running() as api:
        order_id = await stalled(api, "dispatch", await reserved(api))
        version = (await api.orders.load(order_id)).version
        assert (await act(api, order_id, body)).status_code == 422
        assert (await api.orders.load(order_id)).version == version


async def test_only_who_runs_the_shop_may_act_and_only_on_what_waits() -> None:
    """A shop's own token may not; nor is there anything to do about an order that is in time."""
    async with running() as api:
        order_id = await reserved(api)
        body = {"stage": "dispatch", "action": "retry", "reason": WHY}
        assert (await act(api, order_id, body, token=WRITER)).status_code == 403
        response = await act(api, order_id, body)
        assert (response.status_code, response.json()["code"]) == (409, "not_stalled")
        assert (await act(api, NOWHERE, body)).json()["code"] == "unknown_order"
