"""Holding an order over HTTP: made once, shown while it is open, released, and every refusal told by name."""

import asyncio
import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderstore.domain import decisions, ids
from orderstore.domain.holds import OPEN_MAX
from orderstore.request_fields import check_key
from tests.builders import DECLINED, SHORT
from tests.projections.http.api import ADMIN, WRITER, Api, running
from tests.projections.http.stories import NOWHERE, dispatched

REVIEW = {"holdId": "review-1", "reason": "fraud_review", "note": "the third card today"}


async def events(api: Api, order_id: str) -> list[str]:
    return [recorded.name for recorded in (await api.orders.load(order_id)).events]


async def rejected(api: Api) -> str:
    order_id = await api.place()
    await api.record(order_id, decisions.fail_payment, purpose="payment-outcome", outcome=DECLINED)
    await api.record(order_id, decisions.fail_inventory, purpose="inventory-outcome", outcome=SHORT)
    return order_id


async def test_a_hold_is_made_shown_and_released() -> None:
    """201 with its name and where it stands; the order shows it until it is released."""
    async with running() as api:
        order_id = await api.place()
        held = await api.post(f"/orders/{order_id}/holds", REVIEW, token=ADMIN)
        recorded = (await api.orders.load(order_id)).events[-1]

        assert held.status_code == 201
        assert held.headers["location"] == f"/orders/{order_id}"
        assert held.json() == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "holdId": "review-1",
            "reason": "fraud_review",
            "status": "HELD",
        }
        assert (recorded.actor.type, recorded.actor.id) == ("operator", "admin")
        shown = (await api.get(f"/orders/{order_id}")).json()
        (hold,) = shown["holds"]
        assert (hold["holdId"], hold["reason"]) == ("review-1", "fraud_review")
        assert hold["since"] == shown["updatedAt"]
        assert "third card" not in str(shown)

        released = await api.post(f"/orders/{order_id}/holds/review-1/release", {"note": "it is hers"})
        recorded = (await api.orders.load(order_id)).events[-1]
        assert released.status_code == 200
        assert released.json() == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "holdId": "review-1",
            "status": "HOLD_RELEASED",
        }
        assert (await api.get(f"/orders/{order_id}")).json()["holds"] == []
        listed = (await api.get(f"/orders/{order_id}/events")).json()["items"]
        assert listed[1]["data"] == {"holdId": "review-1", "reason": "fraud_review"}
        assert "hers" not in str(listed)


async def test_several_holds_stand_side_by_side() -> None:
    """In the order in which they were placed; each is released by its own name."""
    async with running() as api:
        order_id = await api.place()
        for reason in ("address", "stock", "payment", "operator"):
            await api.post(f"/orders/{order_id}/holds", {"reason": reason, "holdId": f"h-{reason}"})
        await api.post(f"/orders/{order_id}/holds/h-stock/release")

        shown = (await api.get(f"/orders/{order_id}")).json()["holds"]
        assert [hold["reason"] for hold in shown] == ["address", "payment", "operator"]


@pytest.mark.parametrize(
    ("body", "key"),
    [(REVIEW, None), ({"reason": "stock"}, "k-1"), (REVIEW, "k-1")],
    ids=["by its name", "by its key", "by both"],
)
async def test_a_repeat_is_harmless(body: dict[str, Any], key: str | None) -> None:
    """200 and the same answer, also after the release and at the same moment; one event."""
    async with running() as api:
        order_id = await api.place()
        headers = {} if key is None else {"Idempotency_Key": key}
        path = f"/orders/{order_id}/holds"
        answers = list(await asyncio.gather(*(api.post(path, body, **headers) for _ in range(4))))
        hold_id = answers[0].json()["holdId"]
        freed = await api.post(f"{path}/{hold_id}/release")
        answers.append(await api.post(path, body, **headers))

        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [201]
        assert len({answer.text for answer in answers}) == 1
        assert all(("idempotency-replayed" in answer.headers) == (answer.status_code == 200) for answer in answers)
        assert (await api.post(f"{path}/{hold_id}/release", {"note": "again"})).json() == freed.json()
        assert await events(api, order_id) == ["OrderCreated", "OrderHeld", "OrderHoldReleased"]


