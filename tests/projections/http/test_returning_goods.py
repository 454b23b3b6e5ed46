"""What comes back: announced within its time or later, allowed, received, inspected, refunded; and exchanges, which are two orders."""

import asyncio
from typing import Any

import pytest

from orderstore.domain.events import OrderCreated, ReturnRequested
from orderstore.domain.state import Cancelling, Placed
from orderstore.store.errors import Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.projections.http.api import ADMIN, OPERATOR, Api, running
from tests.projections.http.stories import NOWHERE, delivered, dispatched, reserved

DAY_MS = 86_400_000
MOUSE: dict[str, Any] = {"lines": [{"line": 1, "quantity": 1}], "reason": "withdrawal"}
EXCHANGE: dict[str, Any] = {**MOUSE, "exchange": {"items": [{"sku": "MOUSE-003", "quantity": 1, "price": "27.50"}]}}


async def events(api: Api, order_id: str) -> list[str]:
    return [recorded.name for recorded in (await api.orders.load(order_id)).events]


async def announced(api: Api, order_id: str, body: Any = MOUSE, **headers: str) -> str:
    response = await api.post(f"/orders/{order_id}/returns", body, **headers)
    assert response.status_code == 202, response.text
    return_id: str = response.json()["returnId"]
    return return_id


async def handled(api: Api, order_id: str, return_id: str, verb: str, body: Any = None) -> Any:
    return await api.post(f"/orders/{order_id}/returns/{return_id}/{verb}", body, token=OPERATOR)


async def test_goods_come_back_and_their_money_goes_back() -> None:
    """Announced within the time, so approved at once; received, inspected, and the refund is promised in the same commit."""
    async with running() as api:
        order_id = await delivered(api)
        asked = await api.post(f"/orders/{order_id}/returns", {**MOUSE, "note": "too small"})
        recorded = (await api.orders.load(order_id)).events[-2]
        assert asked.status_code == 202
        assert asked.json() == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "returnId": asked.json()["returnId"],
            "exchangeOrderId": None,
            "status": "RETURN_APPROVED",
        }
        assert "too small" not in (await api.get(f"/orders/{order_id}/events")).text
        return_id = asked.json()["returnId"]
        received = await handled(api, order_id, return_id, "receive")
        pieces = {"pieces": [{"line": 1, "quantity": 1, "condition": "sellable"}]}
        inspected = [await handled(api, order_id, return_id, "inspection", pieces) for _ in range(2)]

        assert (received.status_code, received.json()["status"]) == (202, "RETURN_RECEIVED")
        assert inspected[0].json() == inspected[1].json()
        assert (inspected[0].json()["amountMinor"], inspected[0].json()["status"]) == (2_500, "RETURN_INSPECTED")
        assert inspected[0].json()["refundId"] == f"{order_id}:return:{return_id}"
        made = await events(api, order_id)
        assert made[-4:] == ["ReturnApproved", "ReturnReceived", "ReturnInspected", "RefundRequested"]
        assert (await api.orders.load(order_id)).events[-1].actor.id == "warehouse"


async def test_what_is_dismissed_is_not_refunded_and_what_did_not_come_neither() -> None:
    """The answer says that nothing is given back."""
    async with running() as api:
        order_id = await delivered(api)
        for pieces in ([{"line": 1, "quantity": 1, "condition": "dismissed"}], []):
            return_id = await announced(api, order_id, {**MOUSE, "reason": "damaged"})
            await handled(api, order_id, return_id, "receive")
            inspected = await handled(api, order_id, return_id, "inspection", {"pieces": pieces})
            assert (inspected.json()["refundId"], inspected.json()["amountMinor"]) == (None, None)
        assert "RefundRequested" not in await events(api, order_id)


@pytest.mark.parametrize(
    ("days", "status"), [(13, "RETURN_APPROVED"), (14, "RETURN_APPROVED"), (15, "RETURN_REQUESTED")]
)
@pytest.mark.parametrize("reason", ["withdrawal", "damaged", "wrong_item", "not_as_described", "other"])
async def test_after_its_time_a_person_decides(days: int, status: str, reason: str) -> None:
    """Fourteen days, of which the last counts to its end (Directive 2011/83/EU, Art. 9), whatever the reason."""
    async with running() as api:
        order_id = await delivered(api)  # at 15:06 UTC
        api.clock.ms += days * DAY_MS + 3_600_000
        asked = await api.post(f"/orders/{order_id}/returns", {**MOUSE, "reason": reason})

        assert asked.json()["status"] == status
        approved = await handled(api, order_id, asked.json()["returnId"], "approve")
        assert approved.json()["status"] == "RETURN_APPROVED"
        assert (await events(api, order_id)).count("ReturnApproved") == 1


