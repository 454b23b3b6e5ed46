"""The business at a glance over HTTP: what the orders say, shared where it is dear, bounded, and nobody named."""

from datetime import UTC, datetime
from typing import Any

from orderstore.domain import decisions
from projections.answers.ports import ViewsUnavailable
from tests.builders import DECLINED, PAID_AT_ONCE, SHORT
from tests.projections.http.api import Api, running
from tests.projections.http.stories import dispatched


async def business(api: Api, query: str = "") -> dict[str, Any]:
    response = await api.get(f"/business{query}")
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def orders_by_status(told: dict[str, Any]) -> dict[str, int]:
    return {there["status"]: there["orders"] for there in told["standing"]}


async def test_a_glance_shows_where_orders_stand_and_how_it_went() -> None:
    """One has left, one is refused, one waits; what was paid for is among the sales."""
    async with running() as api:
        await dispatched(api)
        refused, waiting = await api.place(), await api.place(customerId="jane-doe", currency="EUR")
        await api.record(refused, decisions.fail_payment, purpose="payment-outcome", outcome=DECLINED)
        await api.record(refused, decisions.fail_inventory, purpose="inventory-outcome", outcome=SHORT)
        told = await business(api)
        today = datetime.fromtimestamp(api.clock() / 1000, tz=UTC).date().isoformat()

        assert orders_by_status(told) == {"RECEIVED": 1, "CONFIRMED": 0, "IN_FULFILMENT": 1, "CANCELLING": 0}
        assert {there["oldestSince"] for there in told["standing"]} == {today, None}
        assert [day["day"] for day in told["days"]] == [told["to"]] == [today]
        figures = told["days"][0]
        assert figures["happened"] == {
            "placed": 3,
            "confirmed": 1,
            "shipped": 1,
            "completed": 0,
            "cancelled": 0,
            "rejected": 1,
        }
        assert figures["ofThosePlaced"] == {
            "placed": 3,
            "completed": 0,
            "cancelled": 0,
            "rejected": 1,
            "open": 2,
            "successRate": 0.0,
        }
        assert figures["timeToConfirm"] == {"orders": 1, "p50S": 0.5, "p95S": 0.95}
        assert figures["timeToShip"]["orders"] == 1
        assert {key: value for key, value in figures.items() if key != "day"} == told["together"]
        assert [(sold["currency"], sold["captured"]["count"]) for sold in told["sales"]] == [("EUR", 0), ("USD", 1)]
        assert "jane" not in str(told)
        assert waiting not in str(told)


async def test_before_the_first_order_everything_is_nothing() -> None:
    """A shop that opens has no rate, no times and no days."""
    async with running() as api:
        told = await business(api)

        assert set(orders_by_status(told).values()) == {0}
        assert told["days"] == told["sales"] == []
        assert told["together"]["ofThosePlaced"]["successRate"] is None
        assert told["together"]["timeToConfirm"] == {"orders": 0, "p50S": None, "p95S": None}


async def test_only_the_days_asked_for_are_told() -> None:
    """An order of last week stands where it stands, and is not among yesterday's and today's."""
    async with running() as api:
        await api.place()
        api.clock.ms += 3 * 86_400_000
        paid = await api.place()
        await api.record(paid, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)

        two, four = await business(api, "?days=2"), await business(api, "?days=4")
        assert (two["together"]["happened"]["placed"], four["together"]["happened"]["placed"]) == (1, 2)
        assert [day["happened"]["placed"] for day in four["days"]] == [1, 1]
        assert four["days"][0]["day"] > four["days"][1]["day"]
        assert orders_by_status(two) == orders_by_status(four)
        ages = {entry["age"]: entry["orders"] for entry in two["standing"][0]["ages"]}
        assert (ages["0d"], ages["3d-6d"]) == (1, 1)


async def test_sales_are_told_in_the_currencies_that_are_named() -> None:
    """Many days have to name theirs; the orders themselves have no currency."""
    async with running() as api:
        await api.place(currency="EUR")
        await api.place(currency="JPY", items=[{"sku": "S", "quantity": 3, "price": 100}])
        told = await business(api, "?days=92&currency=JPY")

        assert [(sold["currency"], sold["placed"]["amount"]) for sold in told["sales"]] == [("JPY", "300")]
        assert told["together"]["happened"]["placed"] == 2


async def test_a_question_that_cannot_be_answered_is_refused() -> None:
    """No days, too many, too many in all currencies, no such currency; and never a part of the answer."""
    async with running() as api:
        for query in ("days=0", "days=93", "days=92", "days=x", "currency=XXY", "days=1&days=2"):
            response = await api.get(f"/business?{query}")
            assert (response.status_code, response.json()["code"]) == (400, "bad_parameter"), query
        api.views.failure = ViewsUnavailable("away")
        assert (await api.get("/business")).status_code == 503
