"""The row of a rebuild, in memory and in the table: whoever comes second changes nothing, and a row comes back as it was written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ReadTimeoutError

from projections.rebuild.book import MemoryRebuildBook, RebuildBook
from projections.rebuild.dynamo_book import DynamoRebuildBook
from projections.rebuild.state import Rebuild, Segment, Trouble, Verdict
from projections.view_store import ViewStoreRefused

kinds = pytest.mark.parametrize("kind", [pytest.param("memory"), pytest.param("ministack", marks=pytest.mark.emulator)])
ROW = Rebuild(
    view="v",
    generation=2,
    source="archive",
    state="filling",
    segments=(Segment(after='["main/order-é", "3"]', orders=1, commits=3), Segment(done=True)),
    settled=True,
    started_at_ms=1,
    changed_at_ms=2,
    read_units=1.5,
    troubles=1,
    troubled=(Trouble("main/order-x", "OutOfPlace", "…"),),
    verdict=Verdict(documents=3, blocking=1, blocking_orders=(Trouble("main/order-y", "missing"),)),
    owner="me",
)


@asynccontextmanager
async def client_of(settings: dict[str, str]) -> AsyncIterator[Any]:
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=settings["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(retries={"total_max_attempts": 1}),
    ) as opened:
        opened.table = f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-views"
        yield opened


@pytest.fixture
async def client(environment: dict[str, str]) -> AsyncIterator[Any]:
    async with client_of(environment) as opened:
        yield opened


@pytest.fixture
async def book(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[RebuildBook]:
    if kind == "memory":
        yield MemoryRebuildBook()
        return
    async with client_of(request.getfixturevalue("environment")) as opened:
        yield DynamoRebuildBook(opened, table=opened.table, random=Random(1))


@kinds
async def test_a_row_comes_back_as_it_was_written(book: RebuildBook) -> None:
    """Positions in any script, troubles, the verdict; none where none was."""
    assert await book.read("v") is None
    assert await book.replace(None, ROW)
    assert await book.read("v") == ROW
    assert await book.read("w") is None


@kinds
async def test_only_who_saw_the_last_version_replaces_it(book: RebuildBook) -> None:
    """A second first row, a stale one, and a repeat of the very same, which had landed."""
    assert await book.replace(None, ROW)
    assert not await book.replace(None, replace(ROW, owner="other"))
    second = replace(ROW, version=2, state="paused")
    assert await book.replace(ROW, second)
    assert not await book.replace(ROW, replace(ROW, version=2, owner="other"))
    assert await book.replace(ROW, second), "it is there already: an answer that was lost"
    assert await book.read("v") == second


@kinds
async def test_of_many_at_once_one_wins(book: RebuildBook) -> None:
    """Twenty owners, one row."""
    won: list[str] = []

    async def claim(owner: str) -> None:
        if await book.replace(None, replace(ROW, owner=owner)):
            won.append(owner)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(claim, f"owner-{number}")
    (winner,) = won
    row = await book.read("v")
    assert row is not None
    assert row.owner == winner


@pytest.mark.emulator
async def test_a_write_that_landed_though_its_answer_was_lost_is_no_loss_of_the_row(client) -> None:
    """Tried again, it meets itself."""
    put, lost = client.put_item, [1]

    async def losing(**request):
        answer = await put(**request)
        if lost:
            lost.pop()
            raise ReadTimeoutError(endpoint_url="http://lost")
        return answer

    client.put_item = losing
    book = DynamoRebuildBook(client, table=client.table, random=Random(1))
    assert await book.replace(None, ROW)
    assert await book.read("v") == ROW


@pytest.mark.emulator
async def test_a_row_of_another_form_is_refused_not_guessed_at(client) -> None:
    """Another release's, or somebody's hand."""
    await client.put_item(TableName=client.table, Item={"key": {"S": "rebuild/v"}, "row": {"S": "{}"}})
    book = DynamoRebuildBook(client, table=client.table, random=Random(1))
    with pytest.raises(ViewStoreRefused, match="no row of a rebuild"):
        await book.read("v")
