"""How old the oldest event is that is not with the topic: said by the projectors, who read the same stream, for a relay that is dead says
nothing.

A projector notes when the records that it is handed were created, and looks every few seconds how far the relay's leases say it has come.
What was noted behind that waits. Where nobody can have noted anything, because a projector was started, or ended with what it had noted, or
they are stuck themselves, the relay's mark stands for what may lie behind it: the answer is then an upper bound, never too little.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from heapq import heappop, heappush
from typing import Final

import anyio
from anyio.abc import TaskStatus

from orderstore.store.errors import CorruptCommit, StoreError
from orderstore.store.port import EventStore
from projections.observe import Observer
from projections.stream.leases import LeaseStore, LeaseStoreUnavailable, split_rows
from projections.stream.low_water import CLOCKS_APART_MS, low_water_ms
from projections.stream.parking import LotUnavailable, Parked, ParkingLot, every_row
from projections.stream.source import Record
from projections.stream.subscriber import Subscriber

LOOK_EVERY_S: Final = 5.0
# A look that fails leaves the marks of before; so does one that hangs.
LOOK_WITHIN_S: Final = 30.0
GRAIN_MS: Final = 1_000  # the stream floors creation times to a second
# More seconds than a stream keeps: what is older than that is a gap, and alarmed as one.
NOTED_MAX: Final = 100_000
# A projector's own mark is a few seconds old at rest; behind an older one there may be records that nobody has noted yet.
PROJECTOR_STUCK_MS: Final = 30_000


class Noted:
    """The seconds in which records were created, as far as they are not known to be published. Pure; in bounded memory."""

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._seconds: set[int] = set()

    def note(self, created_at_ms: int) -> None:
        """A record was created then. Of too many the oldest are kept: they are what is asked for."""
        second = created_at_ms // GRAIN_MS
        if second not in self._seconds and len(self._seconds) < NOTED_MAX:
            self._seconds.add(second)
            heappush(self._heap, second)

    def oldest_ms(self, published_through_ms: int) -> int | None:
        """The oldest that is not known to be published, now that this mark is reached. Forgets the others."""
        certain_ms = published_through_ms - CLOCKS_APART_MS - GRAIN_MS
        while self._heap and self._heap[0] * GRAIN_MS <= certain_ms:
            self._seconds.remove(heappop(self._heap))
        return self._heap[0] * GRAIN_MS if self._heap else None


class _Noting:
    def __init__(self, subscriber: Subscriber, noted: Noted) -> None:
        self._subscriber = subscriber
        self._noted = noted

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber`."""
        for record in records:
            self._noted.note(record.created_at_ms)
        await self._subscriber.apply(records)

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber`."""
        await self._subscriber.backfill(since_ms)


class Unpublished:
    """The age of the oldest unpublished event, for one projector; the truth of all of them is the greatest.

    `publishing` and `projecting` are the two subscriptions' names; `now_ms` is the wall clock in milliseconds since 1970.
    """

    def __init__(
        self,
        store: EventStore,
        leases: LeaseStore,
        lot: ParkingLot,
        *,
        publishing: str,
        projecting: str,
        now_ms: Callable[[], int],
        observer: Observer,
    ) -> None:
        self._store = store
        self._leases = leases
        self._lot = lot
        self._publishing = publishing
        self._projecting = projecting
        self._now_ms = now_ms
        self._observer = observer
        self._noted = Noted()
        self._projectors: frozenset[str | None] = frozenset()
        self._noted_since_ms = now_ms()
        self._published_ms: int | None = None  # the relay's mark; None while it never ran
        self._projected_ms: int | None = None
        self._parked: Mapping[tuple[str, str], int] = {}  # by key and episode, since when it is owed

    def noting(self, subscriber: Subscriber) -> Subscriber:
        """The projector's subscriber, whose records are noted as they come."""
        return _Noting(subscriber, self._noted)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look and report, until cancelled."""
        task_status.started()
        while True:
            with anyio.move_on_after(LOOK_WITHIN_S):
                await self.look()
            self._observer.unpublished(oldest_age_ms=self.oldest_age_ms())
            await anyio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Read the leases and the parking lot once. What cannot be read is reported, and stays what it was: the age grows."""
        try:
            published, _ = split_rows(await self._leases.rows(self._publishing))
            projected, projectors = split_rows(await self._leases.rows(self._projecting))
            self._published_ms = low_water_ms(published) or None
            self._projected_ms = low_water_ms(projected) or None
            self._note_projectors(frozenset(row.owner for row in projectors))
        except LeaseStoreUnavailable as error:
            self._observer.publication_unseen(error=error)
        try:
            waiting = [row for row in await every_row(self._lot, self._publishing) if row.state == "parked"]
            self._parked = {(row.key, row.episode): await self._owed_since_ms(row) for row in waiting}
        except LotUnavailable as error:
            self._observer.publication_unseen(error=error)

    def oldest_age_ms(self) -> int:
        """In milliseconds, 0 when nothing waits."""
        since_ms = [*self._parked.values(), *self._behind_the_mark()]
        return max(0, self._now_ms() - min(since_ms)) if since_ms else 0

    def _behind_the_mark(self) -> list[int]:
        mark_ms = self._published_ms
        if mark_ms is None:  # nothing was ever published
            return [self._noted_since_ms]
        found: list[int] = []
        if (oldest_ms := self._noted.oldest_ms(mark_ms)) is not None:
            found.append(oldest_ms)
        if mark_ms < self._noted_since_ms:
            found.append(mark_ms)
        if self._projected_ms is not None and self._now_ms() - self._projected_ms > PROJECTOR_STUCK_MS:
            found.append(max(mark_ms, self._projected_ms))
        return found

    def _note_projectors(self, alive: frozenset[str | None]) -> None:
        """Whoever goes takes along what it had noted, and whoever reads its shards on does not know of it."""
        if self._projectors - alive:
            self._noted_since_ms = self._now_ms()
        self._projectors = alive

    async def _owed_since_ms(self, row: Parked) -> int:
        """When the first commit that is owed was recorded; the log is asked once for each parking, and need not be able to say."""
        known = self._parked.get((row.key, row.episode))
        if known is not None or row.first is None:
            return row.parked_at_ms if known is None else known
        number = int(row.first["commit"]["N"])
        try:
            async with aclosing(self._store.pages(row.key, after=number - 1, first_commits_max=1)) as pages:
                async for page in pages:
                    return page.commits[0].recorded_at_ms if page.commits else row.parked_at_ms
        except CorruptCommit:
            return row.parked_at_ms  # often the very reason of its parking: nothing is out of reach
        except StoreError as error:
            self._observer.publication_unseen(error=error)
        return row.parked_at_ms
