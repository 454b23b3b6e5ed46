"""What the relay left behind is visible where an operator looks: in the order, in its events, and among the exceptions."""

from dataclasses import replace
from typing import Any

import pytest

from orderstore.domain import decisions
from projections.answers.cursors import encode_pair
from projections.stream.parking import LotUnavailable
from tests.builders import BOOKED, CAPTURED, DISPATCHED, PAID, RESERVED
from tests.projections.http.api import READER, TENANT, Api, bearer, running
from tests.projections.http.stories import dispatched
from tests.projections.parked import row

LATER = 4_000_000_000_000
LEFT = {"commit": 3, "since": "1970-01-01T00:00:01.000Z", "cause": "PublishRefused: the topic refused it"}


async def publication(api: Api, order_id: str, **asked: Any) -> dict[str, Any]:
    document: dict[str, Any] = (await api.get(f"/orders/{order_id}", **asked)).json()["publication"]
    return document


@pytest.mark.parametrize("asked", [{}, {"consistency": "strong"}, {"minCommit": 1}])
async def test_a_parked_order_is_pending_and_says_why(asked: dict[str, Any]) -> None:
    """Though the mark has long passed it; once it is released it is published."""  # E040, E041, K3
    async with running() as api:
        order_id = await dispatched(api)
        api.published_through_ms = LATER
        parked = row(order_id, tenant=TENANT)
        await api.views.lot.park(parked)
        told = await publication(api, order_id, **asked)
        listed = (await api.get("/orders", customerId="nobody")).json()["items"]
        await api.views.lot.release(parked)
        after = await publication(api, order_id, **asked)

        assert (told["status"], told["state"], told["parked"], told["leftBehind"]) == (
            "pending",
            "ORDER_RECEIVED",
            True,
            LEFT,
        )
        assert listed == []
        assert (after["status"], after["state"], after["parked"], after["leftBehind"]) == (
            "published",
            "EVENT_PUBLISHED",
            False,
            None,
        )


async def test_a_skipped_order_says_so_for_ever() -> None:
    """It is not pending, for nobody will publish it; and not published either."""
    async with running() as api:
        order_id = await dispatched(api)
        api.published_through_ms = LATER
        await api.views.lot.park(row(order_id, tenant=TENANT, state="skipped"))
        told = await publication(api, order_id)

        assert (told["status"], told["state"], told["parked"]) == ("skipped", "ORDER_RECEIVED", False)
        assert told["leftBehind"] == LEFT


async def test_a_commit_that_was_passed_over_is_skipped_though_the_order_goes_on() -> None:
    """`orderstore parked skip`: everything else of it is published, this never; order and events say so, also after a restart."""
    async with running() as api:
        order_id = await dispatched(api)
        api.published_through_ms = LATER
        parked = row(order_id, tenant=TENANT, passed=(3,))
        await api.views.lot.park(parked)
        await api.views.lot.release(parked)
        told = await publication(api, order_id)
        items = (await api.get(f"/orders/{order_id}/events")).json()["items"]

        assert (told["status"], told["state"], told["parked"], told["leftBehind"]) == (
            "skipped",
            "ORDER_RECEIVED",
            False,
            LEFT,
        )
        skipped = [item["commit"] for item in items if item["publication"] == "skipped"]
        published = [item["commit"] for item in items if item["publication"] == "published"]
        assert set(skipped) == {3}
        assert 3 not in published
        assert max(published) > 3


async def test_no_304_while_something_is_left_behind() -> None:
    """The version has not moved, and somebody waits for the publication."""
    async with running() as api:
        order_id = await dispatched(api)
        api.published_through_ms = LATER
        headers = {**bearer(READER), "If-None-Match": "*"}
        before = await api.client.get(f"/orders/{order_id}", headers=headers)
        await api.views.lot.park(row(order_id, tenant=TENANT))
        after = await api.client.get(f"/orders/{order_id}", headers=headers)

        assert (before.status_code, after.status_code) == (304, 200)


