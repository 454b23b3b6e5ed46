"""Brings documents of orders up to commits that are at hand: drops what a document has, applies what follows, heals holes from the log.

Each document carries the last commit folded into it, and is only ever written on the condition that this is still the commit that was
started from: so it never goes backwards, whoever else writes. Knows nothing of the stream: the projector uses it, and so does a rebuild.
What it raises of its own stands in `errors.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from orderstore.codec import decode
from orderstore.domain.ids import order_of
from orderstore.recorded import Recorded
from orderstore.store.port import Commit
from projections.batches import run_all
from projections.observe import Observer, SilentObserver
from projections.projecting.document_cache import DocumentCache
from projections.projecting.errors import Contended, LogBehindStream
from projections.projecting.folding import NOTHING, Known, follows, known_from, part_that_fits, step, write_of
from projections.projecting.targets import Target
from projections.view_store import Conflict, Stored, Write, WriteResult

ROUNDS_MAX: Final = (
    10  # a lost round is another projector's success on the same order: more than this is a fault, not contention
)
ORDERS_AT_ONCE: Final = 100
LOG_READS_AT_ONCE: Final = 16
CACHE_ENTRIES: Final = 20_000  # about 2 KB each
_SILENT: Final = SilentObserver()


class LogOfOrders(Protocol):
    """What is needed of an `EventStore`."""

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """See `EventStore.read`."""
        ...


class Documents(Protocol):
    """What is needed of a `ViewStore`."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore.get`."""
        ...

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """See `ViewStore.write`."""
        ...


@dataclass(slots=True)
class Order:
    """One order's work: the commits at hand, and the targets whose documents do not have them yet.

    Raises ValueError for a stream that is not an order's.
    """

    stream: str
    targets: list[Target]
    log: dict[int, tuple[Recorded, ...]] = field(default_factory=dict)
    arrived: set[int] = field(default_factory=set)  # those that were brought; the others were read from the log
    whole: bool = False  # bring it up to the end of the log, whatever is at hand
    unmoved: list[Target] = field(default_factory=list)  # those that the commits at hand do not change
    healed: bool = False  # a commit that the stream never brought was read from the log
    reaches: int = 0  # a commit that the log is known to have
    tenant: str = field(init=False)
    order_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.tenant, self.order_id = order_of(self.stream)

    def key(self, target: Target) -> str:
        """Its document's."""
        return target.generation.key(self.tenant, self.order_id)

    def numbers(self, target: Target) -> list[int]:
        """The commits at hand from the first to the last that changes this view; [] when none does."""
        changing = [number for number, events in self.log.items() if target.view.changed_by(events)]
        return sorted(number for number in self.log if number <= max(changing, default=0))


def orders_of(commits: Iterable[Commit], targets: Sequence[Target]) -> list[Order]:
    """The orders that these commits, in any order, belong to. Raises CodecError, ValueError."""
    orders: dict[str, Order] = {}
    for commit in commits:
        order = orders.get(commit.stream)
        if order is None:
            order = orders[commit.stream] = Order(commit.stream, list(targets))
        order.log[commit.number] = decode(commit)
        order.arrived.add(commit.number)
    return list(orders.values())


@dataclass(frozen=True, slots=True)
class _Planned:
    """One write, and where it came from."""

    order: Order
    target: Target
    before: Known[Any]
    after: Known[Any]
    write: Write
    more: bool = False  # what the totals move by does not fit one write: another one follows


