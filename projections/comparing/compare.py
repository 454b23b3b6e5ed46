"""Proves that the views equal the log: every document of every order against a fold made here and now, and no document without an order.

Nothing is written. An order that this build cannot read or fold is a difference too, and hides no other. The documents are read before
the log, so a document that is ahead of what was read of the log cannot be; one that is behind may only be late, and is looked at again a
bounded number of times before it counts as a difference.
"""

from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import anyio

from orderstore.codec import decode
from orderstore.domain.ids import order_of, stream_of
from orderstore.store.errors import CorruptCommit, StreamTooLong
from orderstore.store.port import EventStore
from projections.batches import for_each_batch, run_all
from projections.comparing.compare_totals import SumDifference, compare_sums
from projections.comparing.differences import Difference, difference, of_order
from projections.projecting.folding import Log
from projections.projecting.targets import Target
from projections.view_store import Stored, ViewStore

ORDERS_AT_ONCE: Final = 100
LOG_READS_AT_ONCE: Final = 8
DIFFERENCES_MAX: Final = 1_000
SEEN_MAX: Final = 100_000  # orders remembered as compared, about 20 MB; what does not fit costs another read
LOOKS_MAX: Final = 5
LOOK_AGAIN_AFTER_S: Final = 1.0

Examine = Callable[[str, Log], Iterable[Difference]]
"""A further look at a stream and its whole log. What it raises is a difference too."""


