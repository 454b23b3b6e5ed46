"""One suite for every view store: what `projections/view_store.py` promises, in memory and on the embedded environment.

Not on moto: its server answers 500 to PartiQL batches, and lets 32 of 64 racing writers win.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from projections.dynamo_views import DynamoViewStore
from projections.memory_views import MemoryViewStore
from projections.view_items import pointer_key
from projections.view_store import DOCUMENT_BYTES_MAX, Conflict, DocumentTooLarge, Place, ViewStore, Write, Written

pytestmark = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("memory"),
        pytest.param(
            "moto", marks=[pytest.mark.moto, pytest.mark.skip(reason="no conditional PartiQL batches in moto")]
        ),
        pytest.param("ministack", marks=pytest.mark.emulator),
    ],
)
SEED = 20_260_301


@asynccontextmanager
async def dynamo_views(settings):
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=settings["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=64, retries={"total_max_attempts": 1}),
    ) as client:
        yield DynamoViewStore(client, table=f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-views", random=Random(SEED))


@pytest.fixture
async def views(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[ViewStore]:
    if kind == "memory":
        yield MemoryViewStore()
        return
    async with dynamo_views(request.getfixturevalue("environment")) as store:
        yield store


def write(key: str, commit: int, *, on: int | None = None, document: bytes = b"{}", place=(None, None)) -> Write:
    return Write(
        key=key,
        expected_commit=on,
        commit=commit,
        schema=1,
        document=document,
        list_key=place[0],
        list_sort=place[1],
    )


async def test_documents_come_back_as_they_were_written(views) -> None:
    """Bytes, commit, schema and place, small or large, in any script; what is not there is not in the answer."""
    small = write("g1/v/main/a", 3, document='{"naïve":"€ \\" \\\\ ☃"}'.encode(), place=("g1/v/main/list", "1"))
    large = write("g1/v/main/b", 1, document=b'{"x":"' + bytes(Random(SEED).choices(b"abcdef", k=300_000)) + b'"}')

    assert await views.write([small, large]) == (Written(), Written())

    found = await views.get(["g1/v/main/a", "g1/v/main/b", "g1/v/main/c"])
    assert set(found) == {"g1/v/main/a", "g1/v/main/b"}
    for expected in (small, large):
        stored = found[expected.key]
        assert (stored.commit, stored.schema, stored.document) == (expected.commit, 1, expected.document)
        assert (stored.list_key, stored.list_sort) == (expected.list_key, expected.list_sort)


async def test_a_write_lands_only_on_the_commit_that_it_expects(views) -> None:
    """First write, next write, stale write, repeated write, write on nothing: each gets its own answer in one call."""
    await views.write([write("k/next", 2), write("k/stale", 7), write("k/repeated", 4), write("k/there", 1)])

    results = await views.write(
        [
            write("k/new", 1),
            write("k/next", 3, on=2),
            write("k/stale", 7, on=6),
            write("k/repeated", 4, on=3),
            write("k/there", 1),
            write("k/nothing", 2, on=1),
        ]
    )

    assert [type(result) for result in results] == [Written, Written, Conflict, Conflict, Conflict, Conflict]
    assert results[2] == Conflict(7)
    stored = await views.get(["k/new", "k/next", "k/stale", "k/repeated", "k/there", "k/nothing"])
    assert {key: document.commit for key, document in stored.items()} == {
        "k/new": 1,
        "k/next": 3,
        "k/stale": 7,
        "k/repeated": 4,
        "k/there": 1,
    }


async def test_a_document_may_be_written_anew_at_the_same_commit(views) -> None:
    """A new schema changes the document, not the commit."""
    await views.write([write("k", 5, document=b'{"old":1}')])

    assert await views.write([write("k", 5, on=5, document=b'{"new":1}')]) == (Written(),)
    assert (await views.get(["k"]))["k"].document == b'{"new":1}'


async def test_one_of_64_writers_wins(views) -> None:
    """For a document that is new, and again for the next commit on it."""
    for on, commit in ((None, 1), (1, 2)):
        results: list = []

        async def one(number: int, on: int | None = on, commit: int = commit, results: list = results) -> None:
            document = b'{"by":%d}' % number
            results += [
                (number, result) for result in await views.write([write("k", commit, on=on, document=document)])
            ]

        async with anyio.create_task_group() as tasks:
            for number in range(64):
                tasks.start_soon(one, number)

        won = [number for number, result in results if result == Written()]
        assert len(results) == 64
        assert len(won) == 1
        assert (await views.get(["k"]))["k"].document == b'{"by":%d}' % won[0]


async def test_more_writes_than_one_call_carries_each_get_their_result(views) -> None:
    """230 writes, every seventh of them doomed: results come in the order asked."""
    await views.write([write(f"k/{n}", 9) for n in range(0, 230, 7)])

    results = await views.write([write(f"k/{n}", 1) for n in range(230)])

    assert [isinstance(result, Conflict) for result in results] == [n % 7 == 0 for n in range(230)]
    assert len(await views.get([f"k/{n}" for n in range(230)])) == 230


async def test_documents_at_the_limit_fit_and_larger_ones_are_refused_before_the_call(views) -> None:
    """380,000 bytes that do not compress are stored; one more is a bug of the view, told at once."""
    noise = Random(SEED).randbytes((DOCUMENT_BYTES_MAX - 2) // 2).hex().encode()
    document = b'"' + noise + b'"'
    assert len(document) == DOCUMENT_BYTES_MAX

    assert await views.write([write(f"k/{n}", 1, document=document) for n in range(12)]) == (Written(),) * 12

    with pytest.raises(DocumentTooLarge):
        write("k", 1, document=document + b" ")


async def test_a_key_that_stands_twice_in_a_call_is_refused(views) -> None:
    """Which of them came first would be chance."""
    with pytest.raises(ValueError, match="twice"):
        await views.write([write("k", 1), write("k", 2, on=1)])


async def test_a_list_is_read_page_by_page_in_both_directions(views) -> None:
    """Every document of the list once, in order, whatever the page's size; other lists stay out."""
    await views.write([write(f"k/{n:03}", 1, place=("list/a", f"{n * 7 % 50:03}")) for n in range(50)])
    await views.write([write("other", 1, place=("list/b", "000")), write("none", 1)])

    for newest_first in (False, True):
        for limit in (1, 7, 50, 1_000):
            seen: list[str] = []
            after: Place | None = None
            pages = 0
            while True:
                page = await views.listed("list/a", after=after, limit=limit, newest_first=newest_first)
                seen += [document.list_sort for document in page.documents]
                pages += 1
                assert len(page.documents) <= limit
                if page.next is None:
                    break
                after = page.next
            assert seen == sorted((f"{n:03}" for n in range(50)), reverse=newest_first)
            assert pages == -(-50 // limit), "the last page says that it is the last"
    assert (await views.listed("list/none", after=None, limit=10, newest_first=True)).documents == ()


@pytest.mark.parametrize("limit", [0, 1_001])
async def test_a_page_has_a_bound(views, limit: int) -> None:
    """Nobody reads everything at once."""
    with pytest.raises(ValueError, match="1 to 1000"):
        await views.listed("list/a", after=None, limit=limit, newest_first=False)


async def test_a_document_that_moves_stands_in_one_list_only(views) -> None:
    """A list may be entered, changed and left with a commit."""
    await views.write([write("k", 1)])
    for commit, place in ((2, ("list/a", "1")), (3, ("list/b", "2")), (4, (None, None))):
        await views.write([write("k", commit, on=commit - 1, place=place)])
        for name in ("list/a", "list/b"):
            page = await views.listed(name, after=None, limit=10, newest_first=False)
            assert [document.key for document in page.documents] == (["k"] if place[0] == name else [])
    assert (await views.get(["k"]))["k"].list_key is None


async def test_the_keys_of_a_generation_are_all_named_and_no_others(views) -> None:
    """A prefix is a prefix: generation 1 is not generation 11, one view is not another."""
    await views.write([write(f"g1/v/main/{n}", 1) for n in range(120)])
    await views.write([write("g11/v/main/0", 1), write("g1/vv/main/0", 1), write("g1/w/main/0", 1)])

    assert {key async for key in views.keys("g1/v/")} == {f"g1/v/main/{n}" for n in range(120)}


async def test_readers_use_the_first_generation_until_somebody_switches(views, kind) -> None:
    """Absent, the pointer means 1; present, what it says."""
    assert await views.generation("order_status") == 1
    if kind == "memory":
        views._generations["order_status"] = 4
    else:
        item = {"key": {"S": pointer_key("order_status")}, "generation": {"N": "4"}}
        await views._client.put_item(TableName=views._table, Item=item)

    assert await views.generation("order_status") == 4
    assert await views.generation("invoices") == 1


async def test_a_write_that_would_go_backwards_cannot_be_made(views) -> None:
    """Nor one with half a place in a list."""
    for bad in ({"commit": 2, "on": 3}, {"commit": 0}, {"commit": 1, "place": ("list/a", None)}):
        with pytest.raises(ValueError, match=r"lies before|a place in a list"):
            write("k", **bad)
