"""Keeps every view equal to the log: drops what a document has already, applies what follows, heals what is missing from the log itself.

The stream promises neither order nor once-only across items. Each document carries the last commit folded into it, and is only ever written
on the condition that this is still the commit that was started from: so it never goes backwards, whoever else writes.
"""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from orderstore.codec import decode
from orderstore.domain.ids import order_of
from orderstore.recorded import Recorded
from orderstore.store.port import Commit, EventStore
from projections.batches import for_each_batch, run_all
from projections.cache import DocumentCache
from projections.commits import commits_of
from projections.folding import NOTHING, Known, Target, follows, known_from, step, write_of
from projections.observe import Observer, SilentObserver
from projections.stream.source import Record
from projections.view_store import Conflict, ViewStore, Write
from projections.views import VIEWS
from projections.views.view import Generation, View

ROUNDS_MAX: Final = (
    10  # a lost round is another projector's success on the same order: more than this is a fault, not contention
)
ORDERS_AT_ONCE: Final = 100
LOG_READS_AT_ONCE: Final = 16
CACHE_ENTRIES: Final = 20_000  # about 2 KB each


class ProjectionError(Exception):
    """The views could not be brought up to the log."""


class Contended(ProjectionError):
    """Others wrote the same documents in every round; the records are to be applied again."""


class LogBehindStream(ProjectionError):
    """The stream shows a commit that a consistent read of the log does not: somebody has taken it away."""


async def current_targets(view_store: ViewStore, views: Sequence[View[Any]] = VIEWS) -> tuple[Target, ...]:
    """The views, each in the generation that its readers use."""
    return tuple([Target(view, Generation(view.name, await view_store.generation(view.name))) for view in views])


@dataclass(slots=True)
class _Order:
    """One order's work: the commits at hand, and the targets whose documents do not have them yet."""

    stream: str
    tenant: str
    order_id: str
    targets: list[Target]
    log: dict[int, tuple[Recorded, ...]] = field(default_factory=dict)
    arrived: set[int] = field(default_factory=set)  # those that the stream delivered; the others were read from the log
    whole: bool = False  # bring it up to the end of the log, whatever is at hand

    def numbers(self, target: Target) -> list[int]:
        """The commits at hand from the first to the last that changes this view; [] when none does."""
        changing = [number for number, events in self.log.items() if target.view.changed_by(events)]
        return sorted(number for number in self.log if number <= max(changing, default=0))


@dataclass(frozen=True, slots=True)
class _Planned:
    """One write, and where it came from."""

    order: _Order
    target: Target
    before: Known[Any]
    after: Known[Any]
    write: Write