async def test_a_person_may_say_no() -> None:
    """And then the pieces may be announced again; the words are sealed."""
    async with running() as api:
        order_id = await delivered(api)
        api.clock.ms += 100 * DAY_MS
        return_id = await announced(api, order_id)
        answers = [await handled(api, order_id, return_id, "decline", {"note": "far too late"}) for _ in range(2)]
        approved = await handled(api, order_id, return_id, "approve")

        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["status"] == "RETURN_DECLINED"
        assert (approved.status_code, approved.json()["code"]) == (409, "wrong_return_status")
        assert "far too" not in (await api.get(f"/orders/{order_id}/events")).text
        assert await announced(api, order_id) != return_id


async def test_who_keeps_the_goods_can_say_so_until_they_are_back() -> None:
    """409 afterwards."""
    async with running() as api:
        order_id = await delivered(api)
        kept, sent = await announced(api, order_id), await announced(api, order_id)
        cancelled = [await api.post(f"/orders/{order_id}/returns/{kept}/cancel") for _ in range(2)]
        await handled(api, order_id, sent, "receive")
        too_late = await api.post(f"/orders/{order_id}/returns/{sent}/cancel")

        assert [answer.json()["status"] for answer in cancelled] == ["RETURN_CANCELLED"] * 2
        assert (too_late.status_code, too_late.json()["code"]) == (409, "wrong_return_status")
        assert "received" in too_late.json()["detail"]


async def test_a_return_is_announced_once_for_one_key() -> None:
    """Also when it comes four times at once, or after it was inspected; another request under the key is refused."""
    async with running() as api:
        order_id = await delivered(api)
        path = f"/orders/{order_id}/returns"
        answers = list(await asyncio.gather(*(api.post(path, MOUSE, Idempotency_Key="k") for _ in range(4))))
        return_id = answers[0].json()["returnId"]
        await handled(api, order_id, return_id, "receive")
        await handled(api, order_id, return_id, "inspection", {"pieces": []})
        answers.append(await api.post(path, MOUSE, Idempotency_Key="k"))
        refused = [
            await api.post(path, other, Idempotency_Key="k")
            for other in (
                {**MOUSE, "reason": "other"},
                {**MOUSE, "note": "words"},
                {**MOUSE, "lines": [{"line": 0, "quantity": 1}]},
                EXCHANGE,
            )
        ]

        assert len({answer.text for answer in answers}) == 1
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(422, "idempotency_key_reused")}
        assert (await events(api, order_id)).count("ReturnRequested") == 1
        assert len(await api.stored()) == 1


async def test_the_same_piece_comes_back_once() -> None:
    """Two customers' clicks under two keys, at once: the second piece is not there to come back."""
    async with running() as api:
        order_id = await delivered(api)
        laptop = {"lines": [{"line": 0, "quantity": 1}], "reason": "withdrawal"}
        answers = await asyncio.gather(*(api.post(f"/orders/{order_id}/returns", laptop) for _ in range(3)))

        assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
        assert {answer.json().get("code") for answer in answers} == {None, "nothing_to_return"}


async def test_pieces_on_their_way_back_are_not_refunded_beside_their_return() -> None:
    """The refund and the return race; whichever is first, one piece is paid back once."""
    async with running() as api:
        order_id = await delivered(api)
        laptop = {"lines": [{"line": 0, "quantity": 1}]}
        refund, back = await asyncio.gather(
            api.post(f"/orders/{order_id}/refunds", laptop),
            api.post(f"/orders/{order_id}/returns", {**laptop, "reason": "withdrawal"}),
        )
        again = await api.post(f"/orders/{order_id}/refunds", laptop)

        assert sorted((refund.status_code, back.status_code)) == [202, 409]
        assert {refund.json().get("code"), back.json().get("code")} <= {None, "refund_too_large", "nothing_to_return"}
        assert again.status_code == 409


