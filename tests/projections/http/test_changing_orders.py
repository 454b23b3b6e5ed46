"""Cancelling and refunding: accepted once, refused in words, repeated without harm."""

import pytest

from orderstore.domain import decisions
from tests.builders import DECLINED, PAID, SHORT
from tests.projections.http.api import ADMIN, Api, running
from tests.projections.http.stories import NOWHERE, dispatched


async def events(api: Api, order_id: str) -> list[str]:
    return [recorded.name for recorded in (await api.orders.load(order_id)).events]


async def test_an_order_is_cancelled() -> None:
    """202 once the request is durable; the workers give back what they hold."""
    async with running() as api:
        order_id = await api.place()
        response = await api.post(f"/orders/{order_id}/cancel", {"reason": "ordered twice"})
        asked = (await api.orders.load(order_id)).events[-1]

        assert response.status_code == 202
        assert response.json() == {
            "orderId": order_id,
            "eventId": asked.event_id,
            "commit": asked.commit,
            "status": "CANCELLATION_REQUESTED",
        }
        assert (await api.get(f"/orders/{order_id}")).json()["status"] == "CANCELLING"
        assert (await api.get(f"/orders/{order_id}")).json()["cancellation"]["reason"] == "customer"


async def test_cancelling_needs_no_body_and_an_operator_is_named() -> None:
    """No bytes and no Content-Type are an empty request."""
    async with running() as api:
        order_id = await api.place()
        response = await api.client.post(f"/orders/{order_id}/cancel", headers={"Authorization": f"Bearer {ADMIN}"})

        assert response.status_code == 202
        assert (await api.get(f"/orders/{order_id}")).json()["cancellation"]["reason"] == "operator"


async def test_cancelling_twice_is_cancelling_once() -> None:
    """The same answer, one event."""
    async with running() as api:
        order_id = await api.place()
        first = await api.post(f"/orders/{order_id}/cancel", {})
        again = await api.post(f"/orders/{order_id}/cancel", {"reason": "still"})

        assert first.json() == again.json()
        assert (await events(api, order_id)).count("OrderCancellationRequested") == 1


async def test_it_is_too_late_once_the_goods_have_left() -> None:
    """409 with the way out: a refund."""
    async with running() as api:
        order_id = await dispatched(api)
        before = await events(api, order_id)
        response = await api.post(f"/orders/{order_id}/cancel", {})

        assert (response.status_code, response.json()["code"]) == (409, "too_late_to_cancel")
        assert "refund" in response.json()["detail"]
        assert await events(api, order_id) == before


async def test_a_rejected_order_cannot_be_cancelled() -> None:
    """It never came about."""
    async with running() as api:
        order_id = await api.place()
        await api.record(order_id, decisions.fail_payment, purpose="payment-outcome", outcome=DECLINED)
        await api.record(order_id, decisions.fail_inventory, purpose="inventory-outcome", outcome=SHORT)
        response = await api.post(f"/orders/{order_id}/cancel", {})

        assert (response.status_code, response.json()["code"]) == (409, "order_closed")


@pytest.mark.parametrize("verb", ["cancel", "refunds"])
async def test_an_order_that_is_not_there_cannot_be_changed(verb: str) -> None:
    """404, and none is made by asking."""
    async with running() as api:
        body = {"lines": [{"line": 0, "quantity": 1}]} if verb == "refunds" else {}
        for order_id in (NOWHERE, "x"):
            assert (await api.post(f"/orders/{order_id}/{verb}", body)).status_code == 404
        assert await api.stored() == []


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("cancel", {"because": 1}, "/because"),
        ("cancel", {"reason": "r" * 501}, "/reason"),
        ("cancel", [], ""),
        ("refunds", {}, "/lines"),
        ("refunds", {"lines": []}, "/lines"),
        ("refunds", {"lines": [{"line": 0, "quantity": 0}]}, "/lines/0/quantity"),
        ("refunds", {"lines": [{"line": -1, "quantity": 1}]}, "/lines/0/line"),
        ("refunds", {"lines": [{"line": 0, "quantity": 1}], "reason": "card 4111111111111111"}, "/reason"),
        ("refunds", {"lines": [{"line": 0, "quantity": 1}] * 5001}, "/lines"),
    ],
)
async def test_a_bad_change_is_refused_by_field(verb: str, body: object, pointer: str) -> None:
    """422, and the order stays as it was."""
    async with running() as api:
        order_id = await api.place()
        response = await api.post(f"/orders/{order_id}/{verb}", body)

        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
        assert await events(api, order_id) == ["OrderCreated"]


async def test_a_refund_is_set_aside_at_the_price_that_was_paid() -> None:
    """One mouse of two: 25.00 USD."""
    async with running() as api:
        order_id = await dispatched(api)
        response = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 1}]})
        recorded = (await api.orders.load(order_id)).events[-1]

        assert response.status_code == 202
        assert response.json() == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "refundId": response.json()["refundId"],
            "amountMinor": 2_500,
            "status": "REFUND_REQUESTED",
        }
        assert (await api.get(f"/orders/{order_id}")).json()["payment"]["refundPendingMinor"] == 2_500


async def test_a_refund_repeated_with_its_key_is_one_refund() -> None:
    """The same answer, also when another refund came between."""
    async with running() as api:
        order_id = await dispatched(api)
        body = {"lines": [{"line": 1, "quantity": 1}], "reason": "broken"}
        first = await api.post(f"/orders/{order_id}/refunds", body, Idempotency_Key="r")
        await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
        again = await api.post(f"/orders/{order_id}/refunds", body, Idempotency_Key="r")
        other = await api.post(f"/orders/{order_id}/refunds", {**body, "reason": "lost"}, Idempotency_Key="r")

        assert (again.status_code, again.json()) == (202, first.json())
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert (await events(api, order_id)).count("RefundRequested") == 2


async def test_no_more_is_refunded_than_was_ordered() -> None:
    """409 for more pieces than are left, 422 for none that cost anything."""
    async with running() as api:
        order_id = await dispatched(api)
        too_many = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 3}]})
        no_line = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 2, "quantity": 1}]})

        assert (too_many.status_code, too_many.json()["code"]) == (409, "refund_too_large")
        assert (no_line.status_code, no_line.json()["code"]) == (422, "nothing_to_refund")


async def test_a_cancelled_order_is_not_refunded_beside_it() -> None:
    """Cancelling gives the money back already."""
    async with running() as api:
        order_id = await api.place()
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID)
        await api.post(f"/orders/{order_id}/cancel", {})
        response = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 0, "quantity": 1}]})

        assert (response.status_code, response.json()["code"]) == (409, "order_closed")
