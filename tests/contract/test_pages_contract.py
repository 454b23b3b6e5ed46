"""What `EventStore.pages` promises, on the memory store and over a wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from orderstore.store.errors import CorruptCommit, Throttled
from orderstore.store.port import Commit, Page
from tests.contract.event_logs import Log, chain_of, dynamo_log, memory_log, refusal

STREAM = "main/order-1"


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.moto)])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    if request.param == "memory":
        yield memory_log()
        return
    async with dynamo_log(request.getfixturevalue("moto_url"), "moto") as made:
        yield made


async def pages_of(log: Log, **asked: int) -> list[Page]:
    async with aclosing(log.store.pages(STREAM, **asked)) as pages:
        return [page async for page in pages]


async def stored(log: Log, count: int, body: bytes = b"{}") -> tuple[Commit, ...]:
    commits = chain_of(STREAM, *[body] * count)
    for commit in commits:
        await log.store.append(commit)
    return tuple(commits)


async def test_pages_are_what_a_read_returns(log: Log) -> None:
    """All of it, in order, wherever the first page ends and the reading begins."""
    commits = await stored(log, 9)
    for first in (1, 2, 8, 9, 10, 1_000):
        for after in (0, 1, 8, 9, 10):
            pages = await pages_of(log, after=after, first_commits_max=first)
            assert tuple(commit for page in pages for commit in page.commits) == commits[after:]
            assert len(pages[0].commits) == min(first, max(0, 9 - after))
            assert all(page.more for page in pages[:-1])
            assert not pages[-1].more


async def test_a_stream_without_commits_is_one_empty_page(log: Log) -> None:
    """Nothing is something that can be asked for."""
    assert await pages_of(log) == [Page((), more=False)]


async def test_the_end_of_a_short_stream_is_known_from_its_first_page(log: Log) -> None:
    """An order of ordinary length costs one request, no more."""
    await stored(log, 9)
    if log.wire is not None:
        log.wire.calls.clear()
    pages = await pages_of(log, first_commits_max=10)
    assert [page.more for page in pages] == [False]
    if log.wire is not None:
        assert log.wire.calls == {"query": 1}


async def test_pages_that_are_left_early_are_not_read(log: Log) -> None:
    """Who has seen enough stops the reading."""
    await stored(log, 9)
    if log.wire is not None:
        log.wire.calls.clear()
    async with aclosing(log.store.pages(STREAM, first_commits_max=2)) as pages:
        async for page in pages:
            assert page.more
            break
    if log.wire is not None:
        assert log.wire.calls == {"query": 1}


@pytest.mark.moto
async def test_a_page_that_does_not_follow_the_one_before_is_refused(moto_url: str) -> None:
    """The chain is checked across pages: a commit of another past is found where the second page begins."""
    async with dynamo_log(moto_url, "moto") as log:
        commits = await stored(log, 4)
        other = chain_of(STREAM, b"[1]", b"[2]", b"[3]", b"[4]")
        from orderstore.store import items

        for position in (2, 3):
            await log.raw.put_item(TableName="contract-events", Item=items.encode(other[position]).item)
        async with aclosing(log.store.pages(STREAM, first_commits_max=2)) as pages:
            assert (await anext(pages)).commits == commits[:2]
            with pytest.raises(
                CorruptCommit, match=r"commit 3 .*(does not follow|its hash is not that of its content)"
            ):
                await anext(pages)


@pytest.mark.moto
async def test_a_gap_between_pages_is_refused(moto_url: str) -> None:
    """A commit that is missing where the second page begins."""
    async with dynamo_log(moto_url, "moto") as log:
        await stored(log, 4)
        await log.raw.delete_item(TableName="contract-events", Key={"stream": {"S": STREAM}, "commit": {"N": "3"}})
        with pytest.raises(CorruptCommit, match=r"commit 3 .*missing"):
            await pages_of(log, first_commits_max=2)


@pytest.mark.moto
async def test_trouble_with_one_page_is_overcome_or_told(moto_url: str) -> None:
    """Throttling of the second page: tried again a bounded number of times."""
    async with dynamo_log(moto_url, "moto") as log:
        commits = await stored(log, 4)
        assert log.wire is not None
        log.wire.fail_before("query", refusal("ThrottlingException"), refusal("ThrottlingException"))
        pages = await pages_of(log, first_commits_max=2)
        assert tuple(commit for page in pages for commit in page.commits) == commits
        log.wire.fail_before("query", *[refusal("ThrottlingException")] * 50)
        with pytest.raises(Throttled):
            await pages_of(log, first_commits_max=2)
