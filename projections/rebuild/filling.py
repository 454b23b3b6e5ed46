"""Folds what is read into the new generation, beside the projectors that write it too: each write is on its condition, whoever comes first.

An order that cannot be folded is set aside with its cause and hides no other. Trouble of the database's is tried again for some minutes.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

import anyio

from orderstore.archive import reader as archive
from orderstore.objects import ObjectStore
from orderstore.store.errors import Throttled, Unavailable
from orderstore.store.port import Commit, EventStore, Undecodable
from projections.projecting.catching_up import ORDERS_AT_ONCE, BringingUp, Order, orders_of
from projections.projecting.errors import Contended, says_nothing_of_an_order
from projections.projecting.targets import Target
from projections.rebuild.metering import Meter, MeteredLog, MeteredViews
from projections.rebuild.state import Segment, Trouble, trouble_of
from projections.view_store import ViewStore, ViewStoreThrottled, ViewStoreUnavailable

CACHE_ENTRIES: Final = 2_000
ARCHIVED_COMMITS_AT_ONCE: Final = 1_000
TRIES_MAX: Final = 10
PAUSE_S_MAX: Final = 30.0
PASSING: Final = (Throttled, Unavailable, ViewStoreThrottled, ViewStoreUnavailable, Contended)
"""Trouble that says nothing of an order, and may pass."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the source: what it holds, and where the segment stands when it has been dealt with."""

    commits: Sequence[Commit]
    corrupt: Sequence[Undecodable]
    after: str | None
    done: bool


@dataclass(frozen=True, slots=True)
class FromLog:
    """The table, in segments side by side. A page costs what the table says it cost."""

    log: EventStore
    segments: int
    meter: Meter

    async def batches(self, number: int, after: str | None) -> AsyncGenerator[Batch, None]:
        """From a position to the segment's end."""
        async with aclosing(self.log.commits(segment=number, of=self.segments, after=after)) as pages:
            async for page in pages:
                await self.meter.reads.spend(page.read_units)
                yield Batch(page.commits, page.corrupt, page.after, done=not page.more)


@dataclass(frozen=True, slots=True)
class FromArchive:
    """The archive, proven on the way, in the order of its manifests. A position is the last manifest.

    What it lacks only the log can tell: whoever fills from it reads the log after it, with `Filler.bring_up_what_is_behind`.
    """

    objects: ObjectStore
    segments: int = 1

    async def batches(self, number: int, after: str | None) -> AsyncGenerator[Batch, None]:
        """From a manifest to the archive's end. Raises ArchiveDamaged."""
        del number
        commits: list[Commit] = []
        last = after
        async with aclosing(archive.read(self.objects, after=int(after or 0))) as archived:
            async for manifest, _, held in archived:
                commits.extend(held)
                last = str(manifest.number)
                if len(commits) >= ARCHIVED_COMMITS_AT_ONCE:
                    yield Batch(tuple(commits), (), last, done=False)
                    commits = []
        yield Batch(tuple(commits), (), last, done=True)