async def test_without_a_name_and_a_key_each_request_is_a_hold_of_its_own() -> None:
    """A client that wants to repeat safely names what it means."""
    async with running() as api:
        order_id = await api.place()
        answers = [await api.post(f"/orders/{order_id}/holds", {"reason": "stock"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert len((await api.get(f"/orders/{order_id}")).json()["holds"]) == 2


async def test_a_name_means_one_hold_only() -> None:
    """422, and nothing is stored."""
    async with running() as api:
        order_id = await api.place()
        await api.post(f"/orders/{order_id}/holds", REVIEW)
        for other in ({**REVIEW, "reason": "address"}, {**REVIEW, "note": "other words"}):
            refused = await api.post(f"/orders/{order_id}/holds", other)
            assert (refused.status_code, refused.json()["code"]) == (422, "hold_reused")
        assert await events(api, order_id) == ["OrderCreated", "OrderHeld"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": "because"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"reason": ["stock"]}, "/reason"),
        ({"reason": "stock", "holdId": ""}, "/holdId"),
        ({"reason": "stock", "holdId": "a b"}, "/holdId"),
        ({"reason": "stock", "holdId": "a/b"}, "/holdId"),
        ({"reason": "stock", "holdId": ".."}, "/holdId"),
        ({"reason": "stock", "holdId": "h\n"}, "/holdId"),
        ({"reason": "stock", "holdId": "h" * 65}, "/holdId"),
        ({"reason": "stock", "holdId": 7}, "/holdId"),
        ({"reason": "stock", "holdId": "4111111111111111"}, "/holdId"),
        ({"reason": "stock", "note": "card 4111 1111 1111 1111"}, "/note"),
        ({"reason": "stock", "note": "n" * 501}, "/note"),
        ({"reason": "stock", "note": "a\x00b"}, "/note"),
        ({"reason": "stock", "until": "tomorrow"}, "/until"),
        ([], ""),
    ],
)
async def test_what_is_wrong_with_a_hold_is_named(body: Any, pointer: str) -> None:
    """A pointer to it, never the value; nothing is stored."""
    async with running() as api:
        order_id = await api.place()
        refused = await api.post(f"/orders/{order_id}/holds", body)

        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert "4111" not in refused.text
        assert await events(api, order_id) == ["OrderCreated"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"note": "card 4111 1111 1111 1111"}, "/note"), ({"because": 1}, "/because"), ([], "")],
)
async def test_what_is_wrong_with_a_release_is_named(body: Any, pointer: str) -> None:
    """The hold stays."""
    async with running() as api:
        order_id = await api.place()
        await api.post(f"/orders/{order_id}/holds", REVIEW)
        refused = await api.post(f"/orders/{order_id}/holds/review-1/release", body)

        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert await events(api, order_id) == ["OrderCreated", "OrderHeld"]


async def test_a_hold_whose_name_was_drawn_with_a_card_s_digits_can_be_released() -> None:
    """One UUID in three thousand looks like a card number to the door: what we named ourselves is never locked out."""
    async with running() as api:
        order_id = await api.place()
        keys = (f"key-{number}" for number in itertools.count())
        key = next(key for key in keys if unlucky(ids.event_id(order_id, f"hold:{key}")))
        held = await api.post(f"/orders/{order_id}/holds", {"reason": "stock"}, Idempotency_Key=key)
        released = await api.post(f"/orders/{order_id}/holds/{held.json()['holdId']}/release")

        assert (held.status_code, released.status_code) == (201, 200)


def unlucky(hold_id: str) -> bool:
    try:
        check_key(hold_id)
    except ValueError:
        return True
    return False


WORDS = st.sampled_from(["reason", "holdId", "note", "hold_id", "x"])
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70) | st.lists(st.integers(), max_size=2)
)
BODIES = st.one_of(
    st.dictionaries(WORDS, VALUES, max_size=3).map(lambda changes: {"reason": "stock", **changes}),
    st.dictionaries(WORDS, VALUES, max_size=3),
    VALUES,
)


@pytest.mark.thorough
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES, name=st.text(st.characters(exclude_categories=["Cs"]), max_size=70))
def test_any_hold_is_taken_or_refused(body: Any, name: str) -> None:
    """201 and a hold that is shown and can be released, or 4xx and nothing stored; never our failure."""

    async def scenario() -> None:
        async with running() as api:
            order_id = await api.place()
            content = json.dumps(body).encode()
            path = f"/orders/{order_id}/holds"
            held = await api.send(content, path=path)
            assert held.status_code == 201 or 400 <= held.status_code < 500, held.text
            shown = (await api.get(f"/orders/{order_id}")).json()["holds"]
            assert len(shown) == (held.status_code == 201)
            for hold in shown:
                assert (await api.post(f"{path}/{hold['holdId']}/release")).status_code == 200
            released = await api.post(f"{path}/{quote(name, safe='')}/release")
            assert released.status_code in {200, 400, 404, 405}
            assert (await api.get(f"/orders/{order_id}")).json()["holds"] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("hold_id", ["-", "a%20b", "h" * 65, "4111111111111111", "%00", "a.b", "%ff"])