class ViewProjector:
    """The subscriber that writes views. Safe to run many times at once, on the same orders too."""

    def __init__(
        self,
        store: EventStore,
        view_store: ViewStore,
        targets: Sequence[Target],
        *,
        observer: Observer | None = None,
        cache_entries: int = CACHE_ENTRIES,
    ) -> None:
        self._store = store
        self._view_store = view_store
        self._targets = tuple(targets)
        self._observer = observer or SilentObserver()
        self._cache = DocumentCache(entries_max=cache_entries)

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber`. Raises StoreError, CodecError, ViewStoreError, ProjectionError; what was written by then stays."""
        found = commits_of(self._store, records, observer=self._observer, subscription="views")
        async with aclosing(found) as batches_of_commits:
            async for commits in batches_of_commits:
                await self._apply(commits)

    async def _apply(self, commits: Sequence[Commit]) -> None:
        orders: dict[str, _Order] = {}
        for commit in commits:
            order = orders.get(commit.stream)
            if order is None:
                order = orders[commit.stream] = self._order(commit.stream)
            order.log[commit.number] = decode(commit)
            order.arrived.add(commit.number)
        work = list(orders.values())
        for start in range(0, len(work), ORDERS_AT_ONCE):
            await self._bring_up(work[start : start + ORDERS_AT_ONCE])

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber`: brings every order with a commit recorded since then up to the log."""
        await for_each_batch(
            self._store.streams(recorded_since_ms=since_ms), self.bring_up_to_log, batch_size=ORDERS_AT_ONCE
        )

    async def bring_up_to_log(self, streams: Iterable[str]) -> None:
        """Fold what the log has and the documents have not, for these orders."""
        work = [self._order(stream, whole=True) for stream in streams]
        await self._bring_up(work)
        commits = sum(len(order.log) for order in work)
        self._observer.backfill_progress(subscription="views", orders=len(work), commits=commits)

    def _order(self, stream: str, *, whole: bool = False) -> _Order:
        tenant, order_id = order_of(stream)
        return _Order(stream=stream, tenant=tenant, order_id=order_id, targets=list(self._targets), whole=whole)

    async def _bring_up(self, orders: list[_Order]) -> None:
        believe = True
        for _ in range(ROUNDS_MAX):
            orders = await self._round(orders, believe=believe)
            if not orders:
                return
            believe = False  # what was believed of these documents was wrong: read them
        streams = ", ".join(order.stream for order in orders[:3])
        raise Contended(f"{len(orders)} orders changed under {ROUNDS_MAX} rounds in a row: {streams} …")

    async def _round(self, orders: list[_Order], *, believe: bool) -> list[_Order]:
        """One attempt at each document. Returns the orders with documents that somebody else wrote meanwhile."""
        known: dict[str, Known[Any]] = {}
        unknown: list[tuple[str, Target]] = []
        for order in orders:
            if not order.whole:
                order.targets = [target for target in order.targets if order.numbers(target)]
            for target in order.targets:
                key = target.generation.key(order.tenant, order.order_id)
                belief = self._belief(key, order.numbers(target)) if believe and not order.whole else None
                if belief is None:
                    unknown.append((key, target))
                else:
                    known[key] = belief
        if unknown:
            stored = await self._view_store.get([key for key, _ in unknown])
            for key, target in unknown:
                known[key] = known_from(target.view, stored.get(key))
        await self._read_what_is_missing(orders, known)
        return await self._write(orders, known)

    def _belief(self, key: str, numbers: list[int]) -> Known[Any] | None:
        """What may be taken for granted without a read: the condition of the write corrects it. None when it does not fit the commits."""
        cached = self._cache.get(key)
        belief = NOTHING if cached is None else cached
        return belief if follows(belief.folded, numbers) else None

    async def _read_what_is_missing(self, orders: list[_Order], known: dict[str, Known[Any]]) -> None:
        jobs = []
        for order in orders:
            after: list[int] = []
            for target in order.targets:
                document = known[target.generation.key(order.tenant, order.order_id)]
                numbers = order.numbers(target)
                anew = document.stored is not None and document.folded < document.stored
                holes = not follows(document.folded, numbers)
                if anew:
                    self._observer.refolded(view=target.view.name)
                elif holes and target.view.reacts_to is None:  # the others skip commits by nature
                    fresh = [number for number in numbers if number > document.folded]
                    missing = fresh[-1] - document.folded - len(fresh)
                    self._observer.gap_healed(view=target.view.name, missing=missing)
                if anew or holes or order.whole:
                    after.append(document.folded)
            if after:
                jobs.append(partial(self._read, order, after=min(after)))
        await run_all(jobs, at_once=LOG_READS_AT_ONCE)

    async def _read(self, order: _Order, *, after: int) -> None:
        commits: tuple[Commit, ...] = await self._store.read(order.stream, after=after)
        order.log.update((commit.number, decode(commit)) for commit in commits)

    async def _write(self, orders: list[_Order], known: dict[str, Known[Any]]) -> list[_Order]:
        planned: list[_Planned] = []
        for order in orders:
            for target in order.targets:
                before = known[target.generation.key(order.tenant, order.order_id)]
                after = self._step(order, target, before)
                if after.folded > before.folded:
                    write = write_of(target, order.tenant, order.order_id, after)
                    planned.append(_Planned(order, target, before, after, write))
                else:
                    self._report_duplicates(order, target, before)
            order.targets = []
        results = await self._view_store.write([plan.write for plan in planned]) if planned else ()
        for plan, result in zip(planned, results, strict=True):
            name = plan.target.view.name
            if isinstance(result, Conflict):
                self._observer.conflicted(view=name)
                self._cache.forget(plan.write.key)
                plan.order.targets.append(plan.target)
                continue
            self._report_duplicates(plan.order, plan.target, plan.before)
            self._report_applied(plan)
            self._observer.view_written(view=name, document_bytes=len(plan.write.document))
            if plan.target.view.reacts_to is None:  # the others are written once or twice in an order's life
                self._cache.put(plan.write.key, Known(plan.after.state, plan.after.folded, plan.after.folded))
        return [order for order in orders if order.targets]

    def _step(self, order: _Order, target: Target, before: Known[Any]) -> Known[Any]:
        if not follows(before.folded, order.numbers(target)):
            raise LogBehindStream(f"{order.stream}: commits {order.numbers(target)} do not follow {before.folded}")
        after = step(target.view, before, order.log)
        if before.stored is not None and after.folded < before.stored:
            raise LogBehindStream(
                f"{order.stream}: the log ends before commit {before.stored}, which {target.view.name} has"
            )
        return after

    def _report_applied(self, plan: _Planned) -> None:
        name = plan.target.view.name
        self._observer.applied(view=name, commits=plan.after.folded - plan.before.folded)
        for number in range(plan.before.folded + 1, plan.after.folded + 1):
            for recorded in plan.order.log.get(number, ()):
                self._observer.projected(view=name, recorded=recorded)

    def _report_duplicates(self, order: _Order, target: Target, before: Known[Any]) -> None:
        repeated = sum(1 for number in order.numbers(target) if number in order.arrived and number <= before.folded)
        if repeated:
            self._observer.duplicates_dropped(view=target.view.name, commits=repeated)
