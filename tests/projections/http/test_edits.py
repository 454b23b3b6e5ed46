"""Lines that are added to an order: asked for once, refused in words, shown in the order."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.state import Confirmed
from tests.projections.http.api import ADMIN, Api, running
from tests.projections.http.stories import NOWHERE, delivered, dispatched, held, reserved

CHARGERS: dict[str, Any] = {"items": [{"sku": "CHARGER-003", "quantity": 2, "price": "19.99"}]}


async def events(api: Api, order_id: str) -> list[str]:
    return [recorded.name for recorded in (await api.orders.load(order_id)).events]


async def applied(api: Api, order_id: str, edit_id: str, *, due_minor: int, attempt: int = 2) -> None:
    """Stock has it and the provider holds it."""
    stocked = e.OrderEditReserved(edit_id=edit_id, reservation_id="r-2")
    await api.record(order_id, decisions.reserve_edit, purpose="edit-stock", outcome=stocked)
    paid = e.PaymentCompleted(
        attempt=attempt, mode="authorized", amount_minor=due_minor, provider_reference=f"ch_{attempt}"
    )
    await api.record(order_id, decisions.cover_edit, purpose="edit-payment", edit_id=edit_id, outcome=paid)


async def test_lines_are_added_to_an_order() -> None:
    """202 with what it would cost; the order is what it was until both are done, then it has them, and shows what became of it."""
    async with running() as api:
        order_id = await held(api)
        response = await api.post(f"/orders/{order_id}/edits", CHARGERS, If_Match='"5"')
        told = response.json()
        recorded = (await api.orders.load(order_id)).events[-1]
        assert response.status_code == 202
        assert told == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "editId": told["editId"],
            "amountMinor": 3_998,
            "dueMinor": 93_998,
            "attempt": 2,
            "status": "EDIT_REQUESTED",
        }
        before = (await api.get(f"/orders/{order_id}", minCommit=told["commit"])).json()
        assert (before["totalMinor"], before["lineCount"], before["edits"][0]["status"]) == (90_000, 2, "OPEN")

        await applied(api, order_id, told["editId"], due_minor=93_998)
        after = (await api.get(f"/orders/{order_id}", minCommit=before["commit"] + 2)).json()
        assert (after["total"], after["totalExact"], after["lineCount"], after["pieceCount"]) == (
            "939.98",
            "939.98",
            3,
            5,
        )
        assert (after["payment"]["amountMinor"], after["payment"]["dueMinor"]) == (93_998, 93_998)
        assert after["edits"] == [
            {
                "editId": told["editId"],
                "status": "APPLIED",
                "lineCount": 1,
                "pieceCount": 2,
                "amountMinor": 3_998,
                "attempt": 2,
                "reason": None,
            }
        ]
        (line,) = (await api.get(f"/orders/{order_id}/lines", fromLine=2)).json()["items"]
        assert (line["line"], line["sku"], line["ordered"]) == (2, "CHARGER-003", 2)


async def test_lines_are_added_once_for_one_key() -> None:
    """Also when both come at once and the version has moved; another request under the key is refused, be it the tax alone."""
    async with running() as api:
        order_id = await held(api, taxMode="inclusive")
        path, headers = f"/orders/{order_id}/edits", {"Idempotency_Key": "k", "If_Match": '"5"'}
        answers = await asyncio.gather(*(api.post(path, CHARGERS, **headers) for _ in range(4)))
        others = [
            await api.post(path, {"items": [{**CHARGERS["items"][0], **change}]}, **headers)
            for change in ({"quantity": 3}, {"taxRatePercent": 19}, {"discount": "1"}, {"description": "other"})
        ]
        assert [answer.status_code for answer in answers] == [202] * 4
        assert len({answer.text for answer in answers}) == 1
        assert {(other.status_code, other.json()["code"]) for other in others} == {(422, "idempotency_key_reused")}
        assert (await events(api, order_id)).count("OrderEditRequested") == 1


async def test_somebody_came_between() -> None:
    """412: the order is not the one that the customer looked at, and nothing is stored."""  # 5.3.9
    async with running() as api:
        order_id = await held(api)
        refused = await api.post(f"/orders/{order_id}/edits", CHARGERS, If_Match='"4"')
        assert (refused.status_code, refused.json()["code"]) == (412, "wrong_version")
        assert "OrderEditRequested" not in await events(api, order_id)


@pytest.mark.parametrize(
    ("begun", "code", "hint"),
    [
        (Api.place, "too_early_to_edit", "try again"),
        (dispatched, "too_late_to_edit", "second order"),
        (delivered, "too_late_to_edit", "second order"),
    ],
)
async def test_an_order_that_cannot_be_edited(begun: Any, code: str, hint: str) -> None:
    """Each refusal says what to do instead, and the order stays as it was."""
    async with running() as api:
        order_id = await begun(api)
        before = await events(api, order_id)
        response = await api.post(f"/orders/{order_id}/edits", CHARGERS)
        assert (response.status_code, response.json()["code"]) == (409, code)
        assert hint in response.json()["detail"]
        assert await events(api, order_id) == before


@pytest.mark.parametrize(
    ("items", "hint"),
    [
        ([{"sku": "S", "quantity": 1, "price": "1", "taxRatePercent": 19}], "without taxes"),
        ([{"sku": "S", "quantity": 1, "price": "1", "discount": "1"}], "without taxes"),
        ([{"sku": "S", "quantity": 1_000_000, "price": "9999999"}] * 500, "at most"),
    ],
)
async def test_what_does_not_fit_the_order_is_not_added(items: Any, hint: str) -> None:
    """422 and why."""
    async with running() as api:
        order_id = await reserved(api)
        response = await api.post(f"/orders/{order_id}/edits", {"items": items})
        assert (response.status_code, response.json()["code"]) == (422, "edit_refused")
        assert hint in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/items"),
        ({"items": []}, "/items"),
        ({"items": CHARGERS["items"] * 501}, "/items"),
        ({"items": [{"sku": "S", "quantity": 0, "price": 1}]}, "/items/0/quantity"),
        ({"items": [{"sku": "S", "quantity": 1, "price": -1}]}, "/items/0/price"),
        ({**CHARGERS, "remove": []}, "/remove"),
    ],
)
async def test_a_request_that_cannot_be_meant(body: Any, pointer: str) -> None:
    """422 with the place, and nothing is stored."""
    async with running() as api:
        order_id = await reserved(api)
        response = await api.post(f"/orders/{order_id}/edits", body)
        assert response.status_code == 422
        assert pointer in {error["pointer"] for error in response.json()["errors"]}


async def test_an_edit_is_taken_back() -> None:
    """Until it is applied; asking again is answered the same; another's is unknown."""
    async with running() as api:
        order_id = await held(api)
        edit_id = (await api.post(f"/orders/{order_id}/edits", CHARGERS)).json()["editId"]
        path = f"/orders/{order_id}/edits/{edit_id}/withdrawal"
        first, again = [await api.post(path) for _ in range(2)]
        assert (first.status_code, first.json()["status"], first.json()["reason"]) == (
            202,
            "EDIT_DECLINED",
            "withdrawn",
        )
        assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
        unknown = await api.post(f"/orders/{order_id}/edits/{NOWHERE}/withdrawal")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_edit")

        second = (await api.post(f"/orders/{order_id}/edits", CHARGERS)).json()
        assert second["attempt"] == 3
        await applied(api, order_id, second["editId"], due_minor=93_998, attempt=3)
        late = await api.post(f"/orders/{order_id}/edits/{second['editId']}/withdrawal")
        assert (late.status_code, late.json()["code"]) == (409, "too_late_to_edit")
        shown = (await api.get(f"/orders/{order_id}", minCommit=second["commit"] + 2)).json()
        assert [(one["status"], one["reason"]) for one in shown["edits"]] == [
            ("DECLINED", "withdrawn"),
            ("APPLIED", None),
        ]