@dataclass(slots=True)
class Report:
    """What was compared and found. At most DIFFERENCES_MAX differences are kept, all are counted."""

    orders: int = 0
    events: int = 0
    documents: int = 0
    buckets: int = 0
    differences_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    sums: list[SumDifference] = field(default_factory=list)
    """Totals that differ; counted among the differences."""
    moving: list[str] = field(default_factory=list)
    """Buckets of totals that moved during every look: neither equal nor different, look again when they rest."""

    @property
    def equal(self) -> bool:
        """Whether every view equals the log."""
        return self.differences_count == 0

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it while there is room."""
        self.differences_count += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(difference)

    def add_sum(self, difference: SumDifference) -> None:
        """The same of a total."""
        self.differences_count += 1
        if len(self.sums) < DIFFERENCES_MAX:
            self.sums.append(difference)


async def compare(
    store: EventStore,
    view_store: ViewStore,
    targets: Sequence[Target],
    *,
    progress: Callable[[Report], None] = lambda _: None,
    looks_max: int = LOOKS_MAX,
    look_again_after_s: float = LOOK_AGAIN_AFTER_S,
    examine: Examine = lambda _stream, _log: (),
    into: Report | None = None,
) -> Report:
    """Compare everything, in memory bounded by batches of orders. `progress` is called after each with the report so far.

    `examine` may find more in an order's log; `into` is the report to add to. An order that the log's scan names twice, with more than
    SEEN_MAX orders between, is counted twice. Raises StoreError, ViewStoreError.
    """
    report = Report() if into is None else into
    seen: set[str] = set()
    await compare_orders(
        store,
        view_store,
        targets,
        store.streams(),
        report=report,
        progress=progress,
        looks_max=looks_max,
        look_again_after_s=look_again_after_s,
        examine=examine,
        seen=seen,
    )
    for target in targets:
        check = partial(_report_unknown, store, target, report, seen)
        await for_each_batch(view_store.keys(target.generation.prefix), check, batch_size=ORDERS_AT_ONCE)
        if target.view.sums is not None:
            suspects = [found.stream for found in report.differences if found.view == target.view.name]
            sums = await compare_sums(
                store,
                view_store,
                target,
                suspects=suspects,
                looks_max=looks_max,
                look_again_after_s=look_again_after_s,
            )
            report.buckets += sums.proved
            report.moving += sums.moving
            for found in sums.differences:
                report.add_sum(found)
        progress(report)
    return report


async def compare_orders(
    store: EventStore,
    view_store: ViewStore,
    targets: Sequence[Target],
    streams: AsyncIterator[str],
    *,
    report: Report,
    progress: Callable[[Report], None] = lambda _: None,
    looks_max: int = LOOKS_MAX,
    look_again_after_s: float = LOOK_AGAIN_AFTER_S,
    examine: Examine = lambda _stream, _log: (),
    seen: set[str] | None = None,
) -> None:
    """Compare the documents of these orders, and nothing else: no totals, and no documents of other orders. What was compared is put into
    `seen`, and not compared again. Raises StoreError, ViewStoreError."""
    look_at = _Orders(store, view_store, targets, report, examine)
    done = set() if seen is None else seen

    async def visit(batch: tuple[str, ...]) -> None:
        late = tuple(stream for stream in batch if stream not in done)
        for look in range(1, looks_max + 1):
            still_late = await look_at.compare(late, last_look=look == looks_max)
            room = max(0, SEEN_MAX - len(done))
            done.update([stream for stream in late if stream not in still_late][:room])
            progress(report)
            late = still_late
            if not late:
                return
            await anyio.sleep(look_again_after_s)

    await for_each_batch(streams, visit, batch_size=ORDERS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Orders:
    """Looks at orders, a batch at a time."""

    store: EventStore
    view_store: ViewStore
    targets: Sequence[Target]
    report: Report
    examine: Examine

    async def compare(self, streams: Sequence[str], *, last_look: bool) -> tuple[str, ...]:
        """Compare these orders. Returns those that are only late, unless this is the last look."""
        keys: dict[tuple[str, str], str] = {}
        orders: list[str] = []
        for stream in streams:
            try:
                place = order_of(stream)
            except ValueError as error:  # no write of ours: it has no documents, and the rest is compared all the same
                self.report.orders += 1
                self.report.add(of_order(stream, "unreadable_order", error))
                continue
            orders.append(stream)
            keys |= {(stream, target.view.name): target.generation.key(*place) for target in self.targets}
        stored = await self.view_store.get(list(keys.values()))
        late: list[str] = []

        async def one(stream: str) -> None:
            documents = [(target, stored.get(keys[stream, target.view.name])) for target in self.targets]
            log, wrong = await self._differences(stream, documents)
            if not last_look and any(found.kind in ("missing", "behind") for found in wrong):
                late.append(stream)
                return
            self.report.orders += 1
            self.report.events += sum(map(len, log.values()))
            self.report.documents += sum(1 for _, document in documents if document is not None) if log else 0
            for found in wrong:
                self.report.add(found)

        await run_all([partial(one, stream) for stream in orders], at_once=LOG_READS_AT_ONCE)
        return tuple(late)

    async def _differences(
        self, stream: str, documents: Sequence[tuple[Target, Stored | None]]
    ) -> tuple[Log, list[Difference]]:
        """The order's log as far as it can be read, and everything that is wrong. What this build's own code raises on the way is a
        finding about the order: `audit verify` says what is wrong with the log itself, if anything is."""
        try:
            commits = await self.store.read(stream)
        except (CorruptCommit, StreamTooLong) as error:
            return {}, [of_order(stream, "unreadable_order", error)]
        try:
            log = {commit.number: decode(commit) for commit in commits}
        except Exception as error:  # noqa: BLE001 - also what an upcaster raises that the codec does not expect
            return {}, [of_order(stream, "unreadable_order", error)]
        wrong: list[Difference] = []
        try:
            found = [difference(stream, target, document, log) for target, document in documents]
            wrong += [one for one in found if one is not None]
        except Exception as error:  # noqa: BLE001 - OutOfPlace, or a fault in a view: the gate names it and goes on
            wrong.append(of_order(stream, "unfoldable_order", error))
        try:
            wrong += self.examine(stream, log)
        except Exception as error:  # noqa: BLE001 - the same of the domain's fold
            wrong.append(of_order(stream, "unfoldable_order", error))
        return log, wrong


async def _report_unknown(
    store: EventStore, target: Target, report: Report, seen: Container[str], keys: Sequence[str]
) -> None:
    """Report the documents that belong to no order of the log; orders that were `seen` there need no second read."""

    async def one(key: str) -> None:
        stream = stream_of(*target.generation.order(key))
        if stream in seen:
            return
        try:
            known = bool(await store.read(stream))
        except (CorruptCommit, StreamTooLong):
            known = True  # it is there, and was reported as unreadable
        if not known:
            report.add(Difference(stream=stream, view=target.view.name, kind="unknown_order", commit=0, log_commit=0))

    await run_all([partial(one, key) for key in keys], at_once=LOG_READS_AT_ONCE)
