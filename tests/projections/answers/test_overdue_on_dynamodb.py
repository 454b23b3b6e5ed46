"""The same walks on tables: a place in an index need not be the place of any document."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from projections.answers.open_exceptions import open_exceptions
from projections.answers.overdue import lateness
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store.dynamo import DynamoViewStore
from projections.views import deadlines, exceptions
from projections.views.view import Generation
from tests.builders import NOON
from tests.projections.histories import TENANT, commits_for, happy_groups, order_number, records_of
from tests.projections.read_side import CountingStore
from tests.projections.views.test_exceptions_view import HELD, LET_GO, TOO_LATE

pytestmark = pytest.mark.emulator
NOON_MS = int(NOON.timestamp() * 1_000)
DAY_MS = 86_400_000
DEADLINES, EXCEPTIONS = Generation(deadlines.NAME, 1), Generation(exceptions.NAME, 1)
TARGETS = (Target(deadlines.VIEW, DEADLINES), Target(exceptions.VIEW, EXCEPTIONS))


def commits(index: int, *events, minute: int = 0):
    order_id = order_number(index)
    groups = (happy_groups(order_id)[0], *((event,) for event in events))
    moments = [NOON + timedelta(minutes=minute + number) for number in range(len(groups))]
    return commits_for(groups, order_id=order_id, moments=moments)


async def test_walks_on_a_table_equal_those_in_memory(environment) -> None:
    """Pages with cursors, lists that move, and a switch of generation, through the index of the views' table."""
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=environment["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=environment["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=32, retries={"total_max_attempts": 1}),
    ) as client:
        views = DynamoViewStore(
            client, table=f"{environment['ORDERSTORE_RESOURCE_PREFIX']}-views", random=Random(20_260_303)
        )
        store = CountingStore()
        second = tuple(replace(t, generation=Generation(t.view.name, 2)) for t in TARGETS)
        projector = ViewProjector(store, views, (*TARGETS, *second))
        ids = [order_number(index) for index in range(30)]
        for index in range(30):
            log = commits(index, HELD, minute=index)
            for commit in log:
                await store.append(commit)
            await projector.apply(records_of(log))

        found, cursor, number = [], None, 1
        while True:
            served = {name: Generation(name, number) for name in (deadlines.NAME, exceptions.NAME)}
            asked = {"tenant": TENANT, "now_ms": NOON_MS + DAY_MS, "kinds": ("stalled",), "limit": 7}
            page = await open_exceptions(views, served, cursor=cursor, **asked)
            found += [one.order_id for one in page.exceptions]
            cursor, number = page.next_cursor, 3 - number
            if cursor is None:
                break
        assert found == ids

        current = {deadlines.NAME: DEADLINES, exceptions.NAME: EXCEPTIONS}
        found, cursor = [], None
        while True:
            held = await open_exceptions(
                views, current, tenant=TENANT, now_ms=NOON_MS, kinds=("held",), limit=7, cursor=cursor
            )
            found += [one.order_id for one in held.exceptions]
            cursor = held.next_cursor
            if cursor is None:
                break
        assert found == ids
        counted = await lateness(views, current, tenant=TENANT, now_ms=NOON_MS + DAY_MS)
        assert (counted.complete, counted.stages["outcomes"].orders) == (True, 30)

        released = commits(0, HELD, LET_GO)
        await store.append(released[-1])
        await projector.apply(records_of(released[-1:]))
        late = commits(1, HELD, TOO_LATE, minute=1)
        await store.append(late[-1])
        await projector.apply(records_of(late[-1:]))
        for kind, expected in (("held", ids[1:]), ("cancellation_declined", ids[1:2])):
            page = await open_exceptions(views, current, tenant=TENANT, now_ms=NOON_MS, kinds=(kind,), limit=100)
            assert [one.order_id for one in page.exceptions] == expected