async def test_what_is_no_name_of_a_hold_is_refused(hold_id: str) -> None:
    """400, before the order is read, and a card number is not repeated."""
    async with running() as api:
        order_id = await api.place()
        refused = await api.post(f"/orders/{order_id}/holds/{hold_id}/release")

        assert (refused.status_code, refused.json()["code"]) == (400, "bad_parameter")
        assert [error["parameter"] for error in refused.json()["errors"]] == ["holdId"]
        assert "4111" not in str(refused.json()["errors"])


async def test_what_is_not_there_is_not_held_and_not_released() -> None:
    """404 for the order, 404 for the hold, each with its own code; none is made by asking."""
    async with running() as api:
        order_id = await api.place()
        for unknown in (NOWHERE, "x"):
            assert (await api.post(f"/orders/{unknown}/holds", REVIEW)).json()["code"] == "unknown_order"
            assert (await api.post(f"/orders/{unknown}/holds/h/release")).json()["code"] == "unknown_order"
        refused = await api.post(f"/orders/{order_id}/holds/review-1/release")

        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_hold")
        assert await api.stored() == [f"acme/order-{order_id}"]


async def test_an_order_that_has_ended_is_not_held() -> None:
    """409. A hold that it had is over with it: releasing it is answered, and names what ended it."""
    async with running() as api:
        order_id = await api.place()
        await api.post(f"/orders/{order_id}/holds", REVIEW)
        await api.record(order_id, decisions.fail_payment, purpose="payment-outcome", outcome=DECLINED)
        await api.record(order_id, decisions.fail_inventory, purpose="inventory-outcome", outcome=SHORT)
        refused = await api.post(f"/orders/{order_id}/holds", {"reason": "address"})
        released = await api.post(f"/orders/{order_id}/holds/review-1/release")
        last = (await api.orders.load(order_id)).events[-1]

        assert (refused.status_code, refused.json()["code"]) == (409, "order_closed")
        assert (last.name, released.json()["eventId"], released.status_code) == ("OrderRejected", last.event_id, 200)
        assert (await api.get(f"/orders/{order_id}")).json()["holds"] == []
        assert (await api.get(f"/orders/{order_id}?consistency=strong")).json()["holds"] == []
        never_held = await rejected(api)
        refused = await api.post(f"/orders/{never_held}/holds", REVIEW)
        assert (refused.status_code, refused.json()["code"]) == (409, "order_closed")


async def test_open_holds_are_bounded() -> None:
    """409 for one too many."""
    async with running() as api:
        order_id = await api.place()
        for number in range(OPEN_MAX):
            made = await api.post(f"/orders/{order_id}/holds", {"reason": "operator", "holdId": f"h-{number}"})
            assert made.status_code == 201
        refused = await api.post(f"/orders/{order_id}/holds", REVIEW)

        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_holds")
        assert len(await events(api, order_id)) == OPEN_MAX + 1


async def test_goods_that_have_left_can_still_be_marked_as_held() -> None:
    """The hold comes too late to stop them, and the order says both."""
    async with running() as api:
        order_id = await dispatched(api)
        assert (await api.post(f"/orders/{order_id}/holds", REVIEW)).status_code == 201

        shown = (await api.get(f"/orders/{order_id}")).json()
        assert (shown["status"], len(shown["holds"])) == ("IN_FULFILMENT", 1)


async def test_a_release_holds_to_the_version_that_was_seen() -> None:
    """412 and the hold stays; at the right version, or asked again, it is released."""
    async with running() as api:
        order_id = await api.place()
        await api.post(f"/orders/{order_id}/holds", REVIEW)
        path = f"/orders/{order_id}/holds/review-1/release"
        assert (await api.post(path, If_Match='"1"')).status_code == 412
        assert (await api.post(path, If_Match='"2"')).status_code == 200
        assert (await api.post(path, If_Match='"2"')).status_code == 200
        assert len(await events(api, order_id)) == 3


async def test_nothing_that_was_written_about_a_person_is_logged() -> None:
    """Neither in the request's line nor anywhere else."""
    async with running() as api:
        order_id = await api.place()
        await api.post(f"/orders/{order_id}/holds", REVIEW, token=WRITER)
        await api.post(f"/orders/{order_id}/holds/review-1/release", {"note": "spoke to her mother"})

        lines = str(api.logs.entries)
        assert order_id in lines
        assert "third card" not in lines
        assert "mother" not in lines