class BringingUp:
    """Writes the documents of orders. Safe to run many times at once, on the same orders too.

    What is observed is what readers get to see: the same commits go into other generations as well, where neither their age nor a hole
    (in a generation that is only being filled) means anything.
    """

    def __init__(
        self,
        store: LogOfOrders,
        view_store: Documents,
        *,
        observer: Observer | None = None,
        cache_entries: int = CACHE_ENTRIES,
    ) -> None:
        self._store = store
        self._view_store = view_store
        self._observer = observer or _SILENT
        self._cache = DocumentCache(entries_max=cache_entries)

    async def bring_up(self, orders: Sequence[Order]) -> None:
        """Fold what is at hand into the documents, ORDERS_AT_ONCE at a time.

        Raises StoreError, CodecError, ViewStoreError, OutOfPlace, ProjectionError; what was written by then stays.
        """
        for start in range(0, len(orders), ORDERS_AT_ONCE):
            await self._rounds(list(orders[start : start + ORDERS_AT_ONCE]))

    async def _rounds(self, orders: list[Order]) -> None:
        believe = True
        for _ in range(ROUNDS_MAX):
            orders = await self._round(orders, believe=believe)
            if not orders:
                return
            believe = False  # what was believed of these documents was wrong: read them
        streams = ", ".join(order.stream for order in orders[:3])
        raise Contended(f"{len(orders)} orders changed under {ROUNDS_MAX} rounds in a row: {streams} …")

    async def _round(self, orders: list[Order], *, believe: bool) -> list[Order]:
        """One attempt at each document. Returns the orders with documents that somebody else wrote meanwhile."""
        known: dict[str, Known[Any]] = {}
        unknown: list[tuple[str, Target]] = []
        for order in orders:
            if not order.whole:
                changed = [bool(order.numbers(target)) for target in order.targets]
                unmoved = [target for target, moves in zip(order.targets, changed, strict=True) if not moves]
                self._pass_over(order, unmoved)
                order.unmoved += unmoved
                order.targets = [target for target, moves in zip(order.targets, changed, strict=True) if moves]
            for target in order.targets:
                key = order.key(target)
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

    def _pass_over(self, order: Order, unmoved: Sequence[Target]) -> None:
        """Remember of documents that these commits do not change that they are seen: the next one that does then follows without a read."""
        numbers = sorted(order.log)
        for target in unmoved:
            belief = self._cache.get(order.key(target))
            if belief is None or not numbers or numbers[-1] <= belief.folded or not follows(belief.folded, numbers):
                continue
            if target.view.changed_by(tuple(one for n in numbers if n > belief.folded for one in order.log[n])):
                continue
            state = belief.state
            for number in (number for number in numbers if number > belief.folded):
                for recorded in order.log[number]:
                    state = target.view.evolve(state, recorded)
            self._cache.put(order.key(target), Known(state, numbers[-1], belief.stored, belief.contribution))

    def _belief(self, key: str, numbers: list[int]) -> Known[Any] | None:
        """What may be taken for granted without a read: the condition of the write corrects it. None when it does not fit the commits."""
        cached = self._cache.get(key)
        belief = NOTHING if cached is None else cached
        return belief if follows(belief.folded, numbers) else None

    async def _read_what_is_missing(self, orders: list[Order], known: dict[str, Known[Any]]) -> None:
        jobs = []
        for order in orders:
            after: list[int] = []
            for target in order.targets:
                document = known[order.key(target)]
                numbers = order.numbers(target)
                anew = document.stored is not None and document.folded < document.stored
                holes = not follows(document.folded, numbers)
                if anew:
                    self._told_of(target).refolded(view=target.view.name)
                elif holes and target.view.reacts_to is None:  # the others skip commits by nature
                    fresh = [number for number in numbers if number > document.folded]
                    missing = fresh[-1] - document.folded - len(fresh)
                    self._told_of(target).gap_healed(view=target.view.name, missing=missing)
                    order.healed = True
                if anew or holes or order.whole:
                    after.append(document.folded)
            if after:
                jobs.append(partial(self._read, order, after=min(after)))
        await run_all(jobs, at_once=LOG_READS_AT_ONCE)

    async def _read(self, order: Order, *, after: int) -> None:
        commits: tuple[Commit, ...] = await self._store.read(order.stream, after=after)
        order.log.update((commit.number, decode(commit)) for commit in commits)
        if (end := commits[-1].number if commits else after) < order.reaches:
            raise LogBehindStream(f"{order.stream}: commit {order.reaches} was seen, and the log ends with {end}")

    async def _write(self, orders: list[Order], known: dict[str, Known[Any]]) -> list[Order]:
        planned: list[_Planned] = []
        for order in orders:
            for target in order.targets:
                before = known[order.key(target)]
                whole = self._step(order, target, before)
                if whole.folded > before.folded:
                    after = part_that_fits(target.view, before, whole, order.log)
                    write = write_of(target, order.tenant, order.order_id, after)
                    planned.append(_Planned(order, target, before, after, write, more=after.folded < whole.folded))
                else:
                    self._report_duplicates(order, target, before)
            order.targets = []
        results = await self._view_store.write([plan.write for plan in planned]) if planned else ()
        for plan, result in zip(planned, results, strict=True):
            name, observer = plan.target.view.name, self._told_of(plan.target)
            if isinstance(result, Conflict):
                observer.conflicted(view=name)
                self._cache.forget(plan.write.key)
                plan.order.targets.append(plan.target)
                continue
            self._report_duplicates(plan.order, plan.target, plan.before)
            self._report_applied(plan)
            observer.view_written(view=name, document_bytes=len(plan.write.document))
            if plan.target.view.from_the_start:  # the others are written once or twice in an order's life
                written = Known(plan.after.state, plan.after.folded, plan.after.folded, plan.write.contribution)
                self._cache.put(plan.write.key, written)
                self._pass_over(plan.order, [plan.target])
            if plan.more:
                plan.order.targets.append(plan.target)
        for order in orders:
            if order.healed:  # what was missing may change the others
                order.targets += [target for target in order.unmoved if order.numbers(target)]
                order.unmoved, order.healed = [], False
        return [order for order in orders if order.targets]

    def _step(self, order: Order, target: Target, before: Known[Any]) -> Known[Any]:
        if not follows(before.folded, order.numbers(target)):
            raise LogBehindStream(f"{order.stream}: commits {order.numbers(target)} do not follow {before.folded}")
        after = step(target.view, before, order.log)
        if before.stored is not None and after.folded < before.stored:
            raise LogBehindStream(
                f"{order.stream}: the log ends before commit {before.stored}, which {target.view.name} has"
            )
        return after

    def _told_of(self, target: Target) -> Observer:
        return self._observer if target.served else _SILENT

    def _report_applied(self, plan: _Planned) -> None:
        name, observer = plan.target.view.name, self._told_of(plan.target)
        observer.applied(view=name, commits=plan.after.folded - plan.before.folded)
        for number in range(plan.before.folded + 1, plan.after.folded + 1):
            for recorded in plan.order.log.get(number, ()):
                observer.projected(view=name, recorded=recorded)

    def _report_duplicates(self, order: Order, target: Target, before: Known[Any]) -> None:
        repeated = sum(1 for number in order.numbers(target) if number in order.arrived and number <= before.folded)
        if repeated:
            self._told_of(target).duplicates_dropped(view=target.view.name, commits=repeated)
