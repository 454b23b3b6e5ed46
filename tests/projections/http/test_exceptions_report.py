"""The orders that need somebody: each kind, with what is due, whose it is, what may be done, and where the order stands."""

from typing import Any

import pytest

from orderstore.domain import decisions
from projections.answers.ports import EXCEPTION_KINDS, ViewsUnavailable
from tests.builders import BOOKED, DISPATCHED, PAID_AT_ONCE, RESERVED
from tests.projections.http.api import ARTICLE, READER, SCRAPER, WRITER, Api, running
from tests.projections.http.stories import dispatched

MINUTE_MS, DAY_MS = 60_000, 86_400_000


async def asked(api: Api, kind: str, **options: Any) -> list[dict[str, Any]]:
    """All of a kind, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(100):
        response = await api.get("/exceptions", kind=kind, **options, **({} if cursor is None else {"cursor": cursor}))
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["kind"] == kind
        assert {item["kind"] for item in page["items"]} <= {kind}
        found += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found
    raise AssertionError("a walk without an end")


async def confirmed(api: Api) -> str:
    order_id = await api.place(customerId="c-1")
    await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
    await api.record(order_id, decisions.reserve_inventory, purpose="inventory-outcome", outcome=RESERVED)
    return order_id


@pytest.mark.parametrize("kind", EXCEPTION_KINDS)
async def test_when_all_is_well_nobody_is_called(kind: str) -> None:
    """An empty page, and the last."""
    async with running() as api:
        await confirmed(api)
        api.views.now_ms = api.clock()
        assert await asked(api, kind) == []


async def test_an_order_that_stands_still_is_stalled_in_its_stage() -> None:
    """Late by the clock of whoever asks, not before; with its status in the same answer."""
    async with running() as api:
        waiting = await api.place(customerId="c-1")
        sold = await confirmed(api)
        api.views.now_ms = api.clock() + 14 * MINUTE_MS
        assert await asked(api, "stalled") == []
        api.views.now_ms = api.clock() + 16 * MINUTE_MS
        (stalled,) = await asked(api, "stalled")
        api.views.now_ms = api.clock() + 3 * DAY_MS
        both = await asked(api, "stalled")

        assert stalled["orderId"] == waiting
        (entry,) = stalled["entries"]
        assert (entry["kind"], entry["cause"], entry["owner"]) == ("stalled", "outcomes", "order")
        assert entry["since"] < entry["dueAt"]
        assert entry["actions"]
        assert stalled["order"] == {
            "status": "RECEIVED",
            "customerId": "c-1",
            "currency": "USD",
            "totalMinor": 90_000,
            "total": "900.00",
            "placedAt": stalled["order"]["placedAt"],
            "updatedAt": stalled["order"]["updatedAt"],
            "version": 1,
            "commit": 1,
        }
        assert [item["orderId"] for item in both] == [waiting, sold]
        assert both[1]["entries"][0]["cause"] == "dispatch"


async def test_a_held_order_is_listed_until_it_is_released() -> None:
    """With the id of its hold, for whoever lets it go on."""
    async with running() as api:
        order_id = await confirmed(api)
        await api.post(
            f"/orders/{order_id}/holds", {"holdId": "review-1", "reason": "fraud_review", "note": "looks odd"}
        )
        (held,) = await asked(api, "held")
        await api.post(f"/orders/{order_id}/holds/review-1/release", {})

        assert held["orderId"] == order_id
        (entry,) = held["entries"]
        assert (entry["cause"], entry["reference"], entry["owner"]) == ("fraud_review", "review-1", "payment")
        assert "release" in entry["actions"]
        assert "looks odd" not in str(held)
        assert await asked(api, "held") == []


async def test_an_undoing_that_takes_too_long_has_failed() -> None:
    """The customer waits for money or goods that nobody gives back."""
    async with running() as api:
        order_id = await confirmed(api)
        assert (await api.post(f"/orders/{order_id}/cancel", {})).status_code == 202
        api.views.now_ms = api.clock() + 61 * MINUTE_MS
        (failed,) = await asked(api, "compensation_failed")

        assert (failed["orderId"], failed["entries"][0]["cause"]) == (order_id, "undo")
        assert failed["order"]["status"] == "CANCELLING"


async def test_a_refund_that_nobody_pays_has_failed() -> None:
    """By its own deadline, with its own id."""
    async with running() as api:
        order_id = await dispatched(api)
        asked_for = await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 1}]})
        api.views.now_ms = api.clock() + 15 * DAY_MS
        (failed,) = await asked(api, "compensation_failed")

        (entry,) = failed["entries"]
        assert (entry["cause"], entry["reference"]) == ("refund", asked_for.json()["refundId"])


async def test_a_cancellation_that_came_too_late_is_somebodys_business() -> None:
    """The goods left while it was being undone: until a refund is asked for."""
    async with running() as api:
        order_id = await confirmed(api)
        await api.record(order_id, decisions.create_shipment, purpose="shipment-outcome", outcome=BOOKED)
        await api.post(f"/orders/{order_id}/cancel", {})
        await api.record(order_id, decisions.dispatch_shipment, purpose="dispatch-outcome", outcome=DISPATCHED)
        (declined,) = await asked(api, "cancellation_declined")
        await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 1}]})

        assert declined["orderId"] == order_id
        assert "refund" in declined["entries"][0]["actions"]
        assert await asked(api, "cancellation_declined") == []


@pytest.mark.parametrize("limit", [pytest.param(1, marks=pytest.mark.thorough), 3, 100])
async def test_a_walk_shows_each_once_the_longest_waiting_first(limit: int) -> None:
    """Whatever the size of the pages, and whatever the ids: some of these begin with each digit that there is."""
    async with running() as api:
        placed = [await api.post("/orders", ARTICLE, Idempotency_Key=f"order {number}") for number in range(60)]
        orders = [response.json()["orderId"] for response in placed]
        assert {order_id[0] for order_id in orders} == set("0123456789abcdef")
        api.views.now_ms = api.clock() + DAY_MS
        found = await asked(api, "stalled", limit=limit)

        assert [item["orderId"] for item in found] == orders
        dues = [item["entries"][0]["dueAt"] for item in found]
        assert dues == sorted(dues)


BAD = [
    ("", "kind"),
    ("?kind=", "kind"),
    ("?kind=late", "kind"),
    ("?kind=held&kind=parked", "kind"),
    ("?kind=held&limit=0", "limit"),
    ("?kind=held&limit=101", "limit"),
    ("?kind=held&cursor=x", "cursor"),
    ("?kind=parked&cursor=WyIxIiwieCJd", "cursor"),
    ("?kind=held&since=1", "since"),
]


@pytest.mark.parametrize(("query", "parameter"), BAD)
async def test_a_question_that_cannot_be_meant_is_refused_by_name(query: str, parameter: str) -> None:
    """400."""
    async with running() as api:
        response = await api.get(f"/exceptions{query}")

        assert response.status_code == 400, response.text
        assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


async def test_a_cursor_of_one_kind_is_none_of_another() -> None:
    """It would begin anywhere."""
    async with running() as api:
        for _ in range(3):
            await api.place()
        api.views.now_ms = api.clock() + DAY_MS
        cursor = (await api.get("/exceptions", kind="stalled", limit=1)).json()["nextCursor"]
        for kind in ("held", "parked", "compensation_failed"):
            refused = await api.get("/exceptions", kind=kind, cursor=cursor)
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_cursor")


async def test_views_that_cannot_be_read_are_no_empty_list() -> None:
    """503: nobody must take it for good news."""
    async with running() as api:
        api.views.failure = ViewsUnavailable("secret host")
        for path in ("/exceptions?kind=held", "/exceptions?kind=parked", "/sales?from=2026-03-01&to=2026-03-02"):
            response = await api.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert "secret" not in response.text


@pytest.mark.parametrize("path", ["/exceptions?kind=held", "/sales?from=2026-03-01&to=2026-03-02"])
async def test_reports_are_for_readers(path: str) -> None:
    """As every other read."""
    async with running() as api:
        statuses = [(await api.get(path, token=token)).status_code for token in (None, WRITER, SCRAPER, READER)]

        assert statuses == [401, 403, 403, 200]
