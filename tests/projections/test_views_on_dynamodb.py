"""The same promises on tables: log, views and projectors against the embedded environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.domain.events import OrderLine
from orderstore.store.blobs import MemoryBlobStore
from orderstore.store.dynamo import DynamoEventStore
from projections.answers.orders import open_queries
from projections.comparing.compare import compare
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import current_targets
from projections.stream import Record
from projections.view_store.dynamo import DynamoViewStore
from tests.builders import line
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import ORDER, happy_commits, order_number, records_of
from tests.projections.read_side import CountingObserver

pytestmark = pytest.mark.emulator
SEED = 20_260_302


class World:
    def __init__(self, client, prefix: str) -> None:
        self.client = client
        self.events = f"{prefix}-events"
        self.store = DynamoEventStore(
            client,
            table=self.events,
            counters_table=f"{prefix}-series",
            blobs=MemoryBlobStore(),
            random=Random(SEED),
        )
        self.views = DynamoViewStore(client, table=f"{prefix}-views", random=Random(SEED))
        self.observer = CountingObserver()

    async def projector(self) -> ViewProjector:
        return ViewProjector(self.store, self.views, await current_targets(self.views), observer=self.observer)

    async def compare(self):
        return await compare(
            self.store, self.views, await current_targets(self.views), looks_max=2, look_again_after_s=0.01
        )


@asynccontextmanager
async def world_of(settings) -> AsyncIterator[World]:
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=settings["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=64, retries={"total_max_attempts": 1}),
    ) as client:
        yield World(client, settings["ORDERSTORE_RESOURCE_PREFIX"])


async def test_shuffled_repeated_records_and_three_projectors_end_equal(environment) -> None:
    """Twenty orders, every record twice, out of order, over three projectors at once, then a back-fill beside them."""
    async with world_of(environment) as world:
        commits = [commit for index in range(20) for commit in happy_commits(order_number(index))]
        for commit in commits:
            await world.store.append(commit)
        random = Random(SEED)
        projectors = [await world.projector() for _ in range(3)]

        async def run(projector: ViewProjector, arriving: list[Record]) -> None:
            for start in range(0, len(arriving), 25):
                await projector.apply(arriving[start : start + 25])

        async with anyio.create_task_group() as tasks:
            for projector in projectors:
                mine = random.sample(commits, k=len(commits))
                tasks.start_soon(run, projector, records_of(mine))
            tasks.start_soon(bring_up_all, await world.projector())

        report = await world.compare()
        assert report.equal, report.differences
        assert report.documents == 20 * 4
        assert world.observer.counts["applied order_status"] == 160


async def test_a_planted_difference_is_found_in_the_table(environment) -> None:
    """A hand in the views table, an item lost, an item invented: all three are named."""
    async with world_of(environment) as world:
        for index in range(3):
            for commit in happy_commits(order_number(index)):
                await world.store.append(commit)
        await bring_up_all(await world.projector())
        table = world.views._calls.table
        keys = [f"g1/order_status/main/{order_number(index)}" for index in range(3)]
        await world.client.update_item(
            TableName=table,
            Key={"key": {"S": keys[0]}},
            UpdateExpression="SET last_commit = :n",
            ExpressionAttributeValues={":n": {"N": "99"}},
        )
        lost = (await world.client.get_item(TableName=table, Key={"key": {"S": keys[1]}}))["Item"]
        await world.client.delete_item(TableName=table, Key={"key": {"S": keys[1]}})
        await world.client.put_item(
            TableName=table, Item={**lost, "key": {"S": f"g1/order_status/main/{order_number(7)}"}}
        )

        report = await world.compare()

        assert sorted((one.kind, one.stream[-1]) for one in report.differences) == [
            ("ahead", "0"),
            ("missing", "1"),
            ("unknown_order", "7"),
        ]


async def test_a_very_long_order_is_in_both_views(environment) -> None:
    """1,114 real-looking lines, through the log's compression and the view's: status, invoice, lines, all exact."""
    async with world_of(environment) as world:
        lines = tuple(
            OrderLine(sku=f"{20_000 + n}", quantity=2, unit_price=line().unit_price, description=f"WHITE HEART {n}")
            for n in range(1_114)
        )
        commits = happy_commits(lines=lines)
        for commit in commits:
            await world.store.append(commit)
        await (await world.projector()).apply(records_of(commits))

        queries = await open_queries(world.views, tenant="main")
        status = await queries.order_status(ORDER)
        [invoice] = await queries.invoices_of_order(ORDER)
        assert status["lineCount"] == 1_114
        assert len(invoice["lines"]) == 1_114
        assert invoice["linesOmitted"] == 0
        assert await queries.invoice(invoice["invoiceNumber"]) == invoice
        page = await queries.orders_of_customer("customer-1", None, 10)
        assert [order["orderId"] for order in page.items] == [ORDER]
        assert (await world.compare()).equal
