"""Records of one shard on their way through the subscriber: those of one lane in sequence, those of different lanes side by side.

A lane is taken by keys (an order), not the other way round: while a key has records under way, its next ones queue behind them; a key
without any goes where least waits, and a small page stays together in one call. So a slow or failing key holds up only those that
share its call. What is durable is the low-water mark: the newest record before which every record of the shard has been applied.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from random import Random

import anyio
from anyio.abc import TaskGroup

from projections.stream.budget import RecordBudget
from projections.stream.held import HeldLease
from projections.stream.observe import StreamObserver
from projections.stream.pacing import Backoff
from projections.stream.settings import StreamSettings
from projections.stream.source import Record
from projections.stream.subscriber import Subscriber

LaneOf = Callable[[Record], Hashable]


@dataclass(slots=True)
class Entry:
    """A record that was read; `durable` once the subscriber has returned for it."""

    record: Record
    key: Hashable
    durable: bool = False


class InFlight:
    """The records of a shard that were read and are not all durable, in the shard's order. Pure."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        """Durable ones behind one that is not are counted too: they are what a crash would repeat."""
        return len(self._entries)

    @property
    def oldest(self) -> Record | None:
        """The first record that is not durable."""
        return self._entries[0].record if self._entries else None

    def add(self, record: Record, key: Hashable) -> Entry:
        """Note a record that was read, behind all that were read before it."""
        entry = Entry(record, key)
        self._entries.append(entry)
        return entry

    def finish(self, entries: Sequence[Entry]) -> Record | None:
        """Note what is durable; the record up to which everything is, if that moved."""
        for entry in entries:
            entry.durable = True
        moved_to: Record | None = None
        while self._entries and self._entries[0].durable:
            moved_to = self._entries.popleft().record
        return moved_to


@dataclass(slots=True, eq=False)
class _Lane:
    queue: deque[Entry] = field(default_factory=deque)
    applying: int = 0
    scope: anyio.CancelScope | None = None  # of its task, while it has one

    @property
    def load(self) -> int:
        return len(self.queue) + self.applying


class Lanes:
    """Takes pages and moves the held lease's checkpoint on; its tasks run in `tasks` and end with them, or by `abandon`."""

    def __init__(
        self,
        *,
        tasks: TaskGroup,
        held: HeldLease,
        subscriber: Subscriber,
        lane_of: LaneOf,
        budget: RecordBudget,
        settings: StreamSettings,
        observer: StreamObserver,
        now_ms: Callable[[], int],
        random: Random,
    ) -> None:
        self._tasks = tasks
        self._held = held
        self._subscriber = subscriber
        self._lane_of = lane_of
        self._budget = budget  # of the worker; these lanes give back what they were submitted
        self._settings = settings
        self._observer = observer
        self._now_ms = now_ms
        self._random = random
        self._in_flight = InFlight()
        self._lanes = [_Lane() for _ in range(settings.lanes_max)]
        self._keys: dict[Hashable, tuple[_Lane, int]] = {}  # where a key's records are, and how many
        self._moved = anyio.Event()
        self._abandoned = False

    @property
    def empty(self) -> bool:
        """Everything that was read is durable."""
        return len(self._in_flight) == 0

    @property
    def records(self) -> int:
        """How many records were read and are not durable."""
        return len(self._in_flight)

    @property
    def full(self) -> bool:
        """No page should be read now."""
        return len(self._in_flight) >= self._settings.records_in_flight_max

    def submit(self, records: Sequence[Record]) -> None:
        """Take a page, which counts in the budget already; returns at once."""
        filling, room = self._idlest(), self._settings.lane_fill_records
        touched: set[_Lane] = set()
        for record in records:
            key = self._lane_of(record)
            lane, count = self._keys.get(key, (None, 0))
            if lane is None:
                if room == 0:
                    filling, room = self._idlest(), self._settings.lane_fill_records
                lane, room = filling, room - 1
            self._keys[key] = (lane, count + 1)
            lane.queue.append(self._in_flight.add(record, key))
            touched.add(lane)
        for lane in self._lanes:
            if lane in touched and lane.scope is None:
                lane.scope = anyio.CancelScope()
                self._tasks.start_soon(self._run, lane, lane.scope, name=f"apply {self._held.shard}")

    async def moved(self, timeout_s: float) -> None:
        """Return when a call of the subscriber has ended well, at the latest after `timeout_s`."""
        with anyio.move_on_after(timeout_s):
            await self._moved.wait()

    def abandon(self) -> None:
        """Cancel what is under way and forget it: nothing of it counts any more. The object is of no use afterwards."""
        if not self._abandoned:
            self._budget.give_back(len(self._in_flight))
        self._abandoned = True
        for lane in self._lanes:
            lane.queue.clear()
            if lane.scope is not None:
                lane.scope.cancel()

    def report(self) -> None:
        """Tell how old the oldest record is that is not durable: a subscriber that stands still shows by this alone."""
        oldest = self._in_flight.oldest
        if oldest is not None:
            lag_ms = max(0, self._now_ms() - oldest.created_at_ms)
            self._observer.waiting(shard=self._held.shard, lag_ms=lag_ms)

    def _idlest(self) -> _Lane:
        return min(self._lanes, key=lambda lane: lane.load)

    async def _run(self, lane: _Lane, scope: anyio.CancelScope) -> None:
        with scope:
            while lane.queue:
                batch = [lane.queue.popleft() for _ in range(min(len(lane.queue), self._settings.page_records_max))]
                lane.applying = len(batch)
                if not await self._apply([entry.record for entry in batch]):
                    return
                lane.applying = 0
                self._note_durable(batch)
        lane.scope = None

    async def _apply(self, records: Sequence[Record]) -> bool:
        """Hand records over until the subscriber has made them durable; False when the lease ran out meanwhile."""
        settings = self._settings
        backoff = Backoff(initial_s=settings.backoff_initial_s, maximum_s=settings.backoff_max_s, random=self._random)
        while True:
            if not self._held.valid():
                self._held.lose()
                return False
            try:
                with anyio.fail_after(settings.apply_timeout_s):
                    await self._subscriber.apply(records)
            except Exception as error:  # noqa: BLE001 - whatever failed, records are never skipped
                self._observer.apply_failed(shard=self._held.shard, count=len(records), error=error)
                await backoff.pause()
            else:
                lag_ms = max(0, self._now_ms() - records[-1].created_at_ms)
                self._observer.applied(shard=self._held.shard, count=len(records), lag_ms=lag_ms)
                return True

    def _note_durable(self, batch: Sequence[Entry]) -> None:
        if self._abandoned:  # it ended well just as it was given up: a gap is noted already, and stands
            return
        for entry in batch:
            lane, count = self._keys.pop(entry.key)
            if count > 1:
                self._keys[entry.key] = (lane, count - 1)
        before = len(self._in_flight)
        moved_to = self._in_flight.finish(batch)
        self._budget.give_back(before - len(self._in_flight))
        if moved_to is not None:
            # The service floors creation times to the second: records a little younger may bear the same time.
            self._held.advance(sequence=moved_to.sequence_number, caught_up_to_ms=moved_to.created_at_ms - 1_000)
        self._moved.set()
        self._moved = anyio.Event()
