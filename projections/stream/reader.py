"""The reader of one subscription in one process: joins the other workers, takes its share of the shards, reads them."""

import math
from collections.abc import Callable
from random import Random

import anyio
from anyio.abc import TaskGroup, TaskStatus

from projections.stream.budget import RecordBudget
from projections.stream.coordinator import Coordinator
from projections.stream.discovery import Discovery
from projections.stream.healing import Healer
from projections.stream.held import HeldLease
from projections.stream.lanes import LaneOf
from projections.stream.leases import Lease, LeaseError, LeaseLost, LeaseStore, LeaseStoreUnavailable
from projections.stream.observe import SilentObserver, StreamObserver
from projections.stream.pacing import Backoff
from projections.stream.settings import StreamSettings
from projections.stream.shard import ShardContext, read_shard
from projections.stream.source import Record, StreamError, StreamSource
from projections.stream.subscriber import Subscriber


class StreamReader:
    """Delivers every record of a table's stream to a subscriber at least once, in order for each item and each lane.

    `owner` must be new at every start (task id and a random boot id). `now_ms` is the wall clock in milliseconds; it feeds the low-water
    mark, never a decision about leases. Records for which `lane_of` gives the same are applied in the shard's order, others side by side;
    without it a whole shard is one lane. Several readers of one subscription, in any number of processes, share the shards.
    """

    def __init__(
        self,
        *,
        subscription: str,
        source: StreamSource,
        leases: LeaseStore,
        subscriber: Subscriber,
        owner: str,
        now_ms: Callable[[], int],
        random: Random,
        lane_of: LaneOf | None = None,
        settings: StreamSettings | None = None,
        observer: StreamObserver | None = None,
    ) -> None:
        self._subscription = subscription
        self._store = leases
        self._random = random
        self._settings = settings = settings or StreamSettings()
        self._observer = observer = observer or SilentObserver()
        self._discovery = discovery = Discovery(source, settings, random)
        self._held: dict[str, HeldLease] = {}
        self._tasks: TaskGroup | None = None
        self._stop_by_s = math.inf  # once stopping: when all farewells are over
        self._coordinator = Coordinator(
            subscription=subscription,
            owner=owner,
            store=leases,
            discovery=discovery,
            settings=settings,
            observer=observer,
            random=random,
            now_ms=now_ms,
            held=self._held,
            begin=self._begin,
        )
        healer = Healer(subscriber=subscriber, settings=settings, observer=observer, now_ms=now_ms, random=random)
        self._context = ShardContext(
            source=source,
            subscriber=subscriber,
            lane_of=lane_of or _one_lane,
            discovery=discovery,
            healer=healer,
            reads=anyio.CapacityLimiter(settings.reads_in_flight_max),
            budget=RecordBudget(most=settings.worker_records_max, floor=settings.shard_records_floor),
            settings=settings,
            observer=observer,
            now_ms=now_ms,
            random=random,
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Read until cancelled; started once the shards were listed and the first leases asked for. To be called once.

        When cancelled it stores what was applied and gives its leases back, all of it within `stop_timeout_s`. Trouble with the stream,
        the lease table or the subscriber is reported and tried again for ever; none of it raises through here.
        """
        if self._tasks is not None:
            raise RuntimeError("a reader runs once: its owner id must be new at every start")
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                tasks.start_soon(self._renew_for_ever, name=f"{self._subscription}: renew leases")
                try:
                    await self._coordinate_for_ever(task_status)
                finally:
                    self._stop_by_s = anyio.current_time() + self._settings.stop_timeout_s
        finally:
            with anyio.CancelScope(shield=True, deadline=self._farewell_ends_at_s()):
                try:
                    await self._coordinator.presence.leave()
                except LeaseError as error:
                    self._observer.unavailable(operation="leave", error=error)

    async def _coordinate_for_ever(self, task_status: TaskStatus[None]) -> None:
        settings, discovery, started = self._settings, self._discovery, False
        backoff = Backoff(initial_s=settings.backoff_initial_s, maximum_s=settings.backoff_max_s, random=self._random)
        while True:
            try:
                await self._coordinator.coordinate()
            except (StreamError, LeaseError) as error:
                self._observer.unavailable(operation="coordinate", error=error)
                self._coordinator.report_behind()
                await backoff.pause()
                continue
            backoff.reset()
            if not started:
                task_status.started()
                started = True
            await discovery.asked(min(settings.renew_interval_s, max(0.0, discovery.next_search_in_s())))

    # -- leases

    async def _renew_for_ever(self) -> None:
        """Apart from the coordination, so that a slow listing costs no lease; at once for all, so that a slow write costs only its own."""
        while True:
            await anyio.sleep(self._settings.renew_interval_s)
            async with anyio.create_task_group() as writes:
                for held in tuple(self._held.values()):
                    writes.start_soon(self._renew, held, name=f"{self._subscription}: renew {held.shard}")

    async def _renew(self, held: HeldLease) -> None:
        # A checkpoint a moment ago was a renewal too. Skipping one leaves two more before the lease expires.
        if anyio.current_time() - held.written_at_s >= self._settings.renew_interval_s / 2:
            try:
                await held.store()
            except LeaseLost:
                held.lose()
            except LeaseStoreUnavailable as error:
                self._observer.unavailable(operation="renew", error=error)
        if not held.valid():
            held.lose()

    # -- shards

    def _begin(self, lease: Lease, taken_at_s: float) -> None:
        held = HeldLease(
            self._store,
            lease,
            duration_s=self._settings.lease_duration_s,
            write_timeout_s=min(self._settings.renew_interval_s, self._settings.stop_timeout_s),
            taken_at_s=taken_at_s,
        )
        self._held[lease.shard] = held
        self._observer.lease_taken(shard=lease.shard)
        self._observer.shards_owned(count=len(self._held))
        if self._tasks is None:
            raise RuntimeError("a shard is begun only while the reader runs")
        self._tasks.start_soon(self._read, held, name=f"{self._subscription}: read {lease.shard}")

    async def _read(self, held: HeldLease) -> None:
        """One shard from taking its lease to giving it back, whatever ends it."""
        finished = False
        try:
            with held.scope:
                finished = await read_shard(held, self._context)
        except LeaseLost:
            held.lost = True
        finally:
            if held.lost:
                self._observer.lease_lost(shard=held.shard)
            elif not finished:
                await self._release(held)
            del self._held[held.shard]
            self._observer.shards_owned(count=len(self._held))
        if finished:
            self._discovery.ended(held.shard)

    async def _release(self, held: HeldLease) -> None:
        with anyio.CancelScope(shield=True, deadline=self._farewell_ends_at_s()):
            try:
                await held.store(release=True)
            except LeaseLost:
                self._observer.lease_lost(shard=held.shard)
            except LeaseStoreUnavailable as error:  # it expires by itself, and what was not stored is read again
                self._observer.unavailable(operation="release", error=error)
            else:
                self._observer.lease_released(shard=held.shard)

    def _farewell_ends_at_s(self) -> float:
        """All farewells of a reader that stops share one deadline; a single shard that is handed over has its own."""
        return min(self._stop_by_s, anyio.current_time() + self._settings.stop_timeout_s)


def _one_lane(record: Record) -> None:  # noqa: ARG001 - every record is in the same lane
    return None
