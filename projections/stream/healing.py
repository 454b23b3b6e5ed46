"""Back-fills: one at a time, each for every gap that waits when it begins, tried until it works."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import anyio

from projections.stream.gaps import Gap
from projections.stream.observe import StreamObserver
from projections.stream.pacing import Backoff
from projections.stream.settings import StreamSettings
from projections.stream.subscriber import Subscriber


@dataclass(slots=True, eq=False)
class _Waiting:
    """Itself and no other: two gaps may begin in the same millisecond, and each of them is waited for."""

    since_ms: int
    reached_ms: int | None = None


class Healer:
    """Runs the subscriber's back-fill for all shards of one worker.

    A back-fill reads the table, not a shard, so one serves every gap that was durably marked before it began; a stream with many
    shards that vanished together is healed by one or two scans, not by hundreds.
    """

    def __init__(
        self,
        *,
        subscriber: Subscriber,
        settings: StreamSettings,
        observer: StreamObserver,
        now_ms: Callable[[], int],
        random: Random,
    ) -> None:
        self._subscriber = subscriber
        self._observer = observer
        self._now_ms = now_ms
        self._margin_ms = round(settings.gap_margin_s * 1_000)
        self._backoff = Backoff(initial_s=settings.backoff_initial_s, maximum_s=settings.backoff_max_s, random=random)
        self._lock = anyio.Lock()
        self._waiting: list[_Waiting] = []

    async def heal(self, gap: Gap) -> int:
        """Return once everything since the gap was back-filled, with the new low-water mark (milliseconds, wall clock).

        The gap has to be stored before: a crash in here must find it. The mark stays a margin behind the start of the back-fill,
        for commits whose writers' clocks run behind or that were under way.
        """
        waiting = _Waiting(gap.since_ms)
        self._waiting.append(waiting)
        try:
            async with self._lock:
                while waiting.reached_ms is None:
                    await self._backfill(tuple(self._waiting))
        finally:
            self._waiting.remove(waiting)
        return waiting.reached_ms

    async def _backfill(self, served: tuple[_Waiting, ...]) -> None:
        since_ms = min(waiting.since_ms for waiting in served)
        began_at_ms, began_at_s = self._now_ms(), anyio.current_time()
        try:
            await self._subscriber.backfill(since_ms)
        except Exception as error:  # noqa: BLE001 - whatever failed, a back-fill that is owed is tried until it works
            self._observer.backfill_failed(since_ms=since_ms, error=error)
            await self._backoff.pause()
            return
        self._backoff.reset()
        self._observer.backfilled(since_ms=since_ms, seconds=anyio.current_time() - began_at_s)
        for waiting in served:
            waiting.reached_ms = max(0, began_at_ms - self._margin_ms)