async def test_nothing_else_changes_what_an_order_costs_while_it_is_edited() -> None:
    """409 for a second edit, for pieces and for refunds; the order may be undone, which declines it."""
    async with running() as api:
        order_id = await held(api)
        await api.post(f"/orders/{order_id}/edits", CHARGERS)
        lines = {"lines": [{"line": 1, "quantity": 1}]}
        for verb, body in (("edits", CHARGERS), ("line-cancellations", lines), ("refunds", lines)):
            refused = await api.post(f"/orders/{order_id}/{verb}", body, token=ADMIN)
            assert (refused.status_code, refused.json()["code"]) == (409, "edit_under_way")
        assert (await api.post(f"/orders/{order_id}/cancel")).status_code == 202
        assert (await events(api, order_id))[-2:] == ["OrderEditDeclined", "OrderCancellationRequested"]


async def test_the_bank_s_question_is_answered_at_the_bank() -> None:
    """To accept is to do what it asks for; to decline declines the edit and nothing else."""
    async with running() as api:
        order_id = await held(api)
        edit_id = (await api.post(f"/orders/{order_id}/edits", CHARGERS)).json()["editId"]
        stocked = e.OrderEditReserved(edit_id=edit_id, reservation_id="r-2")
        await api.record(order_id, decisions.reserve_edit, purpose="edit-stock", outcome=stocked)
        until = datetime(2099, 1, 1, tzinfo=UTC)
        await api.record(order_id, decisions.ask_for_edit, purpose="edit-action", edit_id=edit_id, deadline=until)
        path = f"/orders/{order_id}/answers/edit:{edit_id}"
        wrong = await api.post(path, {"answer": "accepted"})
        assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_answer")
        assert (await api.post(path, {"answer": "declined"})).status_code == 202
        assert (await events(api, order_id))[-2:] == ["OrderActionAnswered", "OrderEditDeclined"]
        history = await api.orders.load(order_id)
        assert isinstance(history.state, Confirmed)


async def test_nothing_is_added_to_what_is_not_there() -> None:
    """404 for both."""
    async with running() as api:
        for verb, body in (("edits", CHARGERS), (f"edits/{NOWHERE}/withdrawal", {})):
            refused = await api.post(f"/orders/{NOWHERE}/{verb}", body)
            assert (refused.status_code, refused.json()["code"]) == (404, "unknown_order")