class Filler:
    """Brings orders up in one generation of one view."""

    def __init__(
        self, log: EventStore, views: ViewStore, target: Target, meter: Meter, *, troubled: Callable[[Trouble], None]
    ) -> None:
        """`troubled` is told of each order that cannot be folded."""
        self._target = target
        self._troubled = troubled
        self._views = MeteredViews(views, meter)
        self._documents = BringingUp(MeteredLog(log, meter), self._views, cache_entries=CACHE_ENTRIES)

    async def fill(self, batch: Batch) -> None:
        """Fold this in. Raises what says nothing of an order."""
        await self._bring_up(self._orders(batch.commits, batch.corrupt))

    async def bring_up_what_is_behind(self, batch: Batch) -> None:
        """Fold all that the log has of those of these orders whose documents lack some of this; leave the others as they are. Raises what
        says nothing of an order."""
        wanted = {
            order.key(self._target): (order.stream, last)
            for order in self._orders(batch.commits, batch.corrupt)
            if (last := max(order.numbers(self._target), default=0))
        }
        stored = await self._views.get(list(wanted))
        schema = self._target.view.schema
        behind = [
            stream
            for key, (stream, last) in wanted.items()
            if key not in stored or stored[key].commit < last or stored[key].schema != schema
        ]
        await self.bring_up_to_log(behind)

    def _orders(self, commits: Iterable[Commit], corrupt: Iterable[Undecodable]) -> list[Order]:
        """The orders that these commits belong to; those that cannot be read are told of."""
        by_stream: dict[str, list[Commit]] = {}
        for commit in commits:
            by_stream.setdefault(commit.stream, []).append(commit)
        for stream in dict.fromkeys(one.stream for one in corrupt):
            by_stream.pop(stream, None)
            wrong = next(one for one in corrupt if one.stream == stream)
            self._troubled(Trouble(stream, "CorruptCommit", f"commit {wrong.number}"))
        orders: list[Order] = []
        for stream, held in by_stream.items():
            try:
                orders += orders_of(held, [self._target])
            except Exception as error:  # noqa: BLE001 - CodecError, or what an upcaster raises: the order is named
                self._troubled(trouble_of(stream, error))
        return orders

    async def bring_up_to_log(self, streams: Sequence[str]) -> None:
        """Fold all that the log has of these. Raises what says nothing of an order."""
        await self._bring_up([Order(stream, [self._target], whole=True) for stream in streams])

    async def _bring_up(self, orders: Sequence[Order]) -> None:
        """Some together; and when one of them cannot be folded, in halves, until it alone is set aside."""
        for start in range(0, len(orders), ORDERS_AT_ONCE):
            await self._isolated(orders[start : start + ORDERS_AT_ONCE])

    async def _isolated(self, orders: Sequence[Order]) -> None:
        again = [_untouched(order) for order in orders]
        try:
            await self._documents.bring_up(orders)
        except Exception as error:
            if says_nothing_of_an_order(error):
                raise
            if len(again) == 1:
                self._troubled(trouble_of(again[0].stream, error))
                return
            half = len(again) // 2
            await self._isolated(again[:half])
            await self._isolated(again[half:])


def _untouched(order: Order) -> Order:
    """The same work, untouched by what becomes of the first."""
    return replace(
        order, targets=list(order.targets), log=dict(order.log), arrived=set(order.arrived), unmoved=list(order.unmoved)
    )


@dataclass(slots=True)
class Patience:
    """Tries something again while it fails in passing; longer each time. Whatever succeeds starts it anew."""

    failures: int = field(default=0)

    async def failed(self, error: Exception) -> None:
        """Sleep, or raise it when it is enough."""
        self.failures += 1
        if self.failures >= TRIES_MAX:
            raise error
        await anyio.sleep(min(PAUSE_S_MAX, 0.5 * 2**self.failures))

    async def over(self, work: Callable[[], Awaitable[None]]) -> None:
        """Until it is done. Raises what does not pass, or has not passed."""
        while True:
            try:
                await work()
            except PASSING as error:
                await self.failed(error)
            else:
                self.failures = 0
                return


async def fill_segment(
    source: FromLog | FromArchive,
    number: int,
    segment: Segment,
    fold: Callable[[Batch], Awaitable[None]],
    *,
    moved: Callable[[Segment], None],
) -> None:
    """Read a segment to its end, and `fold` it in. `moved` is told after each batch that is durable. Raises what does not pass."""
    patience = Patience()
    while not segment.done:
        try:
            async with aclosing(source.batches(number, segment.after)) as batches:
                async for batch in batches:
                    await fold(batch)
                    segment = replace(
                        segment,
                        after=batch.after,
                        done=batch.done,
                        orders=segment.orders + sum(1 for commit in batch.commits if commit.number == 1),
                        commits=segment.commits + len(batch.commits),
                    )
                    moved(segment)
                    patience.failures = 0
        except PASSING as error:
            await patience.failed(error)
