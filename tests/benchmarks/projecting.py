"""From the stream to the views: the reader and the projector as the service runs them, against a loop with a conditional put a record; and
how many writes are saved where several commits of an order come together."""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Final

import anyio

from orderstore.codec import decode
from orderstore.domain.ids import order_of
from orderstore.store import items
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.commits import order_of_record
from projections.projecting.folding import NOTHING, Known, step, write_of
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.stream import Record, StreamReader
from projections.stream.dynamo_source import DynamoStreamSource
from projections.view_store import Write, WriteResult
from projections.view_store import items as view_items
from projections.view_store import transactions as view_transactions
from projections.view_store.memory import MemoryViewStore
from projections.views import VIEWS, order_status
from projections.views.view import Generation, View
from tests.benchmarks.logs import AT_ONCE, Backend, at_once, fill, small
from tests.benchmarks.measures import Comparison, Result, Side, compare
from tests.benchmarks.real_orders import Histories

STREAM_TO_VIEW_MIN: Final = 3.0
# On the service's client a bare call costs two thirds of what it costs on the library's: what is ours weighs more beside it.
STREAM_TO_VIEW_BESIDE_MIN: Final = 2.5
IN_FLIGHT: Final = 100
"""Orders under way at once: what a stream that is read some seconds late shows of a shop with as many orders in these seconds."""
PAGE_RECORDS: Final = 1_000
Work = Callable[[], Awaitable[int]]


def interleaved(histories: Histories, *, in_flight: int) -> list[Commit]:
    """The commits in the order in which a stream brings them while so many orders are under way: one of each, in turn."""
    waiting = iter(histories)
    under_way: deque[Iterator[Commit]] = deque()
    commits: list[Commit] = []
    while True:
        while len(under_way) < in_flight and (order := next(waiting, None)) is not None:
            under_way.append(iter(order))
        if not under_way:
            return commits
        order_now = under_way.popleft()
        if (commit := next(order_now, None)) is not None:
            commits.append(commit)
            under_way.append(order_now)


def targets(views: Sequence[View[Any]], number: int) -> tuple[Target, ...]:
    """The views in a generation that nobody else writes."""
    return tuple(Target(view, Generation(view.name, number)) for view in views)


@dataclass
class Counting:
    """A subscriber that knows when everything has been applied. Even a new subscription reads the stream here, and back-fills nothing."""

    projector: ViewProjector
    expected: int
    applied: int = 0

    def __post_init__(self) -> None:
        self.done = anyio.Event()

    async def apply(self, records: Sequence[Record]) -> None:
        await self.projector.apply(records)
        self.applied += len(records)
        if self.applied >= self.expected:
            self.done.set()

    async def backfill(self, since_ms: int) -> None:
        """Nothing: what stands in the table stands in the stream too."""


