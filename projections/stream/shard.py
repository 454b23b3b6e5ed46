"""Reading one shard under its lease: heal what is owed, read, apply, note the progress, until the shard ends."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import anyio
from anyio.abc import TaskGroup

from projections.stream.budget import RecordBudget
from projections.stream.discovery import Discovery
from projections.stream.gaps import Gap, GapCause, since_ms
from projections.stream.healing import Healer
from projections.stream.held import HeldLease
from projections.stream.lanes import LaneOf, Lanes
from projections.stream.leases import LeaseLost, LeaseStoreUnavailable
from projections.stream.observe import StreamObserver
from projections.stream.pacing import Backoff, ReadPace
from projections.stream.proof import Proof
from projections.stream.settings import StreamSettings
from projections.stream.source import (
    TRIM_HORIZON,
    After,
    IteratorExpired,
    Page,
    Position,
    PositionTrimmed,
    ShardGone,
    StreamError,
    StreamSource,
    StreamThrottled,
)
from projections.stream.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardContext:
    """What the shards of one worker share."""

    source: StreamSource
    subscriber: Subscriber
    lane_of: LaneOf
    discovery: Discovery
    healer: Healer
    reads: anyio.CapacityLimiter
    budget: RecordBudget
    settings: StreamSettings
    observer: StreamObserver
    now_ms: Callable[[], int]
    random: Random


async def read_shard(held: HeldLease, context: ShardContext) -> bool:
    """Read the shard until it ends (True) or its lease is to be given back (False). Raises `LeaseLost` when it is somebody else's."""
    finished, lost = False, None
    async with anyio.create_task_group() as tasks:
        reader = ShardReader(held, context, tasks)
        try:
            finished = await reader.run()
        except LeaseLost as error:  # raised as it is, not in the group's wrapping
            lost = error
        finally:
            reader.let_go()
        tasks.cancel_scope.cancel()
    if lost is not None:
        raise lost
    return finished


