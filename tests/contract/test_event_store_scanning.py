"""A scan of whole commits, in segments that can be left and taken up again, over every backend."""

import math
from collections import Counter
from contextlib import aclosing
from random import Random

import pytest

from orderstore.store import items, requests
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import ScanPage
from orderstore.store.scanning import SCAN_BYTES_MAX
from tests.contract.event_logs import (
    EVENTS,
    Log,
    chain_of,
    everywhere,
    over_a_wire,
    refusal,
    where_much_is_no_burden,
)

SEED = 20_261_121
STREAMS = [f"shop/order-00000000-0000-5000-8000-{number:012d}" for number in range(12)]


async def fill(log: Log, *, streams: list[str] = STREAMS, commits: int = 3, body: bytes = b"{}") -> set[bytes]:
    """Some streams with some commits each. Returns the hashes of all."""
    hashes = set()
    for stream in streams:
        for commit in chain_of(stream, *[body] * commits):
            await log.store.append(commit)
            hashes.add(commit.hash)
    return hashes


async def pages_of(log: Log, *, segment: int = 0, of: int = 1, after: str | None = None) -> list[ScanPage]:
    async with aclosing(log.store.commits(segment=segment, of=of, after=after)) as pages:
        return [page async for page in pages]


def hashes_in(pages: list[ScanPage]) -> list[bytes]:
    return [commit.hash for page in pages for commit in page.commits]


@everywhere
@pytest.mark.parametrize("of", [1, 4])
async def test_the_segments_together_hold_every_commit_once(log: Log, of: int) -> None:
    """Nothing is left out, nothing comes twice, and a stream lies in one segment, in its order."""
    stored = await fill(log)

    segments = [await pages_of(log, segment=segment, of=of) for segment in range(of)]

    found = [hash_ for pages in segments for hash_ in hashes_in(pages)]
    assert Counter(found) == Counter(stored)
    places: dict[str, set[int]] = {}
    for segment, pages in enumerate(segments):
        assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
        numbers: dict[str, list[int]] = {}
        for commit in (commit for page in pages for commit in page.commits):
            places.setdefault(commit.stream, set()).add(segment)
            numbers.setdefault(commit.stream, []).append(commit.number)
        assert all(found == [1, 2, 3] for found in numbers.values())
    assert all(len(found) == 1 for found in places.values())


@everywhere
async def test_an_empty_log_is_one_empty_page(log: Log) -> None:
    """The end is said, not left to be guessed."""
    assert [(page.commits, page.corrupt, page.more) for page in await pages_of(log)] == [((), (), False)]


@where_much_is_no_burden
async def test_a_scan_goes_on_from_the_page_where_it_was_left(log: Log) -> None:
    """Left after each page in turn and taken up by another process with the position alone: the rest, nothing before it."""
    log = log if log.wire else Log(MemoryEventStore(commits_per_scan=5), log.blobs, "memory")
    body = (
        b"{}" if log.wire is None else Random(SEED).randbytes(100_000).hex().encode()
    )  # 12 x 3 x 100 KB: some pages of 1 MB
    stored = await fill(log, body=body)
    whole = await pages_of(log)
    assert len(whole) > 2

    for number, page in enumerate(whole[:-1]):
        rest = await pages_of(log, after=page.after)
        assert Counter(hashes_in(whole[: number + 1]) + hashes_in(rest)) == Counter(stored)


@everywhere
async def test_what_is_appended_before_a_page_is_read_is_in_it(log: Log) -> None:
    """Consistent: an append that has returned is seen by a page that is asked for afterwards."""
    await fill(log)
    commits = await log.store.read(STREAMS[0])
    (fourth,) = chain_of(STREAMS[0], b"late", after=commits[-1])
    await log.store.append(fourth)

    assert fourth.hash in hashes_in(await pages_of(log))


@over_a_wire
async def test_a_page_says_what_it_consumed(log: Log) -> None:
    """In read units of 4 KB, as the table tells it: so a scan can be held to a share of the capacity."""
    await fill(log, body=b'"' + b"x" * 2_000 + b'"')
    stored = list((await log.raw.scan(TableName=EVENTS))["Items"])
    expected = math.ceil(sum(items.item_bytes(item) for item in stored) / 4096)

    pages = await pages_of(log)

    assert sum(page.read_units for page in pages) == pytest.approx(expected, rel=0.5)


@over_a_wire
async def test_what_is_not_as_it_was_written_is_named_and_hides_nothing(log: Log) -> None:
    """An altered body, a commit without its hash, a thing that is no commit: each by stream and number, all others come."""
    stored = await fill(log)
    wrong = []
    for stream, change in ((STREAMS[1], {"body": {"B": b"[]"}}), (STREAMS[2], {"hash": None}), (STREAMS[3], None)):
        item = (await log.raw.get_item(**requests.get_commit(EVENTS, stream, 2)))["Item"]
        stored.discard(item["hash"]["B"])
        wrong.append((stream, 2))
        kept = {"stream": item["stream"], "commit": item["commit"]}
        new = kept if change is None else {**item, **change}
        await log.raw.put_item(TableName=EVENTS, Item={name: value for name, value in new.items() if value is not None})

    pages = await pages_of(log)

    assert Counter(hashes_in(pages)) == Counter(stored)
    assert sorted((one.stream, one.number) for page in pages for one in page.corrupt) == wrong


@over_a_wire
async def test_throttling_and_a_lost_answer_are_tried_again(log: Log) -> None:
    """Neither ends the scan, and nothing comes twice."""
    stored = await fill(log)
    log.wire.fail_before("scan", refusal("ProvisionedThroughputExceededException"), refusal("InternalServerError", 500))

    assert Counter(hashes_in(await pages_of(log))) == Counter(stored)


@where_much_is_no_burden
async def test_large_bodies_come_in_parts_of_a_page(log: Log) -> None:
    """A page of a few small items may unfold to any size: it is handed on in parts, and only its last moves the position."""
    if log.wire is None:
        pytest.skip("the memory store holds all of it anyway")
    body = b'"' + b"x" * (SCAN_BYTES_MAX // 2) + b'"'
    stored = await fill(log, streams=STREAMS[:4], commits=2, body=body)  # each compresses to next to nothing

    pages = await pages_of(log)

    assert Counter(hashes_in(pages)) == Counter(stored)
    assert max(sum(len(commit.body) for commit in page.commits) for page in pages) < 2 * SCAN_BYTES_MAX
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    again = await pages_of(log, after=pages[0].after)
    assert Counter(hashes_in(again)) == Counter(stored), "a part does not move on: what follows it is not lost"


@everywhere
@pytest.mark.parametrize(("segment", "of"), [(1, 1), (-1, 2), (0, 0), (0, 1_001)])
async def test_a_segment_that_there_is_not_is_refused(log: Log, segment: int, of: int) -> None:
    """Before anything is asked of the store."""
    with pytest.raises(ValueError, match="segments"):
        await pages_of(log, segment=segment, of=of)


@everywhere
@pytest.mark.parametrize("after", ["[]", "[1, 2]", '{"stream": "a"}', "nonsense"])
async def test_what_is_no_position_is_refused(log: Log, after: str) -> None:
    """A row that was damaged does not become a scan from somewhere."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's own, or ours
        await pages_of(log, after=after)
