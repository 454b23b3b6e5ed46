"""Sales by day and currency: what the log says, in minor units and as people write it; bounded, and never silently less."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain import decisions
from orderstore.domain.money import CURRENCIES, major
from projections.answers.current_generations import CurrentGenerations
from projections.answers.sales import BUCKETS_MAX, DAYS_MAX, SalesQueries, TooMuchAsked, buckets_of, together
from projections.views import daily_figures, daily_sales
from tests.builders import DECLINED, PAID_AT_ONCE, SHORT
from tests.projections.http.api import Api, running
from tests.projections.http.stories import invoiced
from tests.virtual_time import run_virtual

NOTHING = {"count": 0, "amountMinor": 0, "amount": "0.00"}


def today(api: Api) -> str:
    return datetime.fromtimestamp(api.clock() / 1000, tz=UTC).date().isoformat()


async def sales(api: Api, first: str, last: str, *currencies: str) -> dict[str, Any]:
    query = "".join(f"&currency={code}" for code in currencies)
    response = await api.get(f"/sales?from={first}&to={last}{query}")
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_a_days_sales_are_counted_once_each() -> None:
    """Placed, captured, rejected; as text in the currency's own digits."""
    async with running() as api:
        day = today(api)
        for _ in range(2):
            paid = await api.place()
            await api.record(paid, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        refused = await api.place(currency="JPY", items=[{"sku": "S", "quantity": 3, "price": 100}])
        await api.record(refused, decisions.fail_payment, purpose="payment-outcome", outcome=DECLINED)
        await api.record(refused, decisions.fail_inventory, purpose="inventory-outcome", outcome=SHORT)
        told = await sales(api, day, day)

        yen, dollars = told["items"]
        assert (yen["day"], yen["currency"]) == (day, "JPY")
        assert yen["placed"] == yen["rejected"] == {"count": 1, "amountMinor": 300, "amount": "300"}
        assert dollars["placed"] == dollars["captured"] == {"count": 2, "amountMinor": 180_000, "amount": "1800.00"}
        assert dollars["rejected"] == dollars["refunded"] == dollars["cancelled"] == NOTHING
        assert (told["from"], told["to"]) == (day, day)
        assert [{"day": day, **total} for total in told["totals"]] == told["items"]


async def test_both_ends_of_a_range_belong_to_it() -> None:
    """And the days before and after do not; days without sales are left out."""
    async with running() as api:
        for day in ("2024-02-28", "2024-02-29", "2024-03-02", "2024-03-03"):
            await api.place(placedAt=f"{day}T23:59:59.999Z")
        told = await sales(api, "2024-02-29", "2024-03-02")

        assert [item["day"] for item in told["items"]] == ["2024-02-29", "2024-03-02"]
        assert told["totals"][0]["placed"] == {"count": 2, "amountMinor": 180_000, "amount": "1800.00"}
        assert (await sales(api, "2024-03-01", "2024-03-01"))["items"] == []


async def test_a_year_is_told_in_the_currencies_that_are_named() -> None:
    """Only in those."""
    async with running() as api:
        await api.place(placedAt="2024-01-01T00:00:00Z")
        await api.place(placedAt="2024-12-31T23:59:59Z", currency="EUR")
        await api.place(placedAt="2024-06-01T00:00:00Z", currency="GBP")
        told = await sales(api, "2024-01-01", "2024-12-31", "EUR", "USD", "EUR")

        assert [(item["day"], item["currency"]) for item in told["items"]] == [
            ("2024-01-01", "USD"),
            ("2024-12-31", "EUR"),
        ]


async def test_an_invoice_is_counted_on_its_day() -> None:
    """The day of issue, wherever the order stands by then."""
    async with running() as api:
        await invoiced(api)
        told = await sales(api, "2026-03-01", "2026-03-01")

        assert told["items"][0]["invoiced"] == {"count": 1, "amountMinor": 90_000, "amount": "900.00"}


async def test_nobody_is_named() -> None:
    """Sums only."""
    async with running() as api:
        order_id = await api.place(customerId="jane-doe")
        text = (await api.get(f"/sales?from={today(api)}&to={today(api)}")).text

        assert "jane" not in text
        assert order_id not in text


BAD = [
    ("", ["from", "to"]),
    ("?from=2026-03-01", ["to"]),
    ("?from=2026-03-01&to=2026-02-28", ["from", "to"]),
    ("?from=2026-02-30&to=2026-03-01", ["from"]),
    ("?from=2026-3-1&to=2026-03-01", ["from"]),
    ("?from=20260301&to=2026-03-01", ["from"]),
    ("?from=2026-W10-1&to=2026-03-09", ["from"]),
    ("?from=1767225600&to=2026-03-01", ["from"]),
    ("?from=2026-03-01T00:00:00Z&to=2026-03-02", ["from"]),
    ("?from=0000-01-01&to=2026-03-02", ["from"]),
    ("?from=٢٠٢٦-٠٣-٠١&to=2026-03-02", ["from"]),
    ("?from=2025-03-01&to=2026-03-02&currency=EUR", ["from", "to"]),
    ("?from=0001-01-01&to=9999-12-31&currency=EUR", ["from", "to"]),
    ("?from=2026-01-01&to=2026-03-01", ["from", "to", "currency"]),
    ("?from=2026-01-01&to=2026-01-01&currency=XXX", ["currency"]),  # what ISO 4217 says for "no currency"
    ("?from=2026-01-01&to=2026-01-01&currency=eur", ["currency"]),
    ("?from=2026-01-01&to=2026-01-01&currency=", ["currency"]),
    (f"?from=2026-01-01&to=2026-01-01{'&currency=EUR' * 11}", ["currency"]),
    ("?from=2026-01-01&from=2026-01-01&to=2026-01-01", ["from"]),
    ("?from=2026-01-01&to=2026-01-01&day=1", ["day"]),
]


@pytest.mark.parametrize(("query", "parameters"), BAD, ids=[query[:50] for query, _ in BAD])
async def test_a_range_that_cannot_be_meant_is_refused_by_name(query: str, parameters: list[str]) -> None:
    """400, and no row is read."""
    async with running() as api:
        response = await api.get(f"/sales{query}")

        assert response.status_code == 400, response.text
        assert [error["parameter"] for error in response.json()["errors"]] == parameters


def test_the_bounds_themselves_are_good() -> None:
    """A leap year in four currencies, and some weeks in all of them."""
    first = date(2024, 1, 1)
    assert len(buckets_of(first, first + timedelta(days=DAYS_MAX - 1), ["EUR", "USD", "GBP", "JPY"])) == BUCKETS_MAX
    weeks = BUCKETS_MAX // len(CURRENCIES)
    assert weeks >= 21
    assert buckets_of(first, first + timedelta(days=weeks - 1), [])
    with pytest.raises(TooMuchAsked):
        buckets_of(first, first + timedelta(days=weeks), [])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["EUR", "JPY", "KWD"]), st.integers(1, 10**12)), max_size=20)
)
def test_totals_are_the_sums_of_the_days_and_text_is_the_amount(sold: list[tuple[int, str, int]]) -> None:
    """Exactly, in integers, whatever the currency's digits."""
    from projections.view_store import Addition, Write
    from projections.view_store.memory import MemoryViewStore
    from projections.views.view import Generation

    async def scenario() -> None:
        store, generation, first = MemoryViewStore(), Generation(daily_figures.NAME, 1), date(2026, 3, 1)
        for number, (day, currency, amount) in enumerate(sold):
            name = generation.sum_key("t", daily_sales.bucket(first + timedelta(days=day), currency))
            addition = Addition(name, {daily_sales.count_of("placed"): 1, daily_sales.minor_of("placed"): amount})
            write = Write(
                key=f"k{number}",
                expected_commit=None,
                commit=1,
                schema=1,
                document=b"{}",
                contribution="some",
                additions=(addition,),
            )
            await store.write([write])
        queries = SalesQueries(store, tenant="t", generations=CurrentGenerations(store, [daily_figures.NAME]))
        items = await queries.sales(first, first + timedelta(days=5), [])
        totals = {total["currency"]: total["placed"] for total in together(items)}

        for currency in {currency for _, currency, _ in sold}:
            amounts = [amount for _, code, amount in sold if code == currency]
            assert totals[currency] == {
                "count": len(amounts),
                "amountMinor": sum(amounts),
                "amount": major(sum(amounts), currency),
            }
        assert sum(item["placed"]["count"] for item in items) == len(sold)
        assert items == sorted(items, key=lambda item: (item["day"], item["currency"]))

    run_virtual(scenario)
