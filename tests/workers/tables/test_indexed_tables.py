"""The promises of a table with indexes, and of attributes that are taken away, on memory and on DynamoDB's emulator."""

from collections.abc import AsyncIterator

import pytest
from aiobotocore.session import get_session

from tests.workers.service_tables import KINDS, client_settings
from workers.tables.dynamo_indexed import IndexedDynamoTable
from workers.tables.errors import ConditionRefused
from workers.tables.memory import MemoryTable
from workers.tables.port import Change, IndexedTable, PutNew
from workers.webhooks.deliveries import BY_DUE, BY_ENDPOINT


@pytest.fixture(params=KINDS)
async def table(request: pytest.FixtureRequest) -> AsyncIterator[IndexedTable]:
    if request.param == "memory":
        yield MemoryTable()
        return
    settings = request.getfixturevalue("environment")
    name = f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-webhook-deliveries"
    async with get_session().create_client("dynamodb", **client_settings(settings)) as client:
        yield IndexedDynamoTable(client, name)


async def put(table: IndexedTable, number: int, endpoint: str, *, due: bool) -> None:
    row = {
        "endpoint": endpoint,
        "event": f"e-{number}",
        "event_type": "OrderCreated",
        "order": "o-1",
        "state": "pending",
        "claims": 0,
        "occurred_at_ms": number // 2,
        "payload": "{}",
    }
    waiting = {"due_key": endpoint, "due_at_ms": 100 - number} if due else {}
    await table.put_new(PutNew({"delivery": f"{endpoint}/e-{number}"}, {**row, **waiting}))


async def test_an_index_is_read_in_order_in_bounds_and_in_pages(table: IndexedTable) -> None:
    """Ties included: each item once, both ways, between two numbers."""
    for number in range(10):
        await put(table, number, "a", due=False)
    await put(table, 3, "b", due=False)

    for descending in (False, True):
        found: list[str] = []
        times: list[int] = []
        after = None
        for _ in range(20):
            page = await table.query(BY_ENDPOINT, "a", limit=3, after=after, descending=descending)
            found += [item["event"] for item in page.items]
            times += [item["occurred_at_ms"] for item in page.items]
            after = page.after
            if after is None:
                break
            assert after.keys() == {"endpoint", "occurred_at_ms", "delivery"}, "what cursors are checked against"
        assert sorted(found) == [f"e-{number}" for number in range(10)]
        assert times == sorted(times, reverse=descending)
    some = await table.query(BY_ENDPOINT, "a", first=1, last=2, limit=50)
    assert sorted(item["event"] for item in some.items) == ["e-2", "e-3", "e-4", "e-5"]
    assert {item["occurred_at_ms"] for item in (await table.query(BY_ENDPOINT, "a", first=4, limit=9)).items} == {4}
    assert {item["occurred_at_ms"] for item in (await table.query(BY_ENDPOINT, "a", last=0, limit=9)).items} == {0}
    assert (await table.query(BY_ENDPOINT, "a", first=3, last=2, limit=9)).items == ()
    assert (await table.query(BY_ENDPOINT, "nobody", limit=9)).items == ()


async def test_an_item_is_in_an_index_only_while_it_has_its_attributes(table: IndexedTable) -> None:
    """Taking them away takes it out; a refused change takes nothing away."""
    await put(table, 1, "a", due=True)
    await put(table, 2, "a", due=True)
    await put(table, 3, "a", due=False)
    key = {"delivery": "a/e-2"}

    with pytest.raises(ConditionRefused):
        await table.change(Change(key=key, remove=("due_key", "due_at_ms"), equals={"claims": 7}))
    assert [item["delivery"] for item in (await table.query(BY_DUE, "a", limit=9)).items] == ["a/e-2", "a/e-1"]
    await table.change(
        Change(key=key, assign={"state": "failed"}, remove=("due_key", "due_at_ms"), equals={"claims": 0})
    )
    assert [item["delivery"] for item in (await table.query(BY_DUE, "a", limit=9)).items] == ["a/e-1"]
    stands = await table.get(key)
    assert stands is not None
    assert stands["state"] == "failed"
    assert not {"due_key", "due_at_ms"} & stands.keys()
    await table.change(Change(key={"delivery": "a/e-1"}, remove=("due_key",)))
    assert (await table.query(BY_DUE, "a", limit=9)).items == ()