@pytest.mark.parametrize("begun", [Api.place, reserved, dispatched])
async def test_what_has_not_arrived_cannot_come_back(begun: Any) -> None:
    """409, whether it has left or not."""
    async with running() as api:
        order_id = await begun(api)
        refused = await api.post(f"/orders/{order_id}/returns", MOUSE)

        assert (refused.status_code, refused.json()["code"]) in ((409, "order_closed"), (409, "nothing_to_return"))


async def test_an_exchange_is_a_return_and_an_order() -> None:
    """The new order is the same customer's, in the same currency, to where the first one went; the return names it."""
    async with running() as api:
        order_id = await delivered(api, customerId="c-1", country="Germany")
        first, again = [await api.post(f"/orders/{order_id}/returns", EXCHANGE, Idempotency_Key="k") for _ in range(2)]
        other = {**EXCHANGE, "exchange": {"items": [{"sku": "MOUSE-004", "quantity": 1, "price": "27.50"}]}}
        refused = await api.post(f"/orders/{order_id}/returns", other, Idempotency_Key="k")
        new_id = first.json()["exchangeOrderId"]
        old, new = [(await api.orders.load(one)).events[0].event for one in (order_id, new_id)]
        assert isinstance(old, OrderCreated)
        assert isinstance(new, OrderCreated)

        assert (first.status_code, again.text) == (202, first.text)
        assert (new.customer_id, new.currency, new.country, new.channel) == ("c-1", "USD", "Germany", "api")
        assert [(line.sku, line.quantity) for line in new.lines] == [("MOUSE-003", 1)]
        assert new.total_minor == 2_750
        assert old.contact is not None
        assert new.contact is not None
        vault: Any = api.orders._vault
        assert await vault.open(new.contact, "") == await vault.open(old.contact, "")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert len(await api.stored()) == 2
        requested = (await api.orders.load(order_id)).events[-2].event
        assert isinstance(requested, ReturnRequested)
        assert requested.exchange_order_id == new_id


class _Failing(MemoryEventStore):
    """Fails when a commit is to be appended to this stream."""

    refused = "none"

    async def append(self, commit: Commit) -> None:
        if commit.stream == self.refused:
            raise Unavailable("append", tries=1, ambiguous=False)
        await super().append(commit)


async def test_an_exchange_that_broke_off_is_finished_by_a_repeat() -> None:
    """The new order is there, the return is not: 503; the same request again makes the return, and no third order."""
    store = _Failing()
    async with running(store=store) as api:
        order_id = await delivered(api)
        store.refused = f"acme/order-{order_id}"
        broken = await api.post(f"/orders/{order_id}/returns", EXCHANGE, Idempotency_Key="k")
        store.refused = "none"
        assert (broken.status_code, len(await api.stored())) == (503, 2)
        finished = await api.post(f"/orders/{order_id}/returns", EXCHANGE, Idempotency_Key="k")

        assert finished.status_code == 202
        assert sorted(await api.stored()) == sorted(
            f"acme/order-{one}" for one in (order_id, finished.json()["exchangeOrderId"])
        )
        assert (await events(api, order_id)).count("ReturnRequested") == 1


async def test_an_exchange_whose_return_is_refused_sends_nothing() -> None:
    """Refused before anything is placed; and where another return was faster, the order that was placed is undone."""
    async with running() as api:
        order_id = await delivered(api)
        too_many = await api.post(f"/orders/{order_id}/returns", {**EXCHANGE, "lines": [{"line": 1, "quantity": 3}]})
        assert (too_many.status_code, len(await api.stored())) == (409, 1)
        stale = await api.post(f"/orders/{order_id}/returns", EXCHANGE, If_Match='"1"')
        assert (stale.status_code, len(await api.stored())) == (412, 1)
        laptop = {**EXCHANGE, "lines": [{"line": 0, "quantity": 1}]}
        answers = await asyncio.gather(*(api.post(f"/orders/{order_id}/returns", laptop) for _ in range(3)))

        assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
        (kept,) = [answer.json()["exchangeOrderId"] for answer in answers if answer.status_code == 202]
        for stream in await api.stored():
            one = stream.removeprefix("acme/order-")
            state = (await api.orders.load(one)).state
            assert isinstance(state, Placed)
            assert isinstance(state, Cancelling) == (one not in (order_id, kept))


