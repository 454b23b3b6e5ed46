"""What the API reads, on tables: pages across a switch of generation, documents in one read, exceptions, sales and the parking lot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from random import Random
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.domain.ids import stream_of
from orderstore.store.memory import MemoryEventStore
from projections.answers.current_generations import CurrentGenerations
from projections.answers.exceptions import ExceptionQueries
from projections.answers.orders import open_queries
from projections.answers.publication import RecentPublication
from projections.answers.sales import SalesQueries
from projections.stream.parking.dynamo import DynamoParkingLot
from projections.view_store.dynamo import DynamoViewStore
from projections.views import VIEWS
from projections.views.view import Generations
from tests.builders import NOON
from tests.projections.histories import ORDER, START_MS, TENANT, commits_for, groups_of, happy_commits, order_number
from tests.projections.lagging import project, targets_in
from tests.projections.parked import row

pytestmark = pytest.mark.emulator

ORDERS = 23
YEAR_MS = 366 * 86_400_000


class World:
    """A log in memory, and everything that is read of it in tables."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.log = MemoryEventStore()
        self.views = DynamoViewStore(client, table=f"{prefix}-views", random=Random(1))
        self.lot = DynamoParkingLot(client, f"{prefix}-parked", random=Random(1))

    async def fill(self) -> None:
        """Orders of one customer, one of them with a whole life."""
        commits = happy_commits()
        for index in range(ORDERS):
            order_id, placed_at = order_number(index), NOON.replace(minute=index)
            commits += commits_for(groups_of((), order_id=order_id, placed_at=placed_at), order_id=order_id)
        for commit in commits:
            await self.log.append(commit)

    async def project(self, generation: int) -> None:
        async for stream in self.log.streams():
            await project(self.log, self.views, stream, targets_in(generation))

    async def switch(self, before: Generations, after: Generations) -> None:
        for view in VIEWS:
            assert await self.views.change_generations(view.name, before=before, after=after)


@asynccontextmanager
async def world_of(settings: dict[str, str]) -> AsyncIterator[World]:
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=settings["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=32, retries={"total_max_attempts": 1}),
    ) as client:
        world = World(client, settings["ORDERSTORE_RESOURCE_PREFIX"])
        await world.fill()
        await world.project(1)
        yield world


async def test_a_walk_goes_on_in_the_generation_that_was_switched_to(environment: dict[str, str]) -> None:
    """A table's index is begun behind a place that the new generation has, though the cursor was handed out by the old one."""
    async with world_of(environment) as world:
        generations = CurrentGenerations(world.views, [view.name for view in VIEWS], kept_s=0)
        queries = await open_queries(world.views, tenant=TENANT, generations=generations)
        first = await queries.orders_of_customer("customer-1", None, 9)
        await world.switch(Generations(), Generations(current=1, building=2))
        await world.project(2)
        await world.switch(Generations(current=1, building=2), Generations(current=2, former=1))
        await world.views.delete([key async for key in world.views.keys("g1/")])
        second = await queries.orders_of_customer("customer-1", first.next_cursor, 9)
        third = await queries.orders_of_customer("customer-1", second.next_cursor, 9)

        seen = [order["orderId"] for page in (first, second, third) for order in page.items]
        assert len(seen) == len(set(seen)) == ORDERS + 1
        assert third.next_cursor is None
        both = await queries.order_and_invoices(ORDER)
        assert both.status is not None
        assert [invoice["invoiceNumber"] for invoice in both.invoices] == both.status["invoiceNumbers"]


async def test_the_late_are_found_page_by_page(environment: dict[str, str]) -> None:
    """Those that wait for their outcomes, each once, with their statuses."""
    async with world_of(environment) as world:
        generations = CurrentGenerations(world.views, [view.name for view in VIEWS])
        queries = await open_queries(world.views, tenant=TENANT, generations=generations)
        reader = ExceptionQueries(
            world.views,
            world.lot,
            tenant=TENANT,
            generations=generations,
            queries=queries,
            now_ms=lambda: START_MS + YEAR_MS,
        )
        found: list[str] = []
        cursor = None
        while True:
            page = await reader.exceptions("stalled", cursor, 5)
            assert all(item["order"]["status"] == "RECEIVED" for item in page.items)
            found += [item["orderId"] for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sorted(found) == [order_number(index) for index in range(ORDERS)]


async def test_a_days_sales_are_those_of_the_log(environment: dict[str, str]) -> None:
    """From rows that are spread over slots; other days and other tenants have none."""
    async with world_of(environment) as world:
        generations = CurrentGenerations(world.views, [view.name for view in VIEWS])
        sales = SalesQueries(world.views, tenant=TENANT, generations=generations)
        (day,) = await sales.sales(NOON.date(), NOON.date(), [])

        assert day["currency"] == "USD"
        assert day["placed"] == {"count": ORDERS + 1, "amountMinor": 90_000 * (ORDERS + 1), "amount": "21600.00"}
        assert day["invoiced"]["count"] == 1
        assert await sales.sales(date(2024, 1, 1), date(2024, 12, 31), ["USD"]) == []
        assert (
            await SalesQueries(world.views, tenant="x", generations=generations).sales(NOON.date(), NOON.date(), [])
            == []
        )


async def test_what_is_parked_is_listed_and_holds_the_publication(environment: dict[str, str]) -> None:
    """Page by page, also where a page ends with the subscription; what was released is not there any more."""
    async with world_of(environment) as world:
        for index in range(5):
            assert await world.lot.park(row(order_number(index)))
        gone = row(order_number(9))
        assert await world.lot.park(gone)
        await world.lot.release(gone)
        generations = CurrentGenerations(world.views, [view.name for view in VIEWS])
        queries = await open_queries(world.views, tenant=TENANT, generations=generations)
        reader = ExceptionQueries(
            world.views, world.lot, tenant=TENANT, generations=generations, queries=queries, now_ms=lambda: START_MS
        )
        first = await reader.exceptions("parked", None, 5)
        last = await reader.exceptions("parked", first.next_cursor, 5) if first.next_cursor else first

        async def mark() -> int | None:
            return 10**15

        recent = await RecentPublication(mark, world.lot, subscription="relay", tenant=TENANT).get()
        assert [item["orderId"] for item in first.items] == [order_number(index) for index in range(5)]
        assert last.next_cursor is None
        assert set(recent.left) == {order_number(index) for index in range(5)}
        assert recent.left[order_number(1)].first == row(order_number(1)).first
        assert stream_of(TENANT, order_number(1)) == recent.left[order_number(1)].key