async def stream_to_view(log: Backend, histories: Histories, *, orders: int, rounds: int) -> list[Result]:
    """Whole subscriptions from the stream's beginning to its end, in a generation of the views of its own each."""
    chosen = small(histories)[:orders]
    commits = interleaved(chosen, in_flight=IN_FLIGHT)
    await fill(log, commits, in_order=True)
    view = (order_status.VIEW,)
    stock = replace(log, client=log.stock, stream_client=log.stock_stream_client)
    one = await _against(log, commits, chosen, view, rounds=rounds, first=1_000, bare_on=stock)
    same_client = await _against(log, commits, chosen, view, rounds=rounds // 2, first=2_000, bare_on=log)
    at_a_time = await _against(log, commits, chosen, view, rounds=rounds // 2, first=3_000, bare_on=log, puts=AT_ONCE)
    whole = await _against(log, commits, chosen, VIEWS, rounds=rounds // 2, first=4_000, bare_on=log)
    names = ", ".join(view.name for view in VIEWS)
    return [
        Result(
            name="stream to view / get_records + a put a record",
            value=one.ratio,
            floor=STREAM_TO_VIEW_MIN,
            note=f"{len(commits)} records of {len(chosen)} orders, {IN_FLIGHT} under way at once, view order_status; {one.spread}",
        ),
        Result(
            name="  both on the service's client",
            value=same_client.ratio,
            floor=STREAM_TO_VIEW_BESIDE_MIN,
            note=same_client.spread,
        ),
        Result(name=f"  that loop with {AT_ONCE} puts at a time", value=at_a_time.ratio, note=at_a_time.spread),
        Result(
            name=f"  all {len(VIEWS)} views / that loop with its one put",
            value=whole.ratio,
            note=f"{names}; {whole.spread}",
        ),
    ]


async def _against(
    log: Backend,
    commits: Sequence[Commit],
    histories: Histories,
    views: Sequence[View[Any]],
    *,
    rounds: int,
    first: int,
    bare_on: Backend,
    puts: int = 1,
) -> Comparison:
    """`bare_on`: with the clients of the bare loop."""

    async def ours(number: int) -> Work:
        return partial(_subscribe, log, views, expected=len(commits), generation=first + number)

    async def bare(number: int) -> Work:
        [target] = targets([order_status.VIEW], first + 500 + number)
        requests = {
            (commit.stream, commit.number): view_items.put_of(log.views_table, write)
            for commit, write in writes_one_by_one(histories, target)
        }
        return partial(_bare_loop, bare_on, requests, expected=len(commits), puts=puts)

    return await compare(Side(ours), Side(bare), rounds=rounds)


async def _subscribe(log: Backend, views: Sequence[View[Any]], *, expected: int, generation: int) -> int:
    """A new subscription from its first call to its last."""
    subscriber = Counting(ViewProjector(log.store, log.views, targets(views, generation)), expected)
    reader = StreamReader(
        subscription=f"benchmark-{generation}",
        source=DynamoStreamSource(log.stream_client, log.table),
        leases=log.leases,
        subscriber=subscriber,
        owner=f"benchmark-{generation}",
        now_ms=lambda: 1_780_000_000_000,
        random=Random(generation),
        lane_of=order_of_record,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(reader.run)
        await subscriber.done.wait()
        group.cancel_scope.cancel()
    assert subscriber.applied == expected, "the stream showed a record twice"
    return expected


def writes_one_by_one(histories: Histories, target: Target) -> Iterator[tuple[Commit, Write]]:
    """What the view's document is after each commit, as a write on top of the one before."""
    for commits in histories:
        tenant, order_id = order_of(commits[0].stream)
        known: Known[Any] = NOTHING
        for commit in commits:
            known = step(target.view, known, {commit.number: decode(commit)})
            yield commit, write_of(target, tenant, order_id, known)
            known = Known(known.state, known.folded, known.folded, known.contribution)


async def _bare_loop(log: Backend, requests: dict[tuple[str, int], Any], *, expected: int, puts: int) -> int:
    """GetRecords until all were seen, a put on its condition for each; with several at a time, those of an order one after the other."""
    (stream,) = (await log.stream_client.list_streams(TableName=log.table))["Streams"]
    arn = stream["StreamArn"]
    shards = (await log.stream_client.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
    seen = 0
    for shard in shards:
        start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = (await log.stream_client.get_shard_iterator(**start)).get("ShardIterator")
        while iterator is not None and seen < expected:
            page = await log.stream_client.get_records(ShardIterator=iterator, Limit=PAGE_RECORDS)
            lanes: list[list[Any]] = [[] for _ in range(puts)]
            for record in page["Records"]:
                keys = record["dynamodb"]["Keys"]
                request = requests[keys["stream"]["S"], int(keys["commit"]["N"])]
                lanes[hash(keys["stream"]["S"]) % puts].append(request)
            await at_once([partial(_put_each, log, lane) for lane in lanes], workers=puts)
            seen += len(page["Records"])
            iterator = page.get("NextShardIterator")
    assert seen == expected, f"{seen} records instead of {expected}"
    return seen


async def _put_each(log: Backend, requests: Sequence[Any]) -> None:
    for request in requests:
        await log.client.put_item(**request)


class CountedStore(MemoryViewStore):
    """Counts documents, and the units that they cost: one per started KB, twice that in a transaction, in which totals are rows too."""

    def __init__(self) -> None:
        super().__init__()
        self.documents = 0
        self.units = 0

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        self.documents += len(writes)
        for write in writes:
            units = math.ceil(items.item_bytes(view_items.item_of(write)) / view_items.WRITE_UNIT_BYTES)
            self.units += 2 * units if write.counts else units
        packs = view_transactions.packed([entry for entry in enumerate(writes) if entry[1].counts])
        self.units += sum(2 * len(view_transactions.merged([write for _, write in pack])) for pack in packs)
        return await super().write(writes)


async def folding(histories: Histories, *, orders: int) -> list[Result]:
    """Documents and write units for the same records, page by page against record by record. The index of lists comes on top."""
    chosen = small(histories)[:orders]
    log = MemoryEventStore()
    for commits in chosen:
        for commit in commits:
            await log.append(commit)
    results = []
    for in_flight in (IN_FLIGHT, 10 * IN_FLIGHT):
        records = [record_of(commit) for commit in interleaved(chosen, in_flight=in_flight)]
        alone = await counted(log, records, at_once=1)
        together = await counted(log, records, at_once=PAGE_RECORDS)
        saved = 1 - together.documents / alone.documents
        results.append(
            Result(
                name=f"writes saved by folding a page, {in_flight} orders under way",
                value=saved,
                note=(
                    f"{len(records)} records of {len(chosen)} orders, {len(VIEWS)} views; record by record: {alone.documents} documents, "
                    f"{alone.units} units; in pages of {PAGE_RECORDS}: {together.documents} documents, {together.units} units"
                ),
            )
        )
    return results


async def counted(log: MemoryEventStore, records: Sequence[Record], *, at_once: int) -> CountedStore:
    views = CountedStore()
    projector = ViewProjector(log, views, targets(VIEWS, 1))
    for start in range(0, len(records), at_once):
        await projector.apply(records[start : start + at_once])
    return views


def record_of(commit: Commit) -> Record:
    item = items.encode(commit).item
    return Record(
        sequence_number=str(commit.number),
        event_name="INSERT",
        keys={"stream": item["stream"], "commit": item["commit"]},
        image=item,
        created_at_ms=commit.recorded_at_ms,
    )