async def test_an_exchange_after_its_time_waits_for_a_person() -> None:
    """409 says what to do: nothing is sent before somebody has approved that the first goods come back."""
    async with running() as api:
        order_id = await delivered(api)
        api.clock.ms += 30 * DAY_MS
        refused = await api.post(f"/orders/{order_id}/returns", EXCHANGE)

        assert (refused.status_code, refused.json()["code"]) == (409, "approval_needed")
        assert len(await api.stored()) == 1


async def test_an_exchange_that_is_no_order_is_refused() -> None:
    """422 with the reason; nothing is stored."""
    async with running() as api:
        order_id = await delivered(api)
        for items in ([{"sku": "S", "quantity": 1, "price": 0}], [{"sku": "S", "quantity": 1, "price": "0.001"}]):
            refused = await api.post(f"/orders/{order_id}/returns", {**MOUSE, "exchange": {"items": items}})
            assert (refused.status_code, refused.json()["code"]) == (422, "exchange_refused")
            assert "total" in refused.json()["detail"]
        assert len(await api.stored()) == 1


async def test_nothing_is_sent_in_exchange_to_somebody_who_was_erased() -> None:
    """422: nobody knows any more where to. Their goods may come back all the same."""
    async with running() as api:
        order_id = await delivered(api)
        created = (await api.orders.load(order_id)).events[0].event
        assert isinstance(created, OrderCreated)
        assert created.contact is not None
        api.orders._vault.erased.add(created.contact.subject)  # type: ignore[attr-defined]  # the plain vault's
        refused = await api.post(f"/orders/{order_id}/returns", EXCHANGE)

        assert (refused.status_code, refused.json()["code"]) == (422, "customer_erased")
        assert (await api.post(f"/orders/{order_id}/returns", {**MOUSE, "note": "words"})).status_code == 202


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("", {"lines": [{"line": 0, "quantity": 1}]}, "/reason"),
        ("", {**MOUSE, "reason": "because"}, "/reason"),
        ("", {**MOUSE, "note": "4111 1111 1111 1111"}, "/note"),
        ("", {**MOUSE, "exchange": {"items": []}}, "/exchange/items"),
        ("", {**MOUSE, "exchange": {"items": [{}] * 5_001}}, "/exchange/items"),
        ("", {**EXCHANGE, "exchange": {**EXCHANGE["exchange"], "currency": "EUR"}}, "/exchange/currency"),
        ("/r-1/inspection", {}, "/pieces"),
        ("/r-1/inspection", {"pieces": [{"line": 0, "quantity": 1, "condition": "new"}]}, "/pieces/0/condition"),
        ("/r-1/decline", {"note": "n" * 501}, "/note"),
        ("/r-1/approve", {"note": "yes"}, "/note"),
    ],
)
async def test_what_is_wrong_with_a_return_is_named(verb: str, body: Any, pointer: str) -> None:
    """422 with a pointer; nothing is stored."""
    async with running() as api:
        order_id = await delivered(api)
        before = await events(api, order_id)
        refused = await api.post(f"/orders/{order_id}/returns{verb}", body, token=ADMIN)

        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert "4111" not in refused.text
        assert await events(api, order_id) == before


async def test_a_return_that_never_was_is_handled_by_nobody() -> None:
    """404 for the return, 404 for the order; 400 for what is no id."""
    async with running() as api:
        order_id = await delivered(api)
        for verb, body in (
            ("approve", None),
            ("decline", None),
            ("cancel", None),
            ("receive", None),
            ("inspection", {"pieces": []}),
        ):
            path = f"/returns/{NOWHERE}/{verb}"
            unknown = await api.post(f"/orders/{order_id}{path}", body, token=ADMIN)
            nowhere = await api.post(f"/orders/{NOWHERE}{path}", body, token=ADMIN)
            card = await api.post(f"/orders/{order_id}/returns/4111111111111111/{verb}", body, token=ADMIN)
            assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_return")
            assert (nowhere.status_code, nowhere.json()["code"]) == (404, "unknown_order")
            assert (card.status_code, card.json()["code"]) == (400, "bad_parameter")
