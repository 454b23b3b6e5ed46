"""`orderstore invoices verify`: walks the whole log and the stored documents, beside live traffic, and changes nothing.

A number that is taken while this runs is no gap. So the orders that were written meanwhile are read once more after the counters: whatever
had been taken by then is found by then, since a number and its document are one transaction.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from orderstore.codec import CodecError
from orderstore.domain.ids import order_of
from orderstore.domain.state import ImpossibleTransition
from orderstore.history import History
from orderstore.invoicing.documents import Grace, documents_of, examine
from orderstore.invoicing.findings import Finding
from orderstore.invoicing.numbers import Numbers
from orderstore.invoicing.shelf import Shelf
from orderstore.invoicing.stored import check_stored
from orderstore.store.errors import CorruptCommit, StreamTooLong
from orderstore.store.port import EventStore
from orderstore.store.side_by_side import side_by_side

ORDERS_AT_ONCE: Final = 64
READS_AT_ONCE: Final = 16
FINDINGS_MAX: Final = 10_000
NAMED_MAX: Final = 100
CLOCK_ALLOWANCE_MS: Final = 60_000
"""How far another writer's clock may be behind this one's."""


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong (the first FINDINGS_MAX of `findings_count`)."""

    orders: int = 0
    documents: int = 0
    series: dict[str, int] = field(default_factory=dict)
    """How many numbers of each series were taken."""
    stored: int = 0
    """How many renderings were opened, and are what the log says."""
    without_pdf: int = 0
    """How many documents are stored as HTML alone: no font had their characters."""
    without_pdf_named: list[str] = field(default_factory=list)
    """Their numbers, the first NAMED_MAX."""
    expired: int = 0
    """How many renderings nobody can open any more: the law has let their keys go."""
    findings: dict[Finding, None] = field(default_factory=dict)
    findings_count: int = 0

    def add(self, found: Finding) -> None:
        """Note what is wrong, once: the log may name an order twice."""
        if found in self.findings:
            return
        self.findings_count += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings[found] = None


async def verify(
    store: EventStore,
    *,
    now_ms: int,
    grace_s: float,
    shelf: Shelf | None = None,
    progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Look at every order of the log. `now_ms` is the wall clock at the start, `grace_s` how long billing may take. Without a
    `shelf`, stored documents are not looked at.

    Raises StoreError, ScratchUnusable.
    """
    report = Report()
    grace = Grace(datetime.fromtimestamp(now_ms / 1000, tz=UTC) - timedelta(seconds=grace_s))
    with Numbers() as numbers:
        look = _Look(store, report, numbers, grace, shelf)
        async for batch in _batches(store.streams()):
            await look.at(batch)
            progress(report)
        taken = {series: await store.counter(series) for series in numbers.highest()}
        async for batch in _batches(store.streams(recorded_since_ms=now_ms - CLOCK_ALLOWANCE_MS)):
            await look.at(batch, again=True)
        for series, highest in numbers.highest().items():
            counter = taken.get(series, 0)
            if counter < highest:
                counter = max(counter, await store.counter(series))
            if counter < highest:
                report.add(Finding(kind="counter_behind", where=series, about=f"{counter}, and {highest} is used"))
            report.series[series] = counter
            for found in numbers.wrong(series, counter=taken.get(series, 0)):
                report.add(found)
        report.documents = numbers.count()
    progress(report)
    return report


@dataclass(frozen=True, slots=True)
class _Look:
    store: EventStore
    report: Report
    numbers: Numbers
    grace: Grace
    shelf: Shelf | None

    async def at(self, streams: list[str], *, again: bool = False) -> None:
        """Take in a batch of orders; those that are looked at `again` add numbers, and nothing else."""
        histories = await side_by_side(streams, self._read, name="reading", at_once=READS_AT_ONCE)
        for stream, history in histories.items():
            if history is None:
                if not again:
                    self.report.orders += 1
                    self.report.add(Finding(kind="unreadable_order", where=stream, about="its log"))
                continue
            order = order_of(stream)[1]
            for document in documents_of(order, history.events):
                self.numbers.put(document)
            if again:
                continue
            self.report.orders += 1
            for found in examine(order, history.state, history.events, grace=self.grace):
                self.report.add(found)
            if self.shelf is not None:
                await self._documents(self.shelf, history, order)

    async def _documents(self, shelf: Shelf, history: History, order: str) -> None:
        checked = await check_stored(shelf, history, grace=self.grace)
        self.report.stored += checked.sound
        self.report.without_pdf += len(checked.without_pdf)
        self.report.without_pdf_named += checked.without_pdf[: NAMED_MAX - len(self.report.without_pdf_named)]
        self.report.expired += checked.expired
        for kind, about in checked.wrong:
            self.report.add(Finding(kind=kind, where=order, about=about))

    async def _read(self, stream: str) -> History | None:
        try:
            order_of(stream)
            return History(stream=stream).then(*await self.store.read(stream))
        except (CorruptCommit, StreamTooLong, CodecError, ImpossibleTransition, ValueError):
            return None  # it is named in the report


async def _batches(streams: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for stream in streams:
        batch.append(stream)
        if len(batch) >= ORDERS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
