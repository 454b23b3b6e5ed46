"""What the business's figures cost an order, in calls and write units: known, and asserted, so that whoever adds to it sees it here."""

import math
from collections import Counter
from random import Random

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.store.memory import MemoryEventStore
from projections.projecting.projector import ViewProjector
from projections.view_store.dynamo import DynamoViewStore
from tests.projections.histories import happy_commits, order_number, records_of
from tests.projections.sales import TARGET, counted_from, stored_totals

pytestmark = pytest.mark.emulator

ORDERS = 100


def size_of(item) -> int:
    """AWS, "DynamoDB item sizes and formats": names and values in UTF-8; numbers about a byte for two digits, and one."""
    sizes = {"S": lambda v: len(v.encode()), "B": len, "N": lambda v: math.ceil(len(v) / 2) + 1}
    return sum(len(name) + sizes[kind](value) for name, typed in item.items() for kind, value in typed.items())


class Bill:
    """Counts what a client is asked for; write units as AWS charges them (a started KB is one, in a transaction two)."""

    def __init__(self, client) -> None:
        self.calls: Counter[str] = Counter()
        self.document_units = 0
        self.total_units = 0
        client.meta.events.register("provide-client-params.dynamodb.*", self._note)

    def _note(self, params, model, **_) -> None:
        self.calls[model.name] += 1
        for item in params.get("TransactItems", []):
            if "Put" in item:
                self.document_units += 2 * math.ceil(size_of(item["Put"]["Item"]) / 1024)
            else:
                self.total_units += 2  # a row of totals has some hundred bytes
        for statement in params.get("Statements", []):
            self.document_units += math.ceil(sum(size_of({"": value}) for value in statement["Parameters"]) / 1024)


@pytest.fixture
async def client(environment):
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=environment["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=environment["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=64, retries={"total_max_attempts": 1}),
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("commits_at_once", "calls", "units"),
    [
        # all eight commits of 100 orders in one go: 4 transactions of 25 documents, a bucket of each half
        (8, {"TransactWriteItems": 4}, (2 * ORDERS, 2 * 2 * 4)),
        # commit by commit: placed moves both halves, and confirmed, sent, captured, invoiced and completed each one of them
        (1, {"TransactWriteItems": 6 * 4}, (6 * 2 * ORDERS, 2 * 7 * 4)),
    ],
    ids=["all at once", "commit by commit"],
)
async def test_an_order_s_share_of_calls_and_write_units(
    client, environment, commits_at_once: int, calls: dict[str, int], units: tuple[int, int]
) -> None:
    """From 2.2 to 12.6 write units and from 0.04 to 0.24 calls an order; not one read in either case."""
    store = MemoryEventStore()
    logs = [happy_commits(order_number(index)) for index in range(ORDERS)]
    for commit in (commit for log in logs for commit in log):
        await store.append(commit)
    views = DynamoViewStore(client, table=f"{environment['ORDERSTORE_RESOURCE_PREFIX']}-views", random=Random("bill"))
    projector = ViewProjector(store, views, [TARGET])
    bill = Bill(client)

    for start in range(0, len(logs[0]), commits_at_once):
        await projector.apply(records_of([commit for log in logs for commit in log[start : start + commits_at_once]]))

    assert dict(bill.calls) == calls
    assert (bill.document_units, bill.total_units) == units
    assert await stored_totals(views) == counted_from(commit for log in logs for commit in log)
