"""What each implementation of a view store promises: in memory, on moto, on the embedded environment and on DynamoDB Local.

On moto only the plain path, a call for each document: its server answers 500 to PartiQL batches. It answers one request after the other
(moto_server.py), and its transactions know no tokens.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from random import Random
from uuid import uuid4

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from projections.projecting import contributions
from projections.view_store import (
    ADDITIONS_MAX,
    DOCUMENT_BYTES_MAX,
    Addition,
    Conflict,
    DocumentTooLarge,
    Place,
    ViewStore,
    Write,
    Written,
)
from projections.view_store.dynamo import DynamoViewStore
from projections.view_store.items import pointer_key
from projections.view_store.memory import MemoryViewStore
from projections.views.view import Generations

pytestmark = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("memory"),
        pytest.param("moto", marks=pytest.mark.moto),
        pytest.param("ministack", marks=pytest.mark.emulator),
        pytest.param("ministack-single", marks=pytest.mark.emulator),
        pytest.param("dynamodb-local", marks=pytest.mark.dynamodb_local),
    ],
)
SEED = 20_260_301


@asynccontextmanager
async def client_of(endpoint_url: str, access_key: str):
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="not-secret",
        config=AioConfig(max_pool_connections=64, retries={"total_max_attempts": 1}),
    ) as client:
        yield client


@pytest.fixture
async def views(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[ViewStore]:
    if kind == "memory":
        yield MemoryViewStore()
    elif kind in ("moto", "dynamodb-local"):
        url = request.getfixturevalue({"moto": "moto_url", "dynamodb-local": "dynamodb_local_url"}[kind])
        async with client_of(url, "testing") as client:
            table = await views_table(
                client
            )  # its name is a seed of its own: a database remembers transactions by what was drawn
            yield DynamoViewStore(client, table=table, random=Random(table), batched=kind != "moto")
            await client.delete_table(TableName=table)
    else:
        settings = request.getfixturevalue("environment")
        endpoint_url, access_key = settings["ORDERSTORE_AWS_ENDPOINT_URL"], settings["ORDERSTORE_AWS_ACCESS_KEY_ID"]
        table = f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-views"
        async with client_of(endpoint_url, access_key) as client:
            yield DynamoViewStore(client, table=table, random=Random(SEED), batched=kind == "ministack")


async def views_table(client) -> str:
    """A table as the data plane makes it."""
    table = f"views-{uuid4()}"
    await client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("key", "list_key", "list_sort")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_list",
                "KeySchema": [
                    {"AttributeName": "list_key", "KeyType": "HASH"},
                    {"AttributeName": "list_sort", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return table


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


def counting(key: str, commit: int, sums, *, on: int | None = None, counted=None) -> Write:
    """A write after which the document contributes `sums`, `counted` until now; each bucket's totals bear its own name."""
    before = counted or {}
    return replace(
        write(key, commit, on=on),
        contribution=contributions.written(sums),
        expected_contribution=contributions.written(before),
        additions=tuple(Addition(bucket, amounts) for bucket, amounts in contributions.moved(before, sums).items()),
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


async def test_a_walk_tells_what_it_scanned_not_what_it_found(views, kind: str) -> None:
    """Of a table full of others' documents nothing is found, and all of it is paid for, by 4 KB (emulators say 1 for a page)."""
    await views.write([replace(write(f"g1/v/main/{n}", 1), document=b" " * 4_096) for n in range(40)])
    told: list[float] = []

    async def consumed(units: float) -> None:
        told.append(units)

    assert [key async for key in views.keys("g9/none/", consumed=consumed)] == []
    by_keys = sum(told)
    assert by_keys >= (40 if kind == "memory" else 1)
    assert [name async for name in views.sum_keys("g9/none#", consumed=consumed)] == []
    assert sum(told) == 2 * by_keys


async def test_there_is_the_first_generation_alone_until_somebody_begins_another(views) -> None:
    """Asked for several views at once, one of which changed."""
    assert await views.generations(["order_status", "invoices"]) == {
        "order_status": Generations(),
        "invoices": Generations(),
    }

    assert await views.change_generations("invoices", before=Generations(), after=Generations(current=1, building=2))

    assert await views.generations(["order_status", "invoices"]) == {
        "order_status": Generations(),
        "invoices": Generations(current=1, building=2),
    }
    assert await views.generations([]) == {}


async def test_generations_change_only_from_what_they_are(views) -> None:
    """A rebuild from its announcement to its end; whoever started from something else is told no, and who repeats himself yes."""
    history = [
        Generations(),
        Generations(building=2),
        Generations(current=2, former=1),
        Generations(current=2),
        Generations(current=2, building=3, former=None),
        Generations(),
    ]
    for before, after in pairwise(history):
        for other in history:
            if other not in (before, after):
                assert not await views.change_generations("v", before=other, after=Generations(current=9))
        assert await views.change_generations("v", before=before, after=after)
        assert await views.change_generations("v", before=before, after=after), "the answer was lost"
        assert (await views.generations(["v"]))["v"] == after


async def test_a_pointer_from_before_there_were_rebuilds_is_understood(views, kind) -> None:
    """It has the number of the current generation and nothing else, and can be the start of a rebuild."""
    if kind == "memory":
        pytest.skip("nothing outlives the process")
    item = {"key": {"S": pointer_key("order_status")}, "generation": {"N": "4"}}
    await views._calls.client.put_item(TableName=views._calls.table, Item=item)

    assert (await views.generations(["order_status"]))["order_status"] == Generations(current=4)
    after = Generations(current=4, building=5)
    assert not await views.change_generations("order_status", before=Generations(), after=Generations(building=2))
    assert await views.change_generations("order_status", before=Generations(current=4), after=after)


async def test_what_a_write_adds_is_in_the_totals_with_the_document_and_no_sooner(views) -> None:
    """Two documents on the same bucket, one on another; then one of them moves between buckets, and takes something back."""
    first, second = {"d1": {"n": 1, "minor": 500}}, {"d1": {"n": 1, "minor": 70}, "d2": {"n": 1}}

    assert await views.totals(["d1", "d2"]) == {}
    assert await views.write([counting("a", 1, first), counting("b", 1, second), write("c", 1)]) == (Written(),) * 3

    assert await views.totals(["d1", "d2", "d3"]) == {"d1": {"n": 2, "minor": 570}, "d2": {"n": 1}}
    assert contributions.read((await views.get(["b"]))["b"].contribution) == second
    moved = {"d1": {"n": 1}, "d3": {"minor": -30}}
    assert await views.write([counting("b", 2, moved, on=1, counted=second)]) == (Written(),)
    found = await views.totals(["d1", "d2", "d3"])
    assert contributions.moved({}, found) == {"d1": {"n": 2, "minor": 500}, "d3": {"minor": -30}}


async def test_what_is_in_conflict_adds_nothing_and_takes_nobody_along(views) -> None:
    """Of 60 writes in one call every third is stale, in three ways: the others land and count, each once."""
    there = {"d": {"n": 1}}
    await views.write([counting(f"k/{n}", 5, there) for n in range(0, 60, 3)])
    stale = [
        lambda key: counting(key, 1, there),  # believes that there is nothing
        lambda key: counting(key, 5, {"d": {"n": 2}}, on=4, counted=there),  # an older commit
        lambda key: counting(key, 6, {"d": {"n": 3}}, on=5),  # the right commit, another contribution
    ]

    results = await views.write(
        [stale[n // 3 % 3](f"k/{n}") if n % 3 == 0 else counting(f"k/{n}", 1, there) for n in range(60)]
    )

    assert [isinstance(result, Conflict) for result in results] == [n % 3 == 0 for n in range(60)]
    assert {result for result in results if isinstance(result, Conflict)} == {Conflict(5)}
    assert await views.totals(["d"]) == {"d": {"n": 60}}
    assert {document.commit for document in (await views.get([f"k/{n}" for n in range(0, 60, 3)])).values()} == {5}


async def test_a_repeated_write_counts_once(views) -> None:
    """Three times the same commit, the first and the next: whoever finds his own commit there finds his additions there too."""
    first = counting("k", 1, {"d": {"n": 1}})
    second = counting("k", 2, {"d": {"n": 1}, "e": {"n": 1}}, on=1, counted={"d": {"n": 1}})
    for one, at in ((first, 1), (second, 2)):
        assert [await views.write([one]) for _ in range(3)] == [(Written(),), (Conflict(at),), (Conflict(at),)]
    assert await views.totals(["d", "e"]) == {"d": {"n": 1}, "e": {"n": 1}}


async def test_a_document_that_is_folded_anew_at_its_commit_moves_the_totals_once(views) -> None:
    """The commit alone would not tell the second writer that the first has been there: the contribution does."""
    old, new = {"d": {"n": 1, "minor": 100}}, {"d": {"n": 1}, "e": {"minor": 100}}
    await views.write([counting("k", 4, old)])
    anew = replace(counting("k", 4, new, on=4, counted=old), schema=2)

    assert [await views.write([anew]) for _ in range(3)] == [(Written(),), (Conflict(4),), (Conflict(4),)]

    assert contributions.moved({}, await views.totals(["d", "e"])) == new


async def test_a_document_keeps_its_contribution_when_something_else_of_it_changes(views) -> None:
    """A commit that moves no totals goes the plain way, and is refused where the contribution is another one."""
    counted = {"d": {"n": 1}}
    await views.write([counting("k", 1, counted)])

    assert await views.write([counting("k", 2, counted, on=1, counted=counted)]) == (Written(),)
    assert await views.write([counting("k", 3, {"x": {"n": 1}}, on=2, counted={"x": {"n": 1}})]) == (Conflict(2),)

    assert contributions.read((await views.get(["k"]))["k"].contribution) == counted
    assert await views.totals(["d", "x"]) == {"d": {"n": 1}}


async def test_a_document_may_begin_and_cease_to_contribute(views) -> None:
    """One that was there before its view had sums; and one whose view has none any more."""
    await views.write([write("k", 1)])
    assert await views.write([counting("k", 1, {"d": {"n": 1}}, on=1)]) == (Written(),)
    assert await views.totals(["d"]) == {"d": {"n": 1}}

    assert await views.write([counting("k", 2, {}, on=1, counted={"d": {"n": 1}})]) == (Written(),)
    assert await views.totals(["d"]) == {"d": {"n": 0}}
    assert (await views.get(["k"]))["k"].contribution == ""


async def test_racing_writers_of_the_same_documents_count_each_once(views) -> None:
    """Sixteen writers, the same thirty documents in another order each, all on the same bucket: one of them wins each."""
    won: list[str] = []

    async def one(seed: int) -> None:
        mine = [counting(f"k/{n}", 1, {"d": {"n": 1, "minor": n}}) for n in range(30)]
        Random(seed).shuffle(mine)
        results = await views.write(mine)
        won.extend(write.key for write, result in zip(mine, results, strict=True) if result == Written())

    async with anyio.create_task_group() as tasks:
        for seed in range(16):
            tasks.start_soon(one, seed)

    assert sorted(won) == sorted(f"k/{n}" for n in range(30))
    assert await views.totals(["d"]) == {"d": {"n": 30, "minor": sum(range(30))}}


async def test_a_write_may_move_as_many_totals_as_it_can_name(views) -> None:
    """ADDITIONS_MAX of them, beside others that are as large; one more cannot be made."""
    many = [counting(f"k/{k}", 1, {f"d{k}/{n}": {"n": 1} for n in range(ADDITIONS_MAX)}) for k in range(3)]

    assert await views.write(many) == (Written(),) * 3

    assert len(await views.totals([f"d{k}/{n}" for k in range(3) for n in range(ADDITIONS_MAX)])) == 3 * ADDITIONS_MAX
    with pytest.raises(ValueError, match="more than 90"):
        counting("k", 1, {f"d/{n}": {"n": 1} for n in range(ADDITIONS_MAX + 1)})


async def test_names_of_totals_are_each_told_once(views) -> None:
    """However many rows a name has behind it; documents are no totals, and other prefixes stay out."""
    for n in range(40):
        await views.write(
            [counting(f"g1/v/{n}", 1, {f"g1/v#sums/main/{n % 3}": {"n": 1}, "g1/w#sums/main/1": {"n": 1}})]
        )

    assert sorted([name async for name in views.sum_keys("g1/v#sums/")]) == [f"g1/v#sums/main/{n}" for n in range(3)]
    assert len([key async for key in views.keys("g1/v/")]) == 40


async def test_documents_and_totals_can_be_taken_away(views) -> None:
    """There or not, twice in a call or not; what is not named stays."""
    await views.write([counting(f"k/{n}", 1, {f"d/{n % 2}": {"n": 1}}) for n in range(60)])

    await views.delete([*(f"k/{n}" for n in range(50)), "k/0", "k/none"])
    await views.delete_totals(["d/0", "d/none"])

    assert {key async for key in views.keys("k/")} == {f"k/{n}" for n in range(50, 60)}
    assert await views.totals(["d/0", "d/1"]) == {"d/1": {"n": 30}}
    await views.delete([])
    await views.delete_totals([])


async def test_a_write_that_could_count_twice_cannot_be_made(views) -> None:
    """Additions without a contribution that changes, or a contribution of what is not there."""
    once = counting("k", 1, {"d": {"n": 1}})
    with pytest.raises(ValueError, match="stays as it is"):
        replace(once, contribution="")
    with pytest.raises(ValueError, match="nothing is contributed"):
        replace(once, expected_contribution=contributions.written({"d": {"n": 5}}))


async def test_a_write_that_would_go_backwards_cannot_be_made(views) -> None:
    """Nor one with half a place in a list."""
    for bad in ({"commit": 2, "on": 3}, {"commit": 0}, {"commit": 1, "place": ("list/a", None)}):
        with pytest.raises(ValueError, match=r"lies before|a place in a list"):
            write("k", **bad)
