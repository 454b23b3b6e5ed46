"""Reading one shard under its lease: heal what is owed, read, apply, note the progress, until the shard ends."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import anyio

from projections.stream.discovery import Discovery
from projections.stream.gaps import Gap, GapCause, since_ms, start_is_proven
from projections.stream.healing import Healer
from projections.stream.held import HeldLease
from projections.stream.leases import LeaseLost, LeaseStoreUnavailable
from projections.stream.observe import StreamObserver
from projections.stream.pacing import Backoff, ReadPace
from projections.stream.settings import StreamSettings
from projections.stream.source import (
    IteratorExpired,
    Page,
    PositionTrimmed,
    Record,
    ShardGone,
    StreamError,
    StreamSource,
    StreamThrottled,
    TrimHorizon,
)
from projections.stream.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardContext:
    """What the shards of one worker share."""

    source: StreamSource
    subscriber: Subscriber
    discovery: Discovery
    healer: Healer
    reads: anyio.CapacityLimiter
    settings: StreamSettings
    observer: StreamObserver
    now_ms: Callable[[], int]
    random: Random


class ShardReader:
    """One shard, one task. Raises `LeaseLost` when the shard turns out to be somebody else's."""

    def __init__(self, held: HeldLease, context: ShardContext) -> None:
        settings = context.settings
        self._held = held
        self._context = context
        self._settings = settings
        self._observer = context.observer
        self._iterator: str | None = None
        self._backoff = self._new_backoff()
        self._pace = ReadPace(
            per_second_max=settings.reads_per_second_max,
            idle_initial_s=settings.idle_initial_s,
            idle_maximum_s=settings.idle_max_s,
        )
        self._empty_reads_asked_ms: deque[int] = deque(maxlen=settings.empty_reads_at_tip)
        # What the last look at the listing has proven: this position was in the stream, which started there.
        self._verified_version = 0
        self._proven = held.now.position
        self._start = held.now.starting_sequence
        self._doubtful = False

    async def run(self) -> bool:
        """Read until the shard ends (True) or the lease is to be given back (False)."""
        if self._resumed_without_proof():
            await self._gap(GapCause.UNPROVEN_START)
        while not self._held.stopping:
            if self._held.now.gap is not None:
                if await self._heal(self._held.now.gap):
                    return True
                continue
            cause = await self._verify()
            if cause is not None:
                await self._gap(cause)
                continue
            await self._pace.next_read()
            asked_at_ms = self._context.now_ms()
            page = await self._read()
            if page is not None and await self._take(page, asked_at_ms):
                return True
        return False

    # -- reading and applying

    async def _read(self) -> Page | None:
        held, source = self._held, self._context.source
        try:
            async with self._context.reads:
                if self._iterator is None:
                    self._iterator = await source.iterator(held.shard, held.now.position)
                page = await source.read(self._iterator, self._settings.page_records_max)
        except IteratorExpired:
            self._iterator = None
            self._observer.iterator_expired(shard=held.shard)
        except PositionTrimmed:
            await self._gap(GapCause.TRIMMED)
        except ShardGone:
            await self._gap(GapCause.VANISHED)
        except StreamThrottled:
            self._observer.throttled(shard=held.shard)
        except StreamError as error:
            # Whoever answers next may be a service that was restarted: an old iterator proves nothing there.
            self._iterator = None
            self._doubtful = True
            self._observer.unavailable(operation="read", error=error)
        else:
            self._backoff.reset()
            return page
        await self._backoff.pause()
        return None

    async def _take(self, page: Page, asked_at_ms: int) -> bool:
        """Apply a page and note the progress; True when it was the shard's last."""
        held = self._held
        if page.records:
            self._pace.found_records()
            self._empty_reads_asked_ms.clear()
            self._observer.records_read(shard=held.shard, count=len(page.records))
            await self._apply(page.records)
            last = page.records[-1]
            # The service floors creation times to the second: records a little younger may bear the same time.
            held.advance(sequence=last.sequence_number, caught_up_to_ms=last.created_at_ms - 1_000)
        else:
            self._pace.was_empty()
            self._empty_reads_asked_ms.append(asked_at_ms)
            if len(self._empty_reads_asked_ms) == self._settings.empty_reads_at_tip:
                held.advance(caught_up_to_ms=self._empty_reads_asked_ms[0])
                self._observer.caught_up(shard=held.shard)
        if page.next_iterator is None:
            held.note_end()
            await self._store_surely(release=True)
            self._observer.shard_finished(shard=held.shard)
            return True
        self._iterator = page.next_iterator
        if held.dirty and anyio.current_time() - held.written_at_s >= self._settings.checkpoint_interval_s:
            await self._store_if_possible()
        return False

    async def _apply(self, records: tuple[Record, ...]) -> None:
        """Hand records over until the subscriber has made them durable. Here in-shard concurrency by key has its place."""
        backoff = self._new_backoff()
        while True:
            if not self._held.valid():
                raise LeaseLost(self._held.shard, None)
            try:
                with anyio.fail_after(self._settings.apply_timeout_s):
                    await self._context.subscriber.apply(records)
            except Exception as error:  # noqa: BLE001 - whatever failed, records are never skipped
                self._observer.apply_failed(shard=self._held.shard, count=len(records), error=error)
                await backoff.pause()
            else:
                lag_ms = max(0, self._context.now_ms() - records[-1].created_at_ms)
                self._observer.applied(shard=self._held.shard, count=len(records), lag_ms=lag_ms)
                return

    # -- gaps

    def _resumed_without_proof(self) -> bool:
        held = self._held.now
        listed = self._context.discovery.shard(held.shard)
        if held.gap is not None or held.progressed or listed is None:
            return False  # what happens to a shard that is not listed, the service says when it is read
        return not start_is_proven(
            stored_start=held.starting_sequence,
            listed_start=listed.starting_sequence,
            caught_up_to_ms=held.caught_up_to_ms,
            now_ms=self._context.now_ms(),
            retention_s=self._settings.retention_s,
        )

    async def _verify(self) -> GapCause | None:
        """After each new listing: if the shard does not start where it did, ask whether the last proven position still exists.

        An iterator that was valid once may return nothing, or later records, for ever, when the stream behind it was trimmed
        past it or made anew. The position at the previous look must still be in the stream, or what lay behind it may be lost.
        """
        discovery, held = self._context.discovery, self._held
        if self._doubtful:
            await discovery.fresh()
        if discovery.version == self._verified_version:
            return None
        version, listed = discovery.version, discovery.shard(held.shard)
        start = None if listed is None else listed.starting_sequence
        if start is None or start != self._start:
            if isinstance(self._proven, TrimHorizon):
                if self._start is not None or self._doubtful:
                    return GapCause.UNPROVEN_START
            else:
                try:
                    await self._context.source.iterator(held.shard, self._proven)
                except PositionTrimmed:
                    return GapCause.TRIMMED
                except ShardGone:
                    return GapCause.VANISHED
                except StreamError as error:
                    self._observer.unavailable(operation="verify", error=error)
                    return None
        if start is not None:
            self._start = start
            held.note_start(start)
        self._verified_version, self._proven, self._doubtful = version, held.now.position, False
        return None

    async def _gap(self, cause: GapCause) -> None:
        """Store that a back-fill is owed, before anything else is done; then report it."""
        held = self._held
        listed = self._context.discovery.shard(held.shard)
        since = since_ms(caught_up_to_ms=held.now.caught_up_to_ms, margin_s=self._settings.gap_margin_s)
        held.note_gap(Gap(cause, since), starting_sequence=None if listed is None else listed.starting_sequence)
        await self._store_surely()
        self._iterator = None
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
        self._proven, self._start, self._doubtful = held.now.position, held.now.starting_sequence, False
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

    async def _store_if_possible(self) -> None:
        try:
            await self._held.store()
        except LeaseStoreUnavailable as error:  # the renewal tries again, and judges when the lease is lost
            self._observer.unavailable(operation="checkpoint", error=error)

    def _new_backoff(self) -> Backoff:
        settings = self._settings
        return Backoff(
            initial_s=settings.backoff_initial_s, maximum_s=settings.backoff_max_s, random=self._context.random
        )