class ShardReader:
    """One shard, one task that reads, and the lanes' tasks that apply. Runs once."""

    def __init__(self, held: HeldLease, context: ShardContext, tasks: TaskGroup) -> None:
        settings = context.settings
        self._held = held
        self._context = context
        self._tasks = tasks
        self._settings = settings
        self._observer = context.observer
        self._iterator: str | None = None
        self._position: Position = held.now.position  # right behind the last record read
        self._ended = False  # read to its end; what was read may still be under way
        self._no_room = False  # the last read was not made: the worker has too many records that are not durable
        self._backoff = self._new_backoff()
        self._pace = ReadPace(
            per_second_max=settings.reads_per_second_max,
            idle_initial_s=settings.idle_initial_s,
            idle_maximum_s=settings.idle_max_s,
        )
        self._empty_reads_asked_ms: deque[int] = deque(maxlen=settings.empty_reads_at_tip)
        self._proof = Proof(
            held,
            source=context.source,
            discovery=context.discovery,
            settings=settings,
            observer=context.observer,
            now_ms=context.now_ms,
        )
        self._lanes = self._new_lanes()

    async def run(self) -> bool:
        """Read until the shard ends (True) or the lease is to be given back (False).

        Raises `LeaseLost` when the shard turns out to be somebody else's. Cancelled at any time, it leaves nothing half-noted.
        """
        if not await self._proof.resumed():
            await self._gap(GapCause.UNPROVEN_START)
        while not self._held.stopping:
            if self._held.now.gap is not None:
                if await self._heal(self._held.now.gap):
                    return True
                continue
            if self._ended and self._lanes.empty:
                return await self._finish()
            if self._ended or self._lanes.full:
                await self._lanes.moved(self._settings.idle_max_s)
            elif self._no_room:
                self._no_room = False
                await self._context.budget.wait(holding=self._lanes.records, timeout_s=self._settings.idle_max_s)
            else:
                await self._read_on()
            await self._checkpoint()
        await self._settle()
        return False

    def let_go(self) -> None:
        """Drop what is not durable: however the reading ended, it counts in no budget any more."""
        self._lanes.abandon()

    async def _read_on(self) -> None:
        cause = await self._proof.look(self._position)
        if cause is not None:
            await self._gap(cause)
            return
        await self._pace.next_read()
        asked_at_ms = self._context.now_ms()
        from_the_oldest = self._position == TRIM_HORIZON
        page = await self._read()
        if page is None:
            return
        if from_the_oldest and not self._proof.young():
            self._context.budget.give_back(len(page.records))
            await self._gap(GapCause.UNPROVEN_START)
        else:
            self._take(page, asked_at_ms)

    # -- reading and applying

    async def _read(self) -> Page | None:
        """The next page, whose records count in the budget; None: there is none, for a reason that was dealt with."""
        held, source, budget = self._held, self._context.source, self._context.budget
        granted, read = 0, 0
        try:
            async with self._context.reads:
                # In here, so that no more is granted than reads are under way for.
                granted = budget.take(self._settings.page_records_max, holding=self._lanes.records)
                if granted == 0:
                    self._no_room = True
                    return None
                if self._iterator is None:
                    self._iterator = await source.iterator(held.shard, self._position)
                page = await source.read(self._iterator, granted)
                read = len(page.records)
        except IteratorExpired:
            self._iterator = None
            self._observer.iterator_expired(shard=held.shard)
        except PositionTrimmed:
            await self._gap(GapCause.TRIMMED)
        except ShardGone:
            await self._gap(GapCause.VANISHED)
        except StreamThrottled:
            self._pace.was_throttled()
            self._observer.throttled(shard=held.shard)
        except StreamError as error:
            self._iterator = None
            self._proof.doubt()
            self._observer.unavailable(operation="read", error=error)
        else:
            self._backoff.reset()
            return page
        finally:
            budget.give_back(granted - read)
        self._empty_reads_asked_ms.clear()  # an answer that was lost may have been the one with records in it
        await self._backoff.pause()
        return None

    def _take(self, page: Page, asked_at_ms: int) -> None:
        """Give a page to the lanes, and note what the read has shown."""
        if page.records:
            self._pace.found_records()
            self._empty_reads_asked_ms.clear()
            self._observer.records_read(shard=self._held.shard, count=len(page.records))
            self._position = After(page.records[-1].sequence_number)
            self._lanes.submit(page.records)
        else:
            self._pace.was_empty()
            self._empty_reads_asked_ms.append(asked_at_ms)
        self._iterator = page.next_iterator
        self._ended = page.next_iterator is None

    async def _checkpoint(self) -> None:
        """Note the tip if this is it, report, and store the progress if that is due."""
        held, asked_ms = self._held, self._empty_reads_asked_ms
        if len(asked_ms) == asked_ms.maxlen and self._lanes.empty:
            if asked_ms[0] > held.now.caught_up_to_ms:
                held.advance(caught_up_to_ms=asked_ms[0])
            self._observer.caught_up(shard=held.shard)
        self._lanes.report()
        if held.dirty and anyio.current_time() - held.written_at_s >= self._settings.checkpoint_interval_s:
            try:
                await held.store()
            except LeaseStoreUnavailable as error:  # the renewal tries again, and judges when the lease is lost
                self._observer.unavailable(operation="checkpoint", error=error)

    async def _finish(self) -> bool:
        self._held.note_end()
        await self._store_surely(release=True)
        self._observer.shard_finished(shard=self._held.shard)
        return True

    async def _settle(self) -> None:
        """Before the lease is given back: let what is under way end, for a bounded time, so that nobody does it again."""
        with anyio.move_on_after(self._settings.stop_timeout_s):
            while not self._lanes.empty:
                await self._lanes.moved(self._settings.idle_max_s)

    # -- gaps

    async def _gap(self, cause: GapCause) -> None:
        """Store that a back-fill is owed, before anything else is done; then report it.

        What is under way is dropped: the back-fill reaches behind the low-water mark and brings it all.
        """
        held = self._held
        self._lanes.abandon()
        self._lanes = self._new_lanes()
        listed = self._context.discovery.shard(held.shard)
        since = since_ms(caught_up_to_ms=held.now.caught_up_to_ms, margin_s=self._settings.gap_margin_s)
        held.note_gap(Gap(cause, since), starting_sequence=None if listed is None else listed.starting_sequence)
        await self._store_surely()
        self._iterator, self._ended = None, False
        self._position = held.now.position
        self._empty_reads_asked_ms.clear()
        self._observer.gap(shard=held.shard, cause=cause, since_ms=since)

    async def _heal(self, gap: Gap) -> bool:
        """Back-fill, then go on from the oldest record; True when the shard is over because it does not exist any more."""
        held, discovery = self._held, self._context.discovery
        reached_ms = await self._context.healer.heal(gap)
        over = False
        if gap.cause is GapCause.VANISHED:
            await discovery.fresh()
            over = discovery.shard(held.shard) is None
        held.note_healed(caught_up_to_ms=reached_ms)
        if over:
            held.note_end()
        await self._store_surely(release=over)
        if over:
            self._observer.shard_finished(shard=held.shard)
        self._proof.accept()
        return over

    # -- storing

    async def _store_surely(self, *, release: bool = False) -> None:
        backoff = self._new_backoff()
        while True:
            try:
                return await self._held.store(release=release)
            except LeaseStoreUnavailable as error:
                self._observer.unavailable(operation="checkpoint", error=error)
                await backoff.pause()

    def _new_lanes(self) -> Lanes:
        context = self._context
        return Lanes(
            tasks=self._tasks,
            held=self._held,
            subscriber=context.subscriber,
            lane_of=context.lane_of,
            budget=context.budget,
            settings=context.settings,
            observer=context.observer,
            now_ms=context.now_ms,
            random=context.random,
        )

    def _new_backoff(self) -> Backoff:
        settings = self._settings
        return Backoff(
            initial_s=settings.backoff_initial_s, maximum_s=settings.backoff_max_s, random=self._context.random
        )