async def test_every_event_says_where_it_stands() -> None:
    """Published before the first that is left behind, pending from it on; internal ones are told to nobody."""  # E041, K3
    async with running() as api:
        order_id = await api.place()
        for purpose, decide, outcome in (
            ("payment-outcome", decisions.complete_payment, PAID),
            ("inventory-outcome", decisions.reserve_inventory, RESERVED),
            ("shipment-outcome", decisions.create_shipment, BOOKED),
            ("dispatch-outcome", decisions.dispatch_shipment, DISPATCHED),
            ("capture-outcome", decisions.capture_payment, CAPTURED),
        ):
            await api.record(order_id, decide, purpose=purpose, outcome=outcome)

        async def told() -> list[str]:
            items = (await api.get(f"/orders/{order_id}/events")).json()["items"]
            return [item["publication"] for item in items]

        assert await told() == ["pending"] * 6 + ["internal"]
        api.published_through_ms = (await api.orders.load(order_id)).events[3].recorded_at_ms
        assert await told() == ["published"] * 2 + ["pending"] * 4 + ["internal"]
        api.published_through_ms = LATER
        assert await told() == ["published"] * 6 + ["internal"]
        await api.views.lot.park(row(order_id, tenant=TENANT))
        assert await told() == ["published"] * 2 + ["pending"] * 4 + ["internal"]


async def test_the_parked_orders_are_listed_with_what_may_be_done() -> None:
    """Of both subscriptions; the skipped ones wait for nobody, and those of others are not ours."""
    async with running() as api:
        orders = sorted([await api.place() for _ in range(7)])
        for number, order_id in enumerate(orders):
            subscription = "views" if number % 2 else "relay"
            await api.views.lot.park(replace(row(order_id, tenant=TENANT), subscription=subscription))
        await api.views.lot.park(row(await api.place(), tenant=TENANT, state="skipped"))
        await api.views.lot.park(row(orders[0], tenant="other"))
        await api.views.lot.park(replace(row(), key="no order"))
        found: list[dict[str, Any]] = []
        cursor = None
        for _ in range(20):
            asked = {"kind": "parked", "limit": 2} | ({} if cursor is None else {"cursor": cursor})
            page = (await api.get("/exceptions", **asked)).json()
            assert len(page["items"]) <= 2
            found += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                break

        assert cursor is None
        assert sorted(item["orderId"] for item in found) == orders
        assert [item["entries"][0]["reference"] for item in found] == ["views"] * 3 + ["relay"] * 4
        assert found[0]["entries"] == [
            {
                "kind": "parked",
                "cause": "PublishRefused: the topic refused it",
                "since": "1970-01-01T00:00:01.000Z",
                "dueAt": None,
                "reference": "views",
                "owner": "operations",
                "actions": ["retry", "skip"],
            }
        ]
        assert found[0]["order"]["status"] == "RECEIVED"


@pytest.mark.parametrize(("subscription", "key"), [("elsewhere", ""), ("relay 1", "-"), ("views", "k" * 1_025)])
async def test_a_cursor_to_no_place_among_the_parked_is_refused(subscription: str, key: str) -> None:
    """Of no subscription of ours, in the form of before, or behind a key that no table could hold: it never reaches the lot."""
    async with running() as api:
        cursor = encode_pair(f"{TENANT}/parked", subscription, key)
        answered = await api.get("/exceptions", kind="parked", cursor=cursor)

        assert (answered.status_code, answered.json()["code"]) == (400, "bad_cursor")


async def test_a_parking_lot_that_is_away_is_said_so() -> None:
    """503 where it is asked for; elsewhere only `pending`."""

    async def away(*_: Any, **__: Any) -> Any:
        raise LotUnavailable("secret table name")

    async with running() as api:
        order_id = await api.place()
        api.published_through_ms = LATER
        api.views.lot.page = away  # type: ignore[method-assign]
        listed = await api.get("/exceptions", kind="parked")

        assert (listed.status_code, listed.json()["code"]) == (503, "unavailable")
        assert "secret" not in listed.text
        assert (await publication(api, order_id))["status"] == "pending"
